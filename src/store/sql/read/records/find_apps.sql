-- Applications whose name contains $1, at most $2. Walks through the index from name to name. $3: null finds all, true
-- only known ones, false only rare ones.
with recursive counted (name) as (
    (select app from rollup_script where app > '' order by app limit 1)
    union all
    select (select app from rollup_script where app > counted.name order by app limit 1)
    from counted where counted.name is not null
)
select name as "name!"
from counted left join known_app as known on known.app = name
where name is not null and strpos(name, $1) > 0 and ($3::boolean is null or (known.app is not null) = $3)
limit $2
