-- Forgets known names that too few sessions have. $1 kinds, $2 names, $3 details. Days before the horizon count runs
-- that have expired.
delete from known_name as known
using unnest($1::text[], $2::text[], $3::text[]) as gone (kind, name, detail)
where known.kind = gone.kind and known.name = gone.name and known.detail = gone.detail
    and not is_shared(known.kind, known.name, known.detail)
    and not exists (
        select from counted_name as counted
        where counted.kind = known.kind and counted.name = known.name and counted.detail = known.detail
            and counted.day < (
                select convert_from(value, 'UTF8')::date from setting where setting.name = 'retention_horizon')
    )
