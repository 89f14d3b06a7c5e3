//! Tests of the fields that are sent, and that texts are scrubbed.

use serde_json::{Value, json};
use telemetry_protocol::wire::FIELDS;

use super::*;

#[path = "../../tests/support/typical_run.rs"]
mod typical_run;

const NOW_S: u64 = 1_800_000_000;

fn host(variables: &[(&str, &str)]) -> Host {
    Host::new(Path::new("/nowhere"), variables)
}

fn value(event: Event) -> Value {
    serde_json::from_str(&event.clean().json).unwrap()
}

fn typical() -> Host {
    host(&typical_run::VARIABLES).with("INSTALL_START_TIME", "1799999913")
}

fn finished(ending: &Ending<'_>) -> Value {
    value(
        Event::for_run(&typical(), Facts::default(), Guest::Lxc, Status::Unknown, NOW_S)
            .unwrap()
            .with_ending(ending),
    )
}

#[test]
fn a_start_contains_the_variables_that_scripts_set() {
    let event = Event::for_run(&typical(), Facts::default(), Guest::Lxc, Status::Installing, NOW_S).unwrap();
    let expected = json!({
        "payload_version": 3, "random_id": "550e8400-e29b", "execution_id": "550e8400-e29b",
        "type": "lxc", "nsapp": "jellyfin", "status": "installing", "ct_type": 1, "disk_size": 8,
        "core_count": 2, "ram_size": 2048, "os_type": "debian", "os_version": "12",
        "method": "default", "install_duration": 87, "runtime_source": "remote", "runtime_ref": "main",
    });
    assert_eq!(value(event), expected);
}

#[test]
fn an_invalid_id_gives_no_event() {
    for id in ["", "a b", "../x", "a\"b", &"x".repeat(129)] {
        let host = host(&[("RANDOM_UUID", id)]);
        assert!(
            Event::for_run(&host, Facts::default(), Guest::Lxc, Status::Installing, NOW_S).is_none(),
            "{id}"
        );
    }
}

#[test]
fn an_attempt_has_its_own_id() {
    let host = typical().with("EXECUTION_ID", "attempt-2");
    let event =
        Event::for_run(&host, Facts::default(), Guest::Lxc, Status::Installing, NOW_S).unwrap().clean();
    assert_eq!(event.run_id, "attempt-2");
    assert!(event.json.contains("\"random_id\":\"550e8400-e29b\",\"execution_id\":\"attempt-2\""));
}

#[test]
fn every_field_is_known_to_the_server() {
    let facts = Facts {
        pve_version: Some("8.4.1".into()),
        cpu_model: Some("x".into()),
        ram_speed: Some(4800),
        ..Facts::default()
    };
    let host = typical().with("TEMPLATE_KIND", "oci").with("HAS_ARM", "yes").with("GPU_PASSTHROUGH", "no");
    let ending = Ending {
        status: "failed",
        exit_code: Some("1"),
        command: Some("x"),
        line: Some("4"),
        ..Ending::default()
    };
    let event =
        Event::for_run(&host, facts, Guest::Lxc, Status::Unknown, NOW_S).unwrap().with_ending(&ending);
    let event = value(event);
    for name in event.as_object().unwrap().keys() {
        assert!(FIELDS.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn statuses_and_exit_codes_of_scripts_are_normalised() {
    for (status, code, expected, expected_code) in [
        ("done", Some("0"), "success", json!(0)),
        ("success", None, "success", json!(0)),
        ("completed", Some("7"), "success", json!(0)),
        ("failed", Some("100"), "failed", json!(100)),
        ("failed", Some("130"), "aborted", json!(130)),
        ("failed", Some("0"), "failed", Value::Null),
        ("failed", Some("none"), "failed", Value::Null),
        ("failed", None, "failed", Value::Null),
        ("failed", Some("256"), "failed", Value::Null),
        ("aborted", Some("130"), "aborted", json!(130)),
        ("installing", Some("1"), "unknown", json!(1)),
        ("exploded", Some("1"), "unknown", json!(1)),
    ] {
        let event = finished(&Ending { status, exit_code: code, ..Ending::default() });
        assert_eq!(
            (&event["status"], &event["exit_code"]),
            (&json!(expected), &expected_code),
            "{status} {code:?}"
        );
    }
}

#[test]
fn a_failure_contains_the_meaning_of_its_code_and_the_failed_command() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    std::fs::write(&log, "E: Unable to locate package \"x\"\n").unwrap();
    let event = finished(&Ending {
        status: "failed",
        exit_code: Some("100"),
        log: Some(&log),
        command: Some("apt-get install\t-y x"),
        line: Some("42"),
    });
    let error = event["error"].as_str().unwrap();
    assert!(
        error.starts_with("exit_code=100 | APT: ")
            && error.ends_with("\n---\nE: Unable to locate package \"x\"")
    );
    assert_eq!(event["error_category"], "dependency");
    assert_eq!(event["failed_command"], "apt-get install -y x");
    assert_eq!(event["failed_line"], 42);
}

#[test]
fn an_implausible_start_time_gives_no_duration() {
    for start in ["1800000001", "0", "x", "-5"] {
        let host = typical().with("INSTALL_START_TIME", start);
        let event = Event::for_run(&host, Facts::default(), Guest::Lxc, Status::Installing, NOW_S).unwrap();
        assert_eq!(value(event)["install_duration"], Value::Null, "{start}");
    }
}

#[test]
fn tools_and_addons_are_separate_runs() {
    let ending = Ending { status: "done", ..Ending::default() };
    let tool = value(Event::for_tool(&host(&[]), Facts::default(), "microcode", &ending, NOW_S));
    assert_eq!(
        (&tool["type"], &tool["nsapp"], &tool["status"]),
        (&json!("pve"), &json!("microcode"), &json!("success"))
    );
    let addon = value(Event::for_addon(&host(&[]), Facts::default(), "netdata", &ending, NOW_S));
    assert_eq!(addon["type"], "addon");
    assert_eq!(tool["random_id"], tool["execution_id"]);
    assert_ne!(tool["random_id"], addon["random_id"]);
    assert_eq!(tool["method"], Value::Null);
}

#[test]
fn scrubbing_keeps_harmless_values() {
    let facts = Facts {
        pve_version: Some("8.4.1".into()),
        platform: Some("pve".into()),
        cpu_vendor: Some("intel".into()),
        cpu_model: Some("13th Gen Intel Core i5-13500T".into()),
        gpu_vendor: Some("intel".into()),
        gpu_model: Some("Intel Corporation AlderLake-S GT1 [UHD Graphics 770]".into()),
        ram_speed: Some(4800),
        arch: Some("amd64".into()),
        kernel_version: Some("6.8.12-10-pve".into()),
    };
    let commit = "0c4352671388e3959367f562cdbe0f67686421e5";
    let host = typical()
        .with("COMMUNITY_SCRIPTS_REF", commit)
        .with("REPO_SLUG", "community-scripts/ProxmoxVE")
        .with("APP_VERSION", "4.0.15.2941");
    let event = value(Event::for_run(&host, facts.clone(), Guest::Lxc, Status::Installing, NOW_S).unwrap());
    assert_eq!(event["runtime_ref"], commit);
    assert_eq!(
        (&event["repo_slug"], &event["app_version"]),
        (&json!("community-scripts/ProxmoxVE"), &json!("4.0.15.2941"))
    );
    for (name, expected) in serde_json::to_value(facts).unwrap().as_object().unwrap() {
        assert_eq!(&event[name], expected, "{name}");
    }
}

#[test]
fn every_text_is_scrubbed() {
    let secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let host = typical()
        .with("NSAPP", secret)
        .with("METHOD", secret)
        .with("var_os", secret)
        .with("var_version", secret)
        .with("APP_VERSION", secret)
        .with("REPO_SOURCE", secret)
        .with("REPO_SLUG", secret)
        .with("CPU_MODEL", secret)
        .with("COMMUNITY_SCRIPTS_REF", secret);
    let facts =
        Facts { gpu_model: Some(secret.into()), kernel_version: Some(secret.into()), ..Facts::default() };
    let ending =
        Ending { status: "failed", exit_code: Some("1"), command: Some(secret), ..Ending::default() };
    let event = Event::for_run(&host, facts, Guest::Lxc, Status::Unknown, NOW_S)
        .unwrap()
        .with_ending(&ending)
        .clean();
    assert!(!event.json.contains("ghp_") && !event.app.contains("ghp_"), "{}", event.json);
}
