//! The numbers of the domain, as metrics: how the runs of the scripts end.
//!
//! They are read from the rollups when Prometheus asks, so they are the same on every instance and survive
//! a restart. All are gauges over a window of time: a run changes its outcome when a later event comes, and
//! can be erased, so none of these numbers only grows. `rate()` of one means nothing; compare windows.
//!
//! # How many series
//! Labels are closed sets, but for scripts and exit codes, of which only the most frequent are told; the rest
//! is in `other`, and how many that are is a metric. At most
//! 2 × 3 repositories × 6 types × 5 outcomes + 2 × ([`TOP_SCRIPTS`] + 3) × 5
//! + 2 × ([`TOP_EXIT_CODES`] + 1) + a dozen: below 800.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prometheus::core::Collector;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// Scripts that have a series of their own.
pub const TOP_SCRIPTS: usize = 50;
/// Exit codes that have a series of their own.
pub const TOP_EXIT_CODES: usize = 30;
/// The label of all others. No script and no exit code is called so.
const OTHER: &str = "(other)";
/// As the rollups know them; `open` has not ended, or never told.
const OUTCOMES: [&str; 5] = ["success", "failed", "blocked", "aborted", "open"];
/// What is told of a run in words of ours.
pub const REPOSITORIES: [&str; 3] = ["ProxmoxVE", "ProxmoxVED", "external"];

/// All numbers of one moment.
#[derive(Debug)]
pub struct Domain {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// When the newest run began; `None` while there is none.
    pub newest_run: Option<DateTime<Utc>>,
    /// Ways to fail that were first seen in the last 24 hours.
    pub new_signatures: i64,
    /// Runs of the last hours.
    pub runs: Vec<RunCount>,
    /// Runs of the last days by script.
    pub scripts: Vec<ScriptCount>,
    /// Failed runs of the last days by exit code.
    pub exit_codes: Vec<ExitCodeCount>,
}

/// Runs by repository, type and outcome.
#[derive(Clone, Debug)]
pub struct RunCount {
    /// `ProxmoxVE`, ….
    pub repository: String,
    /// `lxc`, …; empty where it was not told.
    pub kind: String,
    /// One of five.
    pub outcome: String,
    /// Begun in the running hour or the two before.
    pub recent: i64,
    /// Begun in the running hour or the 23 before.
    pub day: i64,
}

/// Runs by script, repository and outcome.
#[derive(Clone, Debug)]
pub struct ScriptCount {
    /// The script.
    pub app: String,
    /// `ProxmoxVE`, ….
    pub repository: String,
    /// One of five.
    pub outcome: String,
    /// Begun today or yesterday (UTC).
    pub recent: i64,
    /// Begun in the seven days before.
    pub before: i64,
    /// Those of both without an end, silent for too long.
    pub unfinished: i64,
}

/// Failed runs by exit code and category.
#[derive(Clone, Debug)]
pub struct ExitCodeCount {
    /// -1 where none was told.
    pub exit_code: i16,
    /// Ours.
    pub category: String,
    /// Begun today or yesterday (UTC).
    pub recent: i64,
    /// Begun in the seven days before.
    pub before: i64,
}

impl Domain {
    /// The Prometheus text format.
    ///
    /// # Errors
    /// A name or label that is not valid, or stands twice: a mistake in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        let registry = Registry::new();
        single(
            &registry,
            "telemetry_domain_timestamp_seconds",
            "When the numbers of the domain were read, as Unix time in seconds.",
            self.as_of.timestamp(),
        )?;
        single(
            &registry,
            "telemetry_newest_run_timestamp_seconds",
            "When the newest run began, as Unix time in seconds; 0: there is none.",
            self.newest_run.map_or(0, |time| time.timestamp()),
        )?;
        single(
            &registry,
            "telemetry_signatures_new",
            "Ways to fail (masked templates) that were first seen in the last 24 hours.",
            self.new_signatures,
        )?;
        self.add_runs(&registry)?;
        self.add_open(&registry)?;
        self.add_scripts(&registry)?;
        self.add_exit_codes(&registry)?;
        TextEncoder::new().encode_to_string(&registry.gather())
    }

    fn add_runs(&self, registry: &Registry) -> prometheus::Result<()> {
        let labels = ["repository", "type", "outcome"];
        let recent = family(
            registry,
            "telemetry_runs_recent",
            "Runs that began in the running hour or the two hours before, by repository, type and outcome.",
            &labels,
        )?;
        let day = family(
            registry,
            "telemetry_runs_day",
            "Runs that began in the running hour or the 23 hours before, by repository, type and outcome.",
            &labels,
        )?;
        for count in &self.runs {
            let Some(repository) = known(&count.repository) else { continue };
            let kind = if count.kind.is_empty() { "unknown" } else { &count.kind };
            for outcome in OUTCOMES {
                // A rate has its denominator also where nothing succeeded, or nothing failed.
                let is_it = i64::from(outcome == count.outcome);
                recent.with_label_values(&[repository, kind, outcome]).add(is_it * count.recent);
                day.with_label_values(&[repository, kind, outcome]).add(is_it * count.day);
            }
        }
        Ok(())
    }

    fn add_open(&self, registry: &Registry) -> prometheus::Result<()> {
        let running = family(
            registry,
            "telemetry_runs_running",
            "Runs of the last nine days without an end whose last event is recent, by repository.",
            &["repository"],
        )?;
        let unfinished = family(
            registry,
            "telemetry_runs_unfinished",
            "Runs of the last nine days without an end that have been silent for too long, by repository.",
            &["repository"],
        )?;
        for repository in REPOSITORIES {
            let open = self.scripts.iter().filter(|count| count.repository == repository);
            let open = open.filter(|count| count.outcome == "open");
            let (all, silent) = open.fold((0, 0), |(all, silent), count| {
                (all + count.recent + count.before, silent + count.unfinished)
            });
            running.with_label_values(&[repository]).set(all - silent);
            unfinished.with_label_values(&[repository]).set(silent);
        }
        Ok(())
    }

    fn add_scripts(&self, registry: &Registry) -> prometheus::Result<()> {
        let labels = ["script", "repository", "outcome"];
        let recent = family(
            registry,
            "telemetry_script_runs_recent",
            "Runs that began today or yesterday (UTC), by script, repository and outcome; the 50 most frequent \
             scripts, the rest as (other).",
            &labels,
        )?;
        let before = family(
            registry,
            "telemetry_script_runs_before",
            "Runs that began in the seven days before yesterday (UTC), by script, repository and outcome.",
            &labels,
        )?;
        let mut sizes = BTreeMap::<(&str, &str), i64>::new();
        for count in &self.scripts {
            *sizes.entry((&count.app, &count.repository)).or_default() += count.recent + count.before;
        }
        let (top, rest) = cut(sizes, TOP_SCRIPTS);
        for count in &self.scripts {
            let Some(repository) = known(&count.repository) else { continue };
            let key = (count.app.as_str(), count.repository.as_str());
            let script = if top.contains(&key) { key.0 } else { OTHER };
            for outcome in OUTCOMES {
                let is_it = i64::from(outcome == count.outcome);
                recent.with_label_values(&[script, repository, outcome]).add(is_it * count.recent);
                before.with_label_values(&[script, repository, outcome]).add(is_it * count.before);
            }
        }
        let help = "Scripts of a repository that have no series of their own and are counted as (other).";
        single(registry, "telemetry_scripts_in_other", help, rest)
    }

    fn add_exit_codes(&self, registry: &Registry) -> prometheus::Result<()> {
        let labels = ["exit_code", "category"];
        let recent = family(
            registry,
            "telemetry_exit_code_runs_recent",
            "Failed runs that began today or yesterday (UTC), by exit code (none: not told) and category; the 30 most \
             frequent, the rest as (other).",
            &labels,
        )?;
        let before = family(
            registry,
            "telemetry_exit_code_runs_before",
            "Failed runs that began in the seven days before yesterday (UTC), by exit code and category.",
            &labels,
        )?;
        let mut sizes = BTreeMap::<(i16, &str), i64>::new();
        for count in &self.exit_codes {
            *sizes.entry((count.exit_code, &count.category)).or_default() += count.recent + count.before;
        }
        let (top, rest) = cut(sizes, TOP_EXIT_CODES);
        for count in &self.exit_codes {
            let is_top = top.contains(&(count.exit_code, count.category.as_str()));
            let code = match count.exit_code {
                _ if !is_top => OTHER.to_owned(),
                -1 => "none".to_owned(),
                code => code.to_string(),
            };
            let category = if is_top { count.category.as_str() } else { OTHER };
            recent.with_label_values(&[code.as_str(), category]).add(count.recent);
            before.with_label_values(&[code.as_str(), category]).add(count.before);
        }
        let help = "Exit codes that have no series of their own and are counted as (other).";
        single(registry, "telemetry_exit_codes_in_other", help, rest)
    }
}

/// The repository, if it is one of ours; nothing else is stored.
pub(super) fn known(repository: &str) -> Option<&'static str> {
    REPOSITORIES.into_iter().find(|known| *known == repository)
}

/// The keys with the greatest numbers, and how many others there are.
fn cut<K: Ord + Copy>(sizes: BTreeMap<K, i64>, most: usize) -> (Vec<K>, i64) {
    let mut sizes: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > 0).collect();
    // The sort is stable: among equals the first by name stays, at every scrape.
    sizes.sort_by_key(|(_, size)| Reverse(*size));
    let rest = sizes.len().saturating_sub(most);
    sizes.truncate(most);
    (sizes.into_iter().map(|(key, _)| key).collect(), i64::try_from(rest).unwrap_or(i64::MAX))
}

pub(super) fn single(registry: &Registry, name: &str, help: &str, value: i64) -> prometheus::Result<()> {
    let gauge = IntGauge::new(name, help)?;
    gauge.set(value);
    add(registry, gauge)
}

pub(super) fn family(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    let family = IntGaugeVec::new(Opts::new(name, help), labels)?;
    add(registry, family.clone())?;
    Ok(family)
}

fn add(registry: &Registry, collector: impl Collector + 'static) -> prometheus::Result<()> {
    registry.register(Box::new(collector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(app: &str, outcome: &str, recent: i64) -> ScriptCount {
        let (app, outcome) = (app.to_owned(), outcome.to_owned());
        ScriptCount { app, repository: "ProxmoxVE".to_owned(), outcome, recent, before: 1, unfinished: 0 }
    }

    fn empty() -> Domain {
        Domain {
            as_of: DateTime::UNIX_EPOCH,
            newest_run: None,
            new_signatures: 0,
            runs: vec![],
            scripts: vec![],
            exit_codes: vec![],
        }
    }

    #[test]
    fn rare_scripts_are_counted_as_other_and_none_is_lost() {
        let scripts: Vec<_> = (0..60).map(|i| script(&format!("s{i:02}"), "failed", 100 - i)).collect();
        let total: i64 = scripts.iter().map(|count| count.recent).sum();
        let text = Domain { scripts, ..empty() }.render().expect("valid");
        let shown = text.lines().filter(|line| line.starts_with("telemetry_script_runs_recent{"));
        let shown: Vec<_> = shown.filter(|line| line.contains(r#"outcome="failed""#)).collect();
        assert_eq!(shown.len(), TOP_SCRIPTS + 1);
        let sum: i64 = shown.iter().filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum();
        assert_eq!(sum, total);
        assert!(text.contains("\ntelemetry_scripts_in_other 10\n"), "{text}");
    }

    #[test]
    fn every_outcome_has_a_series_so_that_a_rate_has_its_denominator() {
        let text = Domain { scripts: vec![script("x", "failed", 3)], ..empty() }.render().expect("valid");
        let line = r#"telemetry_script_runs_recent{outcome="success",repository="ProxmoxVE",script="x"} 0"#;
        assert!(text.lines().any(|shown| shown == line), "{text}");
    }

    #[test]
    fn what_a_client_made_up_adds_no_series() {
        let codes = (0..200).map(|exit_code| ExitCodeCount {
            exit_code,
            category: "shell".to_owned(),
            recent: 1,
            before: 0,
        });
        let text = Domain { exit_codes: codes.collect(), ..empty() }.render().expect("valid");
        let shown = text.lines().filter(|line| line.starts_with("telemetry_exit_code_runs_recent{")).count();
        assert_eq!(shown, TOP_EXIT_CODES + 1);
        assert!(text.contains("\ntelemetry_exit_codes_in_other 170\n"), "{text}");
    }
}
