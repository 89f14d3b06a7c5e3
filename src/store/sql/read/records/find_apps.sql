-- Applications whose name contains $1, at most $2. Walks through the index from name to name.
with recursive known (name) as (
    (select app from rollup_script where app > '' order by app limit 1)
    union all
    select (select app from rollup_script where app > known.name order by app limit 1)
    from known where known.name is not null
)
select name as "name!" from known where name is not null and strpos(name, $1) > 0 limit $2
