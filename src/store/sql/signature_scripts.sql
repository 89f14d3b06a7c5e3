-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: signatures. $8: at most so many scripts for each of them, those with the most failed runs.
select signature as "signature!", app as "app!", runs as "runs!"
from (
    select signature, app, sum(runs)::bigint as runs,
        row_number() over (partition by signature order by sum(runs) desc, app) as position
    from rollup_signature
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
        and signature = any($7::bigint[]) and outcome = 'failed'
    group by signature, app
    having sum(runs) <> 0
) as counted
where position <= $8
order by signature, position
