-- Whether there is a silence of more than $3 days that begins with the newest day to be deleted ($1), or that
-- ended less than $4 days before today ($2) or has not ended.
with known as (
    select $1::date + number as day
    from generate_series(0, $2::date - $1::date) as number
    where exists (select from rollup_script where rollup_script.day = $1::date + number)
), pauses as (
    select day, coalesce(lead(day) over (order by day), $2::date) as next, min(day) over () as first
    from known
)
select exists (
    select from pauses where next - day > $3 and (day = first or next > $2::date - $4::integer)
) as "is_after_silence!"
