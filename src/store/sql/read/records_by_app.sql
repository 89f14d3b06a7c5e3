-- By application, then time. $1, $2: first seen from here on and before there. $4 to $14 as in
-- records_newest.sql; $3, $15, $16: behind this application, time and key, null for the beginning.
select execution as "row!: Stored" from execution
where app is not null and first_seen >= $1 and first_seen < $2
    and ($3::text is null or app >= $3 and (app, first_seen, run_key) > ($3, $15::timestamptz, $16::uuid))
    and ($4::text is null or repo_source = $4 or $4 = 'ProxmoxVE' and repo_source is null) and ($5::text is null or repo_slug = $5)
    and ($6::text is null or kind = $6) and ($7::text is null or platform = $7)
    and ($8::text is null or case $8
        when 'installing' then outcome = 'open' and last_seen >= $9
            and status in ('installing', 'validation', 'configuring')
        when 'unfinished' then outcome = 'open' and not (last_seen >= $9
            and status in ('installing', 'validation', 'configuring'))
        else outcome = $8
    end)
    and ($10::text[] is null or os_type = any($10))
    and ($14::text is null or os_version = $14)
    and ($11::text[] is null or app = any($11))
order by app, first_seen, run_key
limit $12 offset $13
