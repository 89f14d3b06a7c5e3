-- Stores a decision about a signature. $1 signature, $2 state, $3 issue, $4 note.
insert into triage (signature, state, issue_url, note, since)
select id, $2, $3, $4, now() from signature where id = $1
on conflict (signature) do update set
    state = excluded.state, issue_url = excluded.issue_url, note = excluded.note,
    since = case
        when triage.state = excluded.state and triage.regressed_at is null then triage.since
        else excluded.since
    end,
    regressed_at = null
returning since
