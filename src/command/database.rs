//! The database that a command works on.

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, Database};
use crate::store::database::connect::embedded_options;
use crate::store::database::embedded::{Cluster, Embedded, Settings, start_or_attach};

/// An available database. If it is an embedded cluster that this process runs, [`OpenDatabase::close`]
/// stops it.
pub struct OpenDatabase {
    /// Connection options.
    pub options: PgConnectOptions,
    cluster: Option<Embedded>,
}

impl OpenDatabase {
    /// The database of a server: the configured one, or an embedded cluster that no other process runs.
    ///
    /// # Errors
    /// Any error that keeps the embedded cluster from starting.
    pub fn of_server(config: &Config) -> anyhow::Result<Self> {
        Self::open(config, |settings| Ok(Cluster::Own(Embedded::start(settings)?)))
    }

    /// The database of any other command. Unlike a server, it also uses an embedded cluster that a server
    /// runs.
    ///
    /// # Errors
    /// Any error that keeps the embedded cluster from starting.
    pub fn of_command(config: &Config) -> anyhow::Result<Self> {
        Self::open(config, |settings| Ok(start_or_attach(settings)?))
    }

    fn open(
        config: &Config,
        start: impl FnOnce(&Settings) -> anyhow::Result<Cluster>,
    ) -> anyhow::Result<Self> {
        let (options, cluster) = match &config.database {
            Database::External(login) => (login.options().clone(), None),
            Database::Embedded(data_dir) => {
                match start(&Settings { data_dir: data_dir.clone(), pg_bin: config.pg_bin.clone() })? {
                    Cluster::Own(own) => (embedded_options(own.endpoint()), Some(own)),
                    Cluster::Running(endpoint) => (embedded_options(&endpoint), None),
                }
            }
        };
        // On tables without statistics, as after a bulk load, PostgreSQL would spend seconds compiling each
        // statement.
        Ok(Self { options: options.options([("jit", "off")]), cluster })
    }

    /// Stops the embedded cluster, if this process runs one.
    ///
    /// # Errors
    /// If it does not stop.
    pub fn close(self) -> anyhow::Result<()> {
        match self.cluster {
            Some(cluster) => cluster.stop().context("cannot stop the embedded PostgreSQL"),
            None => Ok(()),
        }
    }
}
