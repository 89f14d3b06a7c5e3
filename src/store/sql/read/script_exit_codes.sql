-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: a script. Its bad ends, most frequent first.
select exit_code, category, generation, outcome, sum(runs::integer) as "runs!"
from rollup_exit_code
where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
    and population in (
        select id from population
        where ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
            and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    )
    and app = $7
group by exit_code, category, generation, outcome
having sum(runs::integer) <> 0
order by sum(runs::integer) desc, exit_code, category, generation, outcome
