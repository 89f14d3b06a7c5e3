-- Sums of failures by signature have one row for all scripts: what counts signatures reads a third of the rows.

-- Gone at once, not by a later version: an older instance that went on adding up would mark spans as ready
-- whose new sums are missing. So it fails to add up, and to list signatures, until it is replaced.
drop table span_signature;

-- The sums are made anew from the days, which are read meanwhile.
delete from sealed_span;
truncate span_script, span_facet, span_exit_code, span_day, span_session, span_session_day;

-- rollup_signature.
create table span_signature (
    span integer not null,
    signature bigint not null,
    population integer not null,
    outcome text collate "C" not null,
    runs bigint not null,
    -- First and last day with a run.
    first_day date not null,
    last_day date not null,
    -- The scripts, sorted, and the runs of each.
    apps text[] collate "C" not null,
    runs_of_apps integer[] not null,
    primary key (span, signature, population, outcome)
);
