-- $1 scripts, and for each of them $2 the first bad day; $3 first day, $4 last day; $5 repository, $6 slug,
-- $7 type, $8 platform; null does not restrict. Failed runs by signature before and since that day.
select app, signature, template,
    coalesce(sum(runs) filter (where day < first_bad_day), 0)::bigint as "before!",
    coalesce(sum(runs) filter (where day >= first_bad_day), 0)::bigint as "after!"
from rollup_signature
    join unnest($1::text[], $2::date[]) as asked (app, first_bad_day) using (app)
    left join signature on signature.id = rollup_signature.signature
where day >= $3 and day <= $4
    and population in (
        select id from population
        where ($5::text is null or repo = $5) and ($6::text is null or slug = $6)
            and ($7::text is null or kind = $7) and ($8::text is null or platform = $8)
    )
    and outcome = 'failed'
group by app, signature, template
having sum(runs) <> 0
order by app, signature
