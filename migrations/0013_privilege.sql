-- The facet `privilege`: whether a container is privileged. Its values come from a closed set. The rollups are rebuilt
-- at the start, because their definition changed.
create or replace function is_named(facet text) returns boolean language sql immutable as $$
    select facet not in (
        'cores', 'ram', 'disk', 'privilege', 'generation', 'template', 'duration', 'exit_code'
    )
$$;
