-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- For each category of bad ends the five applications most hit.
select category as "category!", app as "app!"
from (
    select category, app, sum(runs)::bigint as runs,
        row_number() over (partition by category order by sum(runs) desc, app) as rank
    from (
        select category, app, sum(runs::integer) as runs
        from rollup_exit_code where day = any($1::date[])
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by category, app
        union all
        select category, app, sum(runs::integer)
        from span_exit_code where span = any($2::integer[])
            and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
        group by category, app
    ) as counted
    group by category, app
    having sum(runs) <> 0
) as hit
where rank <= 5
order by runs desc, category, app
