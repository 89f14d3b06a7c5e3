-- Executions by where their scripts came from, most frequent first, and the first day of each revision in all
-- time and every population. $1 selection.
select value as "source!", detail as "revision!", runs as "runs!", (
    select min(known.day) from rollup_facet as known
    where known.facet = 'runtime' and known.value = counted.value and known.detail = counted.detail
        and known.runs <> 0
) as "first_day!"
from (
    select value, detail, sum(runs) as runs
    from selected_facet($1)
    where facet = 'runtime'
    group by value, detail
) as counted
order by counted.runs desc, value, detail
