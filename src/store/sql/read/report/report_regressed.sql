-- Signatures that failed again in a repository after they were resolved, most failures of a week first. $1: first day of
-- the week, $2: its last day, $3: repository, $4: at most so many.
select template as "template!", blame as "blame!", triaged.signature as "signature!", sum(runs)::bigint as "runs!",
    array_agg(distinct app) as "apps!"
from signature_state as triaged
    join signature as known on known.id = triaged.signature
    join rollup_signature as counted on counted.signature = triaged.signature
    join population on population.id = counted.population
where triaged.state = 'regressed' and day between $1 and $2 and day >= (since at time zone 'UTC')::date
    and outcome = 'failed' and repo = $3 and runs <> 0
    and since < ($2::date + 1)::timestamp at time zone 'UTC'
group by template, blame, triaged.signature
order by sum(runs) desc, triaged.signature
limit $4
