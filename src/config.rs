//! The configuration: environment variables, each of which is also a flag. All invalid values are
//! reported at once, each with the name of its variable.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

pub mod heading;
pub mod protection;
pub mod login;
pub mod outgoing;

use heading::{DATABASE, INGEST, LISTENING, LOGGING, READING, RETENTION};
use login::Login;
use outgoing::{Outgoing, OutgoingVariables};
use protection::{Protection, ProtectionVariables, Secret};

/// Half of the spool is needed for its log and its reserve.
const SMALLEST_SPOOL_BYTES: usize = 16 << 20;

/// The variables as text, from the environment or from flags. An empty variable counts as unset.
#[derive(Args, Clone, Debug, Default)]
pub struct Variables {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, env = "LISTEN_ADDR", hide_env_values = true, global = true, help_heading = LISTENING)]
    pub listen_addr: Option<String>,
    /// PostgreSQL 13 or newer, as postgres://user:password@host/database?sslmode=verify-full;
    /// unset: an embedded cluster
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true, help_heading = DATABASE)]
    pub database_url: Option<Secret>,
    /// PostgreSQL for queries, such as a replica; unset: DATABASE_URL
    #[arg(long, env = "READ_DATABASE_URL", hide_env_values = true, global = true, help_heading = READING)]
    pub read_database_url: Option<Secret>,
    /// Folder of the embedded cluster and of the spool [default: ./data]
    #[arg(long, env = "DATA_DIR", hide_env_values = true, global = true, help_heading = DATABASE)]
    pub data_dir: Option<String>,
    /// Folder of the PostgreSQL programs, such as initdb and pg_dump; unset: the newest installed version
    #[arg(long, env = "PG_BIN", hide_env_values = true, global = true, help_heading = DATABASE)]
    pub pg_bin: Option<String>,
    /// Seconds to wait at startup for the database to answer [default: 30]
    #[arg(long, env = "CONNECT_SECONDS", hide_env_values = true, global = true, help_heading = DATABASE)]
    pub connect_seconds: Option<String>,
    /// Key of the hash under which run ids are stored, at least 16 characters; unset: generated at
    /// the first start and kept in the database
    #[arg(long, env = "ID_KEY", hide_env_values = true, global = true, help_heading = INGEST)]
    pub id_key: Option<Secret>,
    /// Log filter: error, warn, info, debug, trace, or like info,sqlx=warn [default: info]
    #[arg(long, env = "LOG", hide_env_values = true, global = true, help_heading = LOGGING)]
    pub log: Option<String>,
    /// Maximum size of the body of one event, in bytes [default: 262144]
    #[arg(long, env = "MAX_BODY_BYTES", hide_env_values = true, global = true, help_heading = INGEST)]
    pub max_body_bytes: Option<String>,
    /// Events that may wait for the database; further ones receive a 503 [default: 20000]
    #[arg(long, env = "QUEUE_EVENTS", hide_env_values = true, global = true, help_heading = INGEST)]
    pub queue_events: Option<String>,
    /// Seconds after which a query is cancelled and answered with 503 [default: 10]
    #[arg(long, env = "READ_SECONDS", hide_env_values = true, global = true, help_heading = READING)]
    pub read_seconds: Option<String>,
    /// Seconds for which answers about today are cached, answers about the past sixty times as
    /// long; 0: no cache [default: 5]
    #[arg(long, env = "CACHE_SECONDS", hide_env_values = true, global = true, help_heading = READING)]
    pub cache_seconds: Option<String>,
    /// Folder for events while the database is unavailable [default: DATA_DIR/spool]
    #[arg(long, env = "SPOOL_DIR", hide_env_values = true, global = true, help_heading = INGEST)]
    pub spool_dir: Option<String>,
    /// Maximum size of the spool in bytes, at least 16 MiB; 0: no spool [default: 1073741824]
    #[arg(long, env = "SPOOL_MAX_BYTES", hide_env_values = true, global = true, help_heading = INGEST)]
    pub spool_max_bytes: Option<String>,
    /// Hours without an event after which an open execution counts as unfinished [default: 24]
    #[arg(long, env = "UNFINISHED_HOURS", hide_env_values = true, global = true, help_heading = READING)]
    pub unfinished_hours: Option<String>,
    /// Days for which executions are kept; their counts stay; 0: forever [default: 365]
    #[arg(long, env = "RETENTION_DAYS", hide_env_values = true, global = true, help_heading = RETENTION)]
    pub retention_days: Option<String>,
    /// Mail server and GitHub.
    #[command(flatten)]
    pub outgoing: OutgoingVariables,
    /// Limits, timeouts, trusted proxies, the admin token.
    #[command(flatten)]
    pub protection: ProtectionVariables,
}

/// The database to use.
#[derive(Clone, Debug)]
pub enum Database {
    /// A server that the operator runs.
    External(Login),
    /// A private cluster in this folder, run with the PostgreSQL programs of this machine.
    Embedded(PathBuf),
}

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `LISTEN_ADDR`; port 0 picks a free one.
    pub listen_addr: SocketAddr,
    /// `DATABASE_URL` or `DATA_DIR`.
    pub database: Database,
    /// `PG_BIN`.
    pub pg_bin: Option<PathBuf>,
    /// `READ_DATABASE_URL`.
    pub read_database: Option<Login>,
    /// `READ_SECONDS`.
    pub read_timeout: Duration,
    /// `CACHE_SECONDS`.
    pub cache_for: Duration,
    /// `CONNECT_SECONDS`.
    pub connect_patience: Duration,
    /// `ID_KEY`.
    pub id_key: Option<Secret>,
    /// `LOG`.
    pub log: String,
    /// `MAX_BODY_BYTES`.
    pub max_body_bytes: usize,
    /// `QUEUE_EVENTS`.
    pub queue_events: usize,
    /// `SPOOL_DIR`.
    pub spool_dir: PathBuf,
    /// `SPOOL_MAX_BYTES`; `None` for no spool.
    pub spool_max_bytes: Option<NonZeroU64>,
    /// `UNFINISHED_HOURS`.
    pub unfinished_after: Duration,
    /// `RETENTION_DAYS`; `None` if executions are kept forever.
    pub retention_days: Option<u32>,
    /// Mail server and GitHub.
    pub outgoing: Outgoing,
    /// Limits, timeouts, trusted proxies, the admin token.
    pub protection: Protection,
}

impl Config {
    /// The folders that grow, by name: `data` (the embedded cluster) and `spool`.
    #[must_use]
    pub fn folders(&self) -> Vec<(&'static str, PathBuf)> {
        let data = match &self.database {
            Database::Embedded(data_dir) => Some(("data", data_dir.clone())),
            Database::External(_) => None,
        };
        let spool = self.spool_max_bytes.map(|_| ("spool", self.spool_dir.clone()));
        data.into_iter().chain(spool).collect()
    }
}

/// The invalid variables, a sentence for each. Secrets are not repeated.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid configuration:")?;
        self.0.iter().try_for_each(|wrong| write!(f, "\n  {wrong}"))
    }
}

impl Variables {
    /// Checks all variables.
    ///
    /// # Errors
    /// Every variable that is invalid.
    pub fn check(self) -> Result<Config, ConfigError> {
        let mut wrong = Vec::new();
        let listen_addr = parse(&mut wrong, "LISTEN_ADDR", self.listen_addr, "127.0.0.1:8080", |text| {
            SocketAddr::from_str(text).map_err(|_| "must be an address and a port, like 127.0.0.1:8080")
        });
        let data_dir = PathBuf::from(set(self.data_dir).unwrap_or_else(|| "data".to_owned()));
        let spool_dir = set(self.spool_dir).map_or_else(|| data_dir.join("spool"), PathBuf::from);
        let database = match secret(self.database_url) {
            Some(url) => Login::read(&mut wrong, "DATABASE_URL", &url).map(Database::External),
            None => Some(Database::Embedded(data_dir)),
        };
        let pg_bin = set(self.pg_bin).map(PathBuf::from);
        let read_database =
            secret(self.read_database_url).and_then(|url| Login::read(&mut wrong, "READ_DATABASE_URL", &url));
        let read_seconds = number(&mut wrong, "READ_SECONDS", self.read_seconds, 10, 1, 600);
        let cache_seconds = number(&mut wrong, "CACHE_SECONDS", self.cache_seconds, 5, 0, 60);
        let connect_seconds = number(&mut wrong, "CONNECT_SECONDS", self.connect_seconds, 30, 1, 3600);
        let id_key = secret(self.id_key);
        if id_key.as_ref().is_some_and(|key| key.reveal().len() < 16) {
            wrong.push("ID_KEY must have at least 16 characters".to_owned());
        }
        let log = parse(&mut wrong, "LOG", self.log, "info", |text| {
            let filter = tracing_subscriber::EnvFilter::try_new(text);
            filter.map(|_| text.to_owned()).map_err(|_| "must be a tracing filter, like info,sqlx=warn")
        });
        let max_body_bytes =
            number(&mut wrong, "MAX_BODY_BYTES", self.max_body_bytes, 262_144, 1024, 16 << 20);
        let queue_events = number(&mut wrong, "QUEUE_EVENTS", self.queue_events, 20_000, 1, 1_000_000);
        let spool_max_bytes =
            number(&mut wrong, "SPOOL_MAX_BYTES", self.spool_max_bytes, 1 << 30, 0, 1 << 50);
        if (1..SMALLEST_SPOOL_BYTES).contains(&spool_max_bytes) {
            wrong.push(format!("SPOOL_MAX_BYTES must be 0 or at least {SMALLEST_SPOOL_BYTES}"));
        }
        let unfinished_hours = number(&mut wrong, "UNFINISHED_HOURS", self.unfinished_hours, 24, 1, 24 * 365);
        let retention_days = number(&mut wrong, "RETENTION_DAYS", self.retention_days, 365, 0, 36_500);
        let outgoing = self.outgoing.check(&mut wrong);
        let protection = self.protection.check(&mut wrong);
        match (listen_addr, database, log) {
            (Some(listen_addr), Some(database), Some(log)) if wrong.is_empty() => Ok(Config {
                listen_addr,
                database,
                pg_bin,
                read_database,
                read_timeout: Duration::from_secs(read_seconds as u64),
                cache_for: Duration::from_secs(cache_seconds as u64),
                connect_patience: Duration::from_secs(connect_seconds as u64),
                id_key,
                log,
                max_body_bytes,
                queue_events,
                spool_dir,
                spool_max_bytes: NonZeroU64::new(spool_max_bytes as u64),
                unfinished_after: Duration::from_secs(unfinished_hours as u64 * 3600),
                retention_days: (retention_days > 0).then_some(retention_days as u32),
                outgoing,
                protection,
            }),
            _ => Err(ConfigError(wrong)),
        }
    }
}

fn set(variable: Option<String>) -> Option<String> {
    variable.filter(|text| !text.trim().is_empty())
}

fn secret(variable: Option<Secret>) -> Option<Secret> {
    variable.filter(|secret| !secret.is_blank())
}

fn parse<T>(
    wrong: &mut Vec<String>,
    name: &str,
    variable: Option<String>,
    default: &str,
    read: impl FnOnce(&str) -> Result<T, &'static str>,
) -> Option<T> {
    let text = set(variable).unwrap_or_else(|| default.to_owned());
    read(text.trim()).map_err(|reason| wrong.push(format!("{name} {reason}, not `{text}`"))).ok()
}

fn number(
    wrong: &mut Vec<String>,
    name: &str,
    variable: Option<String>,
    default: usize,
    min: usize,
    max: usize,
) -> usize {
    let Some(text) = set(variable) else { return default };
    match text.trim().parse() {
        Ok(number) if (min..=max).contains(&number) => number,
        _ => {
            wrong.push(format!("{name} must be a whole number from {min} to {max}, not `{text}`"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_variables_the_documented_defaults_apply() {
        let config = Variables::default().check().expect("defaults are right");
        assert_eq!(config.listen_addr.to_string(), "127.0.0.1:8080");
        assert_eq!(config.max_body_bytes, 262_144);
        assert_eq!(config.queue_events, 20_000);
        assert_eq!([config.read_timeout, config.cache_for], [10, 5].map(Duration::from_secs));
        assert_eq!(config.spool_dir.to_string_lossy(), "data/spool");
        assert_eq!(config.spool_max_bytes.map(NonZeroU64::get), Some(1 << 30));
        assert_eq!(config.unfinished_after, Duration::from_secs(86_400));
        assert_eq!(config.retention_days, Some(365));
        assert!(matches!(config.database, Database::Embedded(folder) if folder.as_os_str() == "data"));
        assert_eq!(config.pg_bin, None);
    }

    #[test]
    fn all_invalid_variables_are_named_at_once_without_their_secrets() {
        let variables = Variables {
            listen_addr: Some("here".to_owned()),
            database_url: "mysql://user:hunter2@host/x".parse().ok(),
            read_database_url: "postgresql.example.org/x".parse().ok(),
            read_seconds: Some("0".to_owned()),
            cache_seconds: Some("61".to_owned()),
            id_key: "short-secret".parse().ok(),
            max_body_bytes: Some("-1".to_owned()),
            queue_events: Some("many".to_owned()),
            spool_max_bytes: Some("4096".to_owned()),
            unfinished_hours: Some("0".to_owned()),
            retention_days: Some("36501".to_owned()),
            log: Some("info,x=y=z".to_owned()),
            ..Variables::default()
        };
        let ConfigError(wrong) = variables.check().expect_err("all wrong");
        let names: Vec<_> = wrong.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(
            names,
            [
                "LISTEN_ADDR",
                "DATABASE_URL",
                "READ_DATABASE_URL",
                "READ_SECONDS",
                "CACHE_SECONDS",
                "ID_KEY",
                "LOG",
                "MAX_BODY_BYTES",
                "QUEUE_EVENTS",
                "SPOOL_MAX_BYTES",
                "UNFINISHED_HOURS",
                "RETENTION_DAYS"
            ]
        );
        assert!(!format!("{wrong:?}").contains("hunter2") && !format!("{wrong:?}").contains("short-secret"));
    }

    #[test]
    fn the_debug_output_contains_no_secret() {
        let mut variables = Variables {
            database_url: "postgres://writer:hunter2@host/x".parse().ok(),
            read_database_url: "postgres://reader:hunter2@replica/x".parse().ok(),
            id_key: "hunter2-hunter2-hunter2".parse().ok(),
            ..Variables::default()
        };
        variables.outgoing.smtp_url = "smtp://user:hunter2@mail".parse().ok();
        variables.outgoing.report_from = Some("a@example.org".to_owned());
        variables.outgoing.report_to = Some("b@example.org".to_owned());
        variables.protection.admin_token = "hunter2-hunter2-hunter2".parse().ok();
        let printed = format!("{variables:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
        let config = variables.check().expect("right");
        assert!(config.outgoing.mail.is_some());
        assert!(config.read_database.is_some() && config.id_key.is_some());
        assert!(
            matches!(&config.database, Database::External(login) if login.options().get_username() == "writer")
        );
        let printed = format!("{config:?}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }

    #[test]
    fn a_retention_of_zero_days_keeps_executions_forever() {
        let variables = Variables { retention_days: Some("0".to_owned()), ..Variables::default() };
        assert_eq!(variables.check().expect("right").retention_days, None);
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let variables = Variables { listen_addr: Some(" ".to_owned()), ..Variables::default() };
        assert_eq!(variables.check().expect("unset").listen_addr.port(), 8080);
    }
}
