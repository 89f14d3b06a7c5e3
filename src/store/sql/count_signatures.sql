-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Failed and blocked runs by what went wrong, with the ten applications most hit.
with pair as materialized (
    select signature, app, sum(runs::integer) as runs
    from (
        select signature, app, runs
        from rollup_signature where day = any($1::date[]) and outcome in ('failed', 'blocked')
            and population = any(array(
                select id from population
                where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
            ))
        union all
        select signature, app, runs
        from span_signature where span = any($2::integer[]) and outcome in ('failed', 'blocked')
            and population = any(array(
                select id from population
                where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
            ))
    ) as counted
    group by signature, app
    having sum(runs::integer) <> 0
), listed as (
    select signature, sum(runs)::bigint as runs, count(*) as apps
    from pair group by signature order by 2 desc, 1 limit $7
), hit as (
    select pair.signature, app, pair.runs,
        row_number() over (partition by pair.signature order by pair.runs desc, app) as rank
    from listed join pair using (signature)
), named as (
    select signature, string_agg(app, ', ' order by rank) as names
    from hit where rank <= 10
    group by signature
)
select signature as "signature!", template as "template!", runs as "runs!", apps as "unique_apps!",
    names as "apps!"
from listed join named using (signature) join signature on signature.id = signature
order by runs desc, signature
