//! Pages as browsers request them.

use anyhow::Context;
use telemetry_load_tests::plain_http::Connection;

use crate::{durations, quantile, say, verdict};

/// A page, and the wanted 95th percentile in milliseconds. `{id}` is the most important reason.
type Page = (&'static str, f64);

pub(crate) const UNCACHED: [Page; 12] = [
    ("/?days=30", 150.0),
    ("/?days=365", 400.0),
    ("/failures?days=30", 150.0),
    ("/failures?days=365", 400.0),
    ("/failures/{id}?days=30", 100.0),
    ("/failures/{id}?days=365", 100.0),
    ("/scripts?days=30", 150.0),
    ("/scripts?days=365", 400.0),
    ("/scripts/docker?days=30", 150.0),
    ("/popular?days=30", 150.0),
    ("/runs?days=30", 150.0),
    ("/exit-codes/100?days=30", 150.0),
];

/// Pages of which copies are kept.
pub(crate) const CACHED: [Page; 2] = [("/?days=30", 5.0), ("/failures/{id}?days=30", 5.0)];

/// Measures the pages one after the other. Returns the number of missed targets.
pub(crate) fn measure(address: &str, rounds: usize, pages: &[Page]) -> anyhow::Result<usize> {
    let (body, _) = Connection::open(address)?.get("/api/signatures?days=30")?;
    let signatures: serde_json::Value = serde_json::from_slice(&body)?;
    let mut ids =
        signatures["signatures"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_str());
    // The rare ones together have no page.
    let id = ids.find(|id| *id != "(rare)").context("a signature")?;
    let mut missed = 0;
    say("\npage                                                     kB   p50 ms  p95 ms")?;
    for (page, wanted) in pages {
        let path = page.replace("{id}", id);
        let (mut connection, mut size) = (Connection::open(address)?, 0);
        let times = durations(rounds, || {
            let (body, took) = connection.page(&path)?;
            size = body.len();
            Ok(took)
        })?;
        let (p50, p95) = (quantile(&times, 0.5), quantile(&times, 0.95));
        let verdict = verdict(p95 <= *wanted, &mut missed);
        say(&format!("{page:<52} {:>6.1} {p50:>8.1} {p95:>7.1}{verdict}", size as f64 / 1000.0))?;
    }
    Ok(missed)
}
