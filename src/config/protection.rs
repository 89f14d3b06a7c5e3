//! Protection against abuse: rate limits, timeouts, trusted proxies and tokens; and what the public may see.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use sha2::Sha256;

use super::heading::PROTECTION;
use super::{number, set};

/// The largest burst or rate for which the limiter's arithmetic does not overflow.
const MAX_RATE: usize = 100_000_000;
/// The shortest token that cannot be guessed.
const MIN_TOKEN: usize = 16;

/// A text that `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Whether this is the secret. Compares digests, so that the time it takes reveals nothing.
    #[must_use]
    pub fn is(&self, text: &[u8]) -> bool {
        let digest = |text| Hmac::<Sha256>::new(&Key::<Hmac<Sha256>>::default()).chain_update(text);
        digest(text).verify(&digest(self.0.as_bytes()).finalize().into_bytes()).is_ok()
    }

    /// The text itself. Never log it or send it in a response.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty or consists of white space.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// The variables as text.
#[derive(Args, Clone, Debug, Default)]
pub struct ProtectionVariables {
    /// Events that one execution may send at once; 0: no limit [default: 30]
    #[arg(long, env = "RUN_LIMIT_BURST", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub run_limit_burst: Option<String>,
    /// Events that one execution may send per minute on average; 0: no limit [default: 60]
    #[arg(long, env = "RUN_LIMIT_PER_MINUTE", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub run_limit_per_minute: Option<String>,
    /// Requests that one address may send at once; 0: no limit [default: 600]
    #[arg(long, env = "ADDRESS_LIMIT_BURST", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub address_limit_burst: Option<String>,
    /// Requests that one address may send per minute on average; 0: no limit [default: 1200]
    #[arg(long, env = "ADDRESS_LIMIT_PER_MINUTE", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub address_limit_per_minute: Option<String>,
    /// Networks of the proxies whose X-Forwarded-For or Forwarded header is trusted, like
    /// 10.0.0.0/8,::1; unset: none
    #[arg(long, env = "TRUSTED_PROXIES", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub trusted_proxies: Option<String>,
    /// Maximum number of open connections; excess ones receive a 503 [default: 16384]
    #[arg(long, env = "MAX_CONNECTIONS", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub max_connections: Option<String>,
    /// Seconds in which a request must arrive, half of them for the head [default: 10]
    #[arg(long, env = "REQUEST_TIMEOUT_SECONDS", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub request_timeout_seconds: Option<String>,
    /// Seconds for which a connection may be idle between requests [default: 10]
    #[arg(long, env = "KEEP_ALIVE_SECONDS", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub keep_alive_seconds: Option<String>,
    /// Bearer token for /admin, at least 16 characters; unset: /admin is disabled
    #[arg(long, env = "ADMIN_TOKEN", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub admin_token: Option<Secret>,
    /// Bearer token that shows texts of single executions and rare names, at least 16 characters;
    /// unset: only ADMIN_TOKEN does
    #[arg(long, env = "READ_TOKEN", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub read_token: Option<Secret>,
    /// Sessions that must have a name, such as that of an application, before the public sees it;
    /// 1: every name is public [default: 5]
    #[arg(long, env = "RARE_SESSIONS", hide_env_values = true, global = true, help_heading = PROTECTION)]
    pub rare_sessions: Option<String>,
}

/// A rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Number allowed at once.
    pub burst: NonZeroU32,
    /// Number allowed per minute on average.
    pub per_minute: NonZeroU32,
}

/// The checked values.
#[derive(Clone, Debug)]
pub struct Protection {
    /// `RUN_LIMIT_BURST` and `RUN_LIMIT_PER_MINUTE`; `None` if either is 0.
    pub run_limit: Option<Rate>,
    /// `ADDRESS_LIMIT_BURST` and `ADDRESS_LIMIT_PER_MINUTE`; `None` if either is 0.
    pub address_limit: Option<Rate>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: Vec<IpNet>,
    /// `MAX_CONNECTIONS`.
    pub max_connections: usize,
    /// `REQUEST_TIMEOUT_SECONDS`.
    pub request_timeout: Duration,
    /// `KEEP_ALIVE_SECONDS`.
    pub keep_alive: Duration,
    /// `ADMIN_TOKEN`.
    pub admin_token: Option<Secret>,
    /// `READ_TOKEN`.
    pub read_token: Option<Secret>,
    /// `RARE_SESSIONS`.
    pub rare_sessions: u32,
}

impl ProtectionVariables {
    /// Checks the variables and adds a sentence to `wrong` for each invalid one.
    pub(super) fn check(self, wrong: &mut Vec<String>) -> Protection {
        let run_limit = {
            let burst = number(wrong, "RUN_LIMIT_BURST", self.run_limit_burst, 30, 0, MAX_RATE);
            rate(burst, number(wrong, "RUN_LIMIT_PER_MINUTE", self.run_limit_per_minute, 60, 0, MAX_RATE))
        };
        let address_limit = {
            let burst = number(wrong, "ADDRESS_LIMIT_BURST", self.address_limit_burst, 600, 0, MAX_RATE);
            let name = "ADDRESS_LIMIT_PER_MINUTE";
            rate(burst, number(wrong, name, self.address_limit_per_minute, 1200, 0, MAX_RATE))
        };
        let trusted_proxies = networks(wrong, self.trusted_proxies);
        let max_connections = number(wrong, "MAX_CONNECTIONS", self.max_connections, 16_384, 1, 1_000_000);
        let request_seconds =
            number(wrong, "REQUEST_TIMEOUT_SECONDS", self.request_timeout_seconds, 10, 1, 3600);
        let keep_alive_seconds = number(wrong, "KEEP_ALIVE_SECONDS", self.keep_alive_seconds, 10, 1, 3600);
        let admin_token = token(wrong, "ADMIN_TOKEN", self.admin_token);
        let read_token = token(wrong, "READ_TOKEN", self.read_token);
        let rare_sessions = number(wrong, "RARE_SESSIONS", self.rare_sessions, 5, 1, 1_000) as u32;
        Protection {
            run_limit,
            address_limit,
            trusted_proxies,
            max_connections,
            request_timeout: Duration::from_secs(request_seconds as u64),
            keep_alive: Duration::from_secs(keep_alive_seconds as u64),
            admin_token,
            read_token,
            rare_sessions,
        }
    }
}

/// Checks a token; `None` if it is blank.
fn token(wrong: &mut Vec<String>, name: &str, variable: Option<Secret>) -> Option<Secret> {
    let token = variable.filter(|token| !token.is_blank())?;
    if token.reveal().len() < MIN_TOKEN {
        wrong.push(format!("{name} must have at least {MIN_TOKEN} characters"));
    }
    if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        wrong.push(format!("{name} must consist of visible ASCII characters, without spaces"));
    }
    Some(token)
}

/// A rate limit; `None` if either number is 0.
fn rate(burst: usize, per_minute: usize) -> Option<Rate> {
    let number = |number| u32::try_from(number).ok().and_then(NonZeroU32::new);
    Some(Rate { burst: number(burst)?, per_minute: number(per_minute)? })
}

/// Parses a comma-separated list of networks and addresses. IPv4-mapped IPv6 addresses become IPv4, as
/// those of connections do.
fn networks(wrong: &mut Vec<String>, variable: Option<String>) -> Vec<IpNet> {
    let text = set(variable).unwrap_or_default();
    let mut networks = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let address = part.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
        match address.ok().or_else(|| part.parse().ok()) {
            Some(network) if network.prefix_len() == 0 => {
                wrong.push(format!("TRUSTED_PROXIES must not trust every address, as `{part}` does"));
            }
            Some(IpNet::V6(network)) if network.network().to_ipv4_mapped().is_some() => {
                wrong.push(format!("TRUSTED_PROXIES must name IPv4 networks like 10.0.0.0/8, not `{part}`"));
            }
            Some(network) => networks.push(network),
            None => wrong.push(format!(
                "TRUSTED_PROXIES must be networks, like 10.0.0.0/8,2001:db8::/32, not `{part}`"
            )),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: ProtectionVariables) -> (Protection, Vec<String>) {
        let mut wrong = Vec::new();
        (variables.check(&mut wrong), wrong)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let (protection, wrong) = check(ProtectionVariables::default());
        assert_eq!(wrong, [""; 0]);
        assert_eq!(protection.run_limit, rate(30, 60));
        assert_eq!(protection.address_limit, rate(600, 1200));
        assert_eq!(protection.trusted_proxies, []);
        assert_eq!((protection.admin_token, protection.read_token), (None, None));
        assert_eq!(protection.rare_sessions, 5);
        assert_eq!(protection.request_timeout, Duration::from_secs(10));
    }

    #[test]
    fn zero_disables_a_limit() {
        for (burst, per_minute) in [("0", "60"), ("30", "0")] {
            let (run_limit_burst, run_limit_per_minute) = (text(burst), text(per_minute));
            let variables = ProtectionVariables {
                run_limit_burst,
                run_limit_per_minute,
                ..ProtectionVariables::default()
            };
            assert_eq!(check(variables).0.run_limit, None);
        }
    }

    #[test]
    fn trusted_proxies_are_networks_but_never_all_addresses() {
        let trusted = |value: &str| {
            check(ProtectionVariables { trusted_proxies: text(value), ..ProtectionVariables::default() })
        };
        let (protection, wrong) = trusted(" 10.0.0.0/8, 192.0.2.1 ,2001:db8::/32,::ffff:192.0.2.2,");
        assert_eq!(wrong, [""; 0]);
        let names: Vec<_> = protection.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32", "192.0.2.2/32"]);
        for value in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "localhost", "::ffff:10.0.0.0/104", "10.0.0.1:80"] {
            let (_, wrong) = trusted(value);
            assert!(
                matches!(&wrong[..], [line] if line.starts_with("TRUSTED_PROXIES ")),
                "{value}: {wrong:?}"
            );
        }
    }

    #[test]
    fn a_token_has_at_least_16_characters_and_is_never_printed() {
        for token in ["fifteen-letters", "sixteen letters and more", "sechzehn-grüße-und-mehr"] {
            let variables =
                ProtectionVariables { admin_token: token.parse().ok(), ..ProtectionVariables::default() };
            assert!(!format!("{variables:?}").contains(token));
            let (protection, wrong) = check(variables);
            assert!(
                matches!(&wrong[..], [line] if line.starts_with("ADMIN_TOKEN ") && !line.contains(token))
            );
            assert!(!format!("{protection:?}").contains(token));
        }
        let token: Secret = "a-token-of-letters".parse().expect("a text");
        assert!(token.is(b"a-token-of-letters"));
        for other in ["", "a-token-of-letter", "a-token-of-lettersX", "A-token-of-letters"] {
            assert!(!token.is(other.as_bytes()), "{other}");
        }
        let empty = ProtectionVariables { admin_token: " ".parse().ok(), ..ProtectionVariables::default() };
        assert_eq!(check(empty).0.admin_token, None);
    }
}
