-- Scripts of a period and of the one before it: a row for each script in one of the lists, with its rank in each of
-- them, and a row without an application for all scripts. Rare scripts are in no list. $1 selection of the period, $2 of
-- the period before, $3: at most so many scripts in a list.
with counted as (
    select app, kind, sum(runs)::bigint as runs, sum(before)::bigint as before,
        coalesce(sum(runs) filter (where outcome = 'success'), 0)::bigint as success,
        coalesce(sum(runs) filter (where outcome = 'failed'), 0)::bigint as failed
    from (
        select app, population, outcome, runs, 0 as before from selected_script(($1::view_selection).chosen)
        union all
        select app, population, outcome, 0, runs from selected_script(($2::view_selection).chosen)
    ) as part join population on population.id = population
    where app <> ''
    group by app, kind
), script as materialized (
    select counted.*, not ($1).hides_rare or known.app is not null as is_shown
    from counted left join known_app as known on ($1).hides_rare and known.app = counted.app
), newcomer as materialized (
    -- The limit bounds the work when somebody sends invented names.
    select app, kind, day
    from (
        select app, kind from script where is_shown and runs > 0 and before = 0 order by runs desc, app, kind limit 1000
    ) as candidate
        cross join lateral (
            select day from rollup_script as first join population on population.id = population
            where first.app = candidate.app and population.kind = candidate.kind and runs <> 0
                and is_shown(population, $1)
            order by day limit 1
        ) as first
    where day >= (($1).chosen).first_day
), ranked as (
    select app, kind, runs, before, success, failed, day as first_day,
        row_number() over (order by runs desc, app, kind) as most_used,
        row_number() over (order by runs, app, kind) as least_used,
        -- By how many standard deviations of chance the runs grew.
        case when day is null and runs > before and runs >= 10 then row_number() over (
            order by day is null and runs > before and runs >= 10 desc, (runs - before) / sqrt(runs + before) desc, app,
                kind
        ) end as rising,
        case when day is not null then row_number() over (order by day is null, runs desc, app, kind) end as new
    from script left join newcomer using (app, kind)
    where is_shown and runs > 0
)
select app as "app?", kind as "kind!", 1::bigint as "scripts!", runs as "runs!", before as "before!",
    success as "success!", failed as "failed!", first_day as "first_day?", most_used as "most_used?",
    least_used as "least_used?", rising as "rising?", new as "new?"
from ranked
where least(most_used, least_used, rising, new) <= $3
union all
select null, '', count(*) filter (where runs > 0), coalesce(sum(runs), 0)::bigint, coalesce(sum(before), 0)::bigint,
    coalesce(sum(success), 0)::bigint, coalesce(sum(failed), 0)::bigint, null, null, null, null, null
from script
