-- Executions by time, group and outcome, earliest first. $1 selection. $2: the source, 'days', 'hours' or 'facets'.
-- $3: the group, which is outcome, type, repo, platform, or a facet; otherwise everything is one group. $4: hour, day
-- or week. $5: so many groups have a name, the others are null.
with counted as (
    select time, outcome, sum(runs) as runs,
        case $3::text when 'outcome' then outcome when 'type' then kind when 'repo' then repo
            when 'platform' then platform else value end as name
    from (
        select day::timestamp as time, population, outcome, runs, '' as value
        from selected_day($1)
        where $2::text = 'days'
        union all
        select day + hour * interval '1 hour', population, outcome, runs::integer, ''
        from rollup_hour
        where $2 = 'hours' and is_selected(day, population, $1)
        union all
        -- The name of a template includes its detail.
        select day::timestamp, population, outcome, runs::integer,
            case when facet = 'template' and detail <> '' then value || '+' || detail else value end
        from rollup_facet
        where $2 = 'facets' and facet = $3 and is_selected(day, population, $1)
    ) as part join population on population.id = population
    group by time, outcome, 4
), ranked as (
    select name, row_number() over (order by sum(runs) desc, name) as position from counted group by name
)
select date_trunc($4, time) at time zone 'UTC' as "moment!", case when position <= $5 then name end as name,
    outcome as "outcome!", sum(runs)::bigint as "runs!"
from counted join ranked using (name)
group by 1, 2, outcome
having sum(runs) <> 0
order by 1, 2 nulls last, outcome
