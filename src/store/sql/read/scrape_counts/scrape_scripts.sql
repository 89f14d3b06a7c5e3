-- Executions by script, repository and outcome. $1: first day, $2: first recent day. $3: open executions whose last
-- event came before this full hour are unfinished.
select app as "app!", repo as "repository!", outcome as "outcome!",
    coalesce(sum(runs) filter (where day >= $2), 0)::bigint as "recent!",
    coalesce(sum(runs) filter (where day < $2), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where outcome = 'open' and open_hour < $3), 0)::bigint as "unfinished!"
from rollup_script join population on population.id = population
where day >= $1 and app <> ''
group by app, repo, outcome
