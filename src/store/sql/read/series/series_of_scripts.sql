-- Executions by time, script and outcome, earliest first. Only scripts that have a name are looked up by day; the
-- others are the remainder. $1 selection. $2: day or week. $3: so many scripts have a name, the others are null.
-- $4: outcomes that are told apart; all others are ''.
with script as materialized (
    select counted.app, shown(counted.app, known.app is not null, ($1::view_selection).hides_rare) as name, runs
    from (
        select app, sum(runs) as runs from selected_script(($1::view_selection).chosen) where app <> '' group by app
    ) as counted left join known_app as known on ($1).hides_rare and known.app = counted.app
), ranked as (
    select name from script group by name order by sum(runs) desc, name limit $3
), members as materialized (
    select app, name from script join ranked using (name)
), named as materialized (
    select day, name, case when outcome = any($4::text[]) then outcome else '' end as outcome,
        sum(runs::integer) as runs
    from rollup_script join members using (app)
    where rollup_script.app = any(array(select app from members)) and is_shown(day, population, $1)
    group by day, name, 3
), parts as (
    select day, name, outcome, runs from named
    union all
    select day, null, case when outcome = any($4) then outcome else '' end, runs from shown_day($1)
    union all
    select day, null, outcome, -runs from named
)
select date_trunc($2, day::timestamp) at time zone 'UTC' as "moment!", name as "name?", outcome as "outcome!",
    sum(runs)::bigint as "runs!"
from (select day, name, outcome, sum(runs) as runs from parts group by day, name, outcome) as by_day
group by 1, name, outcome
having sum(runs) <> 0
order by 1, name nulls last, outcome
