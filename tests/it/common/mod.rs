//! What the end-to-end tests share: a server in this process with a database of its own
//! ([`app`]), a visitor of its pages ([`visitor`]), the program as a process of its own ([`server`]), plain HTTP ([`http`]) and many
//! clients at once ([`load`]) against it, recorded traffic ([`corpus`]) and what it must end up
//! as ([`truth`]).

#![allow(dead_code, reason = "every test program uses a part")]

pub(crate) mod app;
pub(crate) mod corpus;
pub(crate) mod dashboard;
pub(crate) mod deployment;
pub(crate) mod grafana;
pub(crate) mod history;
pub(crate) mod http;
pub(crate) mod load;
pub(crate) mod prometheus;
pub(crate) mod server;
pub(crate) mod truth;
pub(crate) mod visitor;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use telemetry_server::store::database::embedded::Settings;
use tempfile::TempDir;

/// A data folder of a test's own; it goes with the value.
pub(crate) struct DataDir(TempDir);

impl DataDir {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Else the account that runs PostgreSQL for root cannot reach it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("it is ours");
        Self(folder)
    }

    /// `DATA_DIR`; made by the server.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().canonicalize().expect("it is there").join("data")
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings { data_dir: self.path(), pg_bin: std::env::var_os("PG_BIN").map(PathBuf::from) }
    }
}
