-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: open runs whose last event lies at this full hour or later are running.
select app, kind, outcome,
    sum(runs)::bigint as "runs!",
    coalesce(sum(runs) filter (where outcome = 'open' and open_hour >= $7), 0)::bigint as "running!",
    sum(duration_count)::bigint as "duration_count!",
    sum(duration_sum)::bigint as "duration_sum!"
from rollup_script join population on population.id = population
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
    and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
group by app, kind, outcome
having sum(runs) <> 0
order by app, kind, outcome
