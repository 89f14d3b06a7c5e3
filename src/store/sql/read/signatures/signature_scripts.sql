-- For each signature its first and last day, the number of scripts, and those with the most executions. Scripts
-- with equally many executions are sorted by name. $1 selection, $2 outcomes, $3 signatures. $4: at most so many
-- scripts of each.
select signature as "signature!", min(first_day) as "first_day!", max(last_day) as "last_day!",
    count(*) as "scripts!", (array_agg(app order by runs desc, app))[:$4] as "names!",
    (array_agg(runs order by runs desc))[:$4] as "runs_of_names!"
from (
    select signature, app, sum(runs) as runs, min(first_day) as first_day, max(last_day) as last_day
    from selected_signature($1)
    where outcome = any($2::text[]) and signature = any($3::bigint[])
    group by signature, app
) as script
group by signature
