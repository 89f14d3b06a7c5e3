-- The spans whose sums do not equal their days: each row of both, once with each sign.
with part (id, row, runs) as (
    select id, jsonb_build_array('script', population, app, outcome),
        jsonb_build_array(sum(sign * runs), sum(sign * duration_count), sum(sign * duration_sum))
    from (
        select id, population, app, outcome, 1 as sign, runs, duration_count, duration_sum
        from sealed_span join span_script on span = id where is_ready
        union all
        select id, population, app, outcome, -1, runs, duration_count, duration_sum
        from sealed_span join rollup_script on day >= first_day and day < first_day + days where is_ready
    ) as compared group by id, population, app, outcome
    union all
    select id, jsonb_build_array('facet', population, facet, value, detail, outcome),
        jsonb_build_array(sum(sign * runs))
    from (
        select id, population, facet, value, detail, outcome, 1 as sign, runs
        from sealed_span join span_facet on span = id where is_ready
        union all
        select id, population, facet, value, detail, outcome, -1, runs
        from sealed_span join rollup_facet on day >= first_day and day < first_day + days where is_ready
    ) as compared group by id, population, facet, value, detail, outcome
    union all
    select id, jsonb_build_array('exit code', population, app, outcome, exit_code, category, generation),
        jsonb_build_array(sum(sign * runs))
    from (
        select id, population, app, outcome, exit_code, category, generation, 1 as sign, runs
        from sealed_span join span_exit_code on span = id where is_ready
        union all
        select id, population, app, outcome, exit_code, category, generation, -1, runs
        from sealed_span join rollup_exit_code on day >= first_day and day < first_day + days where is_ready
    ) as compared group by id, population, app, outcome, exit_code, category, generation
    union all
    select id, jsonb_build_array('signature', population, outcome, signature),
        jsonb_build_array(sum(sign * runs), sum(sign * (first_day - date '2000-01-01')),
            sum(sign * (last_day - date '2000-01-01')))
    from (
        select id, population, outcome, signature, 1 as sign, runs, span_signature.first_day, last_day
        from sealed_span join span_signature on span = id where is_ready
        union all
        select id, population, outcome, signature, -1, sum(runs), min(day), max(day)
        from sealed_span join rollup_signature on day >= first_day and day < first_day + days
        where is_ready and runs <> 0
        group by id, population, outcome, signature
    ) as compared group by id, population, outcome, signature
    union all
    select id, jsonb_build_array('signature', population, outcome, signature, app),
        jsonb_build_array(sum(sign * runs))
    from (
        select id, population, outcome, signature, unnest(apps) as app, 1 as sign, unnest(runs_of_apps) as runs
        from sealed_span join span_signature on span = id where is_ready
        union all
        select id, population, outcome, signature, app, -1, runs
        from sealed_span join rollup_signature on day >= first_day and day < first_day + days where is_ready
    ) as compared group by id, population, outcome, signature, app
    union all
    select id, jsonb_build_array('day', population, day, outcome), jsonb_build_array(sum(sign * runs))
    from (
        select id, population, day, outcome, 1 as sign, runs
        from sealed_span join span_day on span = id where is_ready and days = $1
        union all
        select id, population, day, outcome, -1, runs
        from sealed_span join rollup_facet on day >= first_day and day < first_day + days
        where is_ready and days = $1 and facet = 'generation'
    ) as compared group by id, population, day, outcome
    union all
    select id, jsonb_build_array('session', population, app),
        jsonb_build_array(sum(sign * sessions), sum(sign * retried), sum(sign * saved))
    from (
        select id, population, app, 1 as sign, sessions, retried, saved
        from sealed_span join span_session on span = id where is_ready
        union all
        select id, population, app, -1, sessions, retried, saved
        from sealed_span join rollup_session on day >= first_day and day < first_day + days where is_ready
    ) as compared group by id, population, app
    union all
    select id, jsonb_build_array('session day', population, day),
        jsonb_build_array(sum(sign * sessions), sum(sign * retried), sum(sign * saved))
    from (
        select id, population, day, 1 as sign, sessions, retried, saved
        from sealed_span join span_session_day on span = id where is_ready and days = $1
        union all
        select id, population, day, -1, sessions, retried, saved
        from sealed_span join rollup_session on day >= first_day and day < first_day + days
        where is_ready and days = $1
    ) as compared group by id, population, day
)
select first_day, days, row::text as "row!"
from part join sealed_span using (id)
where runs not in ('[0]', '[0, 0, 0]')
order by first_day, days, 3
limit 1000
