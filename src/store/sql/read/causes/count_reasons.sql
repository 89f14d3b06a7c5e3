-- Failed and blocked executions with a signature by reason. $1 selection.
select reason as "reason?", coalesce(category, 'unknown') as "category!", coalesce(blame, 'unknown') as "blame!",
    sum(runs)::bigint as "runs!"
from selected_signature(($1::view_selection).chosen) as counted left join signature on id = counted.signature
where outcome in ('failed', 'blocked')
group by 1, 2, 3
order by sum(runs) desc, 1, 2, 3
