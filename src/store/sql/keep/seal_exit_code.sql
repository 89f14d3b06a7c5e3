-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
insert into span_exit_code
select $1, population, app, outcome, exit_code, category, generation, sum(runs)
from (
    select population, app, outcome, exit_code, category, generation, runs
    from rollup_exit_code where day = any($2::date[])
    union all
    select population, app, outcome, exit_code, category, generation, runs
    from span_exit_code where span = any($3::integer[])
) as part
group by population, app, outcome, exit_code, category, generation
having sum(runs) <> 0
order by population, app, outcome, exit_code, category, generation
