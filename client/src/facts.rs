//! Facts about the host (versions, CPU, GPU, RAM), cached until the host reboots or its packages change.
//!
//! Facts come from files where possible, because the usual programs (`pveversion`, `lspci`, `dmidecode`)
//! take up to a second each. A program runs only for facts that no file has, with a timeout.

mod memory;
mod graphics;
mod versions;

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::storage;
use crate::system::Host;

/// Facts about the host; `None` for unknown ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Version of Proxmox VE, or `incus-` followed by the version of Incus.
    pub pve_version: Option<String>,
    /// `pve` or `incus`.
    pub platform: Option<String>,
    /// `intel`, `amd` or `arm`.
    pub cpu_vendor: Option<String>,
    /// Model name from the kernel.
    pub cpu_model: Option<String>,
    /// `intel`, `amd` or `nvidia`.
    pub gpu_vendor: Option<String>,
    /// Name from the list of PCI ids.
    pub gpu_model: Option<String>,
    /// MT/s.
    pub ram_speed: Option<u32>,
    /// `amd64`, `arm64`, or Rust's name for any other architecture.
    pub arch: Option<String>,
    /// Release of the running kernel.
    pub kernel_version: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Cached {
    /// The [`fingerprint`] under which the facts were collected.
    valid_for: String,
    facts: Facts,
}

/// Loads the facts, from the file `cache` if it is still valid. Variables set by scripts (`CPU_MODEL`,
/// `GPU_VENDOR` and so on) take precedence and are not cached. `None` disables the cache.
#[must_use]
pub fn load(host: &Host, cache: Option<&Path>) -> Facts {
    let fingerprint = fingerprint(host);
    let cached = cache.and_then(|path| read_cache(path, &fingerprint));
    let facts = cached.unwrap_or_else(|| {
        let facts = collect(host);
        if let Some(path) = cache {
            let content = Cached { valid_for: fingerprint, facts: facts.clone() };
            if let (Ok(json), Some(folder)) = (serde_json::to_vec(&content), path.parent()) {
                // Without a cache the facts are collected again next time.
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

/// Changes with every boot and every change of packages. Includes the version of this program, because
/// a newer one may collect more.
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

/// Removes trade marks and double spaces and truncates to 64 characters, as the scripts do.
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
