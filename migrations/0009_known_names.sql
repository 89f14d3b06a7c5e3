-- Names that the public may see: those that several sessions share. Every other name is counted under `(rare)`.
--
-- A name is a text that a client filled in: an application, a repository slug, a platform, a signature, or the value
-- of a facet, alone and together with its detail.

-- Names that at least as many sessions have as the setting `rare_sessions` says. A background pass adds them, and
-- erasing removes those that it makes rare. A name stays while only expired executions have it.
create table known_name (
    -- app, slug, platform, signature, pve (a version of Proxmox VE up to the second point), or a facet.
    kind text collate "C" not null,
    -- The name; of a signature the id.
    name text collate "C" not null,
    -- The detail of the facet; '' for the value alone.
    detail text collate "C" not null,
    primary key (kind, name, detail)
);

-- Whether the values of a facet are names. Those of the others come from closed sets.
create function is_named(facet text) returns boolean language sql immutable as $$
    select facet not in ('cores', 'ram', 'disk', 'generation', 'template', 'duration', 'exit_code')
$$;

-- A version of Proxmox VE up to its second point, as in rollup_environment.
create function minor_version(version text) returns text language sql immutable as $$
    select substring(version from '^[^.]*(?:[.][^.]*)?')
$$;

-- All names that are counted, by day. `pve` is derived from the facet `pve_version`.
create view counted_name as
select 'app' as kind, app as name, '' as detail, day, runs from rollup_script
where app <> '' and runs <> 0
union all
select 'slug', slug, '', day, runs from rollup_facet join population on population.id = population
where facet = 'generation' and slug <> '' and runs <> 0
union all
select 'platform', platform, '', day, runs from rollup_facet join population on population.id = population
where facet = 'generation' and platform <> '' and runs <> 0
union all
select 'signature', signature::text, '', day, runs from rollup_signature where runs <> 0
union all
select facet, value, '', day, runs from rollup_facet where is_named(facet) and value <> '' and runs <> 0
union all
select facet, value, detail, day, runs from rollup_facet where is_named(facet) and detail <> '' and runs <> 0
union all
select 'pve', minor_version(value), '', day, runs from rollup_facet
where facet = 'pve_version' and value <> '' and runs <> 0;

-- Whether an execution has a name. `names` in src/store/model/names.rs lists the names of an execution.
create function has_name(run execution, kind text, name text, detail text) returns boolean
language sql immutable as $$
    select coalesce(case kind
        when 'app' then run.app = name
        when 'slug' then run.repo_slug = name
        when 'platform' then run.platform = name
        when 'signature' then run.signature::text = name
        when 'os' then
            coalesce(case run.os_type when 'wolfi' then 'chainguard' else run.os_type end, '') = name
            and (detail = '' or run.os_version = detail)
        when 'pve' then minor_version(run.pve_version) = name
        when 'pve_version' then run.pve_version = name
        when 'method' then run.method = name
        when 'arch' then run.arch = name
        when 'cpu_vendor' then run.cpu_vendor = name
        when 'gpu' then coalesce(run.gpu_vendor, '') = name and (detail = '' or run.gpu_passthrough = detail)
        when 'runtime' then run.runtime_source = name and (detail = '' or run.runtime_ref = detail)
    end, false)
$$;

-- Whether enough sessions have a name. Reads the executions of the days on which the name was counted, and stops as soon as it has seen enough sessions. `offset 0` keeps the planner from reading all
-- executions instead, and compiling the query would take longer than running it.
create function is_shared(kind text, name text, detail text) returns boolean language plpgsql stable
set jit = off as $$
declare
    least constant integer := coalesce(
        (select convert_from(value, 'UTF8')::integer from setting where setting.name = 'rare_sessions'), 5);
    found_sessions refcursor;
    session uuid;
    seen uuid[] := '{}';
begin
    -- The repositories of the project itself are no secret.
    if kind = 'slug'
        and name in ('community-scripts/ProxmoxVE', 'community-scripts/ProxmoxVED', 'community-scripts/core') then
        return true;
    end if;
    if kind = 'app' then
        open found_sessions for
            select coalesce(session_key, run_key) from execution
            where app = is_shared.name;
    elsif kind = 'signature' then
        open found_sessions for
            select coalesce(session_key, run_key)
            from (select distinct rollup.app, rollup.day from rollup_signature as rollup
                where signature = is_shared.name::bigint and runs <> 0 order by day desc) as counted
            cross join lateral (
                select session_key, run_key from execution
                where execution.app = counted.app collate "default" and signature = is_shared.name::bigint
                    and first_seen >= counted.day::timestamp at time zone 'UTC'
                    and first_seen < (counted.day + 1)::timestamp at time zone 'UTC'
                offset 0
            ) as run;
    else
        open found_sessions for
            select coalesce(session_key, run_key)
            from (select distinct day from counted_name as counted
                where counted.kind = is_shared.kind and counted.name = is_shared.name
                    and counted.detail = is_shared.detail order by day desc) as counted
            cross join lateral (
                select session_key, run_key from execution
                where app is not null and has_name(execution, is_shared.kind, is_shared.name, is_shared.detail)
                    and first_seen >= counted.day::timestamp at time zone 'UTC'
                    and first_seen < (counted.day + 1)::timestamp at time zone 'UTC'
                offset 0
            ) as run;
    end if;
    loop
        fetch found_sessions into session;
        exit when not found or cardinality(seen) >= least;
        if not session = any(seen) then
            seen := seen || session;
        end if;
    end loop;
    close found_sessions;
    return cardinality(seen) >= least;
end
$$;

-- A name as it is shown, where rare names are hidden or not.
create function shown(name text, is_known boolean, hides_rare boolean) returns text language sql immutable as $$
    select case when hides_rare and name <> '' and not is_known then '(rare)' else name end
$$;

-- What a reader counts, and in which view.
create type view_selection as (
    chosen selection,
    -- The view of the public: rare names are shown as `(rare)`.
    hides_rare boolean
);

-- The rest of this file is for readers. Like the functions `selected_…`, PostgreSQL inlines these. They return the
-- same rows with the names that the view shows. A statement that counts distinct names reads `selected_…` and
-- replaces the names after counting.

create function is_shown(day date, population integer, wanted view_selection) returns boolean
language sql immutable as $$
    select is_selected(day, population, wanted.chosen)
$$;

create function is_shown(population integer, wanted view_selection) returns boolean
language sql immutable as $$
    select is_selected(population, wanted.chosen)
$$;

create function shown_facet(wanted view_selection)
returns setof month_facet language sql stable as $$
    select month, facet, population,
        shown(value, whole.kind is not null or not is_named(facet), wanted.hides_rare),
        shown(counted.detail, part.kind is not null or not is_named(facet), wanted.hides_rare), outcome, runs
    from selected_facet(wanted.chosen) as counted
        left join known_name as whole
            on wanted.hides_rare and whole.kind = facet and whole.name = value and whole.detail = ''
        left join known_name as part
            on wanted.hides_rare and part.kind = facet and part.name = value and part.detail = counted.detail
$$;

create function shown_exit_code(wanted view_selection)
returns setof month_exit_code language sql stable as $$
    select month, shown(app, known.kind is not null, wanted.hides_rare), population, outcome, exit_code, category,
        generation, runs
    from selected_exit_code(wanted.chosen)
        left join known_name as known
            on wanted.hides_rare and known.kind = 'app' and known.name = app and known.detail = ''
$$;

create function shown_session(wanted view_selection)
returns setof month_session language sql stable as $$
    select month, shown(app, known.kind is not null, wanted.hides_rare), population, sessions, retried, saved
    from selected_session(wanted.chosen)
        left join known_name as known
            on wanted.hides_rare and known.kind = 'app' and known.name = app and known.detail = ''
$$;

-- These have no names.

create function shown_runs(wanted view_selection)
returns setof month_facet language sql stable as $$
    select * from selected_runs(wanted.chosen)
$$;

create function shown_day(wanted view_selection)
returns setof month_day language sql stable as $$
    select * from selected_day(wanted.chosen)
$$;

create function shown_session_day(wanted view_selection)
returns setof month_session_day language sql stable as $$
    select * from selected_session_day(wanted.chosen)
$$;

-- Populations as the public sees them.
create view hides_rare as
select coalesce((select convert_from(value, 'UTF8')::integer from setting where name = 'rare_sessions'), 5) > 1
    as hides_rare;

create view public_population as
select id, repo, shown(slug, known_slug.kind is not null, hides_rare) as slug, population.kind,
    shown(platform, known_platform.kind is not null, hides_rare) as platform
from population cross join hides_rare
    left join known_name as known_slug
        on known_slug.kind = 'slug' and known_slug.name = slug and known_slug.detail = ''
    left join known_name as known_platform
        on known_platform.kind = 'platform' and known_platform.name = platform and known_platform.detail = '';

create view known_app as select name as app from known_name where kind = 'app' and detail = '';

-- The views for Grafana show what the public sees: see 0006_grafana.sql. Those of signatures and of recent runs are in
-- 0011_reasons.sql.

create or replace view grafana.runs as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    shown(counted.app, known.app is not null, hides_rare) as script,
    case
        when outcome <> 'open' then outcome
        when open_hour < (select hour from unfinished_before) then 'unfinished'
        else 'running'
    end as outcome,
    runs, duration_count, duration_sum as duration_seconds
from rollup_script as counted join public_population on public_population.id = population cross join hides_rare
    left join known_app as known on known.app = counted.app
where counted.app <> '' and runs <> 0;

create or replace view grafana.hours as
select day, (day + hour * interval '1 hour') at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform, outcome, runs
from rollup_hour join public_population on public_population.id = population
where runs <> 0;

create or replace view grafana.durations as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    shown(counted.app, known.app is not null, hides_rare) as script, outcome,
    power(2::double precision, (bucket + 0.5) / 8) as seconds, runs
from rollup_duration as counted join public_population on public_population.id = population cross join hides_rare
    left join known_app as known on known.app = counted.app
where runs <> 0;

create or replace view grafana.duration_quantiles as
select day, day::timestamp at time zone 'UTC' as time, script, repository, max(total) as runs,
    min(seconds) filter (where upto >= 0.5 * total) as p50,
    min(seconds) filter (where upto >= 0.9 * total) as p90,
    min(seconds) filter (where upto >= 0.95 * total) as p95
from (
    select day, script, repository, power(2::double precision, (bucket + 0.5) / 8) as seconds,
        sum(sum(runs)) over (partition by day, script, repository order by bucket) as upto,
        sum(sum(runs)) over (partition by day, script, repository) as total
    from (
        select day, bucket, runs, repo as repository, shown(counted.app, known.app is not null, hides_rare) as script
        from rollup_duration as counted join population on population.id = population cross join hides_rare
            left join known_app as known on known.app = counted.app
        where outcome = 'success'
    ) as counted
    group by day, script, repository, bucket
) as bucket
group by day, script, repository;

create or replace view grafana.exit_codes as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    shown(counted.app, known.app is not null, hides_rare) as script, outcome,
    nullif(counted.exit_code, -1) as exit_code, counted.category, counted.generation,
    case when counted.exit_code = -1 then 'No exit code was reported' else coalesce(title, 'Unknown error') end
        as title,
    recovery, runs
from rollup_exit_code as counted
    join public_population on public_population.id = population cross join hides_rare
    left join known_app as known on known.app = counted.app
    left join exit_code_meaning as meaning
        on meaning.generation = greatest(counted.generation, 1) and meaning.exit_code = counted.exit_code
where runs <> 0;

create or replace view grafana.facets as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(population.kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    facet, shown(value, whole.kind is not null or not is_named(facet), hides_rare) as value,
    shown(counted.detail, part.kind is not null or not is_named(facet), hides_rare) as detail, outcome, runs
from rollup_facet as counted
    join public_population as population on population.id = counted.population cross join hides_rare
    left join known_name as whole on whole.kind = facet and whole.name = value and whole.detail = ''
    left join known_name as part on part.kind = facet and part.name = value and part.detail = counted.detail
where runs <> 0;

create or replace view grafana.environments as
select day, day::timestamp at time zone 'UTC' as time, repo as repository, slug,
    coalesce(nullif(population.kind, ''), 'unknown') as type, coalesce(nullif(platform, ''), 'unknown') as platform,
    shown(counted.app, known.app is not null, hides_rare) as script, property,
    shown(value, whole.kind is not null, hides_rare) as value,
    shown(counted.detail, part.kind is not null, hides_rare) as detail, outcome, runs
from rollup_environment as counted
    join public_population as population on population.id = counted.population cross join hides_rare
    left join known_app as known on known.app = counted.app
    left join known_name as whole on whole.kind = property and whole.name = value and whole.detail = ''
    left join known_name as part on part.kind = property and part.name = value and part.detail = counted.detail
where runs <> 0;

create or replace view grafana.scripts as
select shown(counted.app, known.app is not null, hides_rare) as script,
    coalesce(nullif(kind, ''), 'unknown') as type, repo as repository, sum(runs) as runs, max(day) as last_day
from rollup_script as counted join population on population.id = population cross join hides_rare
    left join known_app as known on known.app = counted.app
where counted.app <> '' and runs <> 0 and day > (now() at time zone 'UTC')::date - 90
group by 1, kind, repo;
