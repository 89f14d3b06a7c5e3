-- $1: the span that is made. $2 days and $3 shorter spans of which it consists.
insert into span_facet
select $1, population, facet, value, detail, outcome, sum(runs)
from (
    select population, facet, value, detail, outcome, runs from rollup_facet where day = any($2::date[])
    union all
    select population, facet, value, detail, outcome, runs from span_facet where span = any($3::integer[])
) as part
group by population, facet, value, detail, outcome
having sum(runs) <> 0
order by facet, population, value, detail, outcome
