//! What each generation sends and the event that results. Bodies are those of real clients, shortened
//! where a test is about one field.

use serde_json::{Value, json};

use super::*;
use crate::ingest::decode::decode;
use crate::ingest::scrub::scrub;

mod bounds;

fn try_read(body: &str, route: Route) -> Result<(Event, Rescues), Rejection> {
    let now = DateTime::from_timestamp(1_772_755_199, 123_456_000).expect("a time");
    let (event, rescues) = normalise(decode(body.as_bytes())?, route, now)?;
    Ok((scrub(event), rescues))
}

fn read(body: &str, route: Route) -> Event {
    try_read(body, route).unwrap_or_else(|rejection| panic!("{rejection}: {body}")).0
}

/// An event of the newest clients with these fields added or replaced.
fn telemetry(fields: Value) -> Event {
    telemetry_and_rescues(fields).0
}

fn telemetry_and_rescues(fields: Value) -> (Event, Vec<&'static str>) {
    let mut body = json!({"random_id": "r-1", "nsapp": "x", "status": "failed"});
    body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    let (event, rescues) = try_read(&body.to_string(), Route::Telemetry).expect("readable");
    (event, rescues.into_iter().map(Rescue::code).collect())
}

fn text(fact: &Reported<String>) -> Option<&str> {
    fact.get().map(String::as_str)
}

#[test]
fn generation_0_sends_failed_or_no_status_when_a_run_starts() {
    let body = r#"{
        "ct_type": 1, "disk_size": 16, "core_count": 2, "ram_size": 2048, "verbose": "no",
        "os_type": "ubuntu", "os_version": "24.04", "hn": "jellyfin-hn7", "disableip6": "no",
        "ssh": "no", "tags": "community-script;jellyfin", "nsapp": "jellyfin",
        "method": "default", "pve_version": "8.4.1", "status": "failed" }"#;
    for body in [body.to_owned(), body.replace(r#", "status": "failed""#, "")] {
        let event = read(&body, Route::Upload);
        assert_eq!((event.status, event.generation), (Status::Installing, Generation::Zero));
        assert_eq!((event.random_id, event.execution_id), (None, None));
        assert_eq!((text(&event.facts.app), text(&event.facts.kind)), (Some("jellyfin"), Some("lxc")));
        assert_eq!(event.facts.ram_size, Reported::by(Status::Installing, Some(2048)));
        assert_eq!(event.facts.disable_ipv6.get(), Some(&false));
        assert_eq!(event.facts.repo_source.get(), None);
    }
    // With an id it is generation 1; elsewhere `failed` is a failure.
    let with_id = r#"{"nsapp":"jellyfin","status":"failed","random_id":"a190744f-aa14"}"#;
    let event = read(with_id, Route::Upload);
    assert_eq!((event.status, event.generation), (Status::Installing, Generation::One));
    assert_eq!(read(with_id, Route::Telemetry).status, Status::Failed);
    assert_eq!(read(with_id, Route::UpdateStatus).status, Status::Failed);
}

#[test]
fn generation_1_sends_a_text_instead_of_the_exit_code() {
    for (status, error, exit_code, kept) in [
        ("failed", "Unknown error, exit code: 1 in create_lxc.sh", Some(1), true),
        ("failed", "Killed (SIGKILL / Out of memory?)", Some(137), true),
        ("failed", "INTERRUPTED", Some(130), true),
        ("failed", "unknown error", None, true),
        ("failed", "apt-get install -y libguestfs-tools", None, true),
        ("failed", "none", None, false),
        ("done", "none", None, false),
        ("failed", "", None, false),
    ] {
        let body = json!({"status": status, "error": error, "random_id": "68282481-4f90"});
        let event = read(&body.to_string(), Route::UpdateStatus);
        assert_eq!(event.generation, Generation::One);
        assert_eq!(event.facts.exit_code.get().copied(), exit_code, "{error}");
        assert_eq!(text(&event.facts.error), kept.then_some(error));
        assert_eq!(event.facts.app.get(), None);
    }
    let later = telemetry(json!({"error": "Unknown error, exit code: 1"}));
    assert_eq!(later.facts.exit_code.get(), None, "newer clients send the code if there is one");
}

#[test]
fn the_documented_shapes_are_understood() {
    let start = r#"{"vm_id": 100, "type": "qemu", "vm_cores": 4, "vm_ram": 4096, "vm_disk": 20,
        "vm_os": "Ubuntu", "vm_version": "22.04", "vm_app": "Jellyfin", "pve_version": "8.2.2",
        "status": "installing", "random_id": "550e8400-e29b"}"#;
    let event = read(start, Route::Upload);
    let facts = &event.facts;
    assert_eq!((text(&facts.kind), text(&facts.app)), (Some("vm"), Some("jellyfin")));
    assert_eq!((text(&facts.os_type), text(&facts.os_version)), (Some("ubuntu"), Some("22.04")));
    let sizes = [&facts.core_count, &facts.ram_size, &facts.disk_size].map(|size| size.get().copied());
    assert_eq!(sizes, [Some(4), Some(4096), Some(20)]);
    assert_eq!(facts.ct_type.get(), None, "it was not reported");

    let good = r#"{"status": "completed", "random_id": "550e8400", "exit_code": 0, "error_explanation": ""}"#;
    assert_eq!(read(good, Route::UpdateStatus).status, Status::Success);
    let bad = r#"{"status": "failed", "random_id": "550e8400", "exit_code": 205,
        "error_explanation": "Container ID must be >= 100"}"#;
    let event = read(bad, Route::UpdateStatus);
    assert_eq!((event.status, event.facts.exit_code.get()), (Status::Failed, Some(&205)));
    assert_eq!(text(&event.facts.error), Some("Container ID must be >= 100"));
}

#[test]
fn the_dev_paths_imply_the_development_repository() {
    let start = r#"{"nsapp":"devapp","status":"installing","random_id":"7263c923"}"#;
    let end = r#"{"status":"done","error":"none","random_id":"7263c923"}"#;
    let explicit = r#"{"nsapp":"x","random_id":"7","repo_source":"proxmoxve"}"#;
    for (body, route, repo) in [
        (start, Route::DevUpload, Some("ProxmoxVED")),
        (end, Route::DevUpdateStatus, Some("ProxmoxVED")),
        (start, Route::Upload, None),
        (end, Route::UpdateStatus, None),
        (explicit, Route::DevUpload, Some("ProxmoxVE")),
        (r#"{"nsapp":"x","random_id":"7","repo_source":"someone/fork"}"#, Route::Telemetry, Some("external")),
    ] {
        assert_eq!(text(&read(body, route).facts.repo_source), repo, "{route:?} {body}");
    }
}

#[test]
fn the_fields_introduced_with_the_payload_version_mark_generation_3() {
    let body = r#"{"random_id": "898b749f", "execution_id": "898b749f", "type": "lxc",
        "nsapp": "nextcloudpi", "status": "aborted", "ct_type": 1, "disk_size": 8,
        "core_count": 2, "ram_size": 2048, "os_type": "debian", "os_version": "12",
        "pve_version": "8.4.1", "method": "default", "exit_code": 129,
        "error": "exit_code=129 | Killed by SIGHUP (terminal closed / hangup)",
        "error_category": "user_aborted", "install_duration": 12, "cpu_vendor": "intel",
        "cpu_model": "", "gpu_passthrough": "igpu", "ram_speed": "4800", "arch": "amd64",
        "platform": "pve", "has_arm": false, "repo_source": "ProxmoxVE",
        "repo_slug": "community-scripts/ProxmoxVE"}"#;
    let event = read(body, Route::Telemetry);
    assert_eq!((event.generation, event.status), (Generation::Two, Status::Aborted));
    assert_eq!((event.random_id, event.execution_id), (Some("898b749f".into()), Some("898b749f".into())));
    let facts = &event.facts;
    assert_eq!((facts.exit_code.get(), facts.install_duration.get()), (Some(&129), Some(&12)));
    assert_eq!(text(&facts.error_category), Some("user_aborted"));
    assert_eq!((text(&facts.cpu_vendor), text(&facts.cpu_model)), (Some("intel"), None));
    assert_eq!((text(&facts.ram_speed), facts.has_arm.get()), (Some("4800"), Some(&false)));
    assert_eq!(text(&facts.repo_slug), Some("community-scripts/ProxmoxVE"));

    let empty_version = r#""payload_version": , "failed_line": 0"#;
    for newer in [r#""payload_version": 2"#, empty_version, r#""kernel_version": """#] {
        let body = body.replacen('{', &format!("{{{newer}, "), 1);
        assert_eq!(read(&body, Route::Telemetry).generation, Generation::Three, "{newer}");
    }
}

#[test]
fn generation_3_reports_the_failed_command_and_fillers_are_absent() {
    let event = telemetry(json!({
        "payload_version": 2, "exit_code": 100, "failed_command": "apt-get update", "failed_line": 57,
        "kernel_version": "6.8.12-9-pve", "app_version": "", "os_version": " ", "gpu_model": null,
    }));
    let facts = &event.facts;
    assert_eq!(event.generation, Generation::Three);
    assert_eq!((text(&facts.failed_command), facts.failed_line.get()), (Some("apt-get update"), Some(&57)));
    assert_eq!(text(&facts.kernel_version), Some("6.8.12-9-pve"));
    assert_eq!([&facts.app_version, &facts.os_version, &facts.gpu_model].map(text), [None; 3]);
    assert_eq!(telemetry(json!({"failed_line": 0})).facts.failed_line.get(), None);
}

#[test]
fn only_ends_have_codes_and_durations_and_only_bad_ends_have_errors() {
    let fields = |status: &str| {
        telemetry(json!({
            "status": status, "exit_code": 0, "error": "text", "error_category": "shell",
            "install_duration": 5, "failed_command": "false", "failed_line": 3,
        }))
    };
    for status in Status::ALL.map(Status::as_str) {
        let ends = ["success", "failed", "aborted", "unknown"].contains(&status);
        let badly = ends && status != "success";
        let facts = fields(status).facts;
        assert_eq!(facts.exit_code.get().copied(), ends.then_some(0), "{status}");
        assert_eq!(facts.install_duration.get().copied(), ends.then_some(5), "{status}");
        let texts = [&facts.error, &facts.error_category, &facts.failed_command].map(text);
        assert_eq!(texts, [badly.then_some("text"), badly.then_some("shell"), badly.then_some("false")]);
        assert_eq!(facts.failed_line.get().copied(), badly.then_some(3), "{status}");
    }
    assert_eq!(telemetry(json!({})).facts.exit_code.get(), None, "absent is not 0");
}

#[test]
fn types_are_folded_and_a_vm_keeps_its_container_type() {
    for (sent, kind) in [
        ("LXC", Some("lxc")),
        ("qemu", Some("vm")),
        ("tool", Some("pve")),
        ("addon", Some("addon")),
        ("spaceship", None),
    ] {
        let (event, rescues) = telemetry_and_rescues(json!({"type": sent}));
        assert_eq!(text(&event.facts.kind), kind, "{sent}");
        assert_eq!(rescues, if kind.is_some() { vec![] } else { vec!["unknown_word"] });
    }
    for (fields, kind, ct_type) in [
        (json!({"type": "vm", "ct_type": 1}), Some("vm"), Some(2)),
        (json!({"type": "vm"}), Some("vm"), None),
        (json!({"ct_type": 2}), Some("vm"), Some(2)),
        (json!({"ct_type": 0}), Some("lxc"), Some(0)),
        (json!({"type": "lxc", "ct_type": 1}), Some("lxc"), Some(1)),
    ] {
        let facts = telemetry(fields.clone()).facts;
        assert_eq!((text(&facts.kind), facts.ct_type.get().copied()), (kind, ct_type), "{fields}");
    }
}

#[test]
fn operating_systems_are_folded_and_unknown_ones_kept() {
    for (sent, os) in [
        ("Debian", "debian"),
        ("rockylinux", "rocky"),
        ("Rocky Linux", "rocky"),
        ("Arch Linux", "arch-linux"),
        ("Debian GNU/Linux", "debian"),
        ("AlmaLinux", "alma"),
        ("openSUSE Leap", "opensuse leap"),
        ("CentOS Stream", "centos stream"),
        ("almalinux", "alma"),
        ("archlinux", "arch-linux"),
        ("arch", "arch-linux"),
        ("wolfi", "wolfi"),
        ("Never Heard Of", "never heard of"),
    ] {
        assert_eq!(text(&telemetry(json!({"os_type": sent})).facts.os_type), Some(os));
    }
}

#[test]
fn architectures_are_folded_and_unknown_ones_kept() {
    for (sent, arch) in [
        ("x86_64", "amd64"),
        ("AMD64", "amd64"),
        ("amd64", "amd64"),
        ("aarch64", "arm64"),
        ("riscv64", "riscv64"),
    ] {
        assert_eq!(text(&telemetry(json!({"arch": sent})).facts.arch), Some(arch));
    }
}

#[test]
fn the_last_value_of_a_repeated_field_counts_even_in_broken_json() {
    let repeated = r#"{"random_id":"r","nsapp":"x","status":"installing","status":"failed","exit_code":1,"exit_code":137"#;
    for end in ["}", r#","ram_size":}"#] {
        let event = read(&format!("{repeated}{end}"), Route::Telemetry);
        assert_eq!((event.status, event.facts.exit_code.get()), (Status::Failed, Some(&137)), "{end}");
    }
}

#[test]
fn an_exit_code_is_never_cut_to_another_one() {
    for sent in [json!(256), json!(-1), json!(4_294_967_297_i64), json!(137.9), json!("137.9"), json!("0x89")]
    {
        assert_eq!(telemetry(json!({"exit_code": sent})).facts.exit_code.get(), None, "{sent}");
    }
    assert_eq!(telemetry(json!({"exit_code": "137.0"})).facts.exit_code.get(), Some(&137));
}

#[test]
fn numbers_are_read_in_any_form_and_dropped_beyond_their_limits() {
    for (value, size, rescue) in [
        (json!(4.5), Some(4), None),
        (json!("32G"), Some(32), Some("number_as_text")),
        (json!(""), None, None),
        (json!(true), None, None),
        (json!([8]), None, None),
        (json!(-1), None, Some("number_out_of_range")),
        (json!((1 << 20) + 1), None, Some("number_out_of_range")),
        (json!(1e300), None, Some("number_out_of_range")),
        (json!(u64::MAX), None, Some("number_out_of_range")),
    ] {
        let (event, rescues) = telemetry_and_rescues(json!({"disk_size": value}));
        assert_eq!(event.facts.disk_size.get().copied(), size, "{value}");
        assert_eq!(rescues, Vec::from_iter(rescue), "{value}");
    }
    let (_, rescues) = telemetry_and_rescues(json!({"disk_size": "twelve"}));
    assert_eq!(rescues, ["number_as_text", "number_out_of_range"]);
    let month = 31 * 86_400;
    for (field, value) in [("exit_code", 256), ("exit_code", -1), ("ct_type", 3), ("duration", month + 1)] {
        let (event, rescues) = telemetry_and_rescues(json!({field: value}));
        let numbers = [event.facts.exit_code, event.facts.ct_type, event.facts.install_duration];
        assert!(numbers.iter().all(|number| number.get().is_none()), "{field} {value}");
        assert_eq!(rescues, ["number_out_of_range"], "{field} {value}");
    }
    // The documented field replaces one that cannot be read.
    assert_eq!(telemetry(json!({"disk_size": -1, "vm_disk": 20})).facts.disk_size.get(), Some(&20));
}

#[test]
fn duration_is_an_alias_of_install_duration() {
    for (fields, seconds) in [
        (json!({"install_duration": 90}), Some(90)),
        (json!({"duration": 90}), Some(90)),
        (json!({"install_duration": 90, "duration": 80}), Some(90)),
        (json!({"install_duration": "", "duration": "80"}), Some(80)),
    ] {
        assert_eq!(telemetry(fields.clone()).facts.install_duration.get().copied(), seconds, "{fields}");
    }
}

#[test]
fn a_body_without_a_usable_status_is_rejected_with_the_field() {
    let invalid =
        Rejection::InvalidField { field: "status", reason: "is not a status that a client reports" };
    for (body, route, rejection) in [
        (r#"{"test": "payload"}"#, Route::Telemetry, Rejection::MissingField("random_id")),
        (r#"{"random_id": "r"}"#, Route::Telemetry, Rejection::MissingField("status")),
        (r#"{"random_id": "r", "nsapp": "x"}"#, Route::UpdateStatus, Rejection::MissingField("status")),
        (r#"{"nsapp": "x"}"#, Route::DevUpdateStatus, Rejection::MissingField("random_id")),
        (r#"{"random_id": "r", "nsapp": "x", "status": "exploded"}"#, Route::Telemetry, invalid),
    ] {
        assert_eq!(try_read(body, route).map(drop), Err(rejection), "{route:?} {body}");
    }
    assert_eq!(read(r#"{"nsapp":"x","status":" "}"#, Route::Telemetry).status, Status::Installing);
}

#[test]
fn control_characters_are_removed_and_lines_stay_single() {
    let facts = telemetry(json!({
        "error": "\u{1b}[31mred\u{0}\r\nnext\tcolumn\u{85}", "nsapp": "Two\nLines\u{7}",
        "os_version": "\u{1}", "failed_command": "a \\\n\tb",
    }))
    .facts;
    assert_eq!(text(&facts.error), Some("red\nnext\tcolumn"));
    assert_eq!(text(&facts.app), Some("two lines"));
    assert_eq!(text(&facts.os_version), None);
    assert_eq!(text(&facts.failed_command), Some("a \\\n\tb"));
}

#[test]
fn closed_fields_keep_only_known_words() {
    let (event, rescues) = telemetry_and_rescues(json!({
        "template_kind": "OCI", "custom_entrypoint": "yes", "host_managed_network": false,
        "runtime_source": "https://mirror.example/", "runtime_ref": "v2026.8.1",
    }));
    assert_eq!(text(&event.facts.template_kind), Some("oci"));
    assert_eq!(event.facts.custom_entrypoint.get(), Some(&true));
    assert_eq!(event.facts.host_managed_network.get(), Some(&false));
    assert_eq!(text(&event.facts.runtime_source), None);
    assert_eq!(text(&event.facts.runtime_ref), Some("v2026.8.1"));
    assert_eq!(rescues, ["unknown_word"]);
    for (word, kept) in [
        ("main", true),
        ("2026-08-01", true),
        ("0123abc", true),
        ("0123456789abcdef0123456789abcdef01234567", true),
        ("my-branch", false),
        ("feature/secret", false),
        ("10", false),
        ("https://mirror.example/x", false),
    ] {
        let kept_ref = telemetry(json!({"runtime_ref": word})).facts.runtime_ref;
        assert_eq!(text(&kept_ref), kept.then_some(word));
    }
}
