-- Bad ends with an exit code by script, most first, and the number of scripts before rare names are replaced.
-- $1 selection, $2 exit code. $3: at most so many scripts.
with counted as (
    select app, kind, sum(runs) as runs
    from selected_exit_code(($1::view_selection).chosen) join population on population.id = population
    where exit_code = $2
    group by app, kind
), named as (
    select shown(counted.app, known.app is not null, ($1).hides_rare) as app, kind, sum(runs)::bigint as runs,
        count(*) as scripts
    from counted left join known_app as known on ($1).hides_rare and known.app = counted.app
    group by 1, kind
)
select app as "app!", kind as "kind!", runs as "runs!", (sum(scripts) over ())::bigint as "scripts!"
from named
order by runs desc, app, kind
limit $3
