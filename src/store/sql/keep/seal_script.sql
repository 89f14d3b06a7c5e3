-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
insert into span_script
select $1, population, app, outcome, sum(runs), sum(duration_count), sum(duration_sum)
from (
    select population, app, outcome, runs, duration_count, duration_sum
    from rollup_script where day = any($2::date[])
    union all
    select population, app, outcome, runs, duration_count, duration_sum
    from span_script where span = any($3::integer[])
) as part
group by population, app, outcome
having sum(runs) <> 0 or sum(duration_count) <> 0 or sum(duration_sum) <> 0
order by population, app, outcome
