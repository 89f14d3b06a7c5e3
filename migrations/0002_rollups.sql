-- Rollups: counts of executions by day. They are kept for ever. The writer changes them in the transaction that
-- changes the executions, so every count equals a recount.
--
-- In every rollup, `day` is the UTC day of the first event, `outcome` is as in execution, and `runs` is the
-- number of executions. A row with zero runs means the same as no row. All except rollup_script leave out
-- executions without an app, whose start was never reported.

-- The groups by which every count can be filtered. The writer adds rows and never changes them.
create table population (
    id integer generated always as identity primary key,
    -- ProxmoxVE, ProxmoxVED, external.
    repo text collate "C" not null,
    -- owner/name; '' if it was not reported.
    slug text collate "C" not null,
    -- lxc, vm, addon, pve, turnkey; '' if it was not reported.
    kind text collate "C" not null,
    -- pve, incus; '' if it was not reported.
    platform text collate "C" not null,
    unique (repo, slug, kind, platform)
);

-- Executions by script.
create table rollup_script (
    day date not null,
    population integer not null,
    -- Application; '' counts the executions without one.
    app text collate "C" not null,
    outcome text collate "C" not null,
    -- For open executions the full hour of the last event, which decides when they are unfinished; else 1970.
    open_hour timestamptz not null,
    runs bigint not null,
    -- Executions that reported a duration above zero, and the sum of these durations in seconds.
    duration_count bigint not null,
    duration_sum bigint not null,
    primary key (day, population, app, outcome, open_hour)
) with (fillfactor = 70);

-- The history of one script.
create index rollup_script_app on rollup_script (app, day);
-- Open executions: few, but their hours make many rows.
create index rollup_script_open on rollup_script (day) where outcome = 'open';

-- Executions that reported a duration, by script.
create table rollup_duration (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    -- Logarithmic: bucket b holds durations from 2^(b/8) up to 2^((b+1)/8) seconds, so a quantile is exact to
    -- 4.5 %.
    bucket smallint not null,
    runs bigint not null,
    primary key (day, population, app, outcome, bucket)
) with (fillfactor = 70);

create index rollup_duration_app on rollup_duration (app, day);

-- Executions by one facet.
create table rollup_facet (
    day date not null,
    population integer not null,
    -- os, pve_version, method, arch, cpu_vendor, gpu, cores, ram, disk, generation, template, runtime,
    -- duration, exit_code.
    facet text collate "C" not null,
    -- Its value, '' if it was not reported.
    value text collate "C" not null,
    -- A refinement of the value, such as the version of the operating system; else ''.
    detail text collate "C" not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (day, population, facet, value, detail, outcome)
) with (fillfactor = 70);

-- One facet over a long period, without the rows of the others.
create index rollup_facet_facet on rollup_facet (facet, day);
-- The history of one source or revision of the scripts.
create index rollup_facet_runtime on rollup_facet (value, detail, day) where facet = 'runtime';

-- Bad ends by script and exit code.
create table rollup_exit_code (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    -- failed, blocked, aborted.
    outcome text collate "C" not null,
    -- 0 to 255; -1 if it was not reported.
    exit_code smallint not null,
    category text collate "C" not null,
    -- Generation of the client, which decides what the code means.
    generation smallint not null,
    runs bigint not null,
    primary key (day, population, app, outcome, exit_code, category, generation)
) with (fillfactor = 70);

create index rollup_exit_code_app on rollup_exit_code (app, day);

-- Ended executions by script and environment, each once under every property. Open executions are left out:
-- their environment matters only when their end is known, and their start costs nothing here.
create table rollup_environment (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    -- os, pve.
    property text collate "C" not null,
    -- os: the family; pve: the version of Proxmox VE up to the second point (9.0); '' if it was not reported.
    value text collate "C" not null,
    -- os: the version, '' if it was not reported; pve: ''.
    detail text collate "C" not null,
    -- success, failed, blocked, aborted.
    outcome text collate "C" not null,
    -- Whether it was a further attempt of a session: clients give the first attempt the id of the session. First
    -- attempts are independent of each other, which a statistical test needs.
    retry boolean not null,
    runs bigint not null,
    primary key (day, population, app, property, value, detail, outcome, retry)
) with (fillfactor = 70);

create index rollup_environment_app on rollup_environment (app, day);

-- Executions by the hour of their first event. Not by script, which would need almost a row per execution.
create table rollup_hour (
    day date not null,
    population integer not null,
    -- 0 to 23, UTC.
    hour smallint not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (day, population, hour, outcome)
) with (fillfactor = 70);
