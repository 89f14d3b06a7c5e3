-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Failed and blocked runs by what went wrong, with the ten applications most hit:
-- applications are only looked at for what is listed.
with counted as (
    select signature, sum(runs::integer) as runs
    from rollup_signature where day = any($1::date[]) and outcome in ('failed', 'blocked')
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature
    union all
    select signature, sum(runs::integer)
    from span_signature where span = any($2::integer[]) and outcome in ('failed', 'blocked')
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature
), listed as materialized (
    select signature, sum(runs)::bigint as runs
    from counted group by signature having sum(runs) <> 0 order by 2 desc, 1 limit $7
), pair as (
    select signature, app, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
    from rollup_signature
    where day = any($1::date[]) and signature = any(array(select signature from listed)) and outcome in ('failed', 'blocked')
        and runs <> 0 and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature, app
    union all
    select signature, app, sum(runs::integer), min(first_day), max(last_day)
    from span_signature
    where span = any($2::integer[]) and signature = any(array(select signature from listed)) and outcome in ('failed', 'blocked')
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by signature, app
), hit as (
    select signature, app, sum(runs) as runs,
        row_number() over (partition by signature order by sum(runs) desc, app) as rank
    from pair group by signature, app having sum(runs) <> 0
), named as (
    select signature, count(*) as apps,
        string_agg(app, ', ' order by runs desc, app) filter (where rank <= 10) as names
    from hit group by signature
)
select signature as "signature!", template as "template!", runs as "runs!", apps as "unique_apps!",
    names as "apps!"
from listed join named using (signature) join signature on signature.id = signature
order by runs desc, signature
