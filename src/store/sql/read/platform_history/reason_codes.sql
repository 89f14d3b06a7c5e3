-- Failed executions of some scripts by exit code, before and since a day. $1 selection, $2 scripts, $3 the day
-- of each script.
select app, exit_code, generation,
    coalesce(sum(runs) filter (where day < first_bad_day), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where day >= first_bad_day), 0)::bigint as "after!"
from rollup_exit_code join unnest($2::text[], $3::date[]) as script (app, first_bad_day) using (app)
where is_shown(day, population, $1) and outcome = 'failed'
group by app, exit_code, generation
having sum(runs) <> 0
order by app, exit_code, generation
