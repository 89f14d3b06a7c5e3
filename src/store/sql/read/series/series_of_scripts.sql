-- Executions by time, script and outcome, earliest first. Only scripts that have a name are looked up by day; the
-- others are the remainder. $1 selection. $2: day or week. $3: so many scripts have a name, the others are null.
-- $4: outcomes that are told apart; all others are ''.
with ranked as materialized (
    select app from selected_script($1)
    where app <> ''
    group by app
    order by sum(runs) desc, app
    limit $3
), named as materialized (
    select day, app, case when outcome = any($4::text[]) then outcome else '' end as outcome,
        sum(runs::integer) as runs
    from rollup_script
    where app = any(array(select app from ranked)) and is_selected(day, population, $1)
    group by day, app, 3
), parts as (
    select day, app, outcome, runs from named
    union all
    select day, null, case when outcome = any($4) then outcome else '' end, runs from selected_day($1)
    union all
    select day, null, outcome, -runs from named
)
select date_trunc($2, day::timestamp) at time zone 'UTC' as "moment!", app as "name?", outcome as "outcome!",
    sum(runs)::bigint as "runs!"
from (select day, app, outcome, sum(runs) as runs from parts group by day, app, outcome) as by_day
group by 1, app, outcome
having sum(runs) <> 0
order by 1, app nulls last, outcome
