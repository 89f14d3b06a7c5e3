-- Oldest first. $1 and $2: behind this time and key. $3: first seen before this time. $4 filter, $5 applications or
-- null. $6: at most so many, $7: after skipping so many.
select execution as "row!: Stored" from execution
where app is not null and first_seen >= $1 and (first_seen, run_key) > ($1, $2) and first_seen < $3
    and is_listed(execution, $4) and ($5::text[] is null or app = any($5))
order by first_seen, run_key
limit $6 offset $7
