-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: outcome, type, repo, platform; else everything is one group. $8: hour. $9: so many groups have a name,
-- the others are null. Runs with an app by time, group and outcome.
with counted as (
    select date_trunc($8, day + hour * interval '1 hour') at time zone 'UTC' as moment, outcome,
        sum(runs::integer) as runs,
        case $7::text when 'outcome' then outcome when 'type' then kind when 'repo' then repo
            when 'platform' then platform else '' end as name
    from rollup_hour join population on population.id = population
    where ($1::date is null or day >= $1) and ($2::date is null or day <= $2)
        and ($3::text is null or repo = $3) and ($4::text is null or slug = $4)
        and ($5::text is null or kind = $5) and ($6::text is null or platform = $6)
    group by 1, outcome, 4
), ranked as (
    select name, dense_rank() over (order by sum(runs) desc, name) as position from counted group by name
)
select moment as "moment!", case when position <= $9 then name end as name, outcome as "outcome!",
    sum(runs)::bigint as "runs!"
from counted join ranked using (name)
group by moment, case when position <= $9 then name end, outcome
having sum(runs) <> 0
order by moment, name nulls last, outcome
