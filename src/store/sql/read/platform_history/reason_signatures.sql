-- Failed executions of some scripts by signature, before and since a day. $1 selection, $2 scripts, $3 the day
-- of each script.
select app, signature, template as "template?", reason as "reason?", subject as "subject?", category as "category?",
    blame as "blame?",
    coalesce(sum(runs) filter (where day < first_bad_day), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where day >= first_bad_day), 0)::bigint as "after!"
from rollup_signature
    join unnest($2::text[], $3::date[]) as script (app, first_bad_day) using (app)
    left join signature on signature.id = rollup_signature.signature
where is_shown(day, population, $1) and outcome = 'failed'
group by app, signature, template, reason, subject, category, blame
having sum(runs) <> 0
order by app, signature
