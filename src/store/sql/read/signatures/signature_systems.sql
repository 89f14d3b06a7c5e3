-- Executions of some signatures that are still stored, by operating system, most first. $1 and $2: first seen from this
-- time on and before that one. $3 outcomes, $4 signatures, $5 filter, $6: whether rare names are hidden.
with counted as (
    select coalesce(case os_type when 'wolfi' then 'chainguard' else os_type end, '') as os,
        coalesce(os_version, '') as version, count(*) as runs
    from unnest($4::bigint[]) as listed (signature) join execution using (signature)
    where first_seen >= $1 and first_seen < $2 and outcome = any($3::text[]) and app is not null
        and is_listed(execution, $5)
    group by 1, 2
)
select shown(os, whole.kind is not null, $6::boolean) as "os!",
    shown(version, part.kind is not null, $6) as "version!", sum(runs)::bigint as "runs!"
from counted
    left join known_name as whole on whole.kind = 'os' and whole.name = os and whole.detail = ''
    left join known_name as part on part.kind = 'os' and part.name = os and part.detail = version
group by 1, 2
order by sum(runs) desc, 1, 2
