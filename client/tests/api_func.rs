//! `client/api.func` as scripts use it, with the command and with curl and both awks of Debian.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::scripts::{API_FUNC, Transport, assert_no_secret, bash, log_with_secrets, run, transports};
use support::{Host, Listener, Mode, assert_silent, events, paths, statuses};
use telemetry_client::generated;

#[test]
fn an_install_with_a_retry_is_reported_correctly_and_without_secrets() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        let host = Host::new(&server.url());
        let log = host.write("tmp/install.log", log_with_secrets());
        let script = format!(
            "start_install_timer; post_to_api; post_to_api; post_progress_to_api validation; post_progress_to_api\n\
             INSTALL_LOG={} FAILED_COMMAND='apt-get --password=hunter2 x' FAILED_LINE=42\n\
             post_update_to_api failed 100; post_update_to_api failed 100; post_update_to_api failed 100 force\n\
             telemetry_new_attempt; CORE_COUNT=4; post_to_api; post_update_to_api done 0",
            log.display()
        );
        run(&host, transport, &script);
        let events = events(&server);
        let expected =
            ["installing", "validation", "configuring", "failed", "failed", "installing", "success"];
        assert_eq!(statuses(&events), expected, "{transport:?}");
        for event in &events {
            assert_eq!((&event["random_id"], &event["type"]), (&json!("550e8400-e29b"), &json!("lxc")));
            assert_eq!((&event["disk_size"], &event["os_type"]), (&json!(8), &json!("debian")));
            assert_eq!(event["repo_source"], "ProxmoxVE");
        }
        assert_eq!(events[0]["execution_id"], "550e8400-e29b");
        assert_ne!(events[5]["execution_id"], "550e8400-e29b", "{transport:?}");
        assert_eq!(events[5]["execution_id"], events[6]["execution_id"]);
        assert_eq!((&events[6]["core_count"], &events[6]["exit_code"]), (&json!(4), &json!(0)));
        assert_eq!((&events[3]["exit_code"], &events[3]["failed_line"]), (&json!(100), &json!(42)));
        assert_eq!(events[3]["error_category"], "dependency");
        let error = events[3]["error"].as_str().unwrap();
        assert!(error.starts_with("exit_code=100 | APT: "), "{error}");
        for kept in
            ["nodejs (22.11.0)", "K\u{f6}ln \u{1f680}", "C:\\temp\\new \\_foo", "backslash \\", "<key>"]
        {
            assert!(error.contains(kept), "{transport:?}: {kept}: {error}");
        }
        for request in server.requests() {
            assert_no_secret(&request.text(), &format!("{transport:?}"));
        }
    }
}

#[test]
fn virtual_machines_tools_and_addons_are_reported_alike_by_both_transports() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        let host = Host::new(&server.url()).with(&[("DISK_SIZE", "32G"), ("CTID", "200")]);
        host.write("etc/os-release", "NAME=x\nID=alpine\nVERSION_ID=\"3.21.3\"\n");
        host.write(
            "etc/pve/lxc/200.conf",
            "arch: amd64\nentrypoint: /docker-entrypoint.sh nginx\nnet0: name=eth0,host-managed=1,ip=dhcp\n",
        );
        host.write(
            "usr/local/community-scripts/runtime-source.env",
            "export COMMUNITY_SCRIPTS_REF=\"v2026.04\"\nCOMMUNITY_SCRIPTS_CT_BASE=https://git.acme.internal/ct\n",
        );
        let script = "post_to_api_vm; post_update_to_api aborted 130\n\
                      post_tool_to_api microcode failed 130; post_addon_to_api netdata success\n\
                      unset POST_TO_API_DONE; TELEMETRY_TYPE=turnkey; post_to_api";
        run(&host, transport, script);
        let events = events(&server);
        let values = |field: &str| events.iter().map(|event| event[field].clone()).collect::<Vec<_>>();
        assert_eq!(values("type"), ["vm", "vm", "pve", "addon", "turnkey"], "{transport:?}");
        assert_eq!(
            values("status"),
            ["installing", "aborted", "aborted", "success", "installing"],
            "{transport:?}"
        );
        assert_eq!((&events[0]["ct_type"], &events[0]["disk_size"]), (&json!(2), &json!(32)));
        assert_eq!(events[0]["template_kind"], Value::Null);
        assert_eq!((&events[2]["nsapp"], &events[2]["exit_code"]), (&json!("microcode"), &json!(130)));
        assert_eq!((&events[3]["os_type"], &events[3]["os_version"]), (&json!("alpine"), &json!("3.21.3")));
        let image =
            ["template_kind", "custom_entrypoint", "host_managed_network"].map(|f| events[4][f].clone());
        assert_eq!(image, [json!("oci"), json!(true), json!(true)], "{transport:?}");
        assert_eq!(values("runtime_source"), ["mirror"; 5], "{transport:?}");
        assert_eq!(values("runtime_ref"), ["v2026.04"; 5], "{transport:?}");
        assert!(server.requests().iter().all(|request| !request.text().contains("acme")));
    }
}

#[test]
fn without_a_yes_nothing_is_sent() {
    let calls = "post_to_api; post_to_api_vm; post_progress_to_api; post_update_to_api failed 1\n\
                 post_tool_to_api x failed 1; post_addon_to_api x; init_tool_telemetry x";
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        for answer in ["no", "", "YES", "true", "yes "] {
            let host = Host::new(&server.url()).with(&[("DIAGNOSTICS", answer)]);
            run(&host, transport, calls);
            let host = Host::new(&server.url());
            host.write("usr/local/community-scripts/diagnostics", format!("# x\nDIAGNOSTICS={answer}x"));
            run(&host, transport, calls);
        }
        let host = Host::new(&server.url()).with(&[("RANDOM_UUID", "")]);
        run(&host, transport, "post_to_api; post_progress_to_api; post_update_to_api done 0");
        assert_eq!(paths(&server), [""; 0], "{transport:?}");
    }
}

#[test]
fn a_handwritten_refusal_is_recognised_in_any_syntax() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        for line in [
            "DIAGNOSTICS = no",
            "export DIAGNOSTICS=no",
            " DIAGNOSTICS=no",
            "a=1;diagnostics='no'",
            ": ${DIAGNOSTICS:=x}",
            "declare -x DIAGNOSTICS=yes",
        ] {
            let host = Host::new(&server.url());
            host.write("usr/local/community-scripts/diagnostics", format!("DIAGNOSTICS=yes\n{line}\n"));
            run(&host, transport, "post_to_api; post_tool_to_api x");
        }
        assert_eq!(paths(&server), [""; 0], "{transport:?}");
        for line in ["# DIAGNOSTICS=no", "MY_DIAGNOSTICS=no", "export DIAGNOSTICS=yes"] {
            let host = Host::new(&server.url());
            host.write("usr/local/community-scripts/diagnostics", format!("DIAGNOSTICS=yes\n{line}\n"));
            run(&host, transport, "post_to_api");
        }
        assert_eq!(server.requests().len(), 3, "{transport:?}");
    }
}

#[test]
fn runs_sent_by_either_transport_can_be_listed_and_erased() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        let host = Host::new(&server.url()).with(&[("NSAPP", "my app")]);
        run(
            &host,
            transport,
            "post_to_api; post_update_to_api failed 1; telemetry_new_attempt; post_to_api; post_tool_to_api x",
        );
        let ids: Vec<String> =
            events(&server).iter().map(|event| event["execution_id"].as_str().unwrap().to_owned()).collect();
        let ids = [&ids[0], &ids[2], &ids[3]];
        let list = fs::read_to_string(host.outbox().join("runs")).unwrap();
        let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split(' ').collect()).collect();
        let listed: Vec<&str> = lines.iter().map(|line| line[1]).collect();
        assert_eq!(listed, ids, "{transport:?}: {list}");
        assert_eq!((lines[0][2], lines[2][2]), ("my_app", "x"), "{transport:?}");
        host.run(["forget"]);
        let erased: Vec<String> = paths(&server)[4..].to_vec();
        assert_eq!(erased, ids.map(|id| format!("DELETE /api/runs/{id}")), "{transport:?}");
        let full: String = (0..500).map(|number| format!("1 run-{number} x\n")).collect();
        fs::write(host.outbox().join("runs"), full).unwrap();
        run(&host, transport, "post_to_api");
        let list = fs::read_to_string(host.outbox().join("runs")).unwrap();
        assert_eq!(list.lines().count(), 251, "{transport:?}");
        assert!(list.contains(" run-499 x\n") && list.contains(ids[0]), "{transport:?}");
    }
}

#[test]
fn a_failing_server_neither_delays_nor_fails_a_script() {
    for transport in transports() {
        for mode in [Mode::Status(500, None), Mode::Status(429, Some(60)), Mode::BlackHole, Mode::Slow] {
            let server = Listener::start(mode.clone());
            let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "600")]);
            let start = Instant::now();
            run(&host, transport, "post_to_api; post_progress_to_api; post_update_to_api done 0");
            // Three budgets, and two extra seconds for a busy machine.
            assert!(
                start.elapsed() < Duration::from_millis(1800 + 2000),
                "{transport:?} {mode:?}: {:?}",
                start.elapsed()
            );
        }
        let stopped = Listener::start(Mode::Up).url();
        run(&Host::new(&stopped), transport, "post_to_api; post_update_to_api failed 1");
    }
}

#[test]
fn steps_wait_only_once_for_a_server_that_never_answers() {
    for transport in transports() {
        let server = Listener::start(Mode::BlackHole);
        let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "500")]);
        let steps =
            "post_to_api; post_progress_to_api validation; post_progress_to_api; post_progress_to_api";
        run(&host, transport, &format!("{steps}; post_update_to_api failed 1"));
        assert_eq!(server.requests().len(), 2, "{transport:?}");
    }
}

#[test]
fn slow_programs_do_not_exceed_the_budget() {
    let server = Listener::start(Mode::BlackHole);
    let host = Host::new(&server.url());
    for slow in ["pveversion", "lspci", "dmidecode", "dpkg-query"] {
        let seconds = if slow == "dpkg-query" { 0 } else { 30 };
        host.write_executable(&format!("bin/{slow}"), &format!("#!/bin/sh\nexec /bin/sleep {seconds}\n"));
    }
    for transport in transports() {
        let start = Instant::now();
        run(&host, transport, "post_to_api");
        assert!(start.elapsed() < Duration::from_secs(2 + 2), "{transport:?}: {:?}", start.elapsed());
    }
}

#[test]
fn special_characters_in_values_give_valid_json() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        let host = Host::new(&server.url());
        let script = r#"NSAPP=$'we"ird\\app\n\t\x01'; CPU_MODEL=$'x\xff\xc3(\\"'; DISK_SIZE=; RAM_SIZE=02048; CORE_COUNT=4.5
            METHOD='${x}$(date)`id`'; var_version='n.d.'; GPU_VENDOR=amd; GPU_MODEL='&\0%s'
            post_to_api; post_update_to_api failed ''"#;
        run(&host, transport, script);
        let events = events(&server);
        assert_eq!(events.len(), 2, "{transport:?}");
        assert_eq!(events[0]["nsapp"], "we\"ird\\app", "{transport:?}");
        assert_eq!((&events[0]["ram_size"], &events[0]["os_version"]), (&json!(2048), &json!("n.d.")));
        assert_eq!(events[0]["method"], "${x}$(date)`id`");
        assert_eq!(events[0]["gpu_model"], "&\\0%s");
        assert!(
            events[0]["cpu_model"].as_str().unwrap().ends_with("(\\\""),
            "{transport:?}: {}",
            events[0]["cpu_model"]
        );
        assert_eq!(events[1]["exit_code"], 1);
    }
}

#[test]
fn only_the_end_of_a_long_log_is_sent() {
    for transport in transports() {
        let server = Listener::start(Mode::Up);
        let host = Host::new(&server.url());
        let log = "x".repeat(70_000) + "\n" + &"a line of a log\n".repeat(20_000) + "the end";
        let log = host.write("tmp/install.log", log);
        run(&host, transport, &format!("BUILD_LOG={}; post_update_to_api failed 1", log.display()));
        let event = &events(&server)[0];
        let error = event["error"].as_str().unwrap();
        assert!(
            error.len() <= 16 * 1024 && error.len() > 15 * 1024 && error.ends_with("the end"),
            "{transport:?}"
        );
    }
}

#[test]
fn the_command_is_found_in_the_module_folders_of_the_scripts() {
    let places = [
        "opt/community-scripts/misc",
        "usr/local/share/community-scripts/misc",
        "usr/local/community-scripts/misc",
    ];
    for place in places {
        let host = Host::new("http://127.0.0.1:1");
        let folder = host.root.path().join(place);
        fs::create_dir_all(&folder).unwrap();
        symlink(env!("CARGO_BIN_EXE_telemetry"), folder.join("telemetry")).unwrap();
        let mut command = bash(&host, Transport::Curl("mawk"), "post_update_to_api done 0");
        assert_silent(&command.env_remove("TELEMETRY_BIN").output().unwrap(), place);
        assert_eq!(host.unsent().len(), 1, "only the command keeps unsent events: {place}");
    }
}

#[test]
fn curl_replaces_a_command_that_cannot_run() {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url());
    let broken = host.write_executable("telemetry", "\x7fELF for another machine");
    let mut command = bash(&host, Transport::Curl("mawk"), "post_to_api");
    assert_silent(&command.env("TELEMETRY_BIN", broken).output().unwrap(), "broken");
    assert_eq!(paths(&server), ["POST /telemetry"]);
}

#[test]
fn the_generated_files_are_up_to_date() {
    let script = fs::read_to_string(API_FUNC).unwrap();
    assert!(generated::renew_script(&script).as_deref() == Some(&script), "run `make catalogue`");
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/EXIT_CODES.md")).unwrap();
    assert!(generated::page() == page, "run `make catalogue`");
    let reasons = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/REASONS.md")).unwrap();
    assert!(generated::reasons_page() == reasons, "run `make catalogue`");
}

#[test]
fn the_bash_functions_agree_with_the_catalogue() {
    use telemetry_protocol::{Generation, exit_code};
    let host = Host::new("http://127.0.0.1:1");
    let script = "for code in {0..255}; do printf '%s\\t%s\\n' \"$(explain_exit_code $code)\" \
                  \"$(categorize_error $code)\"; done; explain_exit_code; categorize_error x";
    let output = bash(&host, Transport::Curl("mawk"), script).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    for code in 0..=255 {
        let meaning = exit_code::explain(Generation::NEWEST, code);
        let expected = format!("{}\t{}", meaning.title, meaning.category.as_str());
        assert_eq!(lines.next(), Some(expected.as_str()), "{code}");
    }
    assert_eq!(lines.collect::<Vec<_>>(), ["Unknown error", "unknown"]);
}
