-- What Grafana may see: views made for it, in a schema of their own. No id of a run or a session, no text
-- that came from a host but for masked templates. deploy/grafana/role.sql makes the user that reads them.

-- Which ways to fail are new.
create index signature_created on signature (created);

-- The catalogue of exit codes, for views. Filled from the program when it starts.
create table exit_code_meaning (
    -- Generation of the client: the same code means different things in different generations.
    generation smallint not null,
    exit_code smallint not null,
    -- What happened.
    title text not null,
    -- One word.
    category text not null,
    -- environment or script.
    fault text not null,
    -- What to do about it.
    recovery text not null,
    primary key (generation, exit_code)
);

-- Issues that were opened on GitHub for a way to fail: one for each repository and signature.
create table signature_issue (
    signature bigint not null,
    -- owner/name.
    repository text not null,
    -- Number and address of the issue; null while it is being opened.
    number bigint,
    url text,
    -- When somebody began to open it.
    requested timestamptz not null default now(),
    primary key (signature, repository)
);

create schema grafana;
comment on schema grafana is 'Views for dashboards. No ids, no texts of hosts.';

-- The full hour before which the last event of a run without an end must lie for it to be unfinished: as the
-- server was started.
create view unfinished_before as
select date_trunc('hour', now(), 'UTC') - make_interval(hours => coalesce(
    (select convert_from(value, 'UTF8')::integer from setting where name = 'unfinished_hours'), 24)) as hour;

-- In every view: `day` the UTC day of the first event, `time` its start for a time series; `repository`,
-- `slug`, `type` and `platform` the population (`unknown` where it was not told); `script` the application; `outcome` success, failed, blocked,
-- aborted, running or unfinished; `runs` how many. Rows of one key can stand more than once: sum them.

-- Runs by script and outcome, and the durations that were told.
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

-- Runs by hour and outcome; those without an end are `open`.
create view grafana.hours as
select day, (day + hour * interval '1 hour') at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform, outcome, runs
from rollup_hour join population on population.id = population
where runs <> 0;

-- Runs that told a duration, by bucket; `seconds` is the middle of the bucket, right to 4.5 %.
create view grafana.durations as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, power(2::double precision, (bucket + 0.5) / 8) as seconds, runs
from rollup_duration join population on population.id = population
where runs <> 0;

-- Quantiles of the durations of successful runs, by day, script and repository.
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

-- Bad ends by script and exit code; null where no code was told.
create view grafana.exit_codes as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, nullif(counted.exit_code, -1) as exit_code, counted.category,
    counted.generation,
    case when counted.exit_code = -1 then 'No exit code was told' else coalesce(title, 'Unknown error') end
        as title,
    recovery, runs
from rollup_exit_code as counted
    join population on population.id = population
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(counted.generation, 1) and meaning.exit_code = counted.exit_code
where runs <> 0;

-- Bad ends by script and what went wrong; `first_seen` is when the first run with it came, anywhere.
create view grafana.signatures as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, outcome, lpad(to_hex(counted.signature), 16, '0') as signature, template,
    created as first_seen, runs
from rollup_signature as counted
    join population on population.id = counted.population
    left join signature as known on known.id = counted.signature
where runs <> 0;

-- Runs by a property of the host or the settings.
create view grafana.facets as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    facet, value, detail, outcome, runs
from rollup_facet join population on population.id = population
where runs <> 0;

-- Ended runs by script and operating system (`os`) or version of Proxmox VE (`pve`).
create view grafana.platforms as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    app as script, property, value, detail, outcome, runs
from rollup_platform join population on population.id = population
where runs <> 0;

-- Single runs of the last 14 days, to the minute. Nothing with which a run could be found again or a host be known: no keys, no
-- texts, no models of hardware, no kernel.
create view grafana.recent_runs as
select date_trunc('minute', first_seen) as time, app as script, coalesce(kind, 'unknown') as type,
    repository,
    case
        when outcome <> 'open' then outcome
        when last_seen < (select hour from unfinished_before) then 'unfinished'
        else 'running'
    end as outcome,
    told_code as exit_code, title, os_type, os_version, pve_version, arch, method, install_duration as duration_seconds,
    lpad(to_hex(run.signature), 16, '0') as signature, template
from (
    select *, coalesce(repo_source, 'ProxmoxVE') as repository,
        -- A code counts only if the event with the final status told it: see `evidence`.
        case
            when (get_byte(evidence, 5) & 15) = array_position(
                array['installing', 'validation', 'configuring', 'unknown', 'aborted', 'failed', 'success'], status)
                then execution.exit_code
            when status = 'success' then 0
        end as told_code
    from execution
    where first_seen >= now() - interval '14 days'
) as run
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(run.generation, 1) and meaning.exit_code = told_code
            and outcome <> 'success'
    left join signature as known on known.id = run.signature
where app is not null;

-- Which scripts, types and repositories there were in the last 90 days: for the variables of dashboards.
create view grafana.scripts as
select app as script, coalesce(nullif(kind, ''), 'unknown') as type, repo as repository, sum(runs) as runs, max(day) as last_day
from rollup_script join population on population.id = population
where app <> '' and runs <> 0 and day > (now() at time zone 'UTC')::date - 90
group by app, kind, repo;

-- Issues that were opened for a signature.
create view grafana.issues as
select lpad(to_hex(signature), 16, '0') as signature, repository, number, url, requested
from signature_issue where number is not null;
