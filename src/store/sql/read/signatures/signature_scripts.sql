-- For each row of a list of signatures the number of scripts, and those with the most executions. Scripts with equally
-- many executions are sorted by name. $1 selection, $2 outcomes. $3 and $4: rows, and a signature of each.
-- $5: at most so many scripts of each.
with counted as (
    select listed.shown, app, sum(runs) as runs
    from unnest($3::bigint[], $4::bigint[]) as listed (shown, signature)
        join selected_signature(($1::view_selection).chosen) as counted using (signature)
    where outcome = any($2::text[]) and counted.signature = any($4)
    group by listed.shown, app
)
select shown as "signature!", sum(scripts)::bigint as "scripts!",
    (array_agg(app order by runs desc, app))[:$5] as "names!",
    (array_agg(runs order by runs desc, app))[:$5] as "runs_of_names!"
from (
    select counted.shown, shown(counted.app, known.app is not null, ($1).hides_rare) as app, count(*) as scripts,
        sum(runs)::bigint as runs
    from counted left join known_app as known on ($1).hides_rare and known.app = counted.app
    group by counted.shown, 2
) as script
group by shown
