-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: a script. $8: at most so many. Its failed runs by signature, most frequent first.
select counted.signature as "signature!", template as "template?", runs as "runs!", first_day as "first_day!",
    last_day as "last_day!"
from (
    select signature, sum(runs::integer) as runs, min(day) as first_day, max(day) as last_day
    from rollup_signature
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and population in (
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        )
        and app = $7 and outcome = 'failed' and runs <> 0
    group by signature
    order by runs desc, signature
    limit $8
) as counted left join signature on signature.id = counted.signature
order by runs desc, counted.signature
