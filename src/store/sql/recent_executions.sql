-- $1 first day, $2 last day, $3 repository, $4 slug, $5 type, $6 platform; null does not restrict.
-- $7: at most so many.
select execution as "row!: Stored" from execution
where app is not null
    -- A rare filter does not walk through the whole history.
    and first_seen >= now() - interval '31 days'
    and ($1::date is null or first_seen >= $1::timestamp at time zone 'UTC')
    and ($2::date is null or first_seen < ($2::date + 1)::timestamp at time zone 'UTC')
    and ($3::text is null or coalesce(repo_source, 'ProxmoxVE') = $3)
    and ($4::text is null or repo_slug = $4)
    and ($5::text is null or kind = $5)
    and ($6::text is null or platform = $6)
order by first_seen desc, run_key desc
limit $7
