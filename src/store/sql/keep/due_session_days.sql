-- $1: days. Returns these days and the days on which sessions with an attempt on one of them began. The
-- horizon and earlier days are final: an attempt on them may belong to a session that lost its first attempt.
-- `offset 0` keeps the planner from reading all executions instead of looking up each session.
with touched as (
    select unnest($1::date[]) as day
), later as (
    select distinct session_key as session
    from touched cross join lateral (
        select session_key from execution
        where first_seen >= day::timestamp at time zone 'UTC'
            and first_seen < (day + 1)::timestamp at time zone 'UTC'
        offset 0
    ) as on_it
    where session_key is not null
), begun as (
    select min(first_seen) as first_seen
    from (
        select session, first_seen from later cross join lateral (
            select first_seen from execution where run_key = session and app is not null offset 0
        ) as first_attempt
        union all
        select session, first_seen from later cross join lateral (
            select first_seen from execution where session_key = session and app is not null offset 0
        ) as attempt
    ) as attempts
    group by session
)
select day as "day!" from (
    select day from touched union select (first_seen at time zone 'UTC')::date from begun
) as due
where day > coalesce(
    (select convert_from(value, 'UTF8')::date from setting where name = 'retention_horizon'), '-infinity')
order by day
