//! Which scripts fail more than before, as metrics: the same findings as `/api/regressions` has, of the same
//! moment for all.
//!
//! At most 3 repositories × [`SHOWN`] scripts × 5 series, and 4.

use chrono::{DateTime, Utc};
use prometheus::{Registry, TextEncoder};

use super::domain::{family, single};

/// Scripts of a repository that are named, clearest first. `telemetry_scripts_regressed` counts all.
pub const SHOWN: usize = 20;

/// All findings of one moment.
#[derive(Debug)]
pub struct Regressed {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// By repository, clearest first.
    pub repositories: Vec<(&'static str, Vec<RegressedScript>)>,
}

/// A script that fails more than before, with its clearest evidence.
#[derive(Clone, Debug)]
pub struct RegressedScript {
    /// Its name.
    pub script: String,
    /// Which of its runs: `all`, `os debian`, `pve 9.0`.
    pub part: String,
    /// When the first bad day begins.
    pub since: DateTime<Utc>,
    /// Failed among ended first attempts, before and after.
    pub failed: [(i64, i64); 2],
}

impl Regressed {
    /// The Prometheus text format.
    ///
    /// # Errors
    /// A name or label that is not valid, or stands twice: a mistake in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        let registry = Registry::new();
        let help = "When the scripts that fail more than before were looked for, as Unix time in seconds.";
        single(&registry, "telemetry_regressions_timestamp_seconds", help, self.as_of.timestamp())?;
        let all = family(
            &registry,
            "telemetry_scripts_regressed",
            "Scripts whose failure rate rose beyond chance, as /api/regressions has them, by repository.",
            &["repository"],
        )?;
        let failed = family(
            &registry,
            "telemetry_script_regressed_failures",
            "Failed first attempts of a script that fails more than before, by repository, part (all, or an operating \
             system or version of Proxmox VE) and period: the window with the clearest evidence, and the 28 days \
             before it; the 20 clearest scripts of a repository.",
            &["script", "repository", "part", "period"],
        )?;
        let ended = family(
            &registry,
            "telemetry_script_regressed_runs",
            "Failed and succeeded first attempts in the same periods: the denominator.",
            &["script", "repository", "part", "period"],
        )?;
        let since = family(
            &registry,
            "telemetry_script_regressed_since_timestamp_seconds",
            "Beginning of the UTC day from which on the failure rate is best explained as higher, as Unix time in \
             seconds.",
            &["script", "repository", "part"],
        )?;
        for (repository, scripts) in &self.repositories {
            all.with_label_values(&[*repository]).set(i64::try_from(scripts.len()).unwrap_or(i64::MAX));
            for RegressedScript { script, part, since: day, failed: counts } in scripts.iter().take(SHOWN) {
                since.with_label_values(&[script.as_str(), repository, part]).set(day.timestamp());
                for (period, (bad, runs)) in ["before", "after"].into_iter().zip(counts) {
                    let labels = [script.as_str(), repository, part, period];
                    failed.with_label_values(&labels).set(*bad);
                    ended.with_label_values(&labels).set(*runs);
                }
            }
        }
        TextEncoder::new().encode_to_string(&registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_clearest_are_named() {
        let script = |number: usize| RegressedScript {
            script: format!("s{number:02}"),
            part: "all".to_owned(),
            since: DateTime::UNIX_EPOCH,
            failed: [(1, 100), (9, 10)],
        };
        let found = (0..30).map(script).collect();
        let repositories = vec![("ProxmoxVE", found), ("ProxmoxVED", vec![])];
        let text = Regressed { as_of: DateTime::UNIX_EPOCH, repositories }.render().expect("valid");
        assert!(text.contains("\ntelemetry_scripts_regressed{repository=\"ProxmoxVE\"} 30\n"), "{text}");
        assert!(text.contains("\ntelemetry_scripts_regressed{repository=\"ProxmoxVED\"} 0\n"), "{text}");
        let line = r#"telemetry_script_regressed_failures{part="all",period="after",repository="ProxmoxVE",script="s19"} 9"#;
        assert!(text.lines().any(|shown| shown == line), "{text}");
        assert!(!text.contains("s20"), "{text}");
    }
}
