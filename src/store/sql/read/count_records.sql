-- As records_newest.sql: $1 and $2 are the times, $3 the bound of the count, $12 the version of the operating
-- system. In the order of an index, so that it ends at the bound.
select count(*) as "count!" from (
    select 1 from unnest($11::text[]) as asked (name) cross join lateral (
        select 1 from execution
        where app = asked.name and first_seen >= $1 and first_seen < $2
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
            and ($12::text is null or os_version = $12)
        order by first_seen desc limit $3
    ) as found
    union all
    (
        select 1 from execution
        where $11 is null and app is not null and first_seen >= $1 and first_seen < $2
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
            and ($12::text is null or os_version = $12)
        order by first_seen desc limit $3
    )
    limit $3
) as counted
