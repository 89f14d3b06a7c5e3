-- Deletes the sums whose mark is gone.
with script as (
    delete from month_script where month not in (select id from month_sum)
), facet as (
    delete from month_facet where month not in (select id from month_sum)
), exit_code as (
    delete from month_exit_code where month not in (select id from month_sum)
), signature as (
    delete from month_signature where month not in (select id from month_sum)
), session as (
    delete from month_session where month not in (select id from month_sum)
), day as (
    delete from month_day where month not in (select id from month_sum)
)
delete from month_session_day where month not in (select id from month_sum)
