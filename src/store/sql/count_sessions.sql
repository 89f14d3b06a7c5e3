-- $1: a day. The sessions whose first attempt with an app lies on it, by population and script of that
-- attempt.
with begun as (
    select distinct coalesce(session_key, run_key) as session from execution
    where first_seen >= $1::date::timestamp at time zone 'UTC'
        and first_seen < ($1::date + 1)::timestamp at time zone 'UTC' and app is not null
), attempts as (
    select session, execution.* from begun join execution on run_key = session
    union all
    select session, execution.* from begun join execution on session_key = session
), sessions as (
    select session, min(first_seen) as first_seen, count(*) as attempts,
        coalesce(max(first_seen) filter (where outcome = 'success')
            > min(first_seen) filter (where outcome = 'failed'), false) as saved,
        (array_agg(run_key order by first_seen, run_key))[1] as first_attempt
    from attempts
    where app is not null
    group by session
)
select population.id as "population!", first.app as "app!", count(*) as "sessions!",
    count(*) filter (where attempts > 1) as "retried!", count(*) filter (where saved) as "saved!"
from sessions
    join execution as first on run_key = first_attempt
    join population on repo = coalesce(first.repo_source, 'ProxmoxVE') and slug = coalesce(first.repo_slug, '')
        and population.kind = coalesce(first.kind, '') and population.platform = coalesce(first.platform, '')
where (sessions.first_seen at time zone 'UTC')::date = $1
group by population.id, first.app
order by population.id, first.app
