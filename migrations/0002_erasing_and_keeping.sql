-- Runs can be deleted: by whoever knows their id, and when they are older than is kept.

-- A row that is deleted and made anew must not look like the one that a writer has read before.
comment on column execution.revision is
    'Counts the writes of this row, from an arbitrary number: a writer replaces only the revision that it read.';

-- `setting` holds one more value, from the first deletion by age on: 'retention_horizon', the first UTC
-- day (YYYY-MM-DD) whose executions are all there, but for those that were erased by id. It is
-- written before anything of an earlier day is deleted, and only ever grows. The rollups of earlier days
-- stay as they are: nothing can recount them any more.
comment on column setting.name is
    'What it is: id_key (the secret behind run keys), rollup_definition (what the rollups were last made '
    'with), retention_horizon (first UTC day whose executions are kept, YYYY-MM-DD).';
