-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Failed and blocked runs by what went wrong, with the ten applications most hit:
-- applications are only looked at for what is listed.
with meant as not materialized (
    select signature, app, runs
    from rollup_signature
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        )
        and outcome in ('failed', 'blocked')
), listed as materialized (
    select signature, sum(runs)::bigint as runs
    from meant group by signature having sum(runs) <> 0 order by 2 desc, 1 limit $7
), hit as (
    select signature, app, sum(runs)::bigint as runs,
        row_number() over (partition by signature order by sum(runs) desc, app) as rank
    from meant where signature in (select signature from listed)
    group by signature, app having sum(runs) <> 0
), named as (
    select signature, count(*) as apps,
        string_agg(app, ', ' order by runs desc, app) filter (where rank <= 10) as names
    from hit group by signature
)
select signature as "signature!", template as "template!", runs as "runs!", apps as "unique_apps!",
    names as "apps!"
from listed join named using (signature) join signature on signature.id = signature
order by runs desc, signature
