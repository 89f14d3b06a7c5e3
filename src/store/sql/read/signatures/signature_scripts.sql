-- For each signature its first and last day, the number of scripts, and those with the most executions. Scripts
-- with equally many executions are sorted by name. $1 selection, $2 outcomes, $3 signatures; 0 stands for the rare
-- ones. $4: at most so many scripts of each. $5: as in count_signatures.sql, for the rare ones.
with counted as (
    select signature, app, sum(runs) as runs, min(first_day) as first_day, max(last_day) as last_day
    from selected_signature(($1::view_selection).chosen)
    where outcome = any($2::text[]) and signature = any($3::bigint[])
    group by signature, app
    union all
    -- Only where rare signatures are listed: they are found by reading all of them.
    select 0, app, sum(runs), min(first_day), max(last_day)
    from selected_signature(($1::view_selection).chosen) as counted
    where 0 = any($3) and outcome = any($2) and not exists (
        select from known_name where kind = 'signature' and name = counted.signature::text and detail = ''
    ) and ($5::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = counted.signature and earlier.day < $5 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    ))
    group by app
)
select signature as "signature!", min(first_day) as "first_day!", max(last_day) as "last_day!",
    sum(scripts)::bigint as "scripts!", (array_agg(app order by runs desc, app))[:$4] as "names!",
    (array_agg(runs order by runs desc, app))[:$4] as "runs_of_names!"
from (
    select signature, shown(counted.app, known.app is not null, ($1).hides_rare) as app, count(*) as scripts,
        sum(runs)::bigint as runs, min(first_day) as first_day, max(last_day) as last_day
    from counted left join known_app as known on ($1).hides_rare and known.app = counted.app
    group by signature, 2
) as script
group by signature
