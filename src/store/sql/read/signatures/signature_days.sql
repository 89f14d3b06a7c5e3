-- Executions by row of a list of signatures and day. $1 selection, $2 outcomes. $3 and $4: as in
-- signature_scripts.sql.
select shown as "signature!", day as "day!", sum(runs::integer) as "runs!"
from unnest($3::bigint[], $4::bigint[]) as listed (shown, signature) join rollup_signature using (signature)
where outcome = any($2::text[]) and runs <> 0 and is_shown(day, population, $1)
group by shown, day
order by shown, day
