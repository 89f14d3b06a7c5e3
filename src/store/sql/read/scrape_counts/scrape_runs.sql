-- Executions by repository, type and outcome. $1 and $2: the full hours at which the long and the short window begin.
select repo as "repository!", kind as "kind!", outcome as "outcome!",
    coalesce(sum(runs) filter (where day + hour * interval '1 hour' >= $2 at time zone 'UTC'), 0)::bigint
        as "recent!",
    sum(runs)::bigint as "day!"
from rollup_hour join population on population.id = population
where day >= ($1 at time zone 'UTC')::date and day + hour * interval '1 hour' >= $1 at time zone 'UTC'
group by repo, kind, outcome
