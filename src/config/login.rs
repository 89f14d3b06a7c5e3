//! The address of a PostgreSQL server. It may contain a password, so `Debug` does not print it.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

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
        match PgConnectOptions::from_str(url.reveal()) {
            Ok(options) if url.reveal().starts_with("postgres") => Some(Self(Box::new(options))),
            _ => {
                wrong.push(format!("{name} must be like postgres://user:password@host/database"));
                None
            }
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}
