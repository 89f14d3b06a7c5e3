-- What lists and narrow counts are found by. None of these columns changes once it is told, so that
-- updates stay on their page (HOT): the price is paid when a row is inserted.

-- The runs of an application by time, and all runs by application.
create index execution_app on execution (app, first_seen) where app is not null;

-- One property over a long period, without the rows of the others.
create index rollup_facet_facet on rollup_facet (facet, day);

-- The history of one application.
create index if not exists rollup_script_app on rollup_script (app, day);

-- Open runs: few, but their hours make many rows.
create index rollup_script_open on rollup_script (day) where outcome = 'open';
