//! Sessions of maintainers in a browser: a signed cookie takes the place of a bearer token.
//!
//! The server stores no sessions. A cookie is `role-expiry-nonce-signature`, and its signature needs the key of the
//! run ids and the token with which its owner signed in. So it holds on every instance, and ends after 12 hours or
//! when the token changes. A cookie that is not valid counts as none.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::config::protection::{Protection, Secret};
use crate::http::error::ApiError;
use crate::ingest::identity::IdKey;
use crate::state::AppState;

/// Name of the cookie.
pub const COOKIE: &str = "telemetry_session";
/// Hours until a session expires.
const HOURS: i64 = 12;

/// What the owner of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `READ_TOKEN`: sees texts of single executions and rare names.
    Reader,
    /// `ADMIN_TOKEN`: also decides about signatures, and opens `/admin`.
    Administrator,
}

impl Role {
    /// All roles, the weakest first.
    pub const ALL: [Self; 2] = [Self::Reader, Self::Administrator];

    /// The token of the role; `None` if it is not configured.
    #[must_use]
    pub const fn token(self, protection: &Protection) -> Option<&Secret> {
        match self {
            Self::Reader => protection.read_token.as_ref(),
            Self::Administrator => protection.admin_token.as_ref(),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Administrator => "administrator",
        }
    }
}

/// A session that is valid now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What its owner may do.
    pub role: Role,
    form_token: String,
}

impl Session {
    /// The session of a request; `None` without a valid cookie.
    #[must_use]
    pub fn of(request: &HttpRequest, state: &AppState) -> Option<Self> {
        read(request.cookie(COOKIE)?.value(), Utc::now(), &state.ids, &state.protection)
    }

    /// A text for the hidden field `form_token` of forms. Other sites cannot know it, so they cannot send the form in
    /// the name of a maintainer.
    #[must_use]
    pub fn form_token(&self) -> &str {
        &self.form_token
    }

    /// Checks the field `form_token` of a form.
    ///
    /// # Errors
    /// [`ApiError::ForeignForm`].
    pub fn check_form(&self, sent: Option<&str>) -> Result<(), ApiError> {
        let is_own = sent.is_some_and(|sent| is_same(&self.form_token, sent));
        is_own.then_some(()).ok_or(ApiError::ForeignForm)
    }
}

/// The cookie that starts a session; `None` if the role has no token.
#[must_use]
pub fn start(role: Role, request: &HttpRequest, state: &AppState) -> Option<Cookie<'static>> {
    let value = write(role, Utc::now(), &state.ids, &state.protection)?;
    Some(cookie(value, Duration::hours(HOURS), request))
}

/// The cookie that ends a session.
#[must_use]
pub fn end(request: &HttpRequest) -> Cookie<'static> {
    cookie(String::new(), Duration::ZERO, request)
}

fn cookie(value: String, lifetime: Duration, request: &HttpRequest) -> Cookie<'static> {
    // A client can forge the scheme, but only to its own disadvantage.
    let is_https = request.connection_info().scheme() == "https";
    Cookie::build(COOKIE, value)
        .path("/")
        .max_age(lifetime)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_https)
        .finish()
}

fn write(role: Role, now: DateTime<Utc>, ids: &IdKey, protection: &Protection) -> Option<String> {
    let expiry = (now + TimeDelta::hours(HOURS)).timestamp();
    let content = format!("{}-{expiry}-{}", role.word(), Uuid::new_v4().simple());
    let signature = sign(role, "session", &content, ids, protection)?;
    Some(format!("{content}-{signature}"))
}

fn read(value: &str, now: DateTime<Utc>, ids: &IdKey, protection: &Protection) -> Option<Session> {
    let (content, signature) = value.rsplit_once('-')?;
    let mut parts = content.split('-');
    let (word, expiry) = (parts.next()?, parts.next()?);
    let role = Role::ALL.into_iter().find(|role| role.word() == word)?;
    let expected = sign(role, "session", content, ids, protection)?;
    let is_valid = is_same(&expected, signature) && expiry.parse::<i64>().ok()? > now.timestamp();
    let form_token = sign(role, "form", content, ids, protection)?;
    is_valid.then_some(Session { role, form_token })
}

/// A signature for one purpose; `None` if the role has no token.
fn sign(role: Role, purpose: &str, content: &str, ids: &IdKey, protection: &Protection) -> Option<String> {
    Some(ids.sign(role.token(protection)?, &format!("{purpose} {content}")))
}

/// Compares in constant time.
fn is_same(expected: &str, sent: &str) -> bool {
    expected.parse().is_ok_and(|expected: Secret| expected.is(sent.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(read: &str, admin: &str) -> Protection {
        let mut protection = crate::config::Variables::default().check().expect("defaults").protection;
        (protection.read_token, protection.admin_token) = (read.parse().ok(), admin.parse().ok());
        protection
    }

    #[test]
    fn a_cookie_holds_until_it_expires_or_its_token_changes() {
        let (ids, now) = (IdKey::new(b"key"), Utc::now());
        let tokens = protection("a-token-that-reads", "a-token-that-decides");
        for role in Role::ALL {
            let value = write(role, now, &ids, &tokens).expect("a token");
            let read = |value: &str, hours, ids: &IdKey, tokens: &Protection| {
                read(value, now + TimeDelta::hours(hours), ids, tokens).map(|session| session.role)
            };
            assert_eq!(read(&value, 11, &ids, &tokens), Some(role));
            assert_eq!(read(&value, 12, &ids, &tokens), None, "expired");
            assert_eq!(read(&value, 0, &IdKey::new(b"other"), &tokens), None);
            let mut changed = tokens.clone();
            match role {
                Role::Reader => changed.read_token = "another-token-that-reads".parse().ok(),
                Role::Administrator => changed.admin_token = None,
            }
            assert_eq!(read(&value, 0, &ids, &changed), None, "another token");
            for position in 0..value.len() {
                let mut forged = value.clone().into_bytes();
                forged[position] ^= 1;
                let forged = String::from_utf8(forged).expect("ASCII");
                assert_eq!(read(&forged, 0, &ids, &tokens), None, "{forged}");
            }
        }
        let raised =
            write(Role::Reader, now, &ids, &tokens).expect("a token").replace("reader", "administrator");
        assert_eq!(read(&raised, now, &ids, &tokens), None);
        for value in ["", "-", "reader", "reader-1-2-", "administrator-9999999999-0-", "é-é-é-é"] {
            assert_eq!(read(value, now, &ids, &tokens), None, "{value}");
        }
    }

    #[test]
    fn a_form_belongs_to_one_session() {
        let (ids, now) = (IdKey::new(b"key"), Utc::now());
        let tokens = protection("a-token-that-reads", "a-token-that-decides");
        let session = |role| read(&write(role, now, &ids, &tokens)?, now, &ids, &tokens);
        let [own, other] = [(); 2].map(|()| session(Role::Administrator).expect("a session"));
        assert_eq!(own.check_form(Some(own.form_token())), Ok(()));
        for sent in [None, Some(""), Some(other.form_token())] {
            assert_eq!(own.check_form(sent), Err(ApiError::ForeignForm));
        }
    }
}
