//! Archives of a database in pg_dump's custom format, for backups and for upgrades of PostgreSQL.
//!
//! All functions that run a program block.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::store::database::pg_programs::{command, major, usual_folders};

/// The certificate authorities of the system, which libpq does not find by itself.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Owners and grants depend on the roles of a server, so an archive has neither.
const PORTABLE: [&str; 2] = ["--no-owner", "--no-privileges"];

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The programs are missing or too old.
    #[error(
        "no pg_dump and pg_restore of PostgreSQL {server} or newer found; install them (Debian, Ubuntu: `apt install \
         postgresql-client-{server}`), or set PG_BIN to their folder"
    )]
    NoProgram {
        /// Major version of the server.
        server: u32,
    },
    /// A program failed.
    #[error("{program} failed ({status}){messages}")]
    Failed {
        /// Its name.
        program: String,
        /// Its exit status.
        status: String,
        /// Its own messages, one a line; empty, or begins with a line feed.
        messages: String,
    },
    /// The file is not a backup of this server.
    #[error("{} is not a backup of a telemetry server", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// A file or program could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        action: &'static str,
        /// The file or program.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl ArchiveError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// pg_dump and pg_restore of one installation.
#[derive(Clone, Debug)]
pub struct Archiver {
    folder: PathBuf,
}

impl Archiver {
    /// Finds the programs for a server of this major version. They must be as new as the server; of several, the
    /// oldest is chosen, so that its archives fit the server. If `PG_BIN` is set, no other folder is considered.
    ///
    /// # Errors
    /// [`ArchiveError::NoProgram`].
    pub fn find(pg_bin: Option<&Path>, server: u32) -> Result<Self, ArchiveError> {
        let folders = pg_bin.map_or_else(|| usual_folders("pg_dump"), |folder| vec![folder.to_owned()]);
        let usable = folders.into_iter().filter_map(|folder| Some((version(&folder)?, folder)));
        let oldest = usable.filter(|(version, _)| *version >= server).min();
        oldest.map(|(_, folder)| Self { folder }).ok_or(ArchiveError::NoProgram { server })
    }

    /// The programs in this folder.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Writes an archive to a file that only its owner can read. It gets its name when it is complete.
    ///
    /// # Errors
    /// As far as the archive cannot be written. An existing file stays as it is.
    pub fn write(&self, database: &PgConnectOptions, file: &Path) -> Result<(), ArchiveError> {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        let partial = PathBuf::from(name);
        let result = self.write_to(database, &partial, file);
        if result.is_err() {
            let _ = fs::remove_file(&partial);
        }
        result
    }

    fn write_to(&self, database: &PgConnectOptions, partial: &Path, file: &Path) -> Result<(), ArchiveError> {
        let _ = fs::remove_file(partial);
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial);
        let created = created.map_err(ArchiveError::io("create", partial))?;
        let output = created.try_clone().map_err(ArchiveError::io("write", partial))?;
        let mut pg_dump = self.pg_dump(database);
        finish("pg_dump", pg_dump.stdout(output).stderr(Stdio::piped()).output())?;
        created.sync_all().map_err(ArchiveError::io("write", partial))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let renamed = fs::rename(partial, file);
        renamed
            .and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
            .map_err(ArchiveError::io("write", file))
    }

    /// Copies a database into an empty one.
    pub(super) fn copy(&self, from: &PgConnectOptions, to: &PgConnectOptions) -> Result<(), ArchiveError> {
        let path = self.folder.join("pg_dump");
        let mut pg_dump = self.pg_dump(from);
        let spawned = pg_dump.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut dumping = spawned.map_err(ArchiveError::io("run", &path))?;
        let archive = dumping.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let restored = finish("pg_restore", self.pg_restore_into(to).stdin(archive).output());
        // If pg_restore fails, pg_dump fails as well, because nothing reads its output.
        let dumped = finish("pg_dump", dumping.wait_with_output());
        restored.and(dumped).map(drop)
    }

    /// Reads an archive to its end and returns the versions of the migrations in it.
    ///
    /// # Errors
    /// [`ArchiveError::Foreign`] if it has none; [`ArchiveError::Failed`] if it is damaged.
    pub fn migrations(&self, file: &Path) -> Result<Vec<i64>, ArchiveError> {
        File::open(file).map_err(ArchiveError::io("open", file))?;
        let mut all = self.pg_restore();
        finish("pg_restore", all.arg("--file=/dev/null").arg(file).output())?;
        let mut some = self.pg_restore();
        some.args(["--data-only", "--table=_sqlx_migrations", "--file=-"]).arg(file);
        let script = finish("pg_restore", some.output())?;
        let lines = script.lines().skip_while(|line| !line.starts_with("COPY ")).skip(1);
        let rows = lines.take_while(|line| *line != "\\.");
        let versions: Vec<i64> = rows.filter_map(|row| row.split('\t').next()?.parse().ok()).collect();
        if versions.is_empty() {
            return Err(ArchiveError::Foreign { file: file.to_owned() });
        }
        Ok(versions)
    }

    /// Restores an archive into an empty database, completely or not at all.
    ///
    /// # Errors
    /// As far as it cannot be restored.
    pub fn restore(&self, file: &Path, database: &PgConnectOptions) -> Result<(), ArchiveError> {
        finish("pg_restore", self.pg_restore_into(database).arg(file).output()).map(drop)
    }

    fn pg_dump(&self, database: &PgConnectOptions) -> Command {
        let mut pg_dump = command(&self.folder.join("pg_dump"), Signal::SIGTERM);
        pg_dump.args(["--format=custom", "--no-password"]).args(PORTABLE).envs(login(database));
        pg_dump
    }

    fn pg_restore(&self) -> Command {
        command(&self.folder.join("pg_restore"), Signal::SIGTERM)
    }

    fn pg_restore_into(&self, database: &PgConnectOptions) -> Command {
        let mut pg_restore = self.pg_restore();
        pg_restore.args(["--single-transaction", "--exit-on-error", "--no-password"]).args(PORTABLE);
        pg_restore.arg("--dbname").arg(database.get_database().unwrap_or("postgres")).envs(login(database));
        pg_restore
    }
}

/// The major version of pg_dump in a folder that also has pg_restore.
fn version(folder: &Path) -> Option<u32> {
    let program = folder.join("pg_dump");
    if !folder.join("pg_restore").is_file() {
        return None;
    }
    let output = command(&program, Signal::SIGTERM).arg("--version").output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// The variables with which libpq connects as sqlx does. On the command line, every user could read the password.
fn login(database: &PgConnectOptions) -> Vec<(&'static str, String)> {
    // The only way to the password. Unusual names would not make a URL.
    let url = database.clone().username("user").host("localhost").to_url_lossy();
    // Everything but letters and digits is encoded, so this is a form with one name.
    let decoded = |text: &str| form_urlencoded::parse(text.as_bytes()).map(|(name, _)| name).collect();
    let parameter =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let host = database.get_socket().map_or_else(
        || database.get_host().trim_matches(['[', ']']).to_owned(),
        |socket| socket.to_string_lossy().into_owned(),
    );
    let (mode, verifies) = match database.get_ssl_mode() {
        PgSslMode::Disable => ("disable", false),
        PgSslMode::Allow => ("allow", false),
        PgSslMode::Prefer => ("prefer", false),
        PgSslMode::Require => ("require", false),
        PgSslMode::VerifyCa => ("verify-ca", true),
        PgSslMode::VerifyFull => ("verify-full", true),
    };
    // sqlx writes `file: ` before a path.
    let file = |name: &str| parameter(name).map(|path| path.trim_start_matches("file: ").to_owned());
    let root = file("sslrootcert").or_else(|| verifies.then(|| AUTHORITIES.to_owned()));
    let optional = [
        ("PGPASSWORD", url.password().map(decoded)),
        ("PGDATABASE", database.get_database().map(str::to_owned)),
        ("PGSSLROOTCERT", root),
        ("PGSSLCERT", file("sslcert")),
        ("PGSSLKEY", file("sslkey")),
    ];
    let mut login = vec![
        ("PGHOST", host),
        ("PGPORT", database.get_port().to_string()),
        ("PGUSER", database.get_username().to_owned()),
        ("PGSSLMODE", mode.to_owned()),
        ("PGAPPNAME", "telemetry archive".to_owned()),
    ];
    login.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    login
}

/// The output of a program that succeeded.
fn finish(program: &str, output: io::Result<Output>) -> Result<String, ArchiveError> {
    let output = output.map_err(ArchiveError::io("run", Path::new(program)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut messages = String::new();
    // Other lines may quote rows.
    let said = String::from_utf8_lossy(&output.stderr);
    for line in said.lines().filter(|line| line.starts_with(program)) {
        let _ = write!(messages, "\n  {line}");
    }
    Err(ArchiveError::Failed { program: program.to_owned(), status: output.status.to_string(), messages })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn variable(url: &str, name: &str) -> Option<String> {
        let options = PgConnectOptions::from_str(url).expect("an address");
        login(&options).into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    #[test]
    fn libpq_gets_the_parts_of_an_address_decoded() {
        let url = "postgres://some%40one:p%40s%2Bs%20w%2F%25%26%3Drd@[::1]:5433/tele%20metry?sslmode=verify-full\
                   &sslrootcert=/etc/own%20root.crt&sslcert=/c&sslkey=/k";
        for (name, value) in [
            ("PGHOST", "::1"),
            ("PGPORT", "5433"),
            ("PGUSER", "some@one"),
            ("PGPASSWORD", "p@s+s w/%&=rd"),
            ("PGDATABASE", "tele metry"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/etc/own root.crt"),
            ("PGSSLCERT", "/c"),
            ("PGSSLKEY", "/k"),
        ] {
            assert_eq!(variable(url, name).as_deref(), Some(value), "{name}");
        }
        let verified = "postgres://someone@db.example.org/x?sslmode=verify-full";
        assert_eq!(variable(verified, "PGSSLROOTCERT").as_deref(), Some(AUTHORITIES));
        assert_eq!(variable("postgres://someone@db.example.org/x", "PGSSLROOTCERT"), None);
        let local = "postgres://someone@localhost/x?host=/run/post%20gresql";
        assert_eq!(variable(local, "PGHOST").as_deref(), Some("/run/post gresql"));
    }
}
