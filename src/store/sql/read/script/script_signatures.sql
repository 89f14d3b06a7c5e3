-- Failed executions of a script by signature, most frequent first. $1 selection, $2 script. $3: at most so
-- many.
with counted as (
    select signature, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
    from rollup_signature
    where app = $2 and outcome = 'failed' and runs <> 0 and is_selected(day, population, $1)
    group by signature
    order by runs desc, signature
    limit $3
)
select counted.signature as "signature!", template as "template?", runs as "runs!", first_day as "first_day!",
    last_day as "last_day!"
from counted left join signature on signature.id = counted.signature
order by runs desc, counted.signature
