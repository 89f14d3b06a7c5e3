-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: only signatures that failed first on this day or later; null: all. $8: today. $9: at most so many.
-- Failed runs by signature, most frequent first.
with by_script as (
    select signature, app, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
    from rollup_signature
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
        and outcome = 'failed' and runs <> 0
    group by signature, app
), counted as (
    select signature, sum(runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day,
        count(*) as apps
    from by_script
    group by signature
), chosen as (
    select * from counted
    where $7::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = counted.signature and earlier.day < $7 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    )
    order by runs desc, signature
    limit $9
)
select chosen.signature as "signature!", template as "template?", created as "created?", chosen.runs as "runs!",
    apps as "apps!", first_day as "first_day!", last_day as "last_day!",
    trend.last_week as "last_week!", trend.week_before as "week_before!"
from chosen
    left join signature on signature.id = chosen.signature
    cross join lateral (
        select coalesce(sum(runs) filter (where day > $8::date - 7), 0)::bigint as last_week,
            coalesce(sum(runs) filter (where day <= $8::date - 7), 0)::bigint as week_before
        from rollup_signature
        where rollup_signature.signature = chosen.signature and day > $8::date - 14 and day <= $8::date
            and outcome = 'failed'
            and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    ) as trend
order by chosen.runs desc, chosen.signature
