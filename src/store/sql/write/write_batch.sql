-- Writes a batch in one statement, and therefore in one transaction.
-- $1: executions in key order. New rows are inserted; existing ones are replaced if their revision is the one
-- that was read. A row that another writer has inserted or changed in the meantime is skipped: then the number
-- of written rows is not $2, and the statement fails. A row that has been deleted in the meantime is inserted
-- again: then the number of inserted rows is not $3, and the statement fails as well.
-- $4 to $10: what is added to the rollups, in key order. $11: the days of these rows.
-- $12 and $13: keys and arrivals of the events; $14: the populations of the rollup rows. The statement fails if one of
-- them has been erased or deleted (`check_batch`). $15 to $20: signatures with what
-- the table holds about each, by id.
-- Every statement takes its locks in this order: that of the erasures, rows of `execution`, rows of the rollups.
with checked as materialized (
    select check_batch($12, $13, $14) as is_ok
), written as (
    insert into execution select * from unnest($1::execution[]) where (select is_ok from checked)
    on conflict (run_key) do update set
        session_key = excluded.session_key, revision = excluded.revision,
        generation = excluded.generation, first_seen = excluded.first_seen,
        last_seen = excluded.last_seen, installing_at = excluded.installing_at,
        validation_at = excluded.validation_at, configuring_at = excluded.configuring_at,
        unknown_at = excluded.unknown_at, aborted_at = excluded.aborted_at,
        failed_at = excluded.failed_at, success_at = excluded.success_at, status = excluded.status,
        outcome = excluded.outcome, app = excluded.app, kind = excluded.kind,
        ct_type = excluded.ct_type, disk_size = excluded.disk_size, core_count = excluded.core_count,
        ram_size = excluded.ram_size, os_type = excluded.os_type, os_version = excluded.os_version,
        pve_version = excluded.pve_version, method = excluded.method,
        disable_ipv6 = excluded.disable_ipv6, exit_code = excluded.exit_code, error = excluded.error,
        error_category = excluded.error_category, install_duration = excluded.install_duration,
        failed_command = excluded.failed_command, failed_line = excluded.failed_line,
        cpu_vendor = excluded.cpu_vendor, cpu_model = excluded.cpu_model,
        gpu_vendor = excluded.gpu_vendor, gpu_model = excluded.gpu_model,
        gpu_passthrough = excluded.gpu_passthrough, ram_speed = excluded.ram_speed,
        arch = excluded.arch, platform = excluded.platform, has_arm = excluded.has_arm,
        kernel_version = excluded.kernel_version, app_version = excluded.app_version,
        repo_source = excluded.repo_source, repo_slug = excluded.repo_slug,
        fact_status = excluded.fact_status, template_kind = excluded.template_kind,
        custom_entrypoint = excluded.custom_entrypoint,
        host_managed_network = excluded.host_managed_network,
        runtime_source = excluded.runtime_source, runtime_ref = excluded.runtime_ref,
        signature = excluded.signature, category = excluded.category
    where execution.revision = excluded.revision - 1
    -- An inserted row has no xmax. A replaced row was locked first, so its xmax is this transaction.
    returning xmax = 0 as is_new
), script as (
    insert into rollup_script select * from unnest($4::rollup_script[])
    on conflict (day, population, app, outcome, open_hour) do update set
        runs = rollup_script.runs + excluded.runs,
        duration_count = rollup_script.duration_count + excluded.duration_count,
        duration_sum = rollup_script.duration_sum + excluded.duration_sum
), duration as (
    insert into rollup_duration select * from unnest($5::rollup_duration[])
    on conflict (day, population, app, outcome, bucket) do update set
        runs = rollup_duration.runs + excluded.runs
), facet as (
    insert into rollup_facet select * from unnest($6::rollup_facet[])
    on conflict (day, population, facet, value, detail, outcome) do update set
        runs = rollup_facet.runs + excluded.runs
), exit_code as (
    insert into rollup_exit_code select * from unnest($7::rollup_exit_code[])
    on conflict (day, population, app, outcome, exit_code, category, generation) do update set
        runs = rollup_exit_code.runs + excluded.runs
), signature as (
    insert into rollup_signature select * from unnest($8::rollup_signature[])
    on conflict (day, population, app, outcome, signature) do update set
        runs = rollup_signature.runs + excluded.runs
), environment as (
    insert into rollup_environment select * from unnest($9::rollup_environment[])
    on conflict (day, population, app, property, value, detail, outcome, retry) do update set
        runs = rollup_environment.runs + excluded.runs
), hour as (
    insert into rollup_hour select * from unnest($10::rollup_hour[])
    on conflict (day, population, hour, outcome) do update set
        runs = rollup_hour.runs + excluded.runs
), template as (
    insert into signature (id, template, reason, subject, category, blame)
    select * from unnest($15::bigint[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[])
    where (select is_ok from checked)
    -- A rule keeps its signatures when its words change.
    on conflict (id) do update set
        template = excluded.template, category = excluded.category, blame = excluded.blame
    where (signature.template, signature.category, signature.blame)
        is distinct from (excluded.template, excluded.category, excluded.blame)
), outdated as (
    -- The monthly sums no longer equal the days.
    delete from month_sum using unnest($11::date[]) as changed (day)
    where first_day = date_trunc('month', changed.day::timestamp)::date
), regressed as (
    -- Failures that ended after their signature was resolved.
    update triage set regressed_at = later.at
    from (
        select run.signature, min(run.failed_at) as at
        from unnest($1::execution[]) as run
            join triage as resolved on resolved.signature = run.signature and run.failed_at > resolved.since
        group by run.signature
    ) as later
    where triage.signature = later.signature and state = 'resolved' and regressed_at is null
), touched as (
    -- The sessions of these days must be counted again.
    insert into session_touched (day) select day from unnest($11::date[]) as day
)
select require_rows(count(*), $2) as "written!", require_rows(count(*) filter (where is_new), $3) as "inserted!"
from written
