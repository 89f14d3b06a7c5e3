-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict. First
-- attempts that succeeded or failed, by script and each value of a property, $7, or of each: days, which may repeat, and for each
-- of them failed and all.
select app as "app!", property as "property!", value as "value!", array_agg(day) as "days!",
    array_agg(failed) as "failed!", array_agg(runs) as "runs!"
from (
    select app, property, value, day, sum(runs::integer) as runs,
        coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as failed
    from rollup_environment
    where day >= $1 and day <= $2
        and population in (
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        )
        and ($7::text is null or property = $7) and outcome in ('success', 'failed') and not retry
    group by app, property, value, day
    having sum(runs::integer) <> 0
) as by_day
group by app, property, value
