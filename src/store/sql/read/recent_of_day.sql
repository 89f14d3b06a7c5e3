-- $1 a day; $3 repository, $4 slug, $5 type, $6 platform, $7 script, $8 signature; null does not restrict.
-- $2: at most so many. One day only, so that something rare does not walk through the whole history.
select execution as "row!: Stored" from execution
where app is not null
    and first_seen >= $1::date::timestamp at time zone 'UTC'
    and first_seen < ($1::date + 1)::timestamp at time zone 'UTC'
    and ($3::text is null or coalesce(repo_source, 'ProxmoxVE') = $3)
    and ($4::text is null or repo_slug = $4)
    and ($5::text is null or kind = $5)
    and ($6::text is null or platform = $6)
    and ($7::text is null or app = $7)
    and ($8::bigint is null or (signature = $8 and outcome = 'failed'))
order by first_seen desc, run_key desc
limit $2
