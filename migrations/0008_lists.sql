-- Which executions a list contains.

-- Null fields do not restrict.
create type execution_filter as (
    -- ProxmoxVE, ProxmoxVED, external.
    repo text,
    -- owner/name.
    slug text,
    kind text,
    platform text,
    -- success, failed, blocked, aborted, installing (running), unfinished.
    outcome text,
    -- Open executions whose last event came at this time or later are running. Never null.
    running_since timestamptz,
    os_types text[],
    os_version text
);

-- Whether an execution passes a filter. PostgreSQL inlines the function, and with it drops the conditions of
-- fields that are null.
create function passes(candidate execution, wanted execution_filter) returns boolean
language sql immutable as $$
    select (wanted.repo is null or candidate.repo_source = wanted.repo
            or wanted.repo = 'ProxmoxVE' and candidate.repo_source is null)
        and (wanted.slug is null or candidate.repo_slug = wanted.slug)
        and (wanted.kind is null or candidate.kind = wanted.kind)
        and (wanted.platform is null or candidate.platform = wanted.platform)
        and (wanted.outcome is null or case wanted.outcome
            when 'installing' then candidate.outcome = 'open' and candidate.last_seen >= wanted.running_since
                and candidate.status in ('installing', 'validation', 'configuring')
            when 'unfinished' then candidate.outcome = 'open' and not (
                candidate.last_seen >= wanted.running_since
                and candidate.status in ('installing', 'validation', 'configuring'))
            else candidate.outcome = wanted.outcome
        end)
        and (wanted.os_types is null or candidate.os_type = any(wanted.os_types))
        and (wanted.os_version is null or candidate.os_version = wanted.os_version)
$$;
