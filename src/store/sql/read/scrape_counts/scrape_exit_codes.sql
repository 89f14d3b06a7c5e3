-- Failed executions by exit code. $1: first day, $2: first recent day.
select exit_code as "exit_code!", category as "category!",
    coalesce(sum(runs) filter (where day >= $2), 0)::bigint as "recent!",
    coalesce(sum(runs) filter (where day < $2), 0)::bigint as "before!"
from rollup_exit_code
where day >= $1 and outcome = 'failed'
group by exit_code, category
