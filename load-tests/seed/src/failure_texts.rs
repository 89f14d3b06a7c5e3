//! How executions fail: exit code, log tail, command, and whether another attempt helps.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::explain;

/// A way to fail.
struct Way {
    weight: u32,
    exit_code: i32,
    /// Whether a second attempt often succeeds.
    passes: bool,
    command: &'static str,
    /// The log tail, with the placeholders `{app}`, `{package}`, `{mirror}` and `{version}`.
    log: &'static str,
}

const fn way(weight: u32, exit_code: i32, passes: bool, command: &'static str, log: &'static str) -> Way {
    Way { weight, exit_code, passes, command, log }
}

/// Failures that are the script's fault.
const FAILED: [Way; 24] = [
    way(
        17,
        100,
        true,
        "apt-get -y install {package}",
        "Err:7 http://{mirror}/debian trixie/main amd64 {package} amd64 {version}\n  404  Not Found\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
    ),
    way(
        9,
        100,
        false,
        "apt-get -y install {package}",
        "Reading package lists...\nBuilding dependency tree...\nE: Unable to locate package {package}",
    ),
    way(
        6,
        100,
        false,
        "apt-get -y install {package}",
        "The following packages have unmet dependencies:\n {package} : Depends: libssl3 (>= {version}) but it is not going to be installed\nE: Unable to correct problems, you have held broken packages.",
    ),
    way(7, 6, true, "curl -fsSL https://{mirror}/{app}.tar.gz", "curl: (6) Could not resolve host: {mirror}"),
    way(
        6,
        7,
        true,
        "curl -fsSL https://{mirror}/{app}.tar.gz",
        "curl: (7) Failed to connect to {mirror} port 443 after 3061 ms: Couldn't connect to server",
    ),
    way(
        10,
        22,
        false,
        "curl -fsSL https://{mirror}/releases/latest/{app}.deb",
        "curl: (22) The requested URL returned error: 404",
    ),
    way(
        6,
        28,
        true,
        "curl -fsSL https://{mirror}/{app}.tar.gz",
        "curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received",
    ),
    way(
        2,
        35,
        true,
        "curl -fsSL https://{mirror}/key.asc",
        "curl: (35) OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {mirror}:443",
    ),
    way(
        16,
        1,
        false,
        "systemctl enable -q --now {app}",
        "Job for {app}.service failed because the control process exited with error code.\nSee \"systemctl status {app}.service\" and \"journalctl -xeu {app}.service\" for details.",
    ),
    way(
        9,
        1,
        false,
        "npm ci",
        "npm error code ERESOLVE\nnpm error ERESOLVE could not resolve\nnpm error While resolving: {app}@{version}",
    ),
    way(
        5,
        1,
        false,
        "pnpm install --frozen-lockfile",
        " ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with \"frozen-lockfile\" because pnpm-lock.yaml is not up to date with package.json",
    ),
    way(
        4,
        1,
        false,
        "yarn build",
        "error Command failed with exit code 1.\nerror TS2307: Cannot find module '@{app}/core' or its corresponding type declarations.",
    ),
    way(
        3,
        1,
        false,
        "cargo build --release",
        "error[E0432]: unresolved import `{app}_core`\nerror: could not compile `{app}` (bin \"{app}\") due to 1 previous error",
    ),
    way(7, 127, false, "{package} --version", "/dev/fd/63: line 41: {package}: command not found"),
    way(3, 126, false, "/opt/{app}/install.sh", "bash: /opt/{app}/install.sh: Permission denied"),
    way(8, 137, true, "npm run build", "Killed"),
    way(
        4,
        134,
        true,
        "npm run build",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    ),
    way(3, 139, false, "/usr/bin/{app} --migrate", "Segmentation fault (core dumped)"),
    way(
        3,
        150,
        false,
        "systemctl start {app}",
        "Failed to start {app}.service: Unit {app}.service has a bad unit file setting.",
    ),
    way(
        4,
        161,
        false,
        "uv sync --frozen",
        "error: No solution found when resolving dependencies: {package}=={version} has no wheels with a matching Python ABI tag",
    ),
    way(
        3,
        170,
        false,
        "sudo -u postgres psql -c 'CREATE DATABASE {app}'",
        "psql: error: connection to server on socket \"/var/run/postgresql/.s.PGSQL.5432\" failed: No such file or directory",
    ),
    way(2, 181, false, "mariadb -u root", "ERROR 1698 (28000): Access denied for user 'root'@'localhost'"),
    way(
        5,
        218,
        true,
        "pct create",
        "unable to create CT 105 - command 'tar xpf - --zstd' failed: exit code 2\nzstd: error 39 : Restored data doesn't match checksum",
    ),
    way(
        8,
        231,
        false,
        "apt-get install --only-upgrade pve-container lxc-pve",
        "E: pve-container: Depends: lxc-pve (>= {version}) but it is not installable",
    ),
];

/// Failures that are the environment's fault.
const BLOCKED: [Way; 4] = [
    way(5, 105, false, "pve_check", "This version of Proxmox VE is not supported."),
    way(2, 104, false, "root_check", "Please run this script as root."),
    way(2, 106, false, "arch_check", "This script requires amd64."),
    way(2, 214, false, "check_storage", "Not enough space on the selected storage."),
];

const PACKAGES: [&str; 8] =
    ["ffmpeg", "nodejs", "postgresql-17", "php8.4-fpm", "libvips", "docker-ce", "redis-server", "caddy"];
const MIRRORS: [&str; 5] =
    ["deb.debian.org", "github.com", "registry.example.org", "packages.sury.org", "ftp.de.debian.org"];
const VERSIONS: [&str; 5] = ["3.5.1", "1.24.0", "10.10.7", "22.11.0", "2.9.1"];

/// A failure as a client reports it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) exit_code: i32,
    pub(super) error: String,
    pub(super) command: String,
    /// Whether a second attempt often succeeds.
    pub(super) passes: bool,
}

/// A failure of a script. Most failures of a script are of the few ways that are typical of it.
pub(super) fn failed(random: &mut ChaCha8Rng, app: &str) -> Failure {
    let own = random.random_bool(0.6);
    let number = app.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let way = if own {
        at_weight(&FAILED, (number.wrapping_mul(2_654_435_761) >> 7).wrapping_add(random.random_range(0..2)))
    } else {
        at_weight(&FAILED, random.random_range(0..1_000_000))
    };
    failure(random, way, app)
}

/// A script that refuses to start on this host.
pub(super) fn blocked(random: &mut ChaCha8Rng, app: &str) -> Failure {
    let way = at_weight(&BLOCKED, random.random_range(0..1_000_000));
    failure(random, way, app)
}

fn at_weight(ways: &'static [Way], number: u32) -> &'static Way {
    let mut left = number % ways.iter().map(|way| way.weight).sum::<u32>();
    let found = ways.iter().find(|way| {
        let found = left < way.weight;
        left = left.saturating_sub(way.weight);
        found
    });
    found.unwrap_or(&ways[0])
}

fn failure(random: &mut ChaCha8Rng, way: &Way, app: &str) -> Failure {
    let mut any = |list: &[&'static str]| list[random.random_range(0..list.len())];
    let (package, mirror, version) = (any(&PACKAGES), any(&MIRRORS), any(&VERSIONS));
    let fill = |text: &str| {
        let text = text.replace("{app}", app).replace("{package}", package);
        text.replace("{mirror}", mirror).replace("{version}", version)
    };
    Failure {
        exit_code: way.exit_code,
        error: log_tail(way.exit_code, &fill(way.log)),
        command: fill(way.command),
        passes: way.passes,
    }
}

/// A log tail in the form in which clients send it.
pub(super) fn log_tail(exit_code: i32, log: &str) -> String {
    format!("exit_code={exit_code} | {}\n---\n{log}", explain(Generation::NEWEST, exit_code).title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream;
    use telemetry_protocol::exit_code::Fault;

    #[test]
    fn every_way_has_the_fault_of_its_list() {
        let fault = |way: &Way| explain(Generation::NEWEST, way.exit_code).fault;
        let codes = |ways: &[Way], wrong: Fault| -> Vec<_> {
            ways.iter().filter(|way| fault(way) == wrong).map(|way| way.exit_code).collect()
        };
        assert_eq!(codes(&FAILED, Fault::Environment), [0; 0]);
        assert_eq!(codes(&BLOCKED, Fault::Script), [0; 0]);
    }

    #[test]
    fn no_placeholder_is_left_in_a_text() {
        let mut random = stream(3, 3);
        for _ in 0..500 {
            let failure = failed(&mut random, "jellyfin");
            assert!(!failure.error.contains('{') && !failure.command.contains('{'), "{failure:?}");
        }
    }
}
