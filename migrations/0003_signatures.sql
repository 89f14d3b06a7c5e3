-- Signatures: what went wrong. Executions that failed in the same way have the same signature.

-- The writer adds rows and never changes them.
create table signature (
    -- First 64 bits of a hash over the template; published as 16 hexadecimal digits.
    id bigint primary key,
    -- The failing line, scrubbed, with its variable parts masked.
    template text not null,
    -- When the first execution with this signature was stored.
    created timestamptz not null default now()
);

-- Which signatures are new.
create index signature_created on signature (created);

-- Bad ends by script and signature; a rollup like the others. Only executions with an app and a signature.
create table rollup_signature (
    day date not null,
    population integer not null,
    app text collate "C" not null,
    -- failed, blocked, aborted.
    outcome text collate "C" not null,
    signature bigint not null,
    runs bigint not null,
    primary key (day, population, app, outcome, signature)
) with (fillfactor = 70);

-- The history of one signature.
create index rollup_signature_signature on rollup_signature (signature, day);
-- The history of one script.
create index rollup_signature_app on rollup_signature (app, day);
