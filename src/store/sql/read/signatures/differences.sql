-- The failures of a signature and all executions of the same scripts by property, with those of each that report the
-- property. $1 and $2: first seen from this time on and before that one. $3 filter, $4 signature. $5: whether rare names
-- are hidden. Only executions that are still stored.
with run as (
    select execution.*, coalesce(signature = $4 and outcome = 'failed', false) as is_hit
    from execution
    where first_seen >= $1 and first_seen < $2 and is_listed(execution, $3)
        and app in (select distinct app from rollup_signature where signature = $4 and runs <> 0)
), counted as (
    select facet, value, detail, count(*) filter (where is_hit) as hits, count(*) as runs
    from run cross join lateral (values
        ('os', case os_type when 'wolfi' then 'chainguard' else os_type end, ''),
        ('os_version', case os_type when 'wolfi' then 'chainguard' else os_type end, os_version),
        ('pve_version', pve_version, ''), ('arch', arch, ''), ('method', method, ''), ('template', template_kind, ''),
        ('runtime', runtime_source, ''), ('cpu_vendor', cpu_vendor, '')
    ) as property (facet, value, detail)
    where value <> '' and detail is not null
    group by facet, value, detail
), named as (
    select counted.facet, hits, runs, shown(
        case when counted.detail = '' then value else value || ' ' || counted.detail end,
        known.kind is not null or counted.facet = 'template', $5::boolean) as value
    from counted left join known_name as known on known.kind = case counted.facet when 'os_version' then 'os' else counted.facet end
        and known.name = value and known.detail = counted.detail
)
select facet as "facet!", value as "value!", sum(hits)::bigint as "hits!",
    (sum(sum(hits)) over (partition by facet))::bigint as "all_hits!", sum(runs)::bigint as "runs!",
    (sum(sum(runs)) over (partition by facet))::bigint as "all_runs!"
from named
group by facet, value
