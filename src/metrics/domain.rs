//! The domain metrics: how the runs of the scripts end.
//!
//! They are read from the rollups at each scrape, so they are the same on every instance and survive a restart. All are
//! gauges over a window of time: a later event can change the outcome of a run, and a run can be erased, so none of them
//! only grows. `rate()` is meaningless; compare windows.
//!
//! # Number of series
//! Labels are closed sets except for scripts and exit codes, of which only the most frequent have a series. The rest is
//! counted as `(other)`, and its size is a metric. The maximum is 2 × 3 repositories × 6 types × 5 outcomes
//! + 2 × ([`TOP_SCRIPTS`] + 3) × 5 + 2 × ([`TOP_EXIT_CODES`] + 1) + 2 × 34 words of reasons + 5 states + a dozen: below
//! 900.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prometheus::{Registry, TextEncoder};
use telemetry_protocol::reason::{Blame, Category};

use super::{gauge, gauges};

/// Number of scripts with a series.
pub const TOP_SCRIPTS: usize = 50;
/// Number of exit codes with a series.
pub const TOP_EXIT_CODES: usize = 30;
/// Label of the rest. No script and no exit code has this name.
const OTHER: &str = "(other)";
/// Outcomes of the rollups; `open` has no reported outcome.
const OUTCOMES: [&str; 5] = ["success", "failed", "blocked", "aborted", "open"];
/// States of a signature.
const STATES: [&str; 5] = ["open", "known", "resolved", "ignored", "regressed"];
/// The repositories of the rollups.
pub const REPOSITORIES: [&str; 3] = ["ProxmoxVE", "ProxmoxVED", "external"];

/// All counts of one moment.
#[derive(Debug)]
pub struct Domain {
    /// The moment.
    pub as_of: DateTime<Utc>,
    /// When the newest run began; `None` while there is none.
    pub newest_run: Option<DateTime<Utc>>,
    /// Signatures first seen in the last 24 hours.
    pub new_signatures: i64,
    /// Runs of the last 24 hours.
    pub runs: Vec<RunCount>,
    /// Runs of the last nine days by script.
    pub scripts: Vec<ScriptCount>,
    /// Failed runs of the last nine days by exit code.
    pub exit_codes: Vec<ExitCodeCount>,
    /// Failed runs of the last nine days by reason.
    pub reasons: Vec<ReasonCount>,
    /// Signatures by state.
    pub states: Vec<StateCount>,
}

/// Runs by repository, type and outcome.
#[derive(Clone, Debug)]
pub struct RunCount {
    /// One of [`REPOSITORIES`].
    pub repository: String,
    /// `lxc`, …; empty if it was not reported.
    pub kind: String,
    /// `success`, `failed`, `blocked`, `aborted` or `open`.
    pub outcome: String,
    /// Started in the current hour or the two before.
    pub recent: i64,
    /// Started in the current hour or the 23 before.
    pub day: i64,
}

/// Runs by script, repository and outcome.
#[derive(Clone, Debug)]
pub struct ScriptCount {
    /// Name of the script.
    pub app: String,
    /// One of [`REPOSITORIES`].
    pub repository: String,
    /// `success`, `failed`, `blocked`, `aborted` or `open`.
    pub outcome: String,
    /// Started today or yesterday (UTC).
    pub recent: i64,
    /// Started in the seven days before.
    pub before: i64,
    /// Unfinished runs among both: without an end, and silent for too long.
    pub unfinished: i64,
}

/// Failed runs by exit code and category.
#[derive(Clone, Debug)]
pub struct ExitCodeCount {
    /// -1 if none was reported.
    pub exit_code: i16,
    /// Category of the code in our catalogue.
    pub category: String,
    /// Started today or yesterday (UTC).
    pub recent: i64,
    /// Started in the seven days before.
    pub before: i64,
}

/// Failed runs by category and blame of their reason.
#[derive(Clone, Debug)]
pub struct ReasonCount {
    /// A [`Category`].
    pub category: String,
    /// A [`Blame`].
    pub blame: String,
    /// Started today or yesterday (UTC).
    pub recent: i64,
    /// Started in the seven days before.
    pub before: i64,
}

/// Signatures by the decision of maintainers.
#[derive(Clone, Debug)]
pub struct StateCount {
    /// `open`, `known`, `resolved`, `regressed` or `ignored`.
    pub state: String,
    /// Signatures.
    pub signatures: i64,
}

impl Domain {
    /// The Prometheus text format.
    ///
    /// # Errors
    /// A name or label that is not valid or not unique: a bug in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        let registry = Registry::new();
        gauge(
            &registry,
            "telemetry_domain_timestamp_seconds",
            "Unix time in seconds at which the domain metrics were read.",
        )?
        .set(self.as_of.timestamp());
        gauge(
            &registry,
            "telemetry_newest_run_timestamp_seconds",
            "Unix time in seconds at which the newest run started; 0 if there is none.",
        )?
        .set(self.newest_run.map_or(0, |time| time.timestamp()));
        gauge(
            &registry,
            "telemetry_signatures_new",
            "Signatures (masked failing lines) first seen in the last 24 hours.",
        )?
        .set(self.new_signatures);
        self.add_runs(&registry)?;
        self.add_open(&registry)?;
        self.add_scripts(&registry)?;
        self.add_exit_codes(&registry)?;
        self.add_reasons(&registry)?;
        self.add_states(&registry)?;
        TextEncoder::new().encode_to_string(&registry.gather())
    }

    fn add_runs(&self, registry: &Registry) -> prometheus::Result<()> {
        let labels = ["repository", "type", "outcome"];
        let recent = gauges(
            registry,
            "telemetry_runs_recent",
            "Runs started in the current hour or the two hours before, by repository, type and outcome.",
            &labels,
        )?;
        let day = gauges(
            registry,
            "telemetry_runs_day",
            "Runs started in the current hour or the 23 hours before, by repository, type and outcome.",
            &labels,
        )?;
        for count in &self.runs {
            let Some(repository) = known(&count.repository) else { continue };
            let kind = if count.kind.is_empty() { "unknown" } else { &count.kind };
            for outcome in OUTCOMES {
                // Outcomes without runs are 0, so that every rate has a denominator.
                let matches = i64::from(outcome == count.outcome);
                recent.with_label_values(&[repository, kind, outcome]).add(matches * count.recent);
                day.with_label_values(&[repository, kind, outcome]).add(matches * count.day);
            }
        }
        Ok(())
    }

    fn add_open(&self, registry: &Registry) -> prometheus::Result<()> {
        let running = gauges(
            registry,
            "telemetry_runs_running",
            "Runs of the last nine days that are still running, by repository.",
            &["repository"],
        )?;
        let unfinished = gauges(
            registry,
            "telemetry_runs_unfinished",
            "Runs of the last nine days that never ended and have been silent for too long, by repository.",
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
        let recent = gauges(
            registry,
            "telemetry_script_runs_recent",
            "Runs started today or yesterday (UTC), by script, repository and outcome: the 50 most frequent scripts, \
             and the rest as (other).",
            &labels,
        )?;
        let before = gauges(
            registry,
            "telemetry_script_runs_before",
            "Runs started in the seven days before yesterday (UTC), by script, repository and outcome.",
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
                let matches = i64::from(outcome == count.outcome);
                recent.with_label_values(&[script, repository, outcome]).add(matches * count.recent);
                before.with_label_values(&[script, repository, outcome]).add(matches * count.before);
            }
        }
        let help = "Scripts without a series, counted as (other).";
        gauge(registry, "telemetry_scripts_in_other", help)?.set(rest);
        Ok(())
    }

    fn add_exit_codes(&self, registry: &Registry) -> prometheus::Result<()> {
        let labels = ["exit_code", "category"];
        let recent = gauges(
            registry,
            "telemetry_exit_code_runs_recent",
            "Failed runs started today or yesterday (UTC), by exit code (none: not reported) and category: the 30 most \
             frequent, and the rest as (other).",
            &labels,
        )?;
        let before = gauges(
            registry,
            "telemetry_exit_code_runs_before",
            "Failed runs started in the seven days before yesterday (UTC), by exit code and category.",
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
        let help = "Exit codes without a series, counted as (other).";
        gauge(registry, "telemetry_exit_codes_in_other", help)?.set(rest);
        Ok(())
    }

    fn add_reasons(&self, registry: &Registry) -> prometheus::Result<()> {
        let add =
            |period: &str, label: &str, words: &[&str], by: fn(&ReasonCount) -> (&str, i64), days: &str| {
                let name = format!("telemetry_{label}_failures_{period}");
                let help = format!("Failed runs started {days}, by {label} of their reason.");
                let series = gauges(registry, &name, &help, &[label])?;
                words.iter().for_each(|word| drop(series.with_label_values(&[*word])));
                for (word, runs) in self.reasons.iter().map(by) {
                    if words.contains(&word) {
                        series.with_label_values(&[word]).add(runs);
                    }
                }
                Ok::<_, prometheus::Error>(())
            };
        let categories: Vec<_> = Category::ALL.iter().map(|category| category.as_str()).collect();
        let blames: Vec<_> = Blame::ALL.iter().map(|blame| blame.as_str()).collect();
        let (recent, before) = ("today or yesterday (UTC)", "in the seven days before yesterday (UTC)");
        add("recent", "category", &categories, |count| (&count.category, count.recent), recent)?;
        add("before", "category", &categories, |count| (&count.category, count.before), before)?;
        add("recent", "blame", &blames, |count| (&count.blame, count.recent), recent)?;
        add("before", "blame", &blames, |count| (&count.blame, count.before), before)
    }

    fn add_states(&self, registry: &Registry) -> prometheus::Result<()> {
        let help = "Signatures by state: open, known, resolved, ignored, or regressed (failed again after it was resolved).";
        let states = gauges(registry, "telemetry_signatures", help, &["state"])?;
        for state in STATES {
            let counts = self.states.iter().filter(|count| count.state == state);
            states.with_label_values(&[state]).set(counts.map(|count| count.signatures).sum());
        }
        Ok(())
    }
}

/// The repository as a label; `None` for any other text.
fn known(repository: &str) -> Option<&'static str> {
    REPOSITORIES.into_iter().find(|known| *known == repository)
}

/// The keys with the largest values, and the number of the others.
fn cut<K: Ord + Copy>(sizes: BTreeMap<K, i64>, most: usize) -> (Vec<K>, i64) {
    let mut sizes: Vec<_> = sizes.into_iter().filter(|(_, size)| *size > 0).collect();
    // The sort is stable, so that ties are resolved the same way at every scrape.
    sizes.sort_by_key(|(_, size)| Reverse(*size));
    let rest = sizes.len().saturating_sub(most);
    sizes.truncate(most);
    (sizes.into_iter().map(|(key, _)| key).collect(), i64::try_from(rest).unwrap_or(i64::MAX))
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
            reasons: vec![],
            states: vec![],
        }
    }

    #[test]
    fn rare_scripts_are_counted_as_other() {
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
    fn outcomes_without_runs_have_a_series() {
        let text = Domain { scripts: vec![script("x", "failed", 3)], ..empty() }.render().expect("valid");
        let line = r#"telemetry_script_runs_recent{outcome="success",repository="ProxmoxVE",script="x"} 0"#;
        assert!(text.lines().any(|shown| shown == line), "{text}");
    }

    #[test]
    fn the_number_of_exit_codes_is_bounded() {
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
