//! The address of a PostgreSQL server. It may contain a password, so `Debug` does not print it.
//!
//! The parameters for TLS mean what they mean to other clients of PostgreSQL, with two differences: `allow` also
//! prefers TLS, and `sslrootcert` adds to the public certificate authorities.

use std::fmt;
use std::fs;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::protection::Secret;

/// Address, user and password of a PostgreSQL server.
#[derive(Clone)]
pub struct Login(Box<PgConnectOptions>);

impl Login {
    /// Connection options.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.0
    }

    /// Parses an address. An invalid one adds a sentence to `wrong`, which does not repeat it.
    pub(super) fn read(wrong: &mut Vec<String>, name: &str, url: &Secret) -> Option<Self> {
        match Self::parse(url.reveal()) {
            Ok(options) => Some(Self(Box::new(options))),
            Err(reason) => {
                wrong.push(format!("{name} {reason}"));
                None
            }
        }
    }

    fn parse(url: &str) -> Result<PgConnectOptions, String> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let parameter = |name: &str| {
            let found = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
            found.last().map(|(_, value)| value.into_owned())
        };
        if parameter("sslmode").is_some_and(|mode| mode.parse::<PgSslMode>().is_err()) {
            return Err(
                "must have one of these values as sslmode: disable, allow, prefer, require, verify-ca, \
                        verify-full"
                    .to_owned(),
            );
        }
        let root = parameter("sslrootcert");
        if let Some(root) = &root
            && !fs::read_to_string(root).is_ok_and(|pem| pem.contains("-----BEGIN CERTIFICATE-----"))
        {
            return Err(format!(
                "names {root} as sslrootcert, which is not a readable file of certificates in PEM"
            ));
        }
        let options = PgConnectOptions::from_str(url).ok().filter(|_| url.starts_with("postgres"));
        let options = options.ok_or("must be like postgres://user:password@host/database")?;
        let mode = match options.get_ssl_mode() {
            // PostgreSQL has no TLS on Unix sockets.
            _ if options.get_socket().is_some() => PgSslMode::Disable,
            // The driver would never use TLS.
            PgSslMode::Allow => PgSslMode::Prefer,
            PgSslMode::Require if root.is_some() => PgSslMode::VerifyCa,
            mode => mode,
        };
        Ok(options.ssl_mode(mode))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<PgSslMode, String> {
        Login::parse(url).map(|options| options.get_ssl_mode())
    }

    #[test]
    fn tls_is_used_where_it_is_offered_unless_the_address_says_otherwise() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), "-----BEGIN CERTIFICATE-----\n").expect("it is ours");
        let root = file.path().display();
        for (parameters, expected) in [
            ("", PgSslMode::Prefer),
            ("?sslmode=disable", PgSslMode::Disable),
            ("?sslmode=allow", PgSslMode::Prefer),
            ("?sslmode=prefer", PgSslMode::Prefer),
            ("?sslmode=require", PgSslMode::Require),
            (&format!("?sslmode=require&sslrootcert={root}"), PgSslMode::VerifyCa),
            ("?sslmode=verify-ca", PgSslMode::VerifyCa),
            (&format!("?sslrootcert={root}&sslmode=verify-full"), PgSslMode::VerifyFull),
            ("?sslmode=verify-full&host=/run/postgresql", PgSslMode::Disable),
        ] {
            let found = mode(&format!("postgres://someone@db.example.org/telemetry{parameters}"));
            assert_eq!(found.map(|mode| format!("{mode:?}")), Ok(format!("{expected:?}")), "{parameters}");
        }
    }

    #[test]
    fn parameters_for_tls_that_cannot_work_are_named() {
        for (parameters, named) in [
            ("sslmode=always", "sslmode"),
            ("sslmode=verify-full&sslrootcert=/nowhere/root.crt", "/nowhere/root.crt"),
            ("sslmode=verify-full&sslrootcert=/dev/null", "/dev/null"),
        ] {
            let wrong = mode(&format!("postgres://someone:hunter2@db.example.org/telemetry?{parameters}"));
            let wrong = wrong.expect_err("it cannot work");
            assert!(wrong.contains(named) && !wrong.contains("hunter2"), "{wrong}");
        }
    }
}
