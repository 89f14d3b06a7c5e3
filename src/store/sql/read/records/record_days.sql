-- The number of records on each day, newest first. $1 selection; records before the day $2 may be deleted. $3: the
-- smallest rollup that has the number, 'all', 'os', 'app' or 'open'. $4 outcome, $5 operating systems, $6 their version,
-- $7 applications; null does not restrict. $8: open executions whose last event came in this full hour or later are
-- running.
select day as "day!", sum(runs) as "runs!"
from (
    select day, population, outcome, runs from shown_day($1)
    where $3::text = 'all'
    union all
    select day, population, outcome, runs::integer from rollup_facet
    where $3 = 'os' and facet = 'os' and ($5::text[] is null or value = any($5)) and ($6::text is null or detail = $6)
    union all
    select day, population, outcome, runs::integer from rollup_script
    where $3 = 'app' and app = any($7::text[])
    union all
    select day, population, case when open_hour >= $8 then 'installing' else 'unfinished' end, runs::integer
    from rollup_script
    where $3 = 'open' and outcome = 'open' and app <> '' and ($7::text[] is null or app = any($7))
) as counted
where day >= $2 and is_shown(day, population, $1) and ($4::text is null or outcome = $4)
group by day
having sum(runs) <> 0
order by day desc
