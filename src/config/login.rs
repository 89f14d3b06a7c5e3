//! How to log in to a server of PostgreSQL. There is a password in it, so it is never printed.

use std::fmt;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::protection::Secret;

/// Address, user and password of a server of PostgreSQL.
#[derive(Clone)]
pub struct Login(Box<PgConnectOptions>);

impl Login {
    /// For whom connects.
    #[must_use]
    pub fn options(&self) -> &PgConnectOptions {
        &self.0
    }

    /// Reads an address; what is wrong is added to the list, without the address.
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
