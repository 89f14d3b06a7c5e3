-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
insert into span_session
select $1, population, app, sum(sessions), sum(retried), sum(saved)
from (
    select population, app, sessions, retried, saved from rollup_session where day = any($2::date[])
    union all
    select population, app, sessions, retried, saved from span_session where span = any($3::integer[])
) as part
group by population, app
order by population, app
