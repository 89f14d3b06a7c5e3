-- Failed executions by reason. Those without a signature are unknown. $1: first day, $2: first recent day.
select category as "category!", blame as "blame!", sum(recent)::bigint as "recent!", sum(before)::bigint as "before!"
from (
    select coalesce(category, 'unknown') as category, coalesce(blame, 'unknown') as blame,
        coalesce(sum(runs) filter (where day >= $2), 0) as recent,
        coalesce(sum(runs) filter (where day < $2), 0) as before
    from rollup_signature as counted left join signature on id = counted.signature
    where day >= $1 and outcome = 'failed'
    group by 1, 2
    union all
    select 'unknown', 'unknown', coalesce(sum(runs) filter (where day >= $2), 0),
        coalesce(sum(runs) filter (where day < $2), 0)
    from (
        select day, runs from rollup_script where day >= $1 and outcome = 'failed' and app <> ''
        union all
        select day, - runs from rollup_signature where day >= $1 and outcome = 'failed'
    ) as without_signature
) as counted
group by category, blame
