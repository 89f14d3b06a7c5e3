-- $1: first day of all, $2: first day that is recent. $3: an open run whose last event lies before this
-- full hour is unfinished.
select app as "app!", repo as "repository!", outcome as "outcome!",
    coalesce(sum(runs) filter (where day >= $2), 0)::bigint as "recent!",
    coalesce(sum(runs) filter (where day < $2), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where outcome = 'open' and open_hour < $3), 0)::bigint as "unfinished!"
from rollup_script join population on population.id = population
where day >= $1 and app <> ''
group by app, repo, outcome
