-- $1 days and $2 spans of days, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7 outcomes. $8: only signatures that failed first on this day or later; null: all. $9: at most so many, of
-- those from $10 to $11. Runs by what went wrong, most frequent first.
with part as (
    select signature, runs::integer as runs
    from rollup_signature
    where day = any($1::date[]) and outcome = any($7::text[]) and signature between $10 and $11
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
    union all
    select signature, runs::integer
    from span_signature
    where span = any($2::integer[]) and outcome = any($7::text[]) and signature between $10 and $11
        and population = any(array(
            select id from population
            where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
                and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
        ))
), total as (
    select signature, sum(runs) as runs from part group by signature having sum(runs) <> 0
), listed as (
    select * from total
    where $8::date is null or not exists (
        select from rollup_signature as earlier
        where earlier.signature = total.signature and earlier.day < $8 and earlier.outcome = 'failed'
            and earlier.runs <> 0
    )
    order by runs desc, signature
    limit $9
)
select listed.signature as "signature!", template as "template?", created as "created?", runs as "runs!"
from listed left join signature on signature.id = listed.signature
order by runs desc, listed.signature
