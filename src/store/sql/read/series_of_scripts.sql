-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: day, week. $8: so many scripts have a name, the others are null. $9 first day, $10 last day, $11 days and
-- $12 spans of the shortest kind: the same period once more. Runs by time, script and outcome: only those that
-- have a name are looked up, the others are what remains. By day first: a time costs more than a day.
-- $13: outcomes that are told apart; the others are none.
with ranked as materialized (
    select app from (
        select app, sum(runs::integer) as runs from rollup_script
        where day = any($1::date[]) and app <> ''
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by app
        union all
        select app, sum(runs::integer) from span_script
        where span = any($2::integer[]) and app <> ''
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by app
    ) as counted
    group by app having sum(runs) <> 0
    order by sum(runs) desc, app
    limit $8
), named as materialized (
    select day, app, case when outcome = any($13::text[]) then outcome else '' end as outcome,
        sum(runs::integer) as runs
    from rollup_script
    where app = any(array(select app from ranked)) and day >= $9::date and day <= $10::date
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by day, app, 3
), total as (
    select day, case when outcome = any($13::text[]) then outcome else '' end as outcome, sum(runs::integer) as runs
    from (
        select day, population, outcome, runs from rollup_facet
        where day = any($11::date[]) and facet = 'generation'
        union all
        select day, population, outcome, runs from span_day where span = any($12::integer[])
    ) as part
    where population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by day, 2
), parts as (
    select day, app, outcome, runs from named
    union all
    select day, null, outcome, runs - coalesce(part.runs_of_named, 0)
    from total left join (
        select day, outcome, sum(runs::integer) as runs_of_named from named group by day, outcome
    ) as part using (day, outcome)
)
select date_trunc($7, day::timestamp) at time zone 'UTC' as "moment!", app as "name?", outcome as "outcome!",
    sum(runs::integer) as "runs!"
from parts
group by 1, app, outcome
having sum(runs::integer) <> 0
order by 1, app nulls last, outcome
