//! Finds the PostgreSQL programs. A folder must contain both `initdb` and `postgres`: on some machines PATH
//! contains a lone copy of `postgres` that cannot find its shared files.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::embedded_error::EmbeddedError;

/// The oldest supported major version.
const OLDEST: u32 = 13;

/// The folder in which Debian's packages install each major version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The programs of one installation.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    /// The major version, such as 15.
    major: u32,
}

impl Programs {
    /// The path of a program, such as `initdb`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Finds the installation whose version created `cluster`, or the newest one if there is no cluster yet. If
    /// `PG_BIN` is set, no other folder is considered.
    pub(super) fn find(
        pg_bin: Option<&Path>,
        account: &Account,
        cluster: &Path,
    ) -> Result<Self, EmbeddedError> {
        let needed = fs::read_to_string(cluster.join("PG_VERSION")).unwrap_or_default();
        let needed = needed.trim();
        let mut others = Vec::new();
        for folder in pg_bin.map_or_else(usual_folders, |folder| vec![folder.to_owned()]) {
            match Self::at(&folder, account) {
                Ok(found) if needed.is_empty() || found.major.to_string() == needed => return Ok(found),
                Ok(found) => others.push(format!("{} in {}", found.major, found.folder.display())),
                Err(problem) if pg_bin.is_some() => {
                    return Err(EmbeddedError::Setup(format!(
                        "PG_BIN={}: {problem}; set PG_BIN to the folder of the `postgres` and `initdb` programs of \
                         PostgreSQL {OLDEST} or newer, or leave it unset",
                        folder.display()
                    )));
                }
                // It was not configured explicitly.
                Err(_) => {}
            }
        }
        Err(EmbeddedError::Setup(if others.is_empty() {
            format!(
                "no PostgreSQL {OLDEST} or newer found (searched {DEBIAN}/*/bin and PATH); install it (Debian, Ubuntu: \
                 `apt install postgresql`), set PG_BIN to the folder of its programs, or set DATABASE_URL to use \
                 another server"
            )
        } else {
            format!(
                "{} was created by PostgreSQL {needed}, but only {} is installed; install that version (Debian, \
                 Ubuntu: `apt install postgresql-{needed}`) or upgrade the folder with pg_upgrade",
                cluster.display(),
                others.join(", ")
            )
        }))
    }

    fn at(folder: &Path, account: &Account) -> Result<Self, String> {
        let folder = folder.canonicalize().map_err(|error| error.to_string())?;
        for name in ["postgres", "initdb"] {
            if !folder.join(name).is_file() {
                return Err(format!("it contains no program `{name}`"));
            }
        }
        let output =
            account.run(&folder.join("postgres"), ["--version"]).map_err(|error| error.to_string())?;
        match major(&String::from_utf8_lossy(&output.stdout)) {
            Some(major) if major >= OLDEST => Ok(Self { folder, major }),
            Some(major) => Err(format!("it contains PostgreSQL {major}")),
            None => Err("`postgres --version` prints no version".to_owned()),
        }
    }
}

/// The folders to search, the newest version first. They may not exist.
fn usual_folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Most distributions link the programs into PATH.
    let linked =
        std::env::split_paths(&path).filter_map(|folder| folder.join("postgres").canonicalize().ok());
    let linked = linked.filter_map(|program| program.parent().map(Path::to_owned));
    versions.into_iter().map(|(_, folder)| folder).chain(linked).collect()
}

/// Parses the major version out of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`. Also accepts
/// `17beta1` and `18devel`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}
