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

create index signature_reason on signature (reason);

-- Decisions about signatures. A signature without a row is open.
create table triage (
    signature bigint primary key,
    -- known, resolved, ignored.
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
