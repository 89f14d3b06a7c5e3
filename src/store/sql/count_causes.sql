-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: applications. Why scripts end badly: for each category the applications most hit (kind is null), and
-- for each script of $7 the most frequent cause of its failures.
with counted as materialized (
    select app, population, outcome, exit_code, category, generation, sum(runs)::bigint as runs
    from rollup_exit_code
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    group by app, population, outcome, exit_code, category, generation
), meant as materialized (
    select app, kind, outcome, exit_code, category, generation, sum(runs)::bigint as runs
    from counted join population on population.id = population
    where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    group by app, kind, outcome, exit_code, category, generation
    having sum(runs) <> 0
)
select category as "category!", app as "app!", null as "kind?", 0::smallint as "exit_code!",
    0::smallint as "generation!", runs as "runs!"
from (
    select category, app, sum(runs)::bigint as runs,
        row_number() over (partition by category order by sum(runs) desc, app) as rank
    from meant group by category, app
) as hit
where rank <= 5
union all
select category, app, kind, exit_code, generation, runs
from (
    select *, row_number() over (partition by app, kind order by runs desc, exit_code, category, generation) as rank
    from meant where outcome = 'failed' and app = any($7::text[])
) as cause
where rank = 1
order by 3 nulls first, 6 desc, 1, 2
