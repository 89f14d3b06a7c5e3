//! The cost of the pure stages: nanoseconds per call, for one body of 900 bytes.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use chrono::{DateTime, Utc};
use telemetry_protocol::reason::{Failure, signature};
use telemetry_protocol::scrub::scrub;
use telemetry_server::ingest::decode::decode;
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::IdKey;
use telemetry_server::ingest::normalise::{Route, normalise};
use telemetry_server::ingest::pipeline::read_event;
use telemetry_server::store::model::rollup::contributions;

const CALLS: u32 = 200_000;

/// A body as clients of generation 3 send it.
const BODY: &str = r#"{
    "payload_version": 2,
    "random_id": "41d0ed29-d86d-44a7-b313-a32102e02950",
    "execution_id": "41d0ed29-d86d-44a7-b313-a32102e02951",
    "type": "lxc",
    "nsapp": "stirling-pdf",
    "status": "failed",
    "ct_type": 1,
    "disk_size": 8,
    "core_count": 2,
    "ram_size": 2048,
    "os_type": "debian",
    "os_version": "12",
    "pve_version": "8.4.1",
    "method": "default",
    "exit_code": 100,
    "error": "exit_code=100 | APT: Package manager error\n---\nE: Unable to locate package libfoo9",
    "error_category": "dependency",
    "install_duration": 74,
    "cpu_vendor": "intel",
    "cpu_model": "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz",
    "gpu_vendor": "intel",
    "gpu_model": "Intel Corporation AlderLake-S GT1",
    "gpu_passthrough": "no",
    "ram_speed": "4800",
    "arch": "amd64",
    "platform": "pve",
    "has_arm": false,
    "repo_source": "ProxmoxVE",
    "repo_slug": "community-scripts/ProxmoxVE"
}"#;

/// Prints one line per stage.
pub(crate) fn print() -> anyhow::Result<()> {
    let ids = IdKey::new(b"a secret for the benchmark");
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let read = || read_event(BODY.as_bytes(), Route::Telemetry, now, &ids);
    let run: Execution = *read()?.event.into_execution();
    let mut out = std::io::stdout();
    let mut time = |name: &str, call: &mut dyn FnMut()| {
        let started = Instant::now();
        (0..CALLS).for_each(|_| call());
        writeln!(out, "{name:<40} {:>7.0} ns", started.elapsed().as_nanos() as f64 / f64::from(CALLS))
    };
    time("decode", &mut || {
        let _ = black_box(decode(black_box(BODY.as_bytes())));
    })?;
    time("decode, normalise", &mut || {
        let _ = black_box(decode(BODY.as_bytes()).map(|decoded| normalise(decoded, Route::Telemetry, now)));
    })?;
    time("decode, normalise, validate", &mut || {
        let _ = black_box(read());
    })?;
    time("copy and join an execution", &mut || {
        let mut copy = black_box(&run).clone();
        copy.join(&run);
        black_box(copy);
    })?;
    time("contributions of an execution", &mut || {
        contributions(&run, 1, |key, measures| {
            black_box((key, measures));
        });
    })?;
    for text in ["stirling-pdf", "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz", "8.4.1"] {
        time(&format!("scrub {text:?}"), &mut || {
            black_box(scrub(black_box(text)));
        })?;
    }
    let log = "Setting up curl (7.88.1-10+deb12u12) ...\n".repeat(50);
    time("scrub 50 clean lines (2 KB)", &mut || {
        black_box(scrub(black_box(&log)));
    })?;
    let failure = Failure {
        error: &log,
        failed_command: Some("apt-get install -y curl"),
        exit_code: Some(100),
        generation: None,
    };
    time("signature of 50 lines", &mut || {
        black_box(signature(&failure));
    })?;
    worst_cases(&mut out)
}

/// Texts of 256 KiB that are made to be expensive to scrub.
const WORST_CASES: [(&str, &str); 26] = [
    ("digits and dots", "1.1.1.1."),
    ("addresses", "192.168.1.1 "),
    ("one dotted run", "9."),
    ("colons and digits", "a:"),
    ("IPv6 groups", "fe80::1:"),
    ("dashes and digits", "aa-"),
    ("base64", "aB3xK9mQ7Rt2Vw5Y"),
    ("short random words", "aB3xK9mQ7Rt2Vw5YzP1d "),
    ("hashes", "e3b0c44298fc1c149afbf4c8996fb924 "),
    ("letters", "a"),
    ("at signs", "@"),
    ("mail addresses", "a@b.cd "),
    ("names and at signs", "aaaaaaa@"),
    ("dashes", "-"),
    ("slashes", "/"),
    ("backslashes", "\\"),
    ("paths", "/home/a"),
    ("passwords", "password="),
    ("quoted passwords", "password=\""),
    ("nested quotes", "\"'\\\""),
    ("tokens over lines", "ghp_\naB3xK9m\n"),
    ("beginnings of keys", "-----BEGIN PRIVATE KEY-----\n"),
    ("terminal codes", "\\x1b[1m["),
    ("host labels", "host=a nodes/"),
    ("a clean log", CLEAN_LOG),
    ("a log full of secrets", DIRTY_LOG),
];

/// Typical lines of installation logs.
const CLEAN_LOG: &str = "\
Get:1 http://deb.debian.org/debian bookworm/main amd64 libcurl4 amd64 7.88.1-10+deb12u12 [390 kB]
Setting up openssh-server (1:9.2p1-2+deb12u3) ...
npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory. Do not use it.
  at Module._load (node:internal/modules/cjs/loader:1051:27)
dpkg: error processing package grafana (--configure): installed post-installation script returned error exit status 1
E: Unable to locate package libfoo9
";

/// The same, with something to scrub in every other line.
const DIRTY_LOG: &str = "\
Setting up openssh-server (1:9.2p1-2+deb12u3) ...
curl: (7) Failed to connect to 81.2.69.142 port 443 after 3 ms
Nov 20 14:02:11 pve7 sshd[12]: Accepted password for root from 192.168.1.23 port 41234
Get:1 http://deb.debian.org/debian bookworm/main amd64 libcurl4 amd64 7.88.1-10+deb12u12 [390 kB]
export DB_PASSWORD=x8Kd02mfLq1z
fatal: https://user:x8Kd02mf@github.com/x/y.git?token=Lq1zx8Kd02mf not found
npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory. Do not use it.
2: eth0: ether bc:24:11:0a:9f:3e inet6 fe80::be24:11ff/64 scope link
mail to jane.doe@example.com failed, /home/jane/install.sh: line 12: command not found
E: Unable to locate package libfoo9
{\"api_key\":\"aB3xK9mQ7Rt2Vw5YzP1daB3xK9mQ7Rt2\",\"hostname\":\"pve4\"}
id 0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 at nas4.fritz.box:8006 not found
";

fn worst_cases(out: &mut impl Write) -> anyhow::Result<()> {
    for (name, piece) in WORST_CASES {
        let text = piece.repeat(256 * 1024 / piece.len());
        // The fastest of several: other programs on the machine only slow it down.
        let once = || {
            let started = Instant::now();
            black_box(scrub(black_box(&text)));
            started.elapsed().as_secs_f64() * 1000.0
        };
        let milliseconds = (0..15).map(|_| once()).fold(f64::INFINITY, f64::min);
        writeln!(out, "{:<40} {milliseconds:>7.2} ms", format!("scrub 256 KiB of {name}"))?;
    }
    Ok(())
}
