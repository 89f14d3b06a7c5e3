//! The settings of a run, with the precedence of build.func: the environment, then the application's
//! `.vars`, then `default.vars`, then the built-in defaults.
//!
//! The files are parsed, never executed. Only the variables below are read, because the files also
//! contain passwords.

use telemetry_protocol::wire::Scalar;

use crate::system::Host;

const DEFAULTS_FILE: &str = "/usr/local/community-scripts/default.vars";
const APP_DEFAULTS_FOLDER: &str = "/usr/local/community-scripts/defaults";

/// The type of guest that a script creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A container.
    Lxc,
    /// A virtual machine.
    Vm,
    /// A container from a TurnKey template.
    Turnkey,
}

impl Guest {
    /// Parses the word used in arguments and the environment; anything unknown is a container.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "vm" | "qemu" => Self::Vm,
            "turnkey" => Self::Turnkey,
            _ => Self::Lxc,
        }
    }

    /// The value sent to the server.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lxc => "lxc",
            Self::Vm => "vm",
            Self::Turnkey => "turnkey",
        }
    }
}

/// The settings of a run; `None` if neither the user nor a default sets a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Short name of the application.
    pub app: Option<String>,
    /// 0 for a privileged container, 1 for an unprivileged one, 2 for a virtual machine.
    pub ct_type: Option<i32>,
    /// GB.
    pub disk_size: Option<i32>,
    /// CPU cores.
    pub core_count: Option<i32>,
    /// MB.
    pub ram_size: Option<i32>,
    /// Operating system of the guest.
    pub os_type: Option<String>,
    /// Version of the operating system.
    pub os_version: Option<String>,
    /// How the settings were chosen.
    pub method: Option<String>,
}

/// Reads the settings for this type of guest.
#[must_use]
pub fn read(host: &Host, guest: Guest) -> Settings {
    let layers = Layers::read(host, guest);
    let method = host.variable("METHOD").unwrap_or("default");
    Settings {
        app: app(host, guest),
        ct_type: if guest == Guest::Vm {
            Some(2)
        } else {
            layers.number(&["CT_TYPE"], "var_unprivileged", 1)
        },
        disk_size: layers.number(&["VM_DISK", "DISK_SIZE"], "var_disk", 4),
        core_count: layers.number(&["VM_CORES", "CORE_COUNT"], "var_cpu", 1),
        ram_size: layers.number(&["VM_RAM", "RAM_SIZE"], "var_ram", 1024),
        os_type: layers.text(&["VM_OS"], "var_os"),
        os_version: layers.text(&["VM_VERSION"], "var_version"),
        method: Some(method.to_owned()),
    }
}

fn app(host: &Host, guest: Guest) -> Option<String> {
    let documented = if guest == Guest::Vm { host.variable("VM_APP") } else { None };
    documented.or_else(|| host.variable("NSAPP")).map(str::to_owned)
}

struct Layers<'a> {
    host: &'a Host,
    guest: Guest,
    /// The application's `.vars`, then `default.vars`.
    files: Vec<String>,
}

impl<'a> Layers<'a> {
    fn read(host: &'a Host, guest: Guest) -> Self {
        let mut files = Vec::new();
        // The files contain defaults for containers only.
        if guest != Guest::Vm {
            if let Some(app) = app(host, guest).filter(|app| is_file_name(app)) {
                files.extend(host.read(&format!("{APP_DEFAULTS_FOLDER}/{app}.vars"), 64 * 1024));
            }
            files.extend(host.read(DEFAULTS_FILE, 64 * 1024));
        }
        Self { host, guest, files }
    }

    fn text(&self, exported: &[&str], variable: &str) -> Option<String> {
        let exported = exported.iter().filter(|name| self.guest == Guest::Vm || !name.starts_with("VM_"));
        exported
            .chain([&variable])
            .find_map(|name| self.host.variable(name))
            .or_else(|| self.files.iter().find_map(|file| value_in(file, variable)))
            .map(str::to_owned)
    }

    /// A size without its unit and fraction. The built-in default applies to containers only.
    fn number(&self, exported: &[&str], variable: &str, built_in: i32) -> Option<i32> {
        match self.text(exported, variable) {
            Some(text) => Scalar::Text(text.into()).to_size().filter(|number| *number >= 0),
            None => (self.guest != Guest::Vm).then_some(built_in),
        }
    }
}

fn is_file_name(name: &str) -> bool {
    !name.starts_with('.') && name.chars().all(|char| char.is_ascii_alphanumeric() || "-_.".contains(char))
}

/// The value of `variable` in a file of shell assignments, with or without quotes and `export`.
pub(crate) fn value_in<'a>(file: &'a str, variable: &str) -> Option<&'a str> {
    file.lines().find_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split(*quote).next());
        let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim());
        (name.trim() == variable && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const APP_FILE: &str = "var_cpu=6\nvar_disk=\"20\"\nvar_pw=hunter2\n";
    const DEFAULT_FILE: &str =
        "# defaults\nexport var_cpu=3\nvar_disk=10\nvar_ram='4096'\nvar_os=ubuntu # lts\n";

    fn host(variables: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/local/community-scripts");
        fs::create_dir_all(folder.join("defaults")).unwrap();
        fs::write(folder.join("defaults/jellyfin.vars"), APP_FILE).unwrap();
        fs::write(folder.join("default.vars"), DEFAULT_FILE).unwrap();
        let host = Host::new(root.path(), variables);
        (root, host)
    }

    #[test]
    fn precedence_is_environment_application_default_built_in() {
        let (_root, host) = host(&[("NSAPP", "jellyfin"), ("var_cpu", "8"), ("RAM_SIZE", "512")]);
        let settings = read(&host, Guest::Lxc);
        assert_eq!(settings.core_count, Some(8), "var_cpu of the environment");
        assert_eq!(settings.ram_size, Some(512), "what build.func exports");
        assert_eq!(settings.disk_size, Some(20), "the application's .vars");
        assert_eq!(settings.os_type.as_deref(), Some("ubuntu"), "default.vars");
        assert_eq!(settings.ct_type, Some(1), "built in");
        assert_eq!(settings.os_version, None, "not set anywhere");
    }

    #[test]
    fn variables_exported_by_build_func_override_their_source() {
        let (_root, host) = host(&[("NSAPP", "jellyfin"), ("CORE_COUNT", "2"), ("var_cpu", "8")]);
        assert_eq!(read(&host, Guest::Lxc).core_count, Some(2));
    }

    #[test]
    fn a_virtual_machine_uses_its_own_variables_and_no_container_defaults() {
        let variables = [("VM_CORES", "4"), ("DISK_SIZE", "32G"), ("VM_APP", "haos-vm"), ("VM_OS", "haos")];
        let (_root, host) = host(&variables);
        let settings = read(&host, Guest::Vm);
        assert_eq!(settings.ct_type, Some(2));
        assert_eq!((settings.core_count, settings.disk_size), (Some(4), Some(32)));
        assert_eq!(settings.ram_size, None);
        assert_eq!(settings.app.as_deref(), Some("haos-vm"));
        assert_eq!(settings.os_type.as_deref(), Some("haos"));
    }

    #[test]
    fn an_application_name_cannot_escape_the_defaults_folder() {
        let (_root, host) = host(&[("NSAPP", "../default")]);
        assert_eq!(read(&host, Guest::Lxc).core_count, Some(3));
    }
}
