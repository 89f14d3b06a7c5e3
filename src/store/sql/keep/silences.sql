-- The silences of more than $3 days between the newest day to be deleted ($1) and today ($2): whether one has not ended
-- or ended less than $4 days ago, and the length in days of the one that begins with $1; 0 if there is none.
with known as (
    select $1::date + number as day
    from generate_series(0, $2::date - $1::date) as number
    where exists (select from rollup_script where rollup_script.day = $1::date + number)
), pauses as (
    select day, coalesce(lead(day) over (order by day), $2::date) as next, min(day) over () as first
    from known
)
select coalesce(bool_or(next > $2::date - $4::integer), false) as "is_recent!",
    coalesce(max(next - day) filter (where day = first), 0) as "following_days!"
from pauses
where next - day > $3
