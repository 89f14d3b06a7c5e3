-- The most frequent signature of the failures of each script. $1 selection, $2 applications.
select distinct on (hit.app, hit.kind) hit.app as "app!", hit.kind as "kind!", reason as "reason?",
    case when known.kind is not null or not ($1).hides_rare then subject end as "subject?", category as "category?",
    blame as "blame?"
from (
    select shown(counted.app, known.app is not null, ($1).hides_rare) as app, population.kind, signature,
        sum(runs) as runs
    from selected_signature(($1::view_selection).chosen) as counted join population on population.id = population
        left join known_app as known on ($1).hides_rare and known.app = counted.app
    where outcome = 'failed'
    group by 1, population.kind, signature
) as hit
    left join signature on signature.id = hit.signature
    left join known_name as known
        on known.kind = 'signature' and known.name = hit.signature::text and known.detail = ''
where hit.app = any($2::text[])
order by hit.app, hit.kind, runs desc, hit.signature
