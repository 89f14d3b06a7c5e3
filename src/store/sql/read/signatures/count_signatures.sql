-- Executions by signature; 0 stands for the rare ones, and `members` are the signatures that a row stands for.
-- $1 selection, $2 outcomes. Null does not restrict: $3: only signatures without a failure before this day, $4 reason,
-- $5 category, $6 blame, $7 state. $8: also ignored ones. $9 order: 'priority', 'count', 'created'. $10 today. $11: at
-- most so many.
with chosen as (
    select counted.signature, runs, first_day, last_day,
        case when ($1).hides_rare and known.kind is null then 0 else counted.signature end as shown
    from (
        select signature, sum(runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day
        from selected_signature(($1::view_selection).chosen)
        where outcome = any($2::text[])
        group by signature
    ) as counted
        left join known_name as known on ($1).hides_rare
            and known.kind = 'signature' and known.name = counted.signature::text and known.detail = ''
        left join signature on signature.id = counted.signature
        left join signature_state as triaged on triaged.signature = counted.signature
    where ($3::date is null or not exists (
            select from rollup_signature as earlier
            where earlier.signature = counted.signature and earlier.day < $3 and earlier.outcome = 'failed'
                and earlier.runs <> 0
        ))
        and ($4::text is null or reason = $4) and ($5::text is null or signature.category = $5)
        and ($6::text is null or blame = $6) and ($7::text is null or coalesce(state, 'open') = $7)
        and ($8::boolean or state is distinct from 'ignored')
), listed as (
    select shown, sum(runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day,
        array_agg(signature order by signature) as members
    from chosen
    group by shown
), recent as (
    -- See `Order::Priority`.
    select shown, sum(counted.runs * (8 >> ((period.until - day) / 7))) as weight, count(distinct app) as scripts
    from (select least((($1).chosen).last_day, $10::date) as until) as period
        join rollup_signature as counted on day > until - 28 and day <= until
        join chosen using (signature)
    where $9::text = 'priority' and outcome = any($2) and counted.runs <> 0 and is_shown(day, population, $1)
    group by shown
)
select listed.shown as "signature!", case when listed.shown = 0 then '(rare)' else template end as "template?",
    created as "created?", runs as "runs!", first_day as "first_day!", last_day as "last_day!", members as "members!",
    reason as "reason?", subject as "subject?", category as "category?", blame as "blame?",
    coalesce(state, 'open') as "state!", issue_url as "issue_url?", since as "since?"
from listed
    left join recent on recent.shown = listed.shown
    left join signature on signature.id = listed.shown
    left join signature_state as triaged on triaged.signature = listed.shown
order by
    case when $9 = 'priority' and listed.shown = 0 then 2 when $9 = 'priority' and state = 'resolved' then 1 else 0 end,
    case when $9 = 'priority' then coalesce(weight * sqrt(scripts), 0) end desc,
    case when $9 = 'created' then created end desc nulls last,
    runs desc, listed.shown
limit $11
