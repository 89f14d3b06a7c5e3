-- What the questions behind the totals need: where a script fails, by hour, and by session.

-- Ended runs by script and by the platform they ran on. A run that goes on is not counted: its
-- properties only matter once it is known how it ended, and its start costs nothing here. Only runs
-- with an app; each once under every property.
create table rollup_platform (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    -- os, pve.
    property text collate "C" not null,
    -- os: the family; pve: the version of Proxmox VE to the second point (9.0); '' where not told.
    value text collate "C" not null,
    -- os: its version, '' where it was not told; pve: ''.
    detail text collate "C" not null,
    -- success, failed, blocked, aborted.
    outcome text collate "C" not null,
    -- Whether it was another attempt of a session: clients give their first attempt the id of the
    -- session. First attempts are independent of each other, which a statistical test needs.
    retry boolean not null,
    runs bigint not null,
    primary key (day, population, app, property, value, detail, outcome, retry)
) with (fillfactor = 70);

-- Runs by the hour of their first event. Only runs with an app; not by script, which would be
-- almost a row per run.
create table rollup_hour (
    day date not null,
    population integer not null,
    -- 0 to 23, UTC.
    hour smallint not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (day, population, hour, outcome)
) with (fillfactor = 70);

-- The history of one script.
create index rollup_script_app on rollup_script (app, day);
create index rollup_platform_app on rollup_platform (app, day);
create index rollup_duration_app on rollup_duration (app, day);
create index rollup_exit_code_app on rollup_exit_code (app, day);
create index rollup_signature_app on rollup_signature (app, day);

-- Sessions by the day of their first attempt: the runs of one person at one script, joined by
-- execution.session_key. Not written with the rows, because two writers may hold two attempts of one
-- session: one instance computes it from the rows every minute, in one snapshot
-- (setting 'sessions_as_of'). Only runs with an app.
create table rollup_session (
    day date not null,
    -- Population and app of the first attempt.
    population integer not null,
    app text collate "C" not null,
    sessions bigint not null,
    -- Those with more than one attempt.
    retried bigint not null,
    -- Those in which an attempt succeeded that began after one that failed.
    saved bigint not null,
    primary key (day, population, app)
);

-- Days of which rows were written or deleted after the day was over: their sessions are to be
-- counted again. Written with the row, deleted by whoever has counted. A day may stand here often, so
-- that a writer never waits for another one here.
create table session_touched (
    id bigint generated always as identity primary key,
    day date not null
);

-- Where the scripts came from, since when.
create index rollup_facet_runtime on rollup_facet (value, detail, day) where facet = 'runtime';
