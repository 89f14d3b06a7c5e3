-- Models of CPUs and GPUs that are no one's alone.
-- $1, $2: the models of CPUs and GPUs that are asked about. $3: so many of the newest executions are
-- looked at, which bounds the cost and needs no index. $4: so many sessions must have one.
with newest as (
    select coalesce(session_key, run_key) as session, cpu_model, gpu_model
    from execution
    order by first_seen desc
    limit $3
)
select 'cpu' as "part!", cpu_model as "model!"
from newest
where cpu_model = any($1::text[])
group by cpu_model
having count(distinct session) >= $4
union all
select 'gpu', gpu_model
from newest
where gpu_model = any($2::text[])
group by gpu_model
having count(distinct session) >= $4
