-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: a signature. Its failed runs by day.
select day, sum(runs)::bigint as "runs!"
from rollup_signature
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and signature = $7 and outcome = 'failed'
group by day
having sum(runs) <> 0
order by day
