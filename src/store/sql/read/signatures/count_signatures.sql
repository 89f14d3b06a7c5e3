-- Executions by signature, most frequent first. $1 selection, $2 outcomes. $3: only signatures without a failure before
-- this day; null: all. $4: at most so many.
with listed as (
    select signature, sum(runs) as runs
    from selected_signature($1) as counted
    where outcome = any($2::text[])
    group by signature
    having $3::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = counted.signature and earlier.day < $3 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    )
    order by runs desc, signature
    limit $4
)
select listed.signature as "signature!", template as "template?", created as "created?", runs as "runs!"
from listed left join signature on signature.id = listed.signature
order by runs desc, listed.signature
