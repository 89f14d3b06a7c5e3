-- Names that are counted but not known, those with the most runs first. $1: counted on this day or later; null: ever.
-- $2: at most so many. A name with fewer runs than enough sessions have is left out where all days are read.
select kind as "kind!", name as "name!", detail as "detail!", sum(runs)::bigint as "runs!"
from counted_name as counted
where day >= coalesce($1::date, '-infinity') and not exists (
    select from known_name as known
    where known.kind = counted.kind and known.name = counted.name and known.detail = counted.detail
) and (select hides_rare from hides_rare)
group by kind, name, detail
having $1::date is not null or counted.kind = 'slug' or sum(runs) >= (
    select convert_from(value, 'UTF8')::integer from setting where setting.name = 'rare_sessions')
order by sum(runs) desc, kind, name, detail
limit $2
