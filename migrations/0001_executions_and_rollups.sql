-- One row per run, and what is counted over the rows.

-- What the server itself must remember, by name.
create table setting (
    -- What it is: 'id_key' (the secret behind run keys), 'rollup_definition' (what the rollups
    -- were last made with).
    name text primary key,
    -- Its value, opaque to the database.
    value bytea not null
);

-- A run: the join of all events about one attempt. Rows are inserted and updated by the writer
-- only, with the rollups in the same transaction.
create table execution (
    -- First 128 bits of HMAC-SHA-256 over execution_id, else random_id.
    run_key uuid primary key,
    -- The same over random_id, where it differs from run_key: joins the attempts of a session.
    session_key uuid,
    -- Counts the writes of this row, from 1: a writer replaces only the revision that it read.
    revision integer not null,
    -- Newest client generation among the events, 0 to 3.
    generation smallint not null,
    -- Arrival of the first event. Its UTC day is the day under which the run is counted.
    first_seen timestamptz not null,
    -- Arrival of the last event.
    last_seen timestamptz not null,
    -- First arrival of each reported status; null: never reported.
    installing_at timestamptz,
    validation_at timestamptz,
    configuring_at timestamptz,
    unknown_at timestamptz,
    aborted_at timestamptz,
    failed_at timestamptz,
    success_at timestamptz,
    -- The strongest reported status. A function of the seven columns above.
    status text not null,
    -- Our reading: success, failed, blocked, aborted, open. A function of the other columns.
    outcome text not null,
    -- Four bits for each column from app on, in order, first column in the high half of the first
    -- byte: 0 absent, else 1 + rank of the status of the event that told it (installing 0,
    -- validation, configuring, unknown, aborted, failed, success 6). The stronger status wins when
    -- events disagree.
    evidence bytea not null,
    -- What events told. Null: never told. Application, lower case.
    app text,
    -- lxc, vm, addon, pve, turnkey.
    kind text,
    -- 1 unprivileged, 0 privileged container, 2 virtual machine.
    ct_type integer,
    -- GB.
    disk_size integer,
    -- CPU cores.
    core_count integer,
    -- MB.
    ram_size integer,
    -- Operating system of the guest, folded to one spelling.
    os_type text,
    -- Its version, as sent.
    os_version text,
    -- Version of Proxmox VE, or incus-….
    pve_version text,
    -- How the settings were chosen: default, advanced, ….
    method text,
    -- Whether IPv6 was disabled; generation 1.
    disable_ipv6 boolean,
    -- Exit code as sent, 0 to 255. Counts only if `evidence` says that the final status told it.
    exit_code integer,
    -- The end of what went wrong, up to 16 KiB.
    error text,
    -- The client's own category.
    error_category text,
    -- Seconds.
    install_duration integer,
    -- The command that failed.
    failed_command text,
    -- Its line, from 1.
    failed_line integer,
    -- Hardware of the host, as sent.
    cpu_vendor text,
    cpu_model text,
    gpu_vendor text,
    gpu_model text,
    -- yes, no; earlier clients igpu, dgpu, unknown.
    gpu_passthrough text,
    -- MT/s, as sent.
    ram_speed text,
    -- CPU architecture.
    arch text,
    -- pve or incus.
    platform text,
    -- Whether the script supports ARM.
    has_arm boolean,
    -- Kernel of the host.
    kernel_version text,
    -- Version of the application.
    app_version text,
    -- ProxmoxVE, ProxmoxVED, external; null (old clients) counts as ProxmoxVE.
    repo_source text,
    -- owner/name of the repository. A column for a new fact comes behind it.
    repo_slug text
-- Half-empty pages let every update stay on its page (HOT). For that no index may hold a column
-- that changes: do not index status or outcome.
) with (fillfactor = 50);

create index execution_session on execution (session_key) where session_key is not null;
create index execution_first_seen on execution (first_seen);

-- The groups by which every count can be filtered. Rows are added by the writer, never changed.
create table population (
    id integer generated always as identity primary key,
    -- ProxmoxVE, ProxmoxVED, external.
    repo text collate "C" not null,
    -- owner/name; '' where it was not told.
    slug text collate "C" not null,
    -- lxc, vm, addon, pve, turnkey; '' where it was not told.
    kind text collate "C" not null,
    -- pve, incus; '' where it was not told.
    platform text collate "C" not null,
    unique (repo, slug, kind, platform)
);

-- Rollups. `day` is the UTC day of the first event, `outcome` as in execution. Kept for ever.
-- A row may stand at zero; that means the same as no row.

-- Runs by script and outcome.
create table rollup_script (
    day date not null,
    population integer not null,
    -- Application; '' counts the runs whose start never arrived (no app), and only they.
    app text collate "C" not null,
    outcome text collate "C" not null,
    -- For open runs the full hour of the last event, which tells the unfinished ones; else 1970.
    open_hour timestamptz not null,
    runs bigint not null,
    -- Runs that told a duration above zero, and their sum in seconds.
    duration_count bigint not null,
    duration_sum bigint not null,
    primary key (day, population, app, outcome, open_hour)
) with (fillfactor = 70);

-- Runs that told a duration, by script and outcome, in logarithmic buckets: bucket b holds
-- durations from 2^(b/8) up to 2^((b+1)/8) seconds, so a quantile is exact to 4.5 %.
create table rollup_duration (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    bucket smallint not null,
    runs bigint not null,
    primary key (day, population, app, outcome, bucket)
) with (fillfactor = 70);

-- Runs by one property and outcome. Only runs with an app.
create table rollup_facet (
    day date not null,
    population integer not null,
    -- os, pve_version, method, arch, cpu_vendor, gpu, cores, ram, disk, generation.
    facet text collate "C" not null,
    -- Its value, '' where it was not told: os family, version, vendor, class.
    value text collate "C" not null,
    -- What refines the value: os version, GPU passthrough; else ''.
    detail text collate "C" not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (day, population, facet, value, detail, outcome)
) with (fillfactor = 70);

-- Bad ends by script, exit code and category. Only runs with an app.
create table rollup_exit_code (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    -- failed, blocked, aborted.
    outcome text collate "C" not null,
    -- 0 to 255; -1 where it was not told.
    exit_code smallint not null,
    category text collate "C" not null,
    -- Generation of the client: it decides what the code means.
    generation smallint not null,
    runs bigint not null,
    primary key (day, population, app, outcome, exit_code, category, generation)
) with (fillfactor = 70);

-- How many rows were written, if it is as many as should be. Else an error that undoes the statement:
-- 40001, for another writer was faster and trying again will do.
create function require_rows(written bigint, expected bigint) returns bigint
language plpgsql as $$
begin
    if written <> expected then
        raise exception 'another writer was faster' using errcode = 'serialization_failure';
    end if;
    return written;
end
$$;
