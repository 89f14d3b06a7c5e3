-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Failed and blocked runs by what went wrong, with the ten applications most hit.
with counted as materialized (
    select signature, app, sum(runs)::bigint as runs
    from rollup_signature
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        )
        and outcome in ('failed', 'blocked')
    group by signature, app
    having sum(runs) <> 0
), listed as materialized (
    select signature, sum(runs)::bigint as runs, count(*) as apps
    from counted group by signature order by 2 desc, 1 limit $7
), named as (
    select counted.signature, string_agg(app, ', ' order by counted.runs desc, app) as names
    from (
        select *, row_number() over (partition by signature order by runs desc, app) as rank
        from counted where signature in (select signature from listed)
    ) as counted
    where rank <= 10
    group by counted.signature
)
select signature as "signature!", template as "template!", runs as "runs!", apps as "unique_apps!",
    names as "apps!"
from listed join named using (signature) join signature on signature.id = signature
order by runs desc, signature
