-- Models of CPUs and GPUs that several sessions share. $1: number of newest executions to search. $2: least number
-- of sessions.
with newest as (
    select coalesce(session_key, run_key) as session, cpu_model, gpu_model
    from execution
    order by first_seen desc
    limit $1
)
select 'cpu' as "part!", cpu_model as "model!"
from newest
where cpu_model is not null
group by cpu_model
having count(distinct session) >= $2
union all
select 'gpu', gpu_model
from newest
where gpu_model is not null
group by gpu_model
having count(distinct session) >= $2
