-- What went wrong, and what newer clients tell.

alter table execution
    -- tarball or oci: what the container was made from. Null, as below: never told.
    add column template_kind text,
    -- Whether it starts another program than its image says.
    add column custom_entrypoint boolean,
    -- Whether the host configures its network.
    add column host_managed_network boolean,
    -- Where the scripts came from: local, remote, pinned, mirror.
    add column runtime_source text,
    -- Their revision: main, a release tag or a commit.
    add column runtime_ref text,
    -- What went wrong: a function of error and failed_command where they belong to the status
    -- 'failed'. Not one of the facts in `evidence`; the next fact comes behind it nevertheless.
    add column signature bigint;

-- Failures by what went wrong. Rows are added by the writer, never changed.
create table signature (
    -- First 64 bits of a hash over the template; published as 16 hexadecimal digits.
    id bigint primary key,
    -- The failing line, scrubbed, with its variable parts masked.
    template text not null,
    -- When the first run with it came.
    created timestamptz not null default now()
);

-- Bad ends by script and signature, as the other rollups. Only runs with an app and a signature.
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
