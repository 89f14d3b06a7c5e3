//! Finds the PostgreSQL programs. A folder must contain both `initdb` and `postgres`: on some machines PATH
//! contains a lone copy of `postgres` that cannot find its shared files.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::embedded_error::EmbeddedError;
use crate::store::database::pg_programs::{DEBIAN, major, usual_folders};

/// The oldest supported major version.
const OLDEST: u32 = 13;

/// The programs of one installation.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) folder: PathBuf,
    /// The major version, such as 15.
    pub(super) major: u32,
}

impl Programs {
    /// The path of a program, such as `initdb`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Whether this program is part of the installation.
    pub(super) fn has(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    /// Finds the newest installation, or that of `PG_BIN`. If an older version created `cluster`, the second value is
    /// the installation of that version.
    pub(super) fn find(
        pg_bin: Option<&Path>,
        account: &Account,
        cluster: &Path,
    ) -> Result<(Self, Option<Self>), EmbeddedError> {
        let mut installed: Vec<_> = usual_folders("postgres")
            .into_iter()
            .filter_map(|folder| Self::at(&folder, account).ok())
            .collect();
        if let Some(folder) = pg_bin {
            let chosen = Self::at(folder, account).map_err(|problem| {
                EmbeddedError::Setup(format!(
                    "PG_BIN={}: {problem}; set PG_BIN to the folder of the `postgres` and `initdb` programs of \
                     PostgreSQL {OLDEST} or newer, or leave it unset",
                    folder.display()
                ))
            })?;
            installed.insert(0, chosen);
        }
        let Some(newest) = installed.first() else {
            return Err(EmbeddedError::Setup(format!(
                "no PostgreSQL {OLDEST} or newer found (searched {DEBIAN}/*/bin and PATH); install it (Debian, Ubuntu: \
                 `apt install postgresql`), set PG_BIN to the folder of its programs, or set DATABASE_URL to use \
                 another server"
            )));
        };
        let needed = fs::read_to_string(cluster.join("PG_VERSION")).unwrap_or_default();
        let needed = needed.trim();
        if needed.is_empty() || newest.major.to_string() == needed {
            return Ok((newest.clone(), None));
        }
        let its_own = installed.iter().find(|found| found.major.to_string() == needed).cloned();
        match its_own {
            Some(older) if older.major < newest.major => Ok((newest.clone(), Some(older))),
            // PATH may contain a version that is older than the cluster.
            Some(newer) if pg_bin.is_none() => Ok((newer, None)),
            _ => Err(EmbeddedError::Setup(format!(
                "{} was created by PostgreSQL {needed}, but only {} in {} is usable; install that version (Debian, \
                 Ubuntu: `apt install postgresql-{needed}`). If an older version created the cluster, the next start \
                 upgrades it as soon as both are installed",
                cluster.display(),
                newest.major,
                newest.folder.display()
            ))),
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
        match major(&String::from_utf8_lossy(&output.stdout)) {
            Some(major) if major >= OLDEST => Ok(Self { folder, major }),
            Some(major) => Err(format!("it contains PostgreSQL {major}")),
            None => Err("`postgres --version` prints no version".to_owned()),
        }
    }
}
