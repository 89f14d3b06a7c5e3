//! The regressions as metrics: the findings of `/api/regressions`, the same on every instance.
//!
//! At most 3 repositories × [`MAX_SCRIPTS`] scripts × 5 series, and 4.

use chrono::{DateTime, Utc};
use prometheus::{Registry, TextEncoder};

use super::{gauge, gauges};

/// Scripts of a repository with series, clearest first. `telemetry_scripts_regressed` counts all.
pub const MAX_SCRIPTS: usize = 20;

/// All regressions of one moment.
#[derive(Debug)]
pub struct Regressed {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// By repository, clearest first.
    pub repositories: Vec<(&'static str, Vec<RegressedScript>)>,
}

/// A regression with its clearest evidence.
#[derive(Clone, Debug)]
pub struct RegressedScript {
    /// Name of the script.
    pub script: String,
    /// The affected runs: `all`, `os debian`, `pve 9.0`.
    pub part: String,
    /// Start of the first bad day.
    pub since: DateTime<Utc>,
    /// Failed and all ended first attempts, before and after that day.
    pub failed: [(i64, i64); 2],
}

impl Regressed {
    /// The Prometheus text format.
    ///
    /// # Errors
    /// A name or label that is not valid or not unique: a bug in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        let registry = Registry::new();
        let help = "Unix time in seconds at which regressions were searched for.";
        gauge(&registry, "telemetry_regressions_timestamp_seconds", help)?.set(self.as_of.timestamp());
        let all = gauges(
            &registry,
            "telemetry_scripts_regressed",
            "Scripts whose failure rate rose beyond chance, as in /api/regressions, by repository.",
            &["repository"],
        )?;
        let failed = gauges(
            &registry,
            "telemetry_script_regressed_failures",
            "Failed first attempts of a script with a regression, by repository, part (all, or an operating system or \
             version of Proxmox VE) and period: the window with the clearest evidence, and the 28 days before it. The \
             20 clearest scripts of a repository.",
            &["script", "repository", "part", "period"],
        )?;
        let ended = gauges(
            &registry,
            "telemetry_script_regressed_runs",
            "Failed and successful first attempts of the same periods, the denominator.",
            &["script", "repository", "part", "period"],
        )?;
        let since = gauges(
            &registry,
            "telemetry_script_regressed_since_timestamp_seconds",
            "Unix time in seconds at which the UTC day starts since which the failure rate has most likely been higher.",
            &["script", "repository", "part"],
        )?;
        for (repository, scripts) in &self.repositories {
            all.with_label_values(&[*repository]).set(i64::try_from(scripts.len()).unwrap_or(i64::MAX));
            for RegressedScript { script, part, since: day, failed: counts } in
                scripts.iter().take(MAX_SCRIPTS)
            {
                // Several scripts can be `(rare)`: their failures are added up, and their rise began with the first.
                let first = since.with_label_values(&[script.as_str(), repository, part]);
                first.set(if first.get() == 0 { day.timestamp() } else { first.get().min(day.timestamp()) });
                for (period, (bad, runs)) in ["before", "after"].into_iter().zip(counts) {
                    let labels = [script.as_str(), repository, part, period];
                    failed.with_label_values(&labels).add(*bad);
                    ended.with_label_values(&labels).add(*runs);
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
    fn all_regressions_are_counted_and_the_clearest_are_named() {
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
