//! Finds the PostgreSQL programs. A folder must contain both `initdb` and `postgres`: `pg_config` may belong to
//! the client library alone, and on some machines PATH contains a lone copy of `postgres` that cannot find its
//! shared files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
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

    /// Returns all usable installations, at least one, the preferred one first. If `PG_BIN` is set, no other
    /// folder is considered.
    pub(super) fn find(pg_bin: Option<&Path>, account: &Account) -> Result<Vec<Self>, EmbeddedError> {
        if let Some(folder) = pg_bin {
            let fail = |problem| EmbeddedError::PgBin { folder: folder.to_owned(), problem, oldest: OLDEST };
            let programs = Self::at(folder, account).map_err(fail)?;
            if programs.major < OLDEST {
                return Err(fail(format!("it contains PostgreSQL {}", programs.major)));
            }
            return Ok(vec![programs]);
        }
        let mut found: Vec<Self> = Vec::new();
        for folder in usual_folders(account) {
            // Unusable folders are skipped: they were not configured explicitly.
            if let Ok(programs) = Self::at(&folder, account)
                && !found.iter().any(|other| other.folder == programs.folder)
            {
                found.push(programs);
            }
        }
        let (usable, rejected): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|programs| programs.major >= OLDEST);
        if usable.is_empty() {
            let rejected = rejected.iter().map(Self::describe).collect();
            return Err(EmbeddedError::NoPrograms { oldest: OLDEST, rejected });
        }
        Ok(usable)
    }

    /// Chooses the installation whose version created `cluster`, or the preferred one if there is no cluster
    /// yet.
    pub(super) fn choose(mut found: Vec<Self>, cluster: &Path) -> Result<Self, EmbeddedError> {
        let needed = fs::read_to_string(cluster.join("PG_VERSION")).unwrap_or_default();
        let needed = needed.trim();
        let matching = |programs: &Self| needed.is_empty() || programs.major.to_string() == needed;
        match found.iter().position(matching) {
            Some(index) => Ok(found.swap_remove(index)),
            None => Err(EmbeddedError::Version {
                folder: cluster.to_owned(),
                needed: needed.to_owned(),
                found: found.iter().map(Self::describe).collect::<Vec<_>>().join(", "),
            }),
        }
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
        let version = String::from_utf8_lossy(&output.stdout);
        let major = major(&version).ok_or_else(|| "`postgres --version` prints no version".to_owned())?;
        Ok(Self { folder, major })
    }

    fn describe(&self) -> String {
        format!("{} in {}", self.major, self.folder.display())
    }
}

/// The folders to search, the preferred one first. They may not exist.
fn usual_folders(account: &Account) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(output) = account.run(Path::new("pg_config"), ["--bindir"]) {
        folders.push(PathBuf::from(OsStr::from_bytes(output.stdout.trim_ascii())));
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    folders.extend(versions.into_iter().map(|(_, folder)| folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path =
        std::env::split_paths(&path).filter_map(|folder| folder.join("postgres").canonicalize().ok());
    folders.extend(on_path.filter_map(|program| program.parent().map(Path::to_owned)));
    folders
}

/// Parses the major version out of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`. Also accepts
/// `17beta1` and `18devel`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}
