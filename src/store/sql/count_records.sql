-- As records_newest.sql: $1 and $2 are the times, $3 the bound of the count, $12
-- the version of the operating system.
select count(*) as "count!" from (
    select 1 from execution
    where app is not null and first_seen >= $1 and first_seen < $2
        and ($4::text is null or coalesce(repo_source, 'ProxmoxVE') = $4) and ($5::text is null or repo_slug = $5)
        and ($6::text is null or kind = $6) and ($7::text is null or platform = $7)
        and ($8::text is null or case $8
            when 'installing' then outcome = 'open' and last_seen >= $9
                and status in ('installing', 'validation', 'configuring')
            when 'unfinished' then outcome = 'open' and not (last_seen >= $9
                and status in ('installing', 'validation', 'configuring'))
            else outcome = $8
        end)
        and ($10::text is null or case os_type when 'wolfi' then 'chainguard' else os_type end = $10)
        and ($12::text is null or os_version = $12)
        and ($11::text[] is null or app = any($11))
    limit $3
) as counted
