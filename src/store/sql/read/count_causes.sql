-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: applications. For each script of them the most frequent cause of its failures.
select category as "category!", app as "app!", kind as "kind!", exit_code as "exit_code!",
    generation as "generation!"
from (
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
) as cause
where rank = 1
order by app, kind
