-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
with part as (
    select signature, population, outcome, app, runs, day as first_day, day as last_day
    from rollup_signature where day = any($2::date[]) and runs <> 0
    union all
    select signature, population, outcome, unnest(apps), unnest(runs_of_apps), first_day, last_day
    from span_signature where span = any($3::integer[])
), pair as (
    select signature, population, outcome, app, sum(runs)::integer as runs, min(first_day) as first_day,
        max(last_day) as last_day
    from part
    group by signature, population, outcome, app
    having sum(runs) <> 0
)
insert into span_signature
select $1, signature, population, outcome, sum(runs), min(first_day), max(last_day), array_agg(app order by app),
    array_agg(runs order by app)
from pair
group by signature, population, outcome
order by signature, population, outcome
