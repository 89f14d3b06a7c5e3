-- As records_oldest.sql, for a few applications, each of which is looked up.
select row as "row!: Stored"
from unnest($5::text[]) as wanted (name) cross join lateral (
    select execution as row, first_seen, run_key from execution
    where app = wanted.name and first_seen >= $1 and (first_seen, run_key) > ($1, $2) and first_seen < $3
        and is_listed(execution, $4)
    order by first_seen, run_key
    limit $6::bigint + $7::bigint
) as found
order by first_seen, run_key
limit $6 offset $7
