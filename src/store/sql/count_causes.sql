-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: applications. Why scripts end badly: for each category the applications most hit (kind is null), and
-- for each script of $7 the most frequent cause of its failures.
with hit as (
    select category, app, sum(runs)::bigint as runs,
        row_number() over (partition by category order by sum(runs) desc, app) as rank
    from (
        select category, app, sum(runs::integer) as runs
        from rollup_exit_code where day = any($1::date[])
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by category, app
        union all
        select category, app, sum(runs::integer)
        from span_exit_code where span = any($2::integer[])
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by category, app
    ) as counted
    group by category, app
    having sum(runs) <> 0
), cause as (
    select category, app, kind, exit_code, generation, sum(runs::integer) as runs,
        row_number() over (
            partition by app, kind order by sum(runs::integer) desc, exit_code, category, generation
        ) as rank
    from (
        select category, app, population, exit_code, generation, runs from rollup_exit_code
        where day = any($1::date[]) and outcome = 'failed' and app = any($7::text[])
        union all
        select category, app, population, exit_code, generation, runs from span_exit_code
        where span = any($2::integer[]) and outcome = 'failed' and app = any($7::text[])
    ) as counted join population on population.id = population
    where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    group by category, app, kind, exit_code, generation
    having sum(runs::integer) <> 0
)
select category as "category!", app as "app!", null as "kind?", 0::smallint as "exit_code!",
    0::smallint as "generation!", runs as "runs!"
from hit where rank <= 5
union all
select category, app, kind, exit_code, generation, runs from cause where rank = 1
order by 3 nulls first, 6 desc, 1, 2
