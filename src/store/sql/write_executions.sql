-- Inserts new runs and replaces those that were read as the revision before. A row that somebody
-- else has inserted or changed since is left alone: the caller sees a smaller count and starts again.
insert into execution (
    run_key, session_key, revision, generation, first_seen, last_seen, installing_at,
    validation_at, configuring_at, unknown_at, aborted_at, failed_at, success_at, status, outcome,
    app, kind, ct_type, disk_size, core_count, ram_size, os_type, os_version, pve_version, method,
    disable_ipv6, exit_code, error, error_category, install_duration, failed_command, failed_line,
    cpu_vendor, cpu_model, gpu_vendor, gpu_model, gpu_passthrough, ram_speed, arch, platform,
    has_arm, kernel_version, app_version, repo_source, repo_slug, evidence
)
select * from unnest(
    $1::uuid[], $2::uuid[], $3::integer[], $4::smallint[], $5::timestamptz[], $6::timestamptz[],
    $7::timestamptz[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[],
    $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::integer[], $19::integer[], $20::integer[], $21::integer[],
    $22::text[], $23::text[], $24::text[], $25::text[], $26::boolean[], $27::integer[],
    $28::text[], $29::text[], $30::integer[], $31::text[], $32::integer[], $33::text[],
    $34::text[], $35::text[], $36::text[], $37::text[], $38::text[], $39::text[], $40::text[],
    $41::boolean[], $42::text[], $43::text[], $44::text[], $45::text[], $46::bytea[]
)
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
    evidence = excluded.evidence
where execution.revision = excluded.revision - 1
