-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: only signatures that failed first on this day or later; null: all. $8: today. $9: at most so many.
-- Failed runs by signature, most frequent first. Scripts are only looked at for what is listed.
with meant as not materialized (
    select signature, app, runs, first_day, last_day
    from (
        select population, app, outcome, signature, runs, day as first_day, day as last_day
        from rollup_signature where day = any($1::date[]) and runs <> 0
        union all
        select population, app, outcome, signature, runs, first_day, last_day
        from span_signature where span = any($2::integer[])
    ) as counted
    where outcome = 'failed' and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
), counted as materialized (
    select signature, sum(runs::integer) as runs from meant group by signature
), chosen as materialized (
    select * from counted
    where $7::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = counted.signature and earlier.day < $7 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    )
    order by runs desc, signature
    limit $9
), hit as materialized (
    select signature, app, sum(runs::integer) as runs, min(first_day) as first_day, max(last_day) as last_day,
        row_number() over (partition by signature order by sum(runs::integer) desc, app) as position
    from meant where signature in (select signature from chosen)
    group by signature, app
), named as (
    select signature, count(*) as apps, min(first_day) as first_day, max(last_day) as last_day,
        array_agg(app order by position) filter (where position <= $10) as names,
        array_agg(runs order by position) filter (where position <= $10) as runs_of_names
    from hit group by signature
)
select chosen.signature as "signature!", template as "template?", created as "created?", chosen.runs as "runs!",
    apps as "apps!", first_day as "first_day!", last_day as "last_day!",
    trend.last_week as "last_week!", trend.week_before as "week_before!",
    names as "names!", runs_of_names as "runs_of_names!"
from chosen
    join named on named.signature = chosen.signature
    left join signature on signature.id = chosen.signature
    left join lateral (
        select coalesce(sum(runs::integer) filter (where day > $8::date - 7), 0) as last_week,
            coalesce(sum(runs::integer) filter (where day <= $8::date - 7), 0) as week_before
        from rollup_signature
        where rollup_signature.signature = chosen.signature and day > $8::date - 14 and day <= $8::date
            and outcome = 'failed'
            and population in (
                select id from population
                where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
            )
    ) as trend on true
order by chosen.runs desc, chosen.signature
