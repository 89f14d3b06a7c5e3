-- Executions by script, repository and outcome. $1: first day, $2: first recent day. $3: open executions whose last
-- event came before this full hour are unfinished.
select shown(counted.app, known.app is not null, hides_rare) as "app!", repo as "repository!", outcome as "outcome!",
    coalesce(sum(runs) filter (where day >= $2), 0)::bigint as "recent!",
    coalesce(sum(runs) filter (where day < $2), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where outcome = 'open' and open_hour < $3), 0)::bigint as "unfinished!"
from rollup_script as counted join population on population.id = population cross join hides_rare
    left join known_app as known on known.app = counted.app
where day >= $1 and counted.app <> ''
group by 1, repo, outcome
