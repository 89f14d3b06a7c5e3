-- Sessions: the attempts of one person at one script, joined by execution.session_key.

-- Sessions by the UTC day of their first attempt. Only attempts with an app. Two writers may hold two attempts
-- of one session, so the writers only mark the days that they change, and one instance counts the sessions of
-- these days from the executions.
create table rollup_session (
    day date not null,
    -- Population and app of the first attempt.
    population integer not null,
    app text collate "C" not null,
    sessions bigint not null,
    -- Sessions with more than one attempt.
    retried bigint not null,
    -- Sessions in which an attempt succeeded that began after one that failed.
    saved bigint not null,
    primary key (day, population, app)
);

-- Days whose executions changed since their sessions were counted. A mark is written with the executions and
-- deleted with the count. A day may be marked more than once, so that writers never wait for each other here.
create table session_touched (
    id bigint generated always as identity primary key,
    day date not null
);
