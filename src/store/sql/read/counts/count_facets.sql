-- Executions by the most frequent values of some facets. $1 selection, $2 facets. $3: at most so many values of each.
-- Only the facet `gpu` is grouped by detail.
select facet as "facet!", value as "value!", shown as "detail!", runs as "runs!"
from (
    select facet, value, shown, sum(runs) as runs,
        row_number() over (partition by facet order by sum(runs) desc, value, shown) as rank
    from (
        select facet, value, case when facet = 'gpu' then detail else '' end as shown, runs
        from shown_facet($1)
        where facet = any($2::text[]) and value <> ''
    ) as counted
    group by facet, value, shown
) as ranked
where rank <= $3
order by facet, runs desc, value, shown
