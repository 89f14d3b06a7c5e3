-- Signatures that were first seen in a week, most frequent first. $1: first day of the week, $2: its last day,
-- $3: repository, $4: at most so many.
select template as "template!", blame as "blame!", counted.signature as "signature!", sum(runs)::bigint as "runs!",
    array_agg(distinct app) as "apps!"
from rollup_signature as counted
    join population on population.id = counted.population
    join signature as known on known.id = counted.signature
where day between $1 and $2 and outcome = 'failed' and repo = $3
    and created >= $1::date::timestamp at time zone 'UTC'
    and created < ($2::date + 1)::timestamp at time zone 'UTC'
group by template, blame, counted.signature
order by sum(runs) desc, counted.signature
limit $4
