//! Events as real clients send them: popular scripts more often, and a fifth of the installs fail.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const SYSTEMS: [(&str, &str); 4] =
    [("debian", "12"), ("debian", "13"), ("ubuntu", "24.04"), ("alpine", "3.21")];
const FAILURES: [(i32, &str); 3] = [
    (100, r"exit_code=100 | APT: Package manager error\n---\nE: Unable to locate package libfoo9"),
    (137, r"exit_code=137 | Killed (SIGKILL / Out of memory)\n---\nnpm ERR! heap out of memory"),
    (1, r"exit_code=1 | General error\n---\ncurl: (22) The requested URL returned error: 404"),
];

/// A random number.
pub fn random() -> u64 {
    static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    STATE.hash_one(COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The step that an event reports.
#[derive(Clone, Copy)]
pub enum Stage {
    /// The script starts.
    Start,
    /// It checks the host.
    Validation,
    /// It configures the container.
    Configuring,
    /// It ends, successfully or not.
    End,
}

/// One execution of a script.
pub struct Run {
    id: u64,
    app: String,
    luck: u64,
}

impl Run {
    /// An execution of a random script, weighted by popularity.
    #[must_use]
    pub fn any() -> Self {
        let share = (random() % 1_000_000) as f64 / 1_000_000.0;
        Self::of(&format!("app-{}", 300_f64.powf(share) as u32))
    }

    /// An execution of this script.
    #[must_use]
    pub fn of(app: &str) -> Self {
        Self { id: random(), app: app.to_owned(), luck: random() }
    }

    /// The body of an event, about 900 bytes, as clients of generation 3 send it.
    #[must_use]
    pub fn body(&self, stage: Stage) -> String {
        let Self { id, app, luck } = self;
        let (system, version) = SYSTEMS[(luck % 4) as usize];
        let (code, error) = FAILURES[(luck / 4 % 3) as usize];
        let (status, code, error, seconds) = match stage {
            Stage::Start => ("installing", 0, "", 0),
            Stage::Validation => ("validation", 0, "", 0),
            Stage::Configuring => ("configuring", 0, "", 0),
            Stage::End if luck / 16 % 5 == 0 => ("failed", code, error, luck % 300),
            Stage::End => ("success", 0, "", 20 + luck % 900),
        };
        format!(
            r#"{{
    "payload_version": 2,
    "random_id": "{id:016x}", "execution_id": "{id:016x}",
    "type": "lxc", "nsapp": "{app}", "status": "{status}", "ct_type": 1, "disk_size": 8,
    "core_count": 2, "ram_size": 2048, "os_type": "{system}", "os_version": "{version}",
    "pve_version": "9.0.3", "method": "default", "exit_code": {code}, "error": "{error}",
    "error_category": "", "install_duration": {seconds},
    "cpu_vendor": "intel", "cpu_model": "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz",
    "gpu_vendor": "intel", "gpu_model": "Intel Corporation AlderLake-S GT1", "gpu_passthrough": "no",
    "ram_speed": "4800", "arch": "amd64", "platform": "pve", "has_arm": false,
    "repo_source": "ProxmoxVE", "repo_slug": "community-scripts/ProxmoxVE",
    "kernel_version": "6.8.12-11-pve", "app_version": "", "failed_command": "", "failed_line": 0
}}"#
        )
    }
}
