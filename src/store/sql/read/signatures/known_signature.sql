-- A signature, unless it is rare and $2. $1 id, $3: without the note.
select template, created, reason, subject, category, blame, coalesce(state, 'open') as "state!",
    issue_url as "issue_url?", case when not $3::boolean then note end as "note?", since as "since?"
from signature left join signature_state as triaged on triaged.signature = id
where id = $1 and (not $2::boolean or exists (
    select from known_name where kind = 'signature' and name = id::text and detail = ''
))
