-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: a script. Its ended runs by what they ran on.
select property, value, detail, sum(runs::integer) as "runs!",
    coalesce(sum(runs::integer) filter (where outcome = 'success'), 0) as "succeeded!",
    coalesce(sum(runs::integer) filter (where outcome = 'failed'), 0) as "failed!"
from rollup_environment
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and app = $7
group by property, value, detail
having sum(runs::integer) <> 0
order by property, sum(runs::integer) desc, value, detail
