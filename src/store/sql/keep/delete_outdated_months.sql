-- Deletes the sums whose mark is gone. Every month has sums by script, so their ids are those of all sums; the recursion
-- jumps from one to the next in the index.
with recursive found (month) as (
    select min(month) from month_script
    union all
    select (select min(month) from month_script where month > found.month) from found where found.month is not null
), outdated as materialized (
    select month from found where month is not null and not exists (select from month_sum where id = month)
), script as (
    delete from month_script where month in (select month from outdated)
), facet as (
    delete from month_facet where month in (select month from outdated)
), exit_code as (
    delete from month_exit_code where month in (select month from outdated)
), signature as (
    delete from month_signature where month in (select month from outdated)
), session as (
    delete from month_session where month in (select month from outdated)
), day as (
    delete from month_day where month in (select month from outdated)
)
delete from month_session_day where month in (select month from outdated)
