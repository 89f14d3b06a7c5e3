-- Recent failures by row of a list of signatures. $1 selection, $2 today. $3 and $4: as in signature_scripts.sql.
select shown as "signature!",
    coalesce(sum(runs::integer) filter (where day > $2::date - 7), 0) as "last_week!",
    coalesce(sum(runs::integer) filter (where day <= $2 - 7), 0) as "week_before!"
from unnest($3::bigint[], $4::bigint[]) as listed (shown, signature) join rollup_signature using (signature)
where day > $2 - 14 and day <= $2 and outcome = 'failed' and is_shown(population, $1)
group by shown
