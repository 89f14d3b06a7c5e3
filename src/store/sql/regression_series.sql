-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict. First
-- attempts that succeeded or failed, by day, script and each value of each property.
select app, property, value, day,
    coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0)::bigint as "failed!",
    sum(runs::integer) as "runs!"
from rollup_platform
where day >= $1 and day <= $2
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and outcome in ('success', 'failed') and not retry and runs <> 0
group by app, property, value, day
