-- Executions: one row per attempt at running a script.

-- Values that the server must remember, by name.
create table setting (
    -- id_key: the secret behind run keys.
    -- rollup_definition: the version of the counting rules that the rollups were made with.
    -- retention_horizon: first UTC day (YYYY-MM-DD) from which all executions are kept. It is stored before
    -- anything of an earlier day is deleted, and only ever grows. Rollups of earlier days are final.
    -- sessions_as_of: time for which rollup_session is exact; absent while a backlog is being counted.
    -- unfinished_hours: hours without an event after which a run without an end is unfinished.
    name text primary key,
    -- Opaque to the database, except for the views.
    value bytea not null
);

-- An execution: the join of all events about one attempt. Only the writer inserts and updates rows, together
-- with the rollups, in one transaction. The order of the columns is that of src/store/model/row.rs. A new fact
-- is added as the last column.
create table execution (
    -- First 128 bits of HMAC-SHA-256 over execution_id, or random_id if there is none.
    run_key uuid primary key,
    -- The same over random_id, if it differs from run_key: joins the attempts of a session.
    session_key uuid,
    -- Counts the writes of this row, from an arbitrary number, so that a deleted row that is inserted again is
    -- not mistaken for the old one. A writer replaces only the revision that it read.
    revision integer not null,
    -- Newest client generation among the events, 0 to 3.
    generation smallint not null,
    -- Arrival of the first event. Its UTC day is the day under which the run is counted.
    first_seen timestamptz not null,
    -- Arrival of the last event.
    last_seen timestamptz not null,
    -- First arrival of each reported status; null if it was never reported.
    installing_at timestamptz,
    validation_at timestamptz,
    configuring_at timestamptz,
    unknown_at timestamptz,
    aborted_at timestamptz,
    failed_at timestamptz,
    success_at timestamptz,
    -- The strongest reported status. Derived from the seven columns above.
    status text not null,
    -- Our reading of the run: success, failed, blocked, aborted, open. Derived from the other columns.
    outcome text not null,
    -- Which failure it was. Derived from error and failed_command, if the status is failed and an event with
    -- that status reported them.
    signature bigint,
    -- The status of the event that reported each fact, four bits per fact in the order of the columns below,
    -- the first in the high half of the first byte: 0 absent, else 1 + rank of the status (installing 0,
    -- validation, configuring, unknown, aborted, failed, success 6). If events disagree, the stronger status
    -- wins.
    fact_status bytea not null,
    -- The facts. Null if no event reported one. Application, lower case.
    app text,
    -- lxc, vm, addon, pve, turnkey.
    kind text,
    -- 1 unprivileged container, 0 privileged container, 2 virtual machine.
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
    -- Exit code as sent, 0 to 255. It counts only if an event with the final status reported it (fact_status).
    exit_code integer,
    -- The end of the error text, up to 16 KiB.
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
    -- owner/name of the repository.
    repo_slug text,
    -- What the container was made from: tarball, oci.
    template_kind text,
    -- Whether the container starts another program than its image specifies.
    custom_entrypoint boolean,
    -- Whether the host configures the network of the container.
    host_managed_network boolean,
    -- Where the scripts came from: local, remote, pinned, mirror.
    runtime_source text,
    -- Their revision: main, a release tag or a commit.
    runtime_ref text
-- Half-empty pages let every update stay on its page (HOT). That only works while no index holds a column that
-- changes: do not index status or outcome.
) with (fillfactor = 50);

-- The attempts of a session.
create index execution_session on execution (session_key) where session_key is not null;
-- Executions by time.
create index execution_first_seen on execution (first_seen);
-- Executions of an application by time, and all executions by application.
create index execution_app on execution (app, first_seen) where app is not null;

-- Returns the number of written rows if it is as expected. Otherwise it raises an error that undoes the
-- statement: 40001, because another writer changed a row first and trying again will succeed.
create function require_rows(written bigint, expected bigint) returns bigint
language plpgsql as $$
begin
    if written <> expected then
        raise exception 'another writer was faster' using errcode = 'serialization_failure';
    end if;
    return written;
end
$$;
