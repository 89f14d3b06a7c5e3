-- Executions of the scripts of a repository in a week and in the week before. $1: first day of the week before,
-- $2: first day of the week, $3: its last day, $4: repository.
select app as "app!", outcome as "outcome!",
    coalesce(sum(runs) filter (where day >= $2), 0)::bigint as "runs!",
    coalesce(sum(runs) filter (where day < $2), 0)::bigint as "runs_before!",
    not exists (
        select from rollup_script as old
        where old.app = rollup_script.app and old.day < $2 and old.runs <> 0
    ) as "is_new!"
from rollup_script join population on population.id = population
where day between $1 and $3 and app <> '' and repo = $4
group by app, outcome
