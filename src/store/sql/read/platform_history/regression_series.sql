-- First attempts that succeeded or failed, by script and value of a property: the days, and for each of them the
-- failed and all attempts. $1 selection. $2: a property, or null for all.
select app as "app!", property as "property!", value as "value!", array_agg(day) as "days!",
    array_agg(failed) as "failed!", array_agg(runs) as "runs!"
from (
    select app, property, value, day, sum(runs::integer) as runs,
        coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as failed
    from rollup_environment
    where is_shown(day, population, $1) and ($2::text is null or property = $2)
        and outcome in ('success', 'failed') and not retry
    group by app, property, value, day
    having sum(runs::integer) <> 0
) as by_day
group by app, property, value
