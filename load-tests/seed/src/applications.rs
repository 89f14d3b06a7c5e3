//! The scripts: real names, their popularity, and the typical failure rate and duration of each.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution, LogNormal};

use crate::stream;

/// Names and types, most popular first.
const APPS: &str = include_str!("apps.tsv");
/// Zipf–Mandelbrot: the weight of rank r is 1/(r + SHIFT).
const SHIFT: f64 = 3.0;
/// The stream of random numbers that the catalogue uses.
const PART: u64 = u64::MAX;

/// One script.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    /// Its default operating system.
    pub(super) os: &'static str,
    /// Share of its executions on Alpine; above 0 only for scripts that have an Alpine variant.
    pub(super) alpine_share: f64,
    /// Share of first attempts that fail.
    pub(super) failure_rate: f64,
    /// Duration in seconds.
    pub(super) duration: LogNormal<f64>,
}

/// All scripts.
#[derive(Debug)]
pub(super) struct Catalogue {
    scripts: Vec<Script>,
    popularity: WeightedAliasIndex<f64>,
}

impl Catalogue {
    pub(super) fn of(seed: u64) -> Self {
        let mut random = stream(seed, PART);
        let lines = APPS.lines().filter(|line| !line.starts_with('#'));
        let apps: Vec<_> = lines.filter_map(|line| line.split_once('\t')).collect();
        let has = |name: &str| apps.iter().any(|(other, _)| *other == name);
        let scripts: Vec<_> = apps
            .iter()
            .map(|(name, kind)| script(&mut random, name, kind, has(&format!("alpine-{name}"))))
            .collect();
        let weights = (0..scripts.len()).map(|rank| 1.0 / (rank as f64 + SHIFT)).collect();
        // The only error is for weights that are negative or sum to zero.
        let popularity = WeightedAliasIndex::new(weights).unwrap_or_else(|_| unreachable!());
        Self { scripts, popularity }
    }

    /// A random script, weighted by popularity.
    pub(super) fn pick(&self, random: &mut ChaCha8Rng) -> &Script {
        &self.scripts[self.popularity.sample(random)]
    }
}

fn script(random: &mut ChaCha8Rng, name: &'static str, kind: &'static str, has_alpine: bool) -> Script {
    let os = match kind {
        "pve" | "addon" => "",
        "turnkey" => "turnkey",
        "vm" => match name {
            "haos-vm" => "homeassistant",
            "opnsense-vm" => "opnsense",
            _ if name.contains("ubuntu") => "ubuntu",
            _ => "debian",
        },
        _ if name.starts_with("alpine") => "alpine",
        "lxc" if random.random_bool(0.1) => "ubuntu",
        _ => "debian",
    };
    let median: f64 = match kind {
        "pve" | "addon" => random.random_range(10.0..60.0),
        _ if os == "alpine" => random.random_range(20.0..90.0),
        _ => random.random_range(60.0..500.0),
    };
    let failure_rate = log_normal(0.07, 0.7).sample(random);
    Script {
        name,
        kind,
        os,
        alpine_share: if has_alpine { 0.35 } else { 0.0 },
        failure_rate: if kind == "pve" { failure_rate / 3.0 } else { failure_rate }.clamp(0.005, 0.6),
        duration: log_normal(median, random.random_range(0.25..0.5)),
    }
}

/// A log-normal distribution with this median, whose logarithm has this standard deviation.
pub(super) fn log_normal(median: f64, spread: f64) -> LogNormal<f64> {
    // The only error is for a spread that is not finite.
    LogNormal::new(median.ln(), spread).unwrap_or_else(|_| unreachable!())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_650_scripts_and_the_first_is_the_most_popular() {
        let catalogue = Catalogue::of(1);
        let names: BTreeSet<_> = catalogue.scripts.iter().map(|script| script.name).collect();
        assert_eq!((catalogue.scripts.len(), names.len()), (650, 650));
        let mut random = stream(1, 1);
        let first = catalogue.scripts[0].name;
        let picked = (0..10_000).filter(|_| catalogue.pick(&mut random).name == first).count();
        // 1/3 of the sum of 1/(r + 3) over 650 ranks, which is 4.98.
        assert!((560..780).contains(&picked), "{picked}");
        assert!(catalogue.scripts.iter().any(|script| script.name == "docker" && script.alpine_share > 0.0));
    }
}
