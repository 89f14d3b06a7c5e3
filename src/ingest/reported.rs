//! Facts as events reported them, and the limits of each.
//!
//! A stored row keeps beside every fact the status of the event that reported it, because the join of two
//! events prefers the fact of the stronger status.

use serde::{Deserialize, Serialize};
use telemetry_protocol::Status;
use validator::{Validate, ValidateLength, ValidateRange, ValidationError};

/// Longest name of an application, in characters.
pub const MAX_APP_CHARS: usize = 100;
/// Longest text of one line, in bytes.
pub const MAX_LINE_BYTES: usize = 160;
/// Longest failed command, in bytes.
pub const MAX_COMMAND_BYTES: usize = 2 * 1024;
/// Longest error text, in bytes.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;
/// Greatest container type.
pub const MAX_CT_TYPE: i32 = 2;
/// Largest disk, in GB.
pub const MAX_DISK_GB: i32 = 1 << 20;
/// Most CPU cores.
pub const MAX_CORES: i32 = 1 << 14;
/// Most memory, in MB.
pub const MAX_RAM_MB: i32 = 1 << 30;
/// Greatest exit code.
pub const MAX_EXIT_CODE: i32 = 255;
/// Longest duration, in seconds.
pub const MAX_DURATION_SECONDS: i32 = 31 * 86_400;

/// A fact with the status of the event that reported it, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported<T>(Option<(Status, T)>);

impl<T> Default for Reported<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Reported<T> {
    /// A value reported by an event of this status; nothing for `None`.
    #[must_use]
    pub fn by(status: Status, value: Option<T>) -> Self {
        Self(value.map(|value| (status, value)))
    }

    /// The value; `None` if no event reported one.
    #[must_use]
    pub const fn get(&self) -> Option<&T> {
        match &self.0 {
            Some((_, value)) => Some(value),
            None => None,
        }
    }

    /// Whether no event reported a value.
    #[must_use]
    pub const fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// The value if an event of exactly this status reported it.
    #[must_use]
    pub fn reported_with(&self, status: Status) -> Option<&T> {
        self.0.as_ref().filter(|(own, _)| *own == status).map(|(_, value)| value)
    }

    /// The status of the event that reported the value.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.0.as_ref().map(|(status, _)| *status)
    }
}

/// Decides between two values that events of the same status reported: the greater weight wins, then the
/// greater value.
pub trait Preference: Ord + Clone {
    /// What is compared before the value itself.
    fn weight(&self) -> usize {
        0
    }
}

impl Preference for i32 {}
impl Preference for bool {}
impl Preference for String {
    fn weight(&self) -> usize {
        self.len()
    }
}

impl<T: Preference> Reported<T> {
    fn join(&mut self, other: &Self) {
        fn rank<T: Preference>((status, value): &(Status, T)) -> (Status, usize, &T) {
            (*status, value.weight(), value)
        }
        if self.0.as_ref().map(rank) < other.0.as_ref().map(rank) {
            self.clone_from(other);
        }
    }
}

impl ValidateLength<usize> for Reported<String> {
    /// In bytes.
    fn length(&self) -> Option<usize> {
        self.get().map(|text| text.len())
    }
}

impl ValidateRange<i32> for Reported<i32> {
    fn greater_than(&self, max: i32) -> Option<bool> {
        self.get().map(|value| *value > max)
    }

    fn less_than(&self, min: i32) -> Option<bool> {
        self.get().map(|value| *value < min)
    }
}

fn app_name(app: &Reported<String>) -> Result<(), ValidationError> {
    let is_too_long = app.get().is_some_and(|name| name.chars().count() > MAX_APP_CHARS);
    if is_too_long {
        return Err(ValidationError::new("length").with_message("is longer than 100 characters".into()));
    }
    one_line(app)
}

/// No control characters.
fn one_line(text: &Reported<String>) -> Result<(), ValidationError> {
    without(text, char::is_control)
}

/// No control characters except newline and tab.
fn printable(text: &Reported<String>) -> Result<(), ValidationError> {
    without(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

fn without(text: &Reported<String>, refused: impl Fn(char) -> bool) -> Result<(), ValidationError> {
    match text.get() {
        Some(text) if text.contains(refused) => Err(ValidationError::new("control_character")),
        _ => Ok(()),
    }
}

macro_rules! facts {
    ($($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// Everything that events report about a run besides its status and times.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Validate)]
        #[serde(default)]
        pub struct Facts {
            $($(#[$attribute])* #[serde(skip_serializing_if = "Reported::is_absent")] pub $field: Reported<$type>,)+
        }

        impl Facts {
            /// Number of facts.
            pub const COUNT: usize = [$(stringify!($field)),+].len();

            /// Keeps, of each fact, the better report; see [`Preference`].
            pub(super) fn join(&mut self, other: &Self) {
                $(self.$field.join(&other.$field);)+
            }

            /// For each fact, in declaration order, the status of the event that reported it.
            #[must_use]
            pub fn statuses(&self) -> [Option<Status>; Self::COUNT] {
                [$(self.$field.status()),+]
            }
        }
    };
}

/// Calls another macro with the list of facts, so that the list is written only once.
///
/// The order is part of the storage format: `execution.fact_status` holds the status behind each fact by its
/// position in this list. Append new facts at the end.
macro_rules! with_facts {
    ($callback:ident) => {
        $callback! {
        /// Name of the application, in lower case.
        #[validate(custom(function = app_name))]
        app: String,
        /// `lxc`, `vm`, `addon`, `pve` or `turnkey`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        kind: String,
        /// 1 unprivileged, 0 privileged container, 2 virtual machine.
        #[validate(range(min = 0, max = MAX_CT_TYPE))]
        ct_type: i32,
        /// Disk in GB.
        #[validate(range(min = 0, max = MAX_DISK_GB))]
        disk_size: i32,
        /// CPU cores.
        #[validate(range(min = 0, max = MAX_CORES))]
        core_count: i32,
        /// Memory in MB.
        #[validate(range(min = 0, max = MAX_RAM_MB))]
        ram_size: i32,
        /// Operating system of the guest.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        os_type: String,
        /// Version of that operating system.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        os_version: String,
        /// Version of Proxmox VE, or `incus-…`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        pve_version: String,
        /// How the user chose the settings, for example `default` or `advanced`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        method: String,
        /// Whether IPv6 was disabled. Only generation 1 reports it.
        disable_ipv6: bool,
        /// Exit code. Only final events report it.
        #[validate(range(min = 0, max = MAX_EXIT_CODE))]
        exit_code: i32,
        /// Tail of the log. Only failures and aborts report it.
        #[validate(length(min = 1, max = MAX_ERROR_BYTES), custom(function = printable))]
        error: String,
        /// The category that the client assigned.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        error_category: String,
        /// Duration in seconds. Only final events report it.
        #[validate(range(min = 0, max = MAX_DURATION_SECONDS))]
        install_duration: i32,
        /// The command that failed.
        #[validate(length(min = 1, max = MAX_COMMAND_BYTES), custom(function = printable))]
        failed_command: String,
        /// The line of that command in the script, from 1.
        #[validate(range(min = 1))]
        failed_line: i32,
        /// CPU vendor.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        cpu_vendor: String,
        /// CPU model.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        cpu_model: String,
        /// GPU vendor.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        gpu_vendor: String,
        /// GPU model.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        gpu_model: String,
        /// `yes` or `no`; older clients send `igpu`, `dgpu` or `unknown`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        gpu_passthrough: String,
        /// Speed of the memory in MT/s, as sent.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        ram_speed: String,
        /// CPU architecture.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        arch: String,
        /// `pve` or `incus`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        platform: String,
        /// Whether the script supports ARM.
        has_arm: bool,
        /// Kernel version of the host.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        kernel_version: String,
        /// Version of the application.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        app_version: String,
        /// `ProxmoxVE`, `ProxmoxVED` or `external`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        repo_source: String,
        /// `owner/name` of the repository.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        repo_slug: String,
        /// What the container was created from: `tarball` or `oci`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        template_kind: String,
        /// Whether the container overrides the entry point of its image.
        custom_entrypoint: bool,
        /// Whether the host configures the container's network.
        host_managed_network: bool,
        /// Where the scripts were loaded from: `local`, `remote`, `pinned` or `mirror`.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        runtime_source: String,
        /// Revision of the scripts: `main`, a release tag or a commit.
        #[validate(length(min = 1, max = MAX_LINE_BYTES), custom(function = one_line))]
        runtime_ref: String,
            }
    };
}
pub(crate) use with_facts;

with_facts!(facts);
