-- The most frequent cause of the failures of each script. $1 selection, $2 applications.
select distinct on (app, kind) category as "category!", app as "app!", kind as "kind!", exit_code as "exit_code!",
    generation as "generation!"
from (
    select category, app, kind, exit_code, generation, sum(runs) as runs
    from shown_exit_code($1) join population on population.id = population
    where outcome = 'failed' and app = any($2::text[])
    group by category, app, kind, exit_code, generation
) as cause
order by app, kind, runs desc, exit_code, category, generation
