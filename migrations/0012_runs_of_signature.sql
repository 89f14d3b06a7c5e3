-- no-transaction
-- The executions of a signature. A row enters this index when its run fails, usually its last change, so other updates
-- stay on their page.
create index concurrently if not exists execution_signature on execution (signature, first_seen)
where signature is not null;
