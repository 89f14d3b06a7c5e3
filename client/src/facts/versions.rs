//! The host's virtualization platform and its version.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::system::Host;

/// The dpkg database of installed packages.
pub(super) const PACKAGES: &str = "/var/lib/dpkg/status";
/// Timeout for a program: `pveversion` is written in Perl and takes up to a second on a busy host.
const PROGRAM_TIMEOUT: Duration = Duration::from_millis(900);

/// `pve` or `incus`; `None` in a container. The variable `PLATFORM` overrides the detection.
pub(super) fn platform(host: &Host) -> Option<&'static str> {
    match host.variable("PLATFORM") {
        Some("pve") => return Some("pve"),
        Some("incus") => return Some("incus"),
        _ => {}
    }
    if host.exists("/etc/pve") || host.has_program("pveversion") {
        Some("pve")
    } else if host.exists("/var/lib/incus") || host.has_program("incus") {
        Some("incus")
    } else {
        None
    }
}

/// Version of the platform, such as `8.4.1` or `incus-6.12`.
pub(super) fn of_platform(host: &Host, platform: Option<&str>) -> Option<String> {
    match platform? {
        // pve-manager/8.4.1/2a5fa54a8503f96d (running kernel: 6.8.12-10-pve)
        "pve" => package(host, "pve-manager")
            .or_else(|| Some(first_line_of(host, "pveversion", &[])?.split(['/', ' ']).nth(1)?.to_owned())),
        "incus" => {
            let version = first_line_of(host, "incus", &["--version"])?;
            Some(format!("incus-{}", version.trim()))
        }
        _ => None,
    }
}

/// The version of an installed package.
fn package(host: &Host, name: &str) -> Option<String> {
    let packages = host.read(PACKAGES, 64 * 1024 * 1024)?;
    let mut lines = packages.lines().skip_while(|line| line.strip_prefix("Package: ") != Some(name));
    let entry = lines.by_ref().take_while(|line| !line.is_empty());
    entry.filter_map(|line| line.strip_prefix("Version: ")).map(|version| version.trim().to_owned()).next()
}

/// The first line of a program's output. The program is killed if it exceeds the timeout.
fn first_line_of(host: &Host, program: &str, arguments: &[&str]) -> Option<String> {
    if !host.has_program(program) {
        return None;
    }
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let until = Instant::now() + PROGRAM_TIMEOUT;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let mut output = Vec::new();
    child.stdout.take()?.take(4096).read_to_end(&mut output).ok()?;
    let line = String::from_utf8_lossy(&output).lines().next()?.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
