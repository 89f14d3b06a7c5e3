-- $1: a day. Counts the sessions whose first attempt with an app lies on it, by population and script of that
-- attempt. Most sessions are one row of the day itself; other attempts are looked up by key. `offset 0` keeps
-- the planner from reading all executions instead.
with of_day as materialized (
    select run_key, session_key, first_seen, outcome, app, repo_source, repo_slug, kind, platform
    from execution
    where first_seen >= $1::date::timestamp at time zone 'UTC'
        and first_seen < ($1::date + 1)::timestamp at time zone 'UTC' and app is not null
), touched as (
    select distinct coalesce(session_key, run_key) as session from of_day
), attempts as (
    select * from of_day
    union
    select run_key, session_key, first_seen, outcome, app, repo_source, repo_slug, kind, platform
    from touched cross join lateral (
        select * from execution where session_key = session and app is not null offset 0
    ) as attempt
    union
    select run_key, session_key, first_seen, outcome, app, repo_source, repo_slug, kind, platform
    from (select distinct session_key as session from of_day where session_key is not null) as later
    cross join lateral (
        select * from execution where run_key = session and app is not null offset 0
    ) as first_attempt
), sessions as (
    select distinct on (coalesce(session_key, run_key)) first_seen, app, repo_source, repo_slug, kind, platform,
        count(*) over session as attempts,
        coalesce(max(first_seen) filter (where outcome = 'success') over session
            > min(first_seen) filter (where outcome = 'failed') over session, false) as saved
    from attempts
    window session as (partition by coalesce(session_key, run_key))
    order by coalesce(session_key, run_key), first_seen, run_key
), counted as (
    select coalesce(repo_source, 'ProxmoxVE') as repo, coalesce(repo_slug, '') as slug, coalesce(kind, '') as kind,
        coalesce(platform, '') as platform, app, count(*) as sessions,
        count(*) filter (where attempts > 1) as retried, count(*) filter (where saved) as saved
    from sessions
    where (first_seen at time zone 'UTC')::date = $1
    group by 1, 2, 3, 4, app
)
select id as "population!", app as "app!", sessions as "sessions!", retried as "retried!", saved as "saved!"
from counted join population using (repo, slug, kind, platform)
