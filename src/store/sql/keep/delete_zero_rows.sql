-- Deletes the rows of days ($1) that count no run, and counts of sessions of scripts that have no run on their day any
-- more: their session is about to be counted again. Returns the populations and signatures that were named there.
with script as (
    delete from rollup_script where day = any($1) and runs = 0 returning population
), duration as (
    delete from rollup_duration where day = any($1) and runs = 0
), facet as (
    delete from rollup_facet where day = any($1) and runs = 0
), exit_code as (
    delete from rollup_exit_code where day = any($1) and runs = 0
), signature as (
    delete from rollup_signature where day = any($1) and runs = 0 returning signature
), environment as (
    delete from rollup_environment where day = any($1) and runs = 0
), hour as (
    delete from rollup_hour where day = any($1) and runs = 0
), session as (
    delete from rollup_session as counted where day = any($1) and not exists (
        select from rollup_script as script
        where script.day = counted.day and script.population = counted.population and script.app = counted.app
            and script.runs <> 0
    )
)
select array(select distinct population from script) as "populations!",
    array(select distinct signature from signature) as "signatures!"
