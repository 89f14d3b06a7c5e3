//! Runs `wrk` and parses its report.

use std::process::Command;

use anyhow::{Context, ensure};

/// The script that makes the requests.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/events.lua");
/// Threads of `wrk`.
const THREADS: u32 = 2;

/// The result of one run.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Responses per second.
    pub per_second: f64,
    /// Median latency in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the latency in milliseconds.
    pub p99_ms: f64,
    /// Responses other than 2xx and 3xx, and connection errors.
    pub refused: u64,
}

/// Sends events for some seconds.
///
/// # Errors
/// If `wrk` is missing or its report cannot be parsed.
pub fn run(address: &str, connections: u32, seconds: u32) -> anyhow::Result<Measured> {
    wrk(&["-s", SCRIPT], &format!("http://{address}/telemetry"), connections, seconds)
}

/// Requests a path for some seconds.
///
/// # Errors
/// Like [`run`].
pub fn get(address: &str, path: &str, connections: u32, seconds: u32) -> anyhow::Result<Measured> {
    wrk(&[], &format!("http://{address}{path}"), connections, seconds)
}

fn wrk(script: &[&str], url: &str, connections: u32, seconds: u32) -> anyhow::Result<Measured> {
    let output = Command::new("wrk")
        .args(["--latency", "--timeout", "10s"])
        .args(script)
        .arg(format!("-t{THREADS}"))
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg(url)
        .output()
        .context("cannot run wrk; `make bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {text}");
    parse(&text).with_context(|| format!("wrk printed something unexpected:\n{text}"))
}

fn parse(text: &str) -> Option<Measured> {
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let errors = after("Socket errors:").unwrap_or_default();
    let errors = errors.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum::<u64>();
    let refused = after("Non-2xx or 3xx responses:").unwrap_or("0");
    Some(Measured {
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        refused: refused.parse::<u64>().ok()? + errors,
    })
}

fn milliseconds(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(char::is_alphabetic);
    let factor = match &text[number.len()..] {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_wrk_is_parsed() {
        let text = "  Latency Distribution\n     50%  900.00us\n     99%    1.20s \n  Requests/sec:  12.50\n  \
                    Socket errors: connect 0, read 1, write 0, timeout 2\n  Non-2xx or 3xx responses: 2\n";
        let measured = parse(text).expect("a report");
        assert_eq!((measured.per_second, measured.refused), (12.5, 5));
        assert_eq!((measured.p50_ms, measured.p99_ms), (0.9, 1200.0));
        assert!(parse("wrk: error").is_none());
    }
}
