-- Views for Grafana, in a schema of their own. They show no id of a run or session and no text of a host except
-- masked templates. deploy/grafana/role.sql creates the user that reads them.

-- The catalogue of exit codes, for the views. The server fills it when it starts.
create table exit_code_meaning (
    -- Generation of the client: the same code means different things in different generations.
    generation smallint not null,
    exit_code smallint not null,
    -- What the code means, in a few words.
    title text not null,
    -- One word.
    category text not null,
    -- environment or script.
    fault text not null,
    -- What to do about it.
    recovery text not null,
    primary key (generation, exit_code)
);

create schema grafana;
comment on schema grafana is 'Views for dashboards. No ids, no texts of hosts.';

-- An execution without an end is unfinished if its last event came before this full hour.
create view unfinished_before as
select date_trunc('hour', now(), 'UTC') - make_interval(hours => coalesce(
    (select convert_from(value, 'UTF8')::integer from setting where name = 'unfinished_hours'), 24)) as hour;

-- In every view, `day` is the UTC day of the first event and `time` is its start, for time series. `repository`,
-- `slug`, `type` and `platform` are the population (`unknown` if it was not reported), `script` is the
-- application, `outcome` is success, failed, blocked, aborted, running or unfinished, and `runs` is the number of
-- executions. A key may have several rows: sum them.

-- Executions by script and outcome, with the reported durations.
create view grafana.runs as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script,
    case
        when outcome <> 'open' then outcome
        when open_hour < (select hour from unfinished_before) then 'unfinished'
        else 'running'
    end as outcome,
    runs, duration_count, duration_sum as duration_seconds
from rollup_script join population on population.id = population
where app <> '' and runs <> 0;

-- Executions by hour and outcome; those without an end are `open`.
create view grafana.hours as
select day, (day + hour * interval '1 hour') at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform, outcome, runs
from rollup_hour join population on population.id = population
where runs <> 0;

-- Executions that reported a duration, by bucket; `seconds` is the middle of the bucket, exact to 4.5 %.
create view grafana.durations as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, power(2::double precision, (bucket + 0.5) / 8) as seconds, runs
from rollup_duration join population on population.id = population
where runs <> 0;

-- Quantiles of the durations of successful executions, by day, script and repository.
create view grafana.duration_quantiles as
select day, day::timestamp at time zone 'UTC' as time, script, repository, max(total) as runs,
    min(seconds) filter (where upto >= 0.5 * total) as p50,
    min(seconds) filter (where upto >= 0.9 * total) as p90,
    min(seconds) filter (where upto >= 0.95 * total) as p95
from (
    select day, app as script, repo as repository, power(2::double precision, (bucket + 0.5) / 8) as seconds,
        sum(sum(runs)) over (partition by day, app, repo order by bucket) as upto,
        sum(sum(runs)) over (partition by day, app, repo) as total
    from rollup_duration join population on population.id = population
    where outcome = 'success'
    group by day, app, repo, bucket
) as bucket
group by day, script, repository;

-- Bad ends by script and exit code; null if none was reported.
create view grafana.exit_codes as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, nullif(counted.exit_code, -1) as exit_code, counted.category,
    counted.generation,
    case when counted.exit_code = -1 then 'No exit code was reported' else coalesce(title, 'Unknown error') end
        as title,
    recovery, runs
from rollup_exit_code as counted
    join population on population.id = population
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(counted.generation, 1) and meaning.exit_code = counted.exit_code
where runs <> 0;

-- Bad ends by script and signature; `first_seen` is when the first execution with the signature was stored.
create view grafana.signatures as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, lpad(to_hex(counted.signature), 16, '0') as signature, template,
    created as first_seen, runs
from rollup_signature as counted
    join population on population.id = counted.population
    left join signature as known on known.id = counted.signature
where runs <> 0;

-- Executions by facet.
create view grafana.facets as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    facet, value, detail, outcome, runs
from rollup_facet join population on population.id = population
where runs <> 0;

-- Ended executions by script and operating system (`os`) or version of Proxmox VE (`pve`).
create view grafana.environments as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, property, value, detail, outcome, runs
from rollup_environment join population on population.id = population
where runs <> 0;

-- Single executions of the last 14 days, to the minute. Nothing that identifies a run or a host: no keys, no texts,
-- no models of hardware, no kernel.
create view grafana.recent_runs as
select date_trunc('minute', first_seen) as time, app as script, coalesce(kind, 'unknown') as type,
    repository,
    case
        when outcome <> 'open' then outcome
        when last_seen < (select hour from unfinished_before) then 'unfinished'
        else 'running'
    end as outcome,
    reported_code as exit_code, title, os_type, os_version, pve_version, arch, method, install_duration as duration_seconds,
    lpad(to_hex(run.signature), 16, '0') as signature, template
from (
    select *, coalesce(repo_source, 'ProxmoxVE') as repository,
        -- A code counts only if an event with the final status reported it: see execution.fact_status.
        case
            when (get_byte(fact_status, 5) & 15) = array_position(
                array['installing', 'validation', 'configuring', 'unknown', 'aborted', 'failed', 'success'], status)
                then execution.exit_code
            when status = 'success' then 0
        end as reported_code
    from execution
    where first_seen >= now() - interval '14 days'
) as run
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(run.generation, 1) and meaning.exit_code = reported_code
            and outcome <> 'success'
    left join signature as known on known.id = run.signature
where app is not null;

-- Scripts, types and repositories of the last 90 days: for the variables of dashboards.
create view grafana.scripts as
select app as script, coalesce(nullif(kind, ''), 'unknown') as type, repo as repository, sum(runs) as runs, max(day) as last_day
from rollup_script join population on population.id = population
where app <> '' and runs <> 0 and day > (now() at time zone 'UTC')::date - 90
group by app, kind, repo;
