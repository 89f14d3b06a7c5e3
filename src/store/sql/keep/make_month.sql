-- Makes the sums of a marked month, in one statement and so from one snapshot. $1: its id. The sums become ready
-- only if no writer has deleted the mark since the snapshot; otherwise no row is updated.
with script as (
    insert into month_script select * from recount_month_script where month = $1
), facet as (
    insert into month_facet select * from recount_month_facet where month = $1
), exit_code as (
    insert into month_exit_code select * from recount_month_exit_code where month = $1
), signature as (
    insert into month_signature select * from recount_month_signature where month = $1
), session as (
    insert into month_session select * from recount_month_session where month = $1
), day as (
    insert into month_day select * from recount_month_day where month = $1
), session_day as (
    insert into month_session_day select * from recount_month_session_day where month = $1
)
update month_sum set is_ready = true where id = $1
