-- $1: rows in key order.
-- Inserts new runs and replaces those that were read as the revision before. A row that somebody
-- else has inserted or changed since is left alone: the caller sees a smaller count and starts again.
insert into execution select * from unnest($1::execution[])
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
