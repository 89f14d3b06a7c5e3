-- Sums over several days, so that a year is read from few rows. They are made from the rollups of days
-- that are over, by one instance, and are a copy: without them every answer is the same, only later.

-- The days of which there are sums. Whoever changes a rollup of one of these days deletes the row in the
-- same transaction; then the days count again, until somebody has added them up anew. So a reader that
-- sees a row as ready sees sums that equal the days.
create table sealed_span (
    -- Never used twice: the sums of a span never change.
    id integer generated always as identity primary key,
    -- First UTC day; a multiple of `days` since 2000-01-01.
    first_day date not null,
    -- Number of days: 4, 16, 64.
    days integer not null,
    -- False while the sums are being made.
    is_ready boolean not null default false,
    -- Latest hour of a last event of an open run, which tells whether one may be running still.
    last_open_hour timestamptz not null default 'epoch',
    unique (first_day, days)
);

-- rollup_script, but for the hour of open runs.
create table span_script (
    span integer not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    runs bigint not null,
    duration_count bigint not null,
    duration_sum bigint not null,
    primary key (span, population, app, outcome)
);

-- rollup_facet.
create table span_facet (
    span integer not null,
    population integer not null,
    facet text collate "C" not null,
    value text collate "C" not null,
    detail text collate "C" not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (span, facet, population, value, detail, outcome)
);

-- rollup_exit_code.
create table span_exit_code (
    span integer not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    exit_code smallint not null,
    category text collate "C" not null,
    generation smallint not null,
    runs bigint not null,
    primary key (span, population, app, outcome, exit_code, category, generation)
);

-- rollup_signature.
create table span_signature (
    span integer not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    signature bigint not null,
    runs bigint not null,
    -- First and last day with a run.
    first_day date not null,
    last_day date not null,
    -- By signature first: where the most frequent ones hit is looked up.
    primary key (span, signature, population, app, outcome)
);

-- Runs with an app by day: small and in one place. Only of the shortest spans.
create table span_day (
    span integer not null,
    day date not null,
    population integer not null,
    outcome text collate "C" not null,
    runs bigint not null,
    primary key (span, day, population, outcome)
);

-- rollup_session. Only runs with an app.
create table span_session (
    span integer not null,
    population integer not null,
    app text collate "C" not null,
    sessions bigint not null,
    retried bigint not null,
    saved bigint not null,
    primary key (span, population, app)
);

-- Sessions by day: as span_day.
create table span_session_day (
    span integer not null,
    day date not null,
    population integer not null,
    sessions bigint not null,
    retried bigint not null,
    saved bigint not null,
    primary key (span, day, population)
);

create index span_session_app on span_session (app, span);
