//! The server's HTTP API, as far as the client uses it.

use std::io::Write;
use std::time::Duration;
use std::{fmt, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use telemetry_protocol::ERASED_HEADER;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::budget::Deadline;
use crate::system::Host;

const DEFAULT_ADDRESS: &str = "https://api.community-scripts.org";
const EVENT_PATH: &str = "/telemetry";
const BATCH_PATH: &str = "/api/v1/events";
const RUN_PATH: &str = "/api/runs/";
/// Smaller bodies are sent uncompressed.
const MIN_COMPRESSED_BYTES: usize = 4096;
const MAX_RESPONSE_BYTES: u64 = 8 * 1024 * 1024;
/// Longest time for a request of a person, so that a silent server is reported before the command times out.
const INTERACTIVE: Duration = Duration::from_secs(5);

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 2xx with the body; `None` if the body was not read or did not arrive completely.
    Accepted(Option<String>),
    /// 404 or 405: the endpoint does not exist.
    Missing,
    /// Any other status that a retry would not change.
    Refused(u16),
    /// 408, 429 or 5xx, with the value of `Retry-After` if the server sent it.
    Later(Option<Duration>),
    /// No answer before the deadline.
    Unreachable,
}

/// Why a run could not be fetched or erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No complete answer before the deadline.
    NoAnswer,
    /// An answer with this status that is not the expected one.
    Status(u16),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Status(status) = self else { return formatter.write_str("no answer from the server") };
        let reason = match status {
            200..=299 | 404 | 405 => ", but not from a telemetry server",
            300..=399 => ": the address redirects to another one",
            408 | 429 | 500..=599 => ": try again later",
            _ => "",
        };
        write!(formatter, "status {status}{reason}")
    }
}

/// A client for the server.
pub struct Server {
    address: String,
    agent: Agent,
}

impl Server {
    /// The server that this host reports to. `TELEMETRY_URL` overrides the address, with or without
    /// `/telemetry`; `TELEMETRY_CA_FILE` names a PEM file with the root certificates to trust.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let address = host.variable("TELEMETRY_URL").unwrap_or(DEFAULT_ADDRESS).trim_end_matches('/');
        let address = address.strip_suffix(EVENT_PATH).unwrap_or(address);
        let address = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // A report only goes to the configured server.
            .max_redirects(0)
            .user_agent(concat!("community-scripts-telemetry/", env!("CARGO_PKG_VERSION")));
        let own = host.variable("TELEMETRY_CA_FILE").and_then(|path| fs::read(path).ok());
        if let Some(certificates) = own.map(|pem| certificates(&pem)).filter(|found| !found.is_empty()) {
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Self { address, agent: Agent::new_with_config(config.build()) }
    }

    /// The server's address, without a path.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends one event.
    #[must_use]
    pub fn send_event(&self, json: &str, deadline: Deadline) -> Reply {
        match self.send(EVENT_PATH, "application/json", json.as_bytes(), None, deadline) {
            // The status is enough; waiting for the body would delay the script.
            Some(answer) if answer.status().is_success() => Reply::Accepted(None),
            answer => reply(answer),
        }
    }

    /// Sends several events, one per line.
    #[must_use]
    pub fn send_batch(&self, lines: &str, deadline: Deadline) -> Reply {
        const TYPE: &str = "application/x-ndjson";
        let compressed = (lines.len() >= MIN_COMPRESSED_BYTES).then(|| gzip(lines.as_bytes())).flatten();
        if let Some(body) = compressed {
            let reply = self.post(BATCH_PATH, TYPE, &body, Some("gzip"), deadline);
            if reply != Reply::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16()) {
                return reply;
            }
        }
        self.post(BATCH_PATH, TYPE, lines.as_bytes(), None, deadline)
    }

    /// Fetches the data that the server stores about a run, as JSON; `None` if it stores nothing.
    ///
    /// # Errors
    /// Any answer that is not one of a telemetry server.
    pub fn run(&self, id: &str, deadline: Deadline) -> Result<Option<String>, Failure> {
        let time = timeout(deadline.within(INTERACTIVE)).ok_or(Failure::NoAnswer)?;
        let request = self.agent.get(format!("{}{RUN_PATH}{id}", self.address));
        let response = request.config().timeout_global(Some(time)).build().call();
        let response = response.map_err(|_| Failure::NoAnswer)?;
        let status = response.status().as_u16();
        let body = response.into_body().with_config().limit(MAX_RESPONSE_BYTES).read_to_string();
        let body = body.map_err(|_| Failure::NoAnswer)?;
        let json: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
        match status {
            200 if json["executions"].is_array() => Ok(Some(body)),
            404 if json["error"] == "not_found" => Ok(None),
            _ => Err(Failure::Status(status)),
        }
    }

    /// Erases a run on the server.
    ///
    /// # Errors
    /// Any answer that does not confirm the erasure.
    pub fn erase(&self, id: &str, deadline: Deadline) -> Result<(), Failure> {
        let time = timeout(deadline.within(INTERACTIVE)).ok_or(Failure::NoAnswer)?;
        let request = self.agent.delete(format!("{}{RUN_PATH}{id}", self.address));
        let response = request.config().timeout_global(Some(time)).build().call();
        let response = response.map_err(|_| Failure::NoAnswer)?;
        let erased =
            response.status() == StatusCode::NO_CONTENT && response.headers().contains_key(ERASED_HEADER);
        if erased { Ok(()) } else { Err(Failure::Status(response.status().as_u16())) }
    }

    fn post(&self, path: &str, kind: &str, body: &[u8], encoding: Option<&str>, deadline: Deadline) -> Reply {
        reply(self.send(path, kind, body, encoding, deadline))
    }

    /// The head of the response; `None` if none arrived before the deadline.
    fn send(
        &self,
        path: &str,
        kind: &str,
        body: &[u8],
        encoding: Option<&str>,
        deadline: Deadline,
    ) -> Option<Response<Body>> {
        let time = timeout(deadline)?;
        let mut request = self.agent.post(format!("{}{path}", self.address)).header("Content-Type", kind);
        if let Some(encoding) = encoding {
            request = request.header("Content-Encoding", encoding);
        }
        request.config().timeout_global(Some(time)).build().send(body).ok()
    }
}

/// Timeout for a request, with a reserve for recording its result; `None` if too little time is left.
fn timeout(deadline: Deadline) -> Option<Duration> {
    const RESERVE: Duration = Duration::from_millis(50);
    deadline.remaining().checked_sub(RESERVE).filter(|time| *time >= Duration::from_millis(20))
}

fn reply(answer: Option<Response<Body>>) -> Reply {
    let Some(response) = answer else { return Reply::Unreachable };
    let status = response.status();
    match status.as_u16() {
        200..=299 => {
            let body = response.into_body().with_config().limit(MAX_RESPONSE_BYTES).read_to_string();
            Reply::Accepted(body.ok())
        }
        404 | 405 => Reply::Missing,
        408 | 429 | 500..=599 => Reply::Later(retry_after(response.headers())),
        refused => Reply::Refused(refused),
    }
}

/// Supports only the form in seconds, because the server never sends a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get("Retry-After")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn gzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    let text = String::from_utf8_lossy(pem);
    let parts = text.split(BEGIN).skip(1);
    parts.filter_map(|part| Certificate::from_pem(format!("{BEGIN}{part}").as_bytes()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_defaults_to_https_and_has_no_path() {
        for (url, address) in [
            (None, "https://api.community-scripts.org"),
            (Some("https://t.example.org/telemetry"), "https://t.example.org"),
            (Some("http://127.0.0.1:8080/"), "http://127.0.0.1:8080"),
            (Some("t.example.org"), "https://t.example.org"),
        ] {
            let variables: Vec<_> = url.map(|url| ("TELEMETRY_URL", url)).into_iter().collect();
            let host = Host::new(std::path::Path::new("/nowhere"), &variables);
            assert_eq!(Server::of(&host).address(), address);
        }
    }

    #[test]
    fn compressed_bytes_decompress_to_the_original() {
        use std::io::Read;
        let compressed = gzip(b"abc").unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
