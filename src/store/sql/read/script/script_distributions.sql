-- Executions of a script that are still stored, by size, by privilege and by version of the application. $1 script.
-- $2 and $3: first seen from this time on and before that one. $4 filter. $5 to $10: labels of the classes of cores,
-- memory and disk, and the bounds between them. $11: whether rare versions are hidden.
with run as materialized (
    select outcome, core_count, ram_size, disk_size, ct_type, app_version, coalesce(session_key, run_key) as session
    from execution
    where app = $1 and first_seen >= $2 and first_seen < $3 and is_listed(execution, $4)
), counted as (
    select property, value, count(*) as runs, count(*) filter (where outcome = 'success') as succeeded,
        count(*) filter (where outcome = 'failed') as failed
    from run cross join lateral (values
        ('cores', ($5::text[])[width_bucket(core_count, $6::integer[]) + 1]),
        ('ram', ($7::text[])[width_bucket(ram_size, $8::integer[]) + 1]),
        ('disk', ($9::text[])[width_bucket(disk_size, $10::integer[]) + 1]),
        ('privilege', case ct_type when 0 then 'privileged' when 1 then 'unprivileged' end)
    ) as property (property, value)
    where value is not null
    group by property, value
), version as (
    select 'app_version' as property, shown(app_version, count(distinct session) >= coalesce((
            select convert_from(value, 'UTF8')::integer from setting where name = 'rare_sessions'
        ), 5), $11::boolean) as value, count(*) as runs, count(*) filter (where outcome = 'success') as succeeded,
        count(*) filter (where outcome = 'failed') as failed
    from run
    where app_version <> ''
    group by app_version
)
select property as "property!", value as "value!", runs as "runs!", succeeded as "succeeded!", failed as "failed!"
from counted
union all (
    select property, value, sum(runs)::bigint, sum(succeeded)::bigint, sum(failed)::bigint
    from version
    group by property, value
    order by 3 desc, 2
    limit 50
)
