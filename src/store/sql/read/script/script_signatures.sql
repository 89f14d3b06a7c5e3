-- Failed executions of a script by signature, most frequent first; 0 stands for the rare ones. $1 selection, $2 script.
-- $3: at most so many.
with counted as (
    select case when ($1::view_selection).hides_rare and known.kind is null then 0 else signature end as signature,
        sum(counted.runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day
    from (
        select signature, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
        from rollup_signature
        where app = $2 and outcome = 'failed' and runs <> 0 and is_shown(day, population, $1)
        group by signature
    ) as counted
        left join known_name as known
            on known.kind = 'signature' and known.name = counted.signature::text and known.detail = ''
    group by 1
    order by runs desc, signature
    limit $3
)
select counted.signature as "signature!", case when counted.signature = 0 then '(rare)' else template end as "template?",
    runs as "runs!", first_day as "first_day!", last_day as "last_day!", reason as "reason?", subject as "subject?",
    category as "category?", blame as "blame?", state as "state?", issue_url as "issue_url?"
from counted
    left join signature on signature.id = counted.signature
    left join signature_state as triaged on triaged.signature = counted.signature
order by runs desc, counted.signature
