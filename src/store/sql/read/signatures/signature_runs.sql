-- Exit codes and sessions of the executions of each row of a list of signatures that are still stored. $1 and $2: first
-- seen from this time on and before that one. $3 outcomes. $4 and $5: rows, and a signature of each. $6 filter.
with run as materialized (
    select listed.shown, coalesce(session_key, run_key) as session,
        -- As in `is_listed`.
        case when (get_byte(fact_status, 5) & 15) = array_position(
            array['installing', 'validation', 'configuring', 'unknown', 'aborted', 'failed', 'success'], status)
            then exit_code end as exit_code
    from unnest($4::bigint[], $5::bigint[]) as listed (shown, signature) join execution using (signature)
    where first_seen >= $1 and first_seen < $2 and outcome = any($3::text[]) and app is not null
        and is_listed(execution, $6)
), session as (
    select shown, count(distinct session) as sessions from run group by shown
)
select shown as "signature!", exit_code, count(*) as "runs!", sessions as "sessions!"
from run join session using (shown)
group by shown, exit_code, sessions
order by shown, count(*) desc, exit_code
