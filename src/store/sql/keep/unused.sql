-- The populations and signatures under which nothing is counted.
select array(
        select id from population where not exists (
            select from rollup_script where rollup_script.population = population.id and runs <> 0)
    ) as "populations!",
    array(
        select id from signature where not exists (
            select from rollup_signature where rollup_signature.signature = signature.id and runs <> 0)
    ) as "signatures!"
