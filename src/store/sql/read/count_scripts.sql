-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: open runs whose last event lies at this full hour or later are running; none of the spans has any.
-- $8: length of the lists. Runs by script, which is an application and its type: a row for each script in
-- one of the lists, and a row without an app for each type, with everything that has it.
with counted as (
    select app, population, sum(runs::integer) as runs,
        coalesce(sum(runs::integer) filter (where open_hour >= $7), 0) as running,
        coalesce(sum(runs::integer) filter (where outcome = 'success'), 0) as success,
        coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as failed,
        coalesce(sum(runs::integer) filter (where outcome = 'blocked'), 0) as blocked,
        coalesce(sum(runs::integer) filter (where outcome = 'aborted'), 0) as aborted,
        coalesce(sum(duration_count::integer) filter (where outcome = 'success'), 0) as duration_count,
        coalesce(sum(duration_sum) filter (where outcome = 'success'), 0) as duration_sum
    from rollup_script where day = any($1::date[])
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by app, population
    union all
    select app, population, sum(runs::integer) as runs,
        0 as running,
        coalesce(sum(runs::integer) filter (where outcome = 'success'), 0) as success,
        coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as failed,
        coalesce(sum(runs::integer) filter (where outcome = 'blocked'), 0) as blocked,
        coalesce(sum(runs::integer) filter (where outcome = 'aborted'), 0) as aborted,
        coalesce(sum(duration_count::integer) filter (where outcome = 'success'), 0) as duration_count,
        coalesce(sum(duration_sum) filter (where outcome = 'success'), 0) as duration_sum
    from span_script where span = any($2::integer[])
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    group by app, population
), script as materialized (
    select app, kind, sum(runs)::bigint as runs, sum(running)::bigint as running, sum(success)::bigint as success,
        sum(failed)::bigint as failed, sum(blocked)::bigint as blocked, sum(aborted)::bigint as aborted,
        sum(duration_count)::bigint as duration_count, sum(duration_sum)::bigint as duration_sum
    from counted join population on population.id = population
    group by app, kind
    having sum(runs) <> 0
), ranked as (
    select *,
        dense_rank() over (order by app_runs desc, app) as app_rank,
        row_number() over (order by runs desc, app, kind) as script_rank,
        row_number() over (order by failed desc, app, kind) as failed_rank,
        row_number() over (partition by kind order by runs desc, app) as kind_rank
    from (select *, sum(runs) over (partition by app)::bigint as app_runs from script where app <> '') as s
)
select app as "app?", kind as "kind!", 1::bigint as "scripts!", 0::bigint as "unattributed!", runs as "runs!",
    running as "running!", success as "success!", failed as "failed!", blocked as "blocked!",
    aborted as "aborted!", duration_count as "duration_count!", duration_sum as "duration_sum!",
    app_runs as "app_runs!"
from ranked
where least(app_rank, script_rank, failed_rank, kind_rank) <= $8
union all
select null, kind, count(*) filter (where app <> ''),
    coalesce(sum(runs) filter (where app = ''), 0)::bigint, coalesce(sum(runs) filter (where app <> ''), 0)::bigint,
    coalesce(sum(running) filter (where app <> ''), 0)::bigint, coalesce(sum(success) filter (where app <> ''), 0)::bigint,
    coalesce(sum(failed) filter (where app <> ''), 0)::bigint, coalesce(sum(blocked) filter (where app <> ''), 0)::bigint,
    coalesce(sum(aborted) filter (where app <> ''), 0)::bigint,
    coalesce(sum(duration_count) filter (where app <> ''), 0)::bigint,
    coalesce(sum(duration_sum) filter (where app <> ''), 0)::bigint, 0
from script
group by kind
