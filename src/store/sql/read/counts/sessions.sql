-- Sessions by day, then by script. $1 selection. $2: a script, without its days; null: all.
select day as "day?", null as "app?", sum(sessions) as "sessions!", sum(retried) as "retried!", sum(saved) as "saved!"
from shown_session_day($1)
where $2::text is null
group by day
union all
select null, app, sum(sessions), sum(retried), sum(saved)
from shown_session($1)
where $2 is null or app = $2
group by app
order by 1, 3 desc, 2
