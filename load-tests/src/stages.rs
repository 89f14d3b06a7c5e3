//! What the pure stages cost: nanoseconds a call, for one body of 900 bytes.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use chrono::{DateTime, Utc};
use telemetry_server::ingest::decode::decode;
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::IdKey;
use telemetry_server::ingest::normalise::{Route, normalise};
use telemetry_server::ingest::pipeline::read_event;
use telemetry_server::store::rollup::contributions;

const CALLS: u32 = 200_000;

/// A body as a generation 3 client sends it.
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

/// Prints one line a stage.
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
    Ok(())
}
