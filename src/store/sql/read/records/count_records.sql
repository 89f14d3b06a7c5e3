-- Counts records up to a bound. $1 and $2: first seen from this time on and before that one. $3 bound, $4 filter,
-- $5 applications or null. The order is that of an index, so that the search ends at the bound.
select count(*) as "count!" from (
    select 1 from unnest($5::text[]) as wanted (name) cross join lateral (
        select 1 from execution
        where app = wanted.name and first_seen >= $1 and first_seen < $2 and is_listed(execution, $4)
        order by first_seen desc
        limit $3
    ) as found
    union all
    (
        select 1 from execution
        where $5 is null and app is not null and first_seen >= $1 and first_seen < $2 and is_listed(execution, $4)
        order by first_seen desc
        limit $3
    )
    limit $3
) as counted
