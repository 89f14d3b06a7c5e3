-- $1 today, $2 signatures, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict. Failed runs of
-- each in the seven days up to today, and in the seven days before.
select signature, coalesce(sum(runs::integer) filter (where day > $1::date - 7), 0) as "last_week!",
    coalesce(sum(runs::integer) filter (where day <= $1::date - 7), 0) as "week_before!"
from rollup_signature
where day > $1::date - 14 and day <= $1::date and signature = any($2::bigint[]) and outcome = 'failed'
    and population = any(array(
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    ))
group by signature
