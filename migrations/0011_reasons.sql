-- Why runs fail, and what maintainers decided about it.

-- Category of a failure or an abort in the words of the exit codes. Derived: from the reason in the log, or else from
-- the exit code. A start rebuilds it for stored rows.
alter table execution add column category text;

-- All of these are functions of the id.
alter table signature
    -- Id of the rule that knows the failing line; null if none does. Then the template is the line itself.
    add column reason text collate "C",
    -- What the failure is about, such as a package; null if the rule names nothing.
    add column subject text,
    -- Kind of the failure, such as dns.
    add column category text collate "C" not null default 'unknown',
    -- Side that has to act: script, upstream, host, user, unknown.
    add column blame text collate "C" not null default 'unknown';

-- Decisions of maintainers about signatures. A signature without a row is open.
create table triage (
    signature bigint primary key,
    -- open, known, resolved, ignored.
    state text not null,
    -- Address of the issue; null if there is none.
    issue_url text,
    -- A remark for other maintainers.
    note text,
    -- When the state was set. A failure that ends after a signature was resolved makes it regressed.
    since timestamptz not null,
    -- End of the first failure after a signature was resolved; null if there is none.
    regressed_at timestamptz
);

-- The state of a signature as it is shown: a resolved one that failed again is regressed.
create view signature_state as
select signature, case when regressed_at is null then state else 'regressed' end as state, issue_url, note,
    coalesce(regressed_at, since) as since
from triage;

-- Which executions a list contains. Null fields do not restrict. These replace `execution_filter` and `passes`, which
-- older instances use.
create type record_filter as (
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
    os_version text,
    pve_version text,
    arch text,
    method text,
    -- The exit code that was reported with the status.
    exit_code integer,
    signatures bigint[],
    -- With `signatures`: also failed and blocked executions without a signature.
    without_signature boolean,
    -- With `signatures`: also aborted executions.
    aborted boolean
);

-- Whether a list contains an execution. PostgreSQL inlines the function, and with it drops the conditions of fields
-- that are null. A code counts only if an event with the final status reported it: see execution.fact_status.
create function is_listed(candidate execution, wanted record_filter) returns boolean
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
        and (wanted.pve_version is null or candidate.pve_version = wanted.pve_version)
        and (wanted.arch is null or candidate.arch = wanted.arch)
        and (wanted.method is null or candidate.method = wanted.method)
        and (wanted.exit_code is null or wanted.exit_code = case
            when (get_byte(candidate.fact_status, 5) & 15) = array_position(
                array['installing', 'validation', 'configuring', 'unknown', 'aborted', 'failed', 'success'],
                candidate.status) then candidate.exit_code
            when candidate.status = 'success' then 0
        end)
        and (wanted.signatures is null or candidate.signature = any(wanted.signatures)
            or wanted.without_signature and candidate.signature is null and candidate.outcome in ('failed', 'blocked')
            or wanted.aborted and candidate.outcome = 'aborted')
$$;

-- The views for Grafana with the reasons. Rules, categories and blame are public; the subject is part of the template.
-- Rare signatures have no template in common; `first_seen` would tell them apart.

create or replace view grafana.signatures as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(population.kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    shown(counted.app, known.app is not null, hides_rare) as script, outcome,
    shown(lpad(to_hex(counted.signature), 16, '0'), known_signature.kind is not null, hides_rare) as signature,
    shown(template, known_signature.kind is not null, hides_rare) as template,
    case when known_signature.kind is not null or not hides_rare then created end as first_seen, runs,
    reason, coalesce(signature.category, 'unknown') as category, coalesce(blame, 'unknown') as blame,
    case when known_signature.kind is not null or not hides_rare then coalesce(state, 'open') end as state
from rollup_signature as counted
    join public_population as population on population.id = counted.population cross join hides_rare
    left join known_app as known on known.app = counted.app
    left join known_name as known_signature on known_signature.kind = 'signature'
        and known_signature.name = counted.signature::text and known_signature.detail = ''
    left join signature on signature.id = counted.signature
    left join signature_state as triaged on triaged.signature = counted.signature
where runs <> 0;

create or replace view grafana.recent_runs as
select date_trunc('minute', first_seen) as time, shown(run.app, known.app is not null, hides_rare) as script,
    coalesce(run.kind, 'unknown') as type, repository,
    case
        when outcome <> 'open' then outcome
        when last_seen < (select hour from unfinished_before) then 'unfinished'
        else 'running'
    end as outcome,
    reported_code as exit_code, title, shown(os_type, os.kind is not null, hides_rare) as os_type,
    shown(os_version, os_version_known.kind is not null, hides_rare) as os_version,
    shown(pve_version, pve.kind is not null, hides_rare) as pve_version,
    shown(arch, arch_known.kind is not null, hides_rare) as arch,
    shown(method, method_known.kind is not null, hides_rare) as method, install_duration as duration_seconds,
    shown(lpad(to_hex(run.signature), 16, '0'), known_signature.kind is not null, hides_rare) as signature,
    shown(template, known_signature.kind is not null, hides_rare) as template,
    reason, signature.category, blame
from (
    select *, coalesce(repo_source, 'ProxmoxVE') as repository,
        -- A code counts only if an event with the final status reported it: see execution.fact_status.
        case
            when (get_byte(fact_status, 5) & 15) = array_position(
                array['installing', 'validation', 'configuring', 'unknown', 'aborted', 'failed', 'success'], status)
                then execution.exit_code
            when status = 'success' then 0
        end as reported_code,
        coalesce(case os_type when 'wolfi' then 'chainguard' else os_type end, '') as family
    from execution
    where first_seen >= now() - interval '14 days'
) as run cross join hides_rare
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(run.generation, 1) and meaning.exit_code = reported_code
            and outcome <> 'success'
    left join signature on signature.id = run.signature
    left join known_app as known on known.app = run.app
    left join known_name as known_signature on known_signature.kind = 'signature'
        and known_signature.name = run.signature::text and known_signature.detail = ''
    left join known_name as os on os.kind = 'os' and os.name = family and os.detail = ''
    left join known_name as os_version_known on os_version_known.kind = 'os' and os_version_known.name = family
        and os_version_known.detail = os_version
    left join known_name as pve on pve.kind = 'pve_version' and pve.name = pve_version and pve.detail = ''
    left join known_name as arch_known on arch_known.kind = 'arch' and arch_known.name = arch and arch_known.detail = ''
    left join known_name as method_known
        on method_known.kind = 'method' and method_known.name = method and method_known.detail = ''
where run.app is not null;
