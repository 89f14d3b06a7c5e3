-- Monthly sums: the rollups summed over a calendar month, so that a year is read from few rows.
--
-- They are a copy, made in the background once a month is over. Without them every answer is the same, but
-- slower.

-- The months whose sums are ready or being made. A writer that changes a rollup of a day deletes the row of its
-- month in the same transaction, which invalidates the sums. So a reader that sees a ready row sees sums that
-- equal the days.
create table month_sum (
    -- Names the sums. It is never reused, so the sums of an id never change.
    id integer generated always as identity primary key,
    -- First UTC day of the month.
    first_day date not null unique,
    -- False while the sums are being made.
    is_ready boolean not null default false
);

-- In each table below, `month` is the id in month_sum, and the other columns are those of the rollup.

-- rollup_script, without the hour of open executions.
create table month_script (
    month integer not null,
    app text collate "C" not null,
    population integer not null,
    outcome text collate "C" not null,
    runs integer not null,
    duration_count integer not null,
    duration_sum bigint not null,
    primary key (month, app, population, outcome)
);

-- rollup_facet.
create table month_facet (
    month integer not null,
    facet text collate "C" not null,
    population integer not null,
    value text collate "C" not null,
    detail text collate "C" not null,
    outcome text collate "C" not null,
    runs integer not null,
    primary key (month, facet, population, value, detail, outcome)
);

-- rollup_exit_code.
create table month_exit_code (
    month integer not null,
    app text collate "C" not null,
    population integer not null,
    outcome text collate "C" not null,
    exit_code smallint not null,
    category text collate "C" not null,
    generation smallint not null,
    runs integer not null,
    primary key (month, app, population, outcome, exit_code, category, generation)
);

-- rollup_signature.
create table month_signature (
    month integer not null,
    signature bigint not null,
    population integer not null,
    app text collate "C" not null,
    outcome text collate "C" not null,
    runs integer not null,
    -- First and last day of the month with an execution.
    first_day date not null,
    last_day date not null,
    -- Signature first: the scripts of the listed signatures are looked up.
    primary key (month, signature, population, app, outcome)
);

-- rollup_session.
create table month_session (
    month integer not null,
    app text collate "C" not null,
    population integer not null,
    sessions integer not null,
    retried integer not null,
    saved integer not null,
    primary key (month, app, population)
);

-- Executions by day. Not sums over the month, but far fewer rows than the rollups.
create table month_day (
    month integer not null,
    day date not null,
    population integer not null,
    outcome text collate "C" not null,
    runs integer not null,
    primary key (month, day, population, outcome)
);

-- Sessions by day, as month_day.
create table month_session_day (
    month integer not null,
    day date not null,
    population integer not null,
    sessions integer not null,
    retried integer not null,
    saved integer not null,
    primary key (month, day, population)
);

-- The views `recount_…` are the definition of the sums: the tables above are filled from them, and `verify`
-- compares both. They hold every month in month_sum.

create view recount_month_script as
select id as month, app, population, outcome, sum(runs)::integer as runs,
    sum(duration_count)::integer as duration_count, sum(duration_sum)::bigint as duration_sum
from month_sum join rollup_script on day >= first_day and day < (first_day + interval '1 month')::date
where runs <> 0
group by id, app, population, outcome;

create view recount_month_facet as
select id as month, facet, population, value, detail, outcome, sum(runs)::integer as runs
from month_sum join rollup_facet on day >= first_day and day < (first_day + interval '1 month')::date
where runs <> 0
group by id, facet, population, value, detail, outcome;

create view recount_month_exit_code as
select id as month, app, population, outcome, exit_code, category, generation, sum(runs)::integer as runs
from month_sum join rollup_exit_code on day >= first_day and day < (first_day + interval '1 month')::date
where runs <> 0
group by id, app, population, outcome, exit_code, category, generation;

create view recount_month_signature as
select id as month, signature, population, app, outcome, sum(runs)::integer as runs, min(day) as first_day,
    max(day) as last_day
from month_sum join rollup_signature on day >= first_day and day < (first_day + interval '1 month')::date
where runs <> 0
group by id, signature, population, app, outcome;

create view recount_month_session as
select id as month, app, population, sum(sessions)::integer as sessions, sum(retried)::integer as retried,
    sum(saved)::integer as saved
from month_sum join rollup_session on day >= first_day and day < (first_day + interval '1 month')::date
group by id, app, population;

-- See selected_runs for the facet.
create view recount_month_day as
select id as month, day, population, outcome, sum(runs)::integer as runs
from month_sum join rollup_facet on day >= first_day and day < (first_day + interval '1 month')::date
where facet = 'generation' and runs <> 0
group by id, day, population, outcome;

create view recount_month_session_day as
select id as month, day, population, sum(sessions)::integer as sessions, sum(retried)::integer as retried,
    sum(saved)::integer as saved
from month_sum join rollup_session on day >= first_day and day < (first_day + interval '1 month')::date
group by id, day, population;

-- What a reader counts.
create type selection as (
    -- The period, in UTC days.
    first_day date,
    last_day date,
    -- The same period once more: ids of months whose sums are read, and the other days, whose rollups are read.
    months integer[],
    days date[],
    -- Ids of populations; null means all.
    populations integer[]
);

-- PostgreSQL inlines the following functions, so that their conditions use the indexes of the tables.

create function is_selected(population integer, wanted selection) returns boolean language sql immutable as $$
    select wanted.populations is null or population = any(wanted.populations)
$$;

create function is_selected(day date, population integer, wanted selection) returns boolean
language sql immutable as $$
    select day between wanted.first_day and wanted.last_day and is_selected(population, wanted)
$$;

-- The functions `selected_…` return the rows of the selected months and days, in the form of the monthly sums;
-- `month` is null for a day. One key may have many rows.

create function selected_script(wanted selection)
returns setof month_script language sql stable as $$
    select null::integer, app, population, outcome, runs::integer, duration_count::integer, duration_sum
    from rollup_script
    where day = any(wanted.days) and runs <> 0 and is_selected(population, wanted)
    union all
    select * from month_script
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

create function selected_facet(wanted selection)
returns setof month_facet language sql stable as $$
    select null::integer, facet, population, value, detail, outcome, runs::integer
    from rollup_facet
    where day = any(wanted.days) and runs <> 0 and is_selected(population, wanted)
    union all
    select * from month_facet
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

-- Executions with an application: each of them has exactly one generation.
create function selected_runs(wanted selection)
returns setof month_facet language sql stable as $$
    select * from selected_facet(wanted) where facet = 'generation'
$$;

create function selected_exit_code(wanted selection)
returns setof month_exit_code language sql stable as $$
    select null::integer, app, population, outcome, exit_code, category, generation, runs::integer
    from rollup_exit_code
    where day = any(wanted.days) and runs <> 0 and is_selected(population, wanted)
    union all
    select * from month_exit_code
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

create function selected_signature(wanted selection)
returns setof month_signature language sql stable as $$
    select null::integer, signature, population, app, outcome, runs::integer, day, day
    from rollup_signature
    where day = any(wanted.days) and runs <> 0 and is_selected(population, wanted)
    union all
    select * from month_signature
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

create function selected_session(wanted selection)
returns setof month_session language sql stable as $$
    select null::integer, app, population, sessions::integer, retried::integer, saved::integer
    from rollup_session
    where day = any(wanted.days) and is_selected(population, wanted)
    union all
    select * from month_session
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

create function selected_day(wanted selection)
returns setof month_day language sql stable as $$
    select null::integer, day, population, outcome, runs::integer
    from rollup_facet
    where day = any(wanted.days) and facet = 'generation' and runs <> 0 and is_selected(population, wanted)
    union all
    select * from month_day
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

create function selected_session_day(wanted selection)
returns setof month_session_day language sql stable as $$
    select null::integer, day, population, sessions::integer, retried::integer, saved::integer
    from rollup_session
    where day = any(wanted.days) and is_selected(population, wanted)
    union all
    select * from month_session_day
    where month = any(wanted.months) and is_selected(population, wanted)
$$;

-- Open executions by the hour of their last event: which ones are running. They are too few to sum.
create index rollup_script_open_hour on rollup_script (open_hour) where outcome = 'open';
