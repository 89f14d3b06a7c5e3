-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: only signatures that failed first on this day or later; null: all. $8: today. $9: at most so many, with
-- $10 scripts each. Failed runs by signature, most frequent first. Scripts are only looked at for what is listed.
with counted as (
    select signature, sum(runs::integer) as runs
    from rollup_signature where day = any($1::date[]) and outcome = 'failed'
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature
    union all
    select signature, sum(runs::integer)
    from span_signature where span = any($2::integer[]) and outcome = 'failed'
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature
), total as (
    select signature, sum(runs)::bigint as runs from counted group by signature having sum(runs) <> 0
), chosen as materialized (
    select * from total
    where $7::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = total.signature and earlier.day < $7 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    )
    order by runs desc, signature
    limit $9
), pair as (
    select signature, app, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
    from rollup_signature
    where day = any($1::date[]) and signature = any(array(select signature from chosen)) and outcome = 'failed'
        and runs <> 0 and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature, app
    union all
    select signature, app, sum(runs::integer), min(first_day), max(last_day)
    from span_signature
    where span = any($2::integer[]) and signature = any(array(select signature from chosen)) and outcome = 'failed'
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature, app
), hit as (
    select signature, app, sum(runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day,
        row_number() over (partition by signature order by sum(runs) desc, app) as position
    from pair group by signature, app having sum(runs) <> 0
), named as (
    select signature, count(*) as apps, min(first_day) as first_day, max(last_day) as last_day,
        array_agg(app order by position) filter (where position <= $10) as names,
        array_agg(runs order by position) filter (where position <= $10) as runs_of_names
    from hit group by signature
), recent as (
    select signature, coalesce(sum(runs::integer) filter (where day > $8::date - 7), 0) as last_week,
        coalesce(sum(runs::integer) filter (where day <= $8::date - 7), 0) as week_before
    from rollup_signature
    where day > $8::date - 14 and day <= $8::date and signature = any(array(select signature from chosen))
        and outcome = 'failed' and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature
)
select chosen.signature as "signature!", template as "template?", created as "created?", chosen.runs as "runs!",
    apps as "apps!", first_day as "first_day!", last_day as "last_day!",
    coalesce(last_week, 0) as "last_week!", coalesce(week_before, 0) as "week_before!",
    names as "names!", runs_of_names as "runs_of_names!"
from chosen
    join named on named.signature = chosen.signature
    left join signature on signature.id = chosen.signature
    left join recent on recent.signature = chosen.signature
order by chosen.runs desc, chosen.signature
