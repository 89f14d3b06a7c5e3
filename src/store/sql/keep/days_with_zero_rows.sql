-- The days with rows that count no run.
select day as "day!" from (
    select day from rollup_script where runs = 0
    union select day from rollup_duration where runs = 0
    union select day from rollup_facet where runs = 0
    union select day from rollup_exit_code where runs = 0
    union select day from rollup_signature where runs = 0
    union select day from rollup_environment where runs = 0
    union select day from rollup_hour where runs = 0
) as counted
order by day
