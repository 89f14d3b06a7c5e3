-- Executions by script, which is an application and its type: a row for each script in one of the lists, and a
-- row without an application for each type, which counts all executions of the type.
-- $1 selection. $2: open executions whose last event came in this full hour or later are running. $3: length of the
-- lists. $4: only scripts whose name contains this text are in the lists; null: all. Scripts are counted by their names
-- before rare names are replaced.
with script as materialized (
    select app, kind,
        coalesce(sum(runs) filter (where outcome <> 'running'), 0) as runs,
        coalesce(sum(runs) filter (where outcome = 'running'), 0) as running,
        coalesce(sum(runs) filter (where outcome = 'success'), 0) as success,
        coalesce(sum(runs) filter (where outcome = 'failed'), 0) as failed,
        coalesce(sum(runs) filter (where outcome = 'blocked'), 0) as blocked,
        coalesce(sum(runs) filter (where outcome = 'aborted'), 0) as aborted,
        coalesce(sum(duration_count) filter (where outcome = 'success'), 0) as duration_count,
        coalesce(sum(duration_sum) filter (where outcome = 'success'), 0)::bigint as duration_sum
    from (
        select app, population, outcome, runs, duration_count, duration_sum
        from selected_script(($1::view_selection).chosen)
        union all
        select app, population, 'running', runs::integer, 0, 0 from rollup_script
        where outcome = 'open' and runs <> 0 and open_hour >= $2 and is_shown(day, population, $1)
    ) as counted join population on population.id = population
    group by app, kind
), named as (
    select shown(script.app, known.app is not null, ($1).hides_rare) as app, kind, count(*) as scripts,
        sum(runs)::bigint as runs, sum(running)::bigint as running, sum(success)::bigint as success,
        sum(failed)::bigint as failed, sum(blocked)::bigint as blocked, sum(aborted)::bigint as aborted,
        sum(duration_count)::bigint as duration_count, sum(duration_sum)::bigint as duration_sum
    from script left join known_app as known on ($1).hides_rare and known.app = script.app
    where script.app <> ''
    group by 1, kind
), ranked as (
    select *,
        dense_rank() over (order by app_runs desc, app) as app_rank,
        row_number() over (order by runs desc, app, kind) as script_rank,
        row_number() over (order by failed desc, app, kind) as failed_rank,
        row_number() over (partition by kind order by runs desc, app) as kind_rank
    from (select *, sum(runs) over (partition by app)::bigint as app_runs from named) as named
    where $4::text is null or strpos(app, $4) > 0
)
select app as "app?", kind as "kind!", scripts as "scripts!", 0::bigint as "unattributed!", runs as "runs!",
    running as "running!", success as "success!", failed as "failed!", blocked as "blocked!",
    aborted as "aborted!", duration_count as "duration_count!", duration_sum as "duration_sum!",
    app_runs as "app_runs!"
from ranked
where least(app_rank, script_rank, failed_rank, kind_rank) <= $3
union all
select null, kind, count(*) filter (where app <> ''), coalesce(sum(runs) filter (where app = ''), 0)::bigint,
    coalesce(sum(runs) filter (where app <> ''), 0)::bigint, coalesce(sum(running) filter (where app <> ''), 0)::bigint,
    coalesce(sum(success) filter (where app <> ''), 0)::bigint,
    coalesce(sum(failed) filter (where app <> ''), 0)::bigint,
    coalesce(sum(blocked) filter (where app <> ''), 0)::bigint,
    coalesce(sum(aborted) filter (where app <> ''), 0)::bigint,
    coalesce(sum(duration_count) filter (where app <> ''), 0)::bigint,
    coalesce(sum(duration_sum) filter (where app <> ''), 0)::bigint, 0
from script
group by kind
