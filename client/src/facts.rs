//! What the host is: collected once, then read from a cache until the host reboots or its packages
//! change.
//!
//! Everything is read from files. The usual programs (`pveversion`, `lspci`, `dmidecode`) take up to a
//! second each; only what no file says is asked of a program, and not for long.

mod memory;
mod graphics;
mod versions;

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::storage;

/// Facts about the host; `None` where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Version of Proxmox VE, or `incus-` and the version of Incus.
    pub pve_version: Option<String>,
    /// `pve` or `incus`.
    pub platform: Option<String>,
    /// `intel`, `amd` or `arm`.
    pub cpu_vendor: Option<String>,
    /// As the kernel names it.
    pub cpu_model: Option<String>,
    /// `intel`, `amd` or `nvidia`.
    pub gpu_vendor: Option<String>,
    /// As the list of PCI ids names it.
    pub gpu_model: Option<String>,
    /// MT/s.
    pub ram_speed: Option<u32>,
    /// `amd64`, `arm64` or what Rust calls it.
    pub arch: Option<String>,
    /// Release of the running kernel.
    pub kernel_version: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Cached {
    /// What the facts hold for, see [`fingerprint`].
    valid_for: String,
    facts: Facts,
}

/// The facts, from the cache if it is still right. What scripts found out themselves (`CPU_MODEL`,
/// `GPU_VENDOR` and so on) wins, and is not cached. `cache` is `None` where nothing may be written.
#[must_use]
pub fn known(host: &Host, cache: Option<&Path>) -> Facts {
    let fingerprint = fingerprint(host);
    let cached = cache.and_then(|path| read_cache(path, &fingerprint));
    let facts = cached.unwrap_or_else(|| {
        let facts = collect(host);
        if let Some(path) = cache {
            let content = Cached { valid_for: fingerprint, facts: facts.clone() };
            if let (Ok(json), Some(folder)) = (serde_json::to_vec(&content), path.parent()) {
                // A cache that cannot be written costs time and nothing else.
                let made = storage::make_private_folder(folder);
                let _ = made.and_then(|()| storage::replace(path, &json, 0o600));
            }
        }
        facts
    });
    with_exports(facts, host)
}

fn read_cache(path: &Path, fingerprint: &str) -> Option<Facts> {
    let cached: Cached = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (cached.valid_for == fingerprint).then_some(cached.facts)
}

/// Changes with every boot and every installed package. Version of this program first: a newer one
/// may see more.
fn fingerprint(host: &Host) -> String {
    let boot = host.read("/proc/sys/kernel/random/boot_id", 64).unwrap_or_default();
    let packages = fs::metadata(host.path(versions::PACKAGES)).and_then(|file| file.modified()).ok();
    let packages = packages.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("{} {} {}", env!("CARGO_PKG_VERSION"), boot.trim(), packages.as_millis())
}

fn collect(host: &Host) -> Facts {
    let platform = versions::platform(host);
    let (gpu_vendor, gpu_model) = graphics::first_device(host);
    let cpu = host.read("/proc/cpuinfo", 16 * 1024).unwrap_or_default();
    let kernel = host.read("/proc/sys/kernel/osrelease", 256);
    Facts {
        pve_version: versions::of_platform(host, platform),
        platform: platform.map(str::to_owned),
        cpu_vendor: cpu_vendor(&cpu).map(str::to_owned),
        cpu_model: cpu_field(&cpu, "model name").map(plain_model),
        gpu_vendor,
        gpu_model: gpu_model.map(|model| plain_model(&model)),
        ram_speed: memory::speed(host),
        arch: Some(arch().to_owned()),
        kernel_version: kernel.map(|release| release.trim().to_owned()).filter(|release| !release.is_empty()),
    }
}

fn with_exports(facts: Facts, host: &Host) -> Facts {
    let word = |name: &str| host.variable(name).filter(|value| *value != "unknown").map(str::to_owned);
    Facts {
        cpu_vendor: word("CPU_VENDOR").or(facts.cpu_vendor),
        cpu_model: word("CPU_MODEL").or(facts.cpu_model),
        gpu_vendor: word("GPU_VENDOR").or(facts.gpu_vendor),
        gpu_model: word("GPU_MODEL").or(facts.gpu_model),
        ram_speed: word("RAM_SPEED")
            .and_then(|speed| speed.parse().ok())
            .filter(|speed| *speed > 0)
            .or(facts.ram_speed),
        ..facts
    }
}

fn cpu_field<'a>(cpu: &'a str, field: &str) -> Option<&'a str> {
    cpu.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == field && !value.trim().is_empty()).then(|| value.trim())
    })
}

fn cpu_vendor(cpu: &str) -> Option<&'static str> {
    match cpu_field(cpu, "vendor_id") {
        Some("GenuineIntel") => Some("intel"),
        Some("AuthenticAMD") => Some("amd"),
        Some(_) => None,
        None => cpu_field(cpu, "CPU implementer").map(|_| "arm"),
    }
}

/// Without trade marks and double spaces, at most 64 characters, as the scripts write it.
fn plain_model(model: &str) -> String {
    let model = model.replace("(R)", "").replace("(TM)", "").replace("(tm)", "");
    model.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(64).collect()
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
