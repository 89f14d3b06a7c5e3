//! The host of a session, and the repository that its script comes from.

use chrono::{DateTime, Utc};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use telemetry_protocol::Generation;

use crate::applications::Script;

/// The properties that all attempts of a session share.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) generation: Generation,
    pub(super) platform: &'static str,
    pub(super) pve_version: &'static str,
    pub(super) arch: &'static str,
    pub(super) kernel: &'static str,
    pub(super) cpu: (&'static str, &'static str),
    pub(super) gpu: (&'static str, &'static str),
    pub(super) passthrough: bool,
    pub(super) ram_speed: &'static str,
    pub(super) repository: (&'static str, &'static str),
    pub(super) runtime: (&'static str, &'static str),
    pub(super) os: (&'static str, &'static str),
    pub(super) method: &'static str,
}

const CPUS: [(&str, &str); 6] = [
    ("intel", "Intel(R) N100"),
    ("intel", "Intel(R) Core(TM) i5-8500T CPU @ 2.10GHz"),
    ("intel", "13th Gen Intel(R) Core(TM) i9-13900H"),
    ("amd", "AMD Ryzen 7 5825U with Radeon Graphics"),
    ("amd", "AMD Ryzen 9 7950X 16-Core Processor"),
    ("intel", "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz"),
];
const GPUS: [(&str, &str); 4] = [
    ("intel", "Alder Lake-N [UHD Graphics]"),
    ("amd", "Cezanne [Radeon Vega Series]"),
    ("nvidia", "GA106 [GeForce RTX 3060]"),
    ("", ""),
];
const KERNELS: [&str; 3] = ["6.8.12-9-pve", "6.14.8-2-pve", "6.17.2-1-pve"];
const SPEEDS: [&str; 4] = ["2666", "3200", "4800", "5600"];
const FORKS: [&str; 3] = ["homelab/ProxmoxVE", "someone/scripts", "acme/pve-scripts"];
/// Versions of Proxmox VE, with the days before the end of the plan at which they were released.
const RELEASES: [(i64, &str); 7] = [
    (9999, "8.3.5"),
    (9999, "8.4.1"),
    (330, "8.4.14"),
    (300, "9.0.3"),
    (240, "9.0.11"),
    (120, "9.1.1"),
    (35, "9.1.4"),
];

impl Host {
    pub(super) fn of(
        random: &mut ChaCha8Rng,
        script: &Script,
        start: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Self {
        let age = (until - start).num_days();
        let platform = if random.random_bool(0.02) { "incus" } else { "pve" };
        let (cpu, gpu) = (pick(random, &CPUS), pick(random, &GPUS));
        Self {
            generation: match random.random_range(0..100) {
                0..2 => Generation::One,
                roll if roll < 10 + age.min(400) / 6 => Generation::Two,
                _ => Generation::Three,
            },
            platform,
            pve_version: if platform == "incus" { "incus-6.12" } else { pve_version(random, age) },
            arch: if random.random_bool(0.03) { "arm64" } else { "amd64" },
            kernel: pick(random, &KERNELS),
            cpu,
            gpu,
            passthrough: !gpu.0.is_empty() && random.random_bool(0.2),
            ram_speed: pick(random, &SPEEDS),
            repository: match random.random_range(0..100) {
                0..92 => ("ProxmoxVE", "community-scripts/ProxmoxVE"),
                92..98 => ("ProxmoxVED", "community-scripts/ProxmoxVED"),
                _ => ("external", pick(random, &FORKS)),
            },
            runtime: match random.random_range(0..100) {
                0..90 => ("remote", "main"),
                90..95 => ("local", "main"),
                95..98 => ("pinned", "v2025-11-02"),
                _ => ("mirror", "2f4c1d9"),
            },
            os: operating_system(random, script, age),
            method: if random.random_bool(0.7) { "default" } else { "advanced" },
        }
    }
}

fn pick<T: Copy>(random: &mut ChaCha8Rng, list: &[T]) -> T {
    list[random.random_range(0..list.len())]
}

/// A version that was out at that age. Most hosts run a recent one; old ones never quite disappear.
fn pve_version(random: &mut ChaCha8Rng, age: i64) -> &'static str {
    let out = RELEASES.iter().filter(|(released, _)| *released >= age).count();
    let behind = (0..out - 1).take_while(|_| random.random_bool(0.42)).count();
    RELEASES[out - 1 - behind].1
}

fn operating_system(random: &mut ChaCha8Rng, script: &Script, age: i64) -> (&'static str, &'static str) {
    if random.random_bool(script.alpine_share) {
        return ("alpine", if age < 150 { "3.22" } else { "3.21" });
    }
    let os = if script.kind == "lxc" && random.random_bool(0.04) { "ubuntu" } else { script.os };
    let version = match os {
        "debian" if random.random_bool(0.9 - (age.clamp(0, 300) as f64) / 400.0) => "13",
        "debian" => "12",
        "ubuntu" if random.random_bool(0.2) => "22.04",
        "ubuntu" => "24.04",
        "alpine" if age < 150 => "3.22",
        "alpine" => "3.21",
        "homeassistant" => "16.2",
        "opnsense" => "25.7",
        "turnkey" => "18",
        _ => "",
    };
    (os, version)
}
