-- $1, $2: behind this time and key. $3: before. $4 repository, $5 slug, $6 type, $7 platform,
-- $8 outcome, $9 what is running since when, $10 operating systems; null does not restrict. $11: few applications.
-- $12: at most so many, $13: after leaving out so many. $14 version of
-- the operating system.
select row as "row!: Stored"
from unnest($11::text[]) as asked (name) cross join lateral (
    select execution as row, first_seen, run_key from execution
    where app = asked.name and first_seen >= $1 and (first_seen, run_key) > ($1, $2) and first_seen < $3
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
    order by first_seen, run_key
    limit $12::bigint + $13::bigint
) as found
order by first_seen, run_key
limit $12 offset $13
