-- Recent failures by signature. $1 selection, $2 today, $3 signatures; 0 stands for the rare ones.
select signature as "signature!",
    coalesce(sum(runs::integer) filter (where day > $2::date - 7), 0) as "last_week!",
    coalesce(sum(runs::integer) filter (where day <= $2 - 7), 0) as "week_before!"
from (
    select signature, day, runs from rollup_signature
    where day > $2::date - 14 and day <= $2 and signature = any($3::bigint[]) and outcome = 'failed'
        and is_shown(population, $1)
    union all
    select 0, day, runs from rollup_signature
    where 0 = any($3) and day > $2 - 14 and day <= $2 and outcome = 'failed' and is_shown(population, $1)
        and not exists (
            select from known_name where kind = 'signature' and name = signature::text and detail = ''
        )
) as counted
group by signature
