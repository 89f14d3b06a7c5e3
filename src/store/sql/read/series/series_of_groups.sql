-- Executions by time, group and outcome, earliest first. $1 selection. $2: the source, 'days', 'hours' or 'facets'.
-- $3: the group, which is outcome, type, repo, platform, or a facet; otherwise everything is one group. $4: hour, day
-- or week. $5: so many groups have a name, the others are null.
with counted as (
    select time, outcome, sum(runs) as runs,
        case $3::text when 'outcome' then outcome when 'type' then population.kind when 'repo' then repo
            when 'platform' then shown(platform, known.kind is not null, ($1).hides_rare) else value end as name
    from (
        select day::timestamp as time, population, outcome, runs, '' as value
        from shown_day($1)
        where $2::text = 'days'
        union all
        select day + hour * interval '1 hour', population, outcome, runs::integer, ''
        from rollup_hour
        where $2 = 'hours' and is_shown(day, population, $1)
        union all
        -- The name of a template includes its detail.
        select day::timestamp, population, outcome, runs::integer,
            case when facet = 'template' and rollup.detail <> '' then value || '+' || rollup.detail
                else shown(value, known.kind is not null or not is_named(facet), ($1::view_selection).hides_rare) end
        from rollup_facet as rollup
            left join known_name as known on known.kind = facet and known.name = value and known.detail = ''
        where $2 = 'facets' and facet = $3 and is_shown(day, population, $1)
    ) as part join population on population.id = population
        left join known_name as known
            on known.kind = 'platform' and known.name = population.platform and known.detail = ''
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
