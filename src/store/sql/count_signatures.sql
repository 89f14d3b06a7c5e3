-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many. Failed and blocked runs by what went wrong, with the ten applications most hit:
-- applications are only looked at for what is listed.
with meant as not materialized (
    select signature, app, runs
    from (
        select population, app, outcome, signature, runs from rollup_signature where day = any($1::date[])
        union all
        select population, app, outcome, signature, runs from span_signature where span = any($2::integer[])
    ) as counted
    where population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
        and outcome in ('failed', 'blocked')
), listed as materialized (
    select signature, sum(runs::integer) as runs
    from meant group by signature having sum(runs::integer) <> 0 order by 2 desc, 1 limit $7
), hit as (
    select signature, app, sum(runs::integer) as runs,
        row_number() over (partition by signature order by sum(runs::integer) desc, app) as rank
    from meant where signature in (select signature from listed)
    group by signature, app having sum(runs::integer) <> 0
), named as (
    select signature, count(*) as apps,
        string_agg(app, ', ' order by runs desc, app) filter (where rank <= 10) as names
    from hit group by signature
)
select signature as "signature!", template as "template!", runs as "runs!", apps as "unique_apps!",
    names as "apps!"
from listed join named using (signature) join signature on signature.id = signature
order by runs desc, signature
