-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7 days and $8 spans of the shortest kind: the same period once more. $9: a script; null: all. Sessions by day,
-- then by script.
with meant as materialized (
    select id from population
    where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
)
select null::date as "day?", app as "app?", sum(sessions::integer) as "sessions!",
    sum(retried::integer) as "retried!", sum(saved::integer) as "saved!"
from (
    select population, app, sessions, retried, saved from rollup_session where day = any($1::date[])
    union all
    select population, app, sessions, retried, saved from span_session where span = any($2::integer[])
) as counted
where population in (select id from meant) and ($9::text is null or app = $9)
group by app
union all
select day, null, sum(sessions::integer), sum(retried::integer), sum(saved::integer)
from (
    select day, population, sessions, retried, saved from rollup_session where day = any($7::date[]) and $9 is null
    union all
    select day, population, sessions, retried, saved from span_session_day where span = any($8::integer[]) and $9 is null
) as counted
where population in (select id from meant)
group by day
order by 1, 3 desc, 2
