-- $1: days. Returns these days and the days of all other attempts of their sessions: a session counts on the day of
-- its first attempt, which may have become another one. The horizon and earlier days are final: an attempt on them
-- may belong to a session that lost its first attempt.
-- `offset 0` keeps the planner from reading all executions instead of looking up each session.
with touched as (
    select unnest($1::date[]) as day
), session as (
    select distinct on_it.key
    from touched cross join lateral (
        select coalesce(session_key, run_key) as key from execution
        where first_seen >= day::timestamp at time zone 'UTC'
            and first_seen < (day + 1)::timestamp at time zone 'UTC'
        offset 0
    ) as on_it
), attempt as (
    select first_seen from session cross join lateral (
        select first_seen from execution where run_key = key and app is not null offset 0
    ) as first_attempt
    union all
    select first_seen from session cross join lateral (
        select first_seen from execution where session_key = key and app is not null offset 0
    ) as later_attempt
)
select day as "day!" from (
    select day from touched union select (first_seen at time zone 'UTC')::date from attempt
) as due
where day > coalesce(
    (select convert_from(value, 'UTF8')::date from setting where name = 'retention_horizon'), '-infinity')
order by day
