//! The source of the scripts' modules: local files, the public repository, a pinned revision of it, or a
//! mirror. It shows how many runs use outdated scripts. The address of a mirror is never reported.

use crate::run_settings::value_in;
use crate::system::Host;

const FILE: &str = "/usr/local/community-scripts/runtime-source.env";
const OFFICIAL: [&str; 2] = [
    "https://raw.githubusercontent.com/community-scripts/ProxmoxVE/",
    "https://raw.githubusercontent.com/community-scripts/ProxmoxVED/",
];
const BASES: [&str; 3] =
    ["COMMUNITY_SCRIPTS_REMOTE_BASE", "COMMUNITY_SCRIPTS_INSTALL_BASE", "COMMUNITY_SCRIPTS_CT_BASE"];
/// Folders that the scripts search for modules before downloading them, after the script's own folder.
const LOCAL_FOLDERS: [&str; 3] = [
    "/opt/community-scripts/misc",
    "/usr/local/share/community-scripts/misc",
    "/usr/local/community-scripts/misc",
];

/// The source of the modules of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// `local`, `remote`, `pinned` or `mirror`.
    pub source: &'static str,
    /// `main`, a release tag or a commit; `None` if it is unknown or anything else.
    pub reference: Option<String>,
}

/// Reads the environment, then `runtime-source.env`. Precedence: mirror, pinned revision, local files,
/// public repository.
#[must_use]
pub fn read(host: &Host) -> Runtime {
    let file = host.read(FILE, 16 * 1024).unwrap_or_default();
    let setting = |name: &str| host.variable(name).or_else(|| value_in(&file, name));
    let reference = setting("COMMUNITY_SCRIPTS_REF");
    let is_mirror = BASES.iter().filter_map(|base| setting(base)).any(|base| !is_official(base));
    let (source, reference) = if is_mirror {
        ("mirror", reference)
    } else if reference.is_some_and(|reference| reference != "main") {
        ("pinned", reference)
    } else if has_local_modules(host) {
        ("local", reference)
    } else {
        ("remote", reference.or(Some("main")))
    };
    Runtime { source, reference: reference.filter(|reference| is_public(reference)).map(str::to_owned) }
}

fn is_official(base: &str) -> bool {
    OFFICIAL.iter().any(|official| base.starts_with(official))
}

fn has_local_modules(host: &Host) -> bool {
    let of_script = host.variable("TELEMETRY_SCRIPT_FOLDER");
    of_script.into_iter().chain(LOCAL_FOLDERS).any(|folder| host.exists(&format!("{folder}/core.func")))
}

/// Whether a reference is `main`, a release tag (`v2026.04`, `2026-04-01`, but not `v1.2.3-rc1`) or a
/// hexadecimal commit. The name of any other branch could identify its user.
fn is_public(reference: &str) -> bool {
    let is_commit = (7..=40).contains(&reference.len())
        && reference.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let parts: Vec<&str> = reference.trim_start_matches('v').split(['.', '-']).collect();
    let is_tag = (2..=3).contains(&parts.len())
        && reference.bytes().filter(|byte| *byte == b'v').count() <= 1
        && parts.iter().all(|part| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    reference == "main" || is_commit || is_tag
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn source(file: &str, variables: &[(&str, &str)]) -> (&'static str, Option<String>) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/local/community-scripts");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("runtime-source.env"), file).unwrap();
        let runtime = read(&Host::new(root.path(), variables));
        (runtime.source, runtime.reference)
    }

    fn reference(name: &str) -> Option<String> {
        source("", &[("COMMUNITY_SCRIPTS_REF", name)]).1
    }

    #[test]
    fn without_any_setting_the_modules_come_from_main() {
        assert_eq!(source("", &[]), ("remote", Some("main".into())));
        assert_eq!(source("COMMUNITY_SCRIPTS_REF=main\n", &[]), ("remote", Some("main".into())));
    }

    #[test]
    fn a_reference_means_pinned_and_the_environment_overrides_the_file() {
        let file = "export COMMUNITY_SCRIPTS_REF=\"v2026.04\"\n";
        assert_eq!(source(file, &[]), ("pinned", Some("v2026.04".into())));
        assert_eq!(source(file, &[("COMMUNITY_SCRIPTS_REF", "main")]), ("remote", Some("main".into())));
    }

    #[test]
    fn only_public_references_are_reported() {
        for public in ["main", "v2026.04", "2026-04-01", "v1.2.3", "0c4352671388e3959367f562cdbe0f67686421e5"]
        {
            assert_eq!(reference(public).as_deref(), Some(public));
        }
        for private in [
            "alice-test",
            "feature/acme-corp",
            "10.0.0.5",
            "vv1.2",
            "v1.2.3-rc1",
            "2026",
            "refs/heads/main",
            "MAIN",
            "main\n",
            "deadbeef.example.org",
        ] {
            let expected = if private.trim() == "main" { Some("main".to_owned()) } else { None };
            assert_eq!(reference(private), expected, "{private}");
        }
    }

    #[test]
    fn a_mirror_is_reported_without_its_address() {
        let mirror = [("COMMUNITY_SCRIPTS_CT_BASE", "https://git.acme.internal/mirror/ct")];
        assert_eq!(source("", &mirror), ("mirror", None));
        let file =
            "COMMUNITY_SCRIPTS_REMOTE_BASE=https://mirror.example/misc\nCOMMUNITY_SCRIPTS_REF=v2026.04\n";
        assert_eq!(source(file, &[]), ("mirror", Some("v2026.04".into())));
        let official = "https://raw.githubusercontent.com/community-scripts/ProxmoxVE/v2026.04/misc";
        assert_eq!(source("", &[("COMMUNITY_SCRIPTS_REMOTE_BASE", official)]).0, "remote");
    }

    #[test]
    fn local_modules_are_found_where_the_scripts_look() {
        for folder in ["opt/community-scripts/misc", "root/checkout/misc"] {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join(folder)).unwrap();
            fs::write(root.path().join(folder).join("core.func"), "").unwrap();
            let host = Host::new(root.path(), &[("TELEMETRY_SCRIPT_FOLDER", "/root/checkout/misc")]);
            assert_eq!(read(&host), Runtime { source: "local", reference: None });
        }
    }
}
