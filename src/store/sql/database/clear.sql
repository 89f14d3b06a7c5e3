-- Drops the schema `grafana` and every view, table, function and type of the current schema that belongs to no extension.
do $$
declare
    space constant regnamespace := current_schema()::regnamespace;
    statements text[];
    statement text;
begin
    -- Collected first, because an object that a cascade has dropped has no name any more.
    with
        relation as (
            select format('%s if exists %s', case relkind when 'v' then 'view' else 'table' end, oid::regclass) as object
            from pg_class
            where relnamespace = space and relkind in ('r', 'p', 'v')
                and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
        ),
        function as (
            select format('function if exists %s', oid::regprocedure) as object
            from pg_proc
            where pronamespace = space
                and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e')
        ),
        composite as (
            select format('type if exists %s', oid::regclass) as object
            from pg_class
            where relnamespace = space and relkind = 'c'
                and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
        )
    select array_agg(format('drop %s cascade', object))
    into statements
    from (
        select object from relation union all select object from function union all select object from composite
    ) as dropped;
    drop schema if exists grafana cascade;
    foreach statement in array coalesce(statements, '{}') loop
        execute statement;
    end loop;
end
$$
