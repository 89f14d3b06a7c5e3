-- $1 first day, $2 marked days: these, and the days on which the sessions began that have an attempt on
-- one of them. None of which executions are deleted for their age.
with touched as (
    select day::date as day
    from generate_series($1::date, (now() at time zone 'UTC')::date, interval '1 day') as day
    union
    select unnest($2::date[])
), later as (
    select distinct session_key as session from touched join execution
        on first_seen >= day::timestamp at time zone 'UTC'
            and first_seen < (day + 1)::timestamp at time zone 'UTC'
    where session_key is not null
), begun as (
    select min(first_seen) as first_seen
    from (
        select session, first_seen from later join execution on run_key = session where app is not null
        union all
        select session, first_seen from later join execution on session_key = session where app is not null
    ) as attempts
    group by session
)
select day as "day!" from (
    select day from touched union select (first_seen at time zone 'UTC')::date from begun
) as due
where day >= coalesce(
    (select convert_from(value, 'UTF8')::date from setting where name = 'retention_horizon'), '-infinity')
order by day
