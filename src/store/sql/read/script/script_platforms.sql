-- Ended executions of a script by platform, most frequent first. $1 selection, $2 script.
select property, shown(value, whole.kind is not null, ($1::view_selection).hides_rare) as "value!",
    shown(counted.detail, part.kind is not null, ($1).hides_rare) as "detail!", sum(runs)::bigint as "runs!",
    sum(succeeded)::bigint as "succeeded!", sum(failed)::bigint as "failed!"
from (
    select property, value, detail, sum(runs::integer) as runs,
        coalesce(sum(runs::integer) filter (where outcome = 'success'), 0) as succeeded,
        coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as failed
    from rollup_environment
    where app = $2 and is_shown(day, population, $1)
    group by property, value, detail having sum(runs::integer) <> 0
) as counted
    left join known_name as whole on whole.kind = property and whole.name = value and whole.detail = ''
    left join known_name as part on part.kind = property and part.name = value and part.detail = counted.detail
group by 1, 2, 3
order by property, sum(runs) desc, 2, 3
