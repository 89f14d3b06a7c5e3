-- The monthly sums that do not equal their days. Equal ones are found twice, as they are stored and as they are
-- recounted; so a wrong one is listed in both forms.
with sum (month, row) as (
    select month, jsonb_build_array('script', to_jsonb(stored) - 'month') from month_script as stored
    union all select month, jsonb_build_array('facet', to_jsonb(stored) - 'month') from month_facet as stored
    union all select month, jsonb_build_array('exit code', to_jsonb(stored) - 'month') from month_exit_code as stored
    union all select month, jsonb_build_array('signature', to_jsonb(stored) - 'month') from month_signature as stored
    union all select month, jsonb_build_array('session', to_jsonb(stored) - 'month') from month_session as stored
    union all select month, jsonb_build_array('day', to_jsonb(stored) - 'month') from month_day as stored
    union all select month, jsonb_build_array('session day', to_jsonb(stored) - 'month') from month_session_day as stored
    union all select month, jsonb_build_array('script', to_jsonb(days) - 'month') from recount_month_script as days
    union all select month, jsonb_build_array('facet', to_jsonb(days) - 'month') from recount_month_facet as days
    union all select month, jsonb_build_array('exit code', to_jsonb(days) - 'month') from recount_month_exit_code as days
    union all select month, jsonb_build_array('signature', to_jsonb(days) - 'month') from recount_month_signature as days
    union all select month, jsonb_build_array('session', to_jsonb(days) - 'month') from recount_month_session as days
    union all select month, jsonb_build_array('day', to_jsonb(days) - 'month') from recount_month_day as days
    union all select month, jsonb_build_array('session day', to_jsonb(days) - 'month')
        from recount_month_session_day as days
)
select first_day as "month", row::text as "row!"
from sum join month_sum on id = month
where is_ready
group by first_day, row
having count(*) = 1
order by 1, 2
limit 1000
