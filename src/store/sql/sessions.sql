-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: a script; null: all. Sessions by day and script.
select day as "day?", app as "app?", sum(sessions)::bigint as "sessions!", sum(retried)::bigint as "retried!",
    sum(saved)::bigint as "saved!"
from rollup_session
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and ($7::text is null or app = $7)
group by grouping sets ((day), (app))
order by day, sum(sessions) desc, app
