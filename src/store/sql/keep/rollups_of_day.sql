-- All rollup rows of a day, $1, in one shape.
select 'script' as "rollup!", population as "population!", app as "app!", outcome as "outcome!",
    open_hour as "open_hour!", 0::smallint as "number!", '' as "facet!", '' as "value!", '' as "detail!",
    0::smallint as "generation!", 0::bigint as "signature!", runs as "runs!", duration_count as "duration_count!",
    duration_sum as "duration_sum!"
from rollup_script where day = $1
union all
select 'duration', population, app, outcome, 'epoch'::timestamptz, bucket, '', '', '', 0::smallint, 0, runs, 0, 0
from rollup_duration where day = $1
union all
select 'facet', population, '', outcome, 'epoch'::timestamptz, 0::smallint, facet, value, detail, 0::smallint,
    0, runs, 0, 0
from rollup_facet where day = $1
union all
select 'exit code', population, app, outcome, 'epoch'::timestamptz, exit_code, '', category, '', generation,
    0, runs, 0, 0
from rollup_exit_code where day = $1
union all
select 'signature', population, app, outcome, 'epoch'::timestamptz, 0::smallint, '', '', '', 0::smallint,
    signature, runs, 0, 0
from rollup_signature where day = $1
union all
select 'environment', population, app, outcome, 'epoch'::timestamptz, retry::integer::smallint, property, value,
    detail, 0::smallint, 0, runs, 0, 0
from rollup_environment where day = $1
union all
select 'hour', population, '', outcome, 'epoch'::timestamptz, hour, '', '', '', 0::smallint, 0, runs, 0, 0
from rollup_hour where day = $1
