-- Executions by where their scripts came from, most frequent first, and the first day of each revision in all
-- time and every population. $1 selection. Names are not replaced here: old revisions are counted first.
select value as "source!", counted.detail as "revision!",
    shown(counted.detail, known.kind is not null, ($1::view_selection).hides_rare) as "shown_revision!",
    runs as "runs!", (
        select min(known.day) from rollup_facet as known
        where known.facet = 'runtime' and known.value = counted.value and known.detail = counted.detail
            and known.runs <> 0
    ) as "first_day!"
from (
    select value, detail, sum(runs) as runs
    from selected_facet(($1::view_selection).chosen)
    where facet = 'runtime'
    group by value, detail
) as counted
    left join known_name as known
        on known.kind = 'runtime' and known.name = counted.value and known.detail = counted.detail
order by counted.runs desc, value, counted.detail
