-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
insert into span_signature
select $1, population, app, outcome, signature, sum(runs), min(first_day), max(last_day)
from (
    select population, app, outcome, signature, runs, day as first_day, day as last_day
    from rollup_signature where day = any($2::date[]) and runs <> 0
    union all
    select population, app, outcome, signature, runs, first_day, last_day
    from span_signature where span = any($3::integer[])
) as part
group by population, app, outcome, signature
having sum(runs) <> 0
order by signature, population, app, outcome
