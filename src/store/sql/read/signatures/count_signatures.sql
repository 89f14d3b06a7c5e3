-- Executions by signature, most frequent first; 0 stands for the rare ones. $1 selection, $2 outcomes. $3: only
-- signatures without a failure before this day; null: all. $4: at most so many.
with listed as (
    select case when ($1::view_selection).hides_rare and known.kind is null then 0 else signature end as signature,
        sum(counted.runs)::bigint as runs
    from (
        select signature, sum(runs) as runs
        from selected_signature(($1::view_selection).chosen) as counted
        where outcome = any($2::text[])
        group by signature
        having $3::date is null or not exists (
            select from rollup_signature as earlier
            where earlier.signature = counted.signature and earlier.day < $3 and earlier.outcome = 'failed'
                and earlier.runs <> 0
        )
    ) as counted
        left join known_name as known on ($1).hides_rare
            and known.kind = 'signature' and known.name = counted.signature::text and known.detail = ''
    group by 1
    order by runs desc, signature
    limit $4
)
select listed.signature as "signature!", case when listed.signature = 0 then '(rare)' else template end as "template?", created as "created?", runs as "runs!"
from listed left join signature on signature.id = listed.signature
order by runs desc, listed.signature
