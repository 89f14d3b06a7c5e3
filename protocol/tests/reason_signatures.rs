//! Tests of which failures share a signature.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use telemetry_protocol::reason::{Failure, Signature, rule, signature};
use telemetry_protocol::scrub::scrub;

/// Error text and failed command.
type Reported<'t> = (&'t str, &'t str);

fn of((error, command): Reported<'_>) -> Signature {
    sign(&scrub(error), &scrub(command)).unwrap_or_else(|| panic!("{error} has a signature"))
}

fn sign(error: &str, command: &str) -> Option<Signature> {
    signature(&Failure { error, failed_command: Some(command), ..Failure::default() })
}

const SAME: &[(Reported<'_>, Reported<'_>)] = &[
    // Different hosts have different versions, sizes, times, addresses and ids.
    (
        (
            "E: Failed to fetch http://deb.debian.org/debian/pool/main/c/curl/curl_7.88.1-10+deb12u12_amd64.deb  404  Not Found [IP: 151.101.2.132 80]",
            "",
        ),
        (
            "E: Failed to fetch http://deb.debian.org/debian/pool/main/c/curl/curl_8.14.1-2_amd64.deb  404  Not Found [IP: 2a04:4e42::644 80]",
            "",
        ),
    ),
    (
        (
            "exit_code=100 | APT: Package manager error (broken packages / dependency problems)\n---\nSetting up curl (7.88.1-10+deb12u12) ...\nE: Unable to locate package libfoo9",
            "",
        ),
        (
            "exit_code=100 | APT: Package manager error (broken packages / dependency problems)\n---\nSetting up curl (8.1.2-1) ...\nGet:1 http://x.org a\nE: Unable to locate package libfoo9",
            "",
        ),
    ),
    (
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (apt-get)",
            "$STD apt-get update",
        ),
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 98 (apt-get)",
            "$STD apt-get install -y curl",
        ),
    ),
    (
        (
            "dpkg: error processing package mariadb-server (--configure):\nErrors were encountered while processing:\n mariadb-server\nE: Sub-process /usr/bin/dpkg returned an error code (1)",
            "",
        ),
        ("dpkg: error processing package mariadb-server (--configure):\n", ""),
    ),
    (
        ("unable to create CT 105 - storage local-lvm error", ""),
        ("unable to create CT 20113 - storage local-lvm error", ""),
    ),
    (("startup for container 105 failed", ""), ("startup for container 9 failed", "")),
    (("CT 105 already exists on node 'pve1'", ""), ("CT 106 already exists on node 'proxmox-alice'", "")),
    (
        (
            "curl: (28) Operation timed out after 300000 milliseconds with 0 out of 0 bytes received",
            "curl -fsSL https://x.org/a",
        ),
        (
            "curl: (28) Operation timed out after 300001 milliseconds with 4711 out of 98123 bytes received",
            "curl -fsSL https://x.org/a",
        ),
    ),
    (
        ("curl: (6) Could not resolve host: github.com", "curl -fsSL https://github.com/a"),
        ("curl: (6) Could not resolve host: github.com", "git clone x"),
    ),
    (
        (
            "curl: (22) The requested URL returned error: 404",
            "curl -fsSL https://github.com/a/b/releases/download/v1.2.3/b.tar.gz -o /tmp/tmp.Xy12AbCd34/b.tar.gz",
        ),
        (
            "curl: (22) The requested URL returned error: 404",
            "curl -fsSL https://github.com/a/b/releases/download/v2.0.0/b.tar.gz -o /tmp/tmp.AbQr98Zz12/b.tar.gz",
        ),
    ),
    (
        (
            "✖ [ERROR] in line 42: exit code 1: while executing command npm ci --omit=dev\nnpm error code ELIFECYCLE",
            "",
        ),
        (
            "[ERROR] in line 57: exit code 1: while executing command npm ci --omit=dev\nnpm error code ELIFECYCLE",
            "",
        ),
    ),
    (
        (
            "npm ERR! ERESOLVE unable to resolve dependency tree\nnpm ERR! A complete log of this run can be found in: /root/.npm/_logs/2024-11-20T14_02_11_123Z-debug-0.log",
            "",
        ),
        (
            "npm error ERESOLVE unable to resolve dependency tree\nnpm error A complete log of this run can be found in: /root/.npm/_logs/2025-01-02T03_04_05_678Z-debug-0.log",
            "",
        ),
    ),
    (
        (
            "gcc: fatal error: Killed signal terminated program cc1plus\nmake[2]: *** [CMakeFiles/a.dir/b.o] Error 1",
            "",
        ),
        (
            "gcc: fatal error: Killed signal terminated program cc1plus\nmake[1]: *** [Makefile:83: all] Error 2",
            "",
        ),
    ),
    (
        (
            "Cloning into '/opt/a'...\nfatal: unable to access 'https://user:pw@git.org/r.git/': The requested URL returned error: 403",
            "",
        ),
        (
            "fatal: unable to access 'https://alice:other@git.org/r.git/': The requested URL returned error: 403",
            "",
        ),
    ),
    (
        (
            "Traceback (most recent call last):\n  File \"/tmp/pip-req-build-a1b2c3d4/setup.py\", line 34, in <module>\nModuleNotFoundError: No module named 'setuptools'",
            "",
        ),
        (
            "Traceback (most recent call last):\n  File \"/tmp/pip-req-build-zz98yy76/setup.py\", line 31, in <module>\nModuleNotFoundError: No module named 'setuptools'",
            "",
        ),
    ),
    (
        ("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/tmpab3cd9e_/x'", ""),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/tmp/tmpzz8yq1w_/x'", ""),
    ),
    (
        (
            "Error response from daemon: Conflict. The container name \"/app\" is already in use by container \"d0f363f8366fbc3f52d172c6e76bc27151c3d643b870e1062b4e8bfe65baf609\".",
            "",
        ),
        (
            "Error response from daemon: Conflict. The container name \"/app\" is already in use by container \"a1f363f8366fbc3f52d172c6e76bc27151c3d643b870e1062b4e8bfe65baf600\".",
            "",
        ),
    ),
    (
        (
            "Job for jellyfin.service failed because the control process exited with error code.\nSee \"systemctl status jellyfin.service\" and \"journalctl -xeu jellyfin.service\" for details.",
            "",
        ),
        ("Job for jellyfin.service failed because the control process exited with error code.", ""),
    ),
    (
        ("Nov 20 14:02:11 pve1 systemd[1]: app.service: Failed with result 'exit-code'.", ""),
        ("Jan  2 03:04:05 alice systemd[1]: app.service: Failed with result 'exit-code'.", ""),
    ),
    (
        ("2024-11-20 14:02:11.123 UTC [1234] FATAL:  role \"root\" does not exist", ""),
        ("2025-01-02 03:04:05.678 UTC [99] FATAL:  role \"root\" does not exist", ""),
    ),
    (
        ("[12345.678901] Out of memory: Killed process 1234 (node) total-vm:123kB", ""),
        ("[   45.100001] Out of memory: Killed process 77 (node) total-vm:987654kB", ""),
    ),
    (("No space left on device", "tar -xf a.tar"), ("No space left on device", "cp a b")),
    (
        ("Setting up package-04980 (1.0-3) ... done\nKilled", ""),
        ("Setting up package-04999 (1.0-4) ... done\nKilled", ""),
    ),
    (
        ("/usr/bin/install: line 4: uv: command not found", ""),
        ("/usr/bin/install: line 1234: uv: command not found", ""),
    ),
    (
        ("  WARNING: x\ncp: cannot stat '/home/alice/.ssh/id_rsa': No such file or directory", ""),
        ("cp: cannot stat '/home/bob/.ssh/id_rsa': No such file or directory", ""),
    ),
    (
        ("Connecting\nconnect to 192.168.1.5:8006 failed: Connection refused", ""),
        ("connect to 10.0.0.9:8006 failed: Connection refused", ""),
    ),
    (("General error / Operation not permitted", ""), ("General error / Operation not permitted", "")),
    (
        ("exit_code=1 | General error|---|Setting up a|E: Unable to locate package foo", ""),
        ("exit_code=1 | General error\n---\nE: Unable to locate package foo", ""),
    ),
];

const DIFFERENT: &[(Reported<'_>, Reported<'_>)] = &[
    (("E: Unable to locate package libfoo9", ""), ("E: Unable to locate package libbar", "")),
    (("E: Unable to locate package postgresql-16", ""), ("E: Unable to locate package postgresql-17", "")),
    (
        ("E: Unable to locate package foo", "$STD apt-get install -y foo"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "$STD apt-get install -y foo"),
    ),
    (
        ("dpkg: error processing package mariadb-server (--configure):", ""),
        ("dpkg: error processing package docker-ce (--configure):", ""),
    ),
    (
        ("curl: (22) The requested URL returned error: 404", ""),
        ("curl: (22) The requested URL returned error: 403", ""),
    ),
    (
        ("curl: (6) Could not resolve host: github.com", ""),
        ("curl: (6) Could not resolve host: registry.example.org", ""),
    ),
    (
        ("curl: (28) Operation timed out after 1 milliseconds", ""),
        ("curl: (35) Operation timed out after 1 milliseconds", ""),
    ),
    (
        ("npm error ERESOLVE unable to resolve dependency tree", "npm ci"),
        ("npm error ENOENT: no such file or directory, open '/opt/app/package.json'", "npm ci"),
    ),
    (
        ("ModuleNotFoundError: No module named 'setuptools'", ""),
        ("ModuleNotFoundError: No module named 'distutils'", ""),
    ),
    (("ERROR: Failed building wheel for lxml", ""), ("ERROR: Failed building wheel for cryptography", "")),
    (
        ("Job for jellyfin.service failed because a timeout was exceeded.", ""),
        ("Job for plexmediaserver.service failed because a timeout was exceeded.", ""),
    ),
    (
        ("Failed to start a.service: Unit a.service not found.", ""),
        ("Failed to restart a.service: Unit a.service is masked.", ""),
    ),
    (
        ("Error response from daemon: manifest for ghcr.io/a/b:latest not found", ""),
        ("Error response from daemon: toomanyrequests: You have reached your pull rate limit.", ""),
    ),
    (
        ("ERROR 1045 (28000): Access denied for user 'root'@'localhost'", ""),
        ("ERROR 1064 (42000) at line 1: You have an error in your SQL syntax", ""),
    ),
    (("Killed", ""), ("Segmentation fault", "")),
    (("/opt/a.sh: line 4: uv: command not found", ""), ("/opt/a.sh: line 4: node: command not found", "")),
    (
        ("exit_code=100 | APT: Package manager error", ""),
        ("exit_code=137 | Killed (SIGKILL / Out of memory?)", ""),
    ),
    (
        ("fatal: destination path '/opt/app' already exists", ""),
        ("fatal: repository 'https://github.com/foo/bar/' not found", ""),
    ),
    (("error[E0432]: unresolved import", ""), ("error[E0599]: unresolved import", "")),
    (
        ("unable to create CT 105 - storage local-lvm error", ""),
        ("unable to create CT 105 - storage local-zfs error", ""),
    ),
    (("exit code 1", "cd /opt/a"), ("exit code 1", "cd /opt/b")),
    (
        ("nginx: [emerg] bind() to [::]:80 failed (98: Address already in use)", ""),
        ("nginx: [emerg] unknown directive \"x\" in /etc/nginx/nginx.conf:12", ""),
    ),
];

#[test]
fn the_same_reason_on_different_hosts_has_the_same_signature() {
    let wrong: Vec<_> =
        SAME.iter().map(|(one, other)| (of(*one), of(*other))).filter(|(one, other)| one != other).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), SAME.len());
}

#[test]
fn different_reasons_have_different_signatures() {
    let wrong: Vec<_> = DIFFERENT
        .iter()
        .map(|(one, other)| (of(*one), of(*other)))
        .filter(|(one, other)| one == other)
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), DIFFERENT.len());
}

#[test]
fn templates_are_readable() {
    let templates: BTreeMap<&str, &str> = BTreeMap::from([
        ("wobbler: cannot align after 300000 milliseconds", "wobbler: cannot align after # milliseconds"),
        ("[ERROR] wobbler: line 4: cannot align", "wobbler: line #: cannot align"),
        (
            "wobbler: error: wobble_7.88.1-10+deb12u12_amd64.tar broken",
            "wobbler: error: wobble_#_amd64.tar broken",
        ),
        (
            "wobbling failed after 24.5 MB in 3s (8,012 kB/s) at 12:34:56",
            "wobbling failed after # MB in # (# kB/s) at #",
        ),
        ("Nov 20 14:02:11 pve1 wobblerd[77]: Error: cannot align", "cannot align"),
        (
            "[ERROR] in line 42: exit code 1: while executing command ./wobble --level 3",
            "Failed without a message: ./wobble --level #",
        ),
    ]);
    for (error, template) in templates {
        assert_eq!(of((error, "")).template, template);
    }
}

#[test]
fn a_rule_makes_the_template_from_its_title_and_the_subject() {
    let signature =
        of(("Reading package lists...\nE: Unable to locate package libfoo9", "apt-get install libfoo9"));
    let rule = signature.rule.and_then(rule).expect("a rule knows the line");
    assert_eq!(signature.template, format!("{}: libfoo9", rule.title));
    assert_eq!((signature.category, signature.blame), (rule.category, rule.blame));
}

#[test]
fn the_id_of_a_template_never_changes() {
    let signature = sign("wobbler: cannot align 3 widgets", "").expect("there is an error");
    assert_eq!(format!("{:016x}", signature.id), "2a18149c4cc380c2");
}

#[test]
fn empty_texts_have_no_signature() {
    assert_eq!(sign("", ""), None);
    assert_eq!(sign(" \n---\n", "  "), None);
}

/// The examples of all rules but noise.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/reasons");
    let mut examples = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of rules") {
        let file: toml::Table =
            toml::from_str(&std::fs::read_to_string(entry.expect("an entry").path()).expect("text"))
                .expect("TOML");
        let rules = file.get("rule").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        for rule in rules.iter().filter(|rule| rule["rank"].as_str() != Some("noise")) {
            examples.extend(
                rule["examples"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|one| one.as_str().expect("text").to_owned()),
            );
        }
    }
    examples.sort();
    examples
});

/// Logs whose variable parts are `{}`.
const VARIED: [&str; 5] = [
    "[{}.123456] worker[{}]: app 2.{}.1-{} failed after {}s: no such table",
    "Get:{} http://deb.example.org a [{} kB]\nE: Unable to locate package libfoo9\nTook {} s",
    "Jan  1 00:00:{} host app[{}]: connection {} refused by peer 0x{}abcdef0123",
    "wobbler: job 3f2504e0-4f89-11d3-9a0c-0305e82c{} cannot align",
    "in /tmp/tmp.Xy12Ab{}/x: wobble {} is invalid",
];

/// A log with `number` in its variable places.
fn varied(log: &str, number: u32) -> String {
    log.replace("{}", &format!("{number:04}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_text_has_a_short_signature(error in "(\\PC|\n|\\||#){0,300}", command in "\\PC{0,100}") {
        if let Some(signature) = sign(&error, &command) {
            prop_assert!(signature.template.chars().count() <= 200);
        }
    }

    #[test]
    fn any_sequence_of_known_lines_has_a_signature(lines in vec(select(EXAMPLES.as_slice()), 1..40)) {
        prop_assert!(sign(&lines.join("\n"), "").is_some());
    }

    #[test]
    fn numbers_do_not_affect_the_signature(log in select(&VARIED[..]), number in 0..9999_u32) {
        prop_assert_eq!(sign(&varied(log, number), ""), sign(&varied(log, 1234), ""));
    }

    #[test]
    fn times_before_each_line_do_not_affect_the_signature(lines in vec(select(EXAMPLES.as_slice()), 1..20), second in 0..60_u32) {
        let plain = lines.join("\n");
        for prefix in [
            format!("2025-01-02T03:04:{second:02}.123Z "),
            format!("[2025-01-02 03:04:{second:02}] [ERROR] "),
            format!("Jan  2 03:04:{second:02} host app[{second}]: "),
        ] {
            let prefixed: Vec<String> = plain.lines().map(|line| format!("{prefix}{line}")).collect();
            prop_assert_eq!(sign(&prefixed.join("\n"), ""), sign(&plain, ""), "{}", prefix);
        }
    }

    #[test]
    fn bars_are_read_as_line_breaks(lines in vec(select(EXAMPLES.as_slice()), 1..20)) {
        let lines: Vec<&str> = lines.iter().flat_map(|line| line.lines()).filter(|line| !line.contains('|')).collect();
        let head = "exit_code=1 | General error / Operation not permitted";
        let with_breaks = format!("{head}\n---\n{}", lines.join("\n"));
        let with_bars = format!("{head}|---|{}", lines.join("|"));
        prop_assert_eq!(sign(&with_bars, ""), sign(&with_breaks, ""));
    }
}
