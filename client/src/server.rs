//! The server, as the client sees it: a few paths, and what their answers mean.

use std::fs;
use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::budget::Deadline;
use crate::host::Host;

const DEFAULT_ADDRESS: &str = "https://api.community-scripts.org";
const EVENT_PATH: &str = "/telemetry";
const BATCH_PATH: &str = "/api/v1/events";
const RUN_PATH: &str = "/api/runs/";
/// Smaller bodies are sent as they are.
const COMPRESS_FROM: usize = 4096;
const LARGEST_ANSWER: u64 = 8 * 1024 * 1024;

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 2xx, with the body; `None` when that did not come or was not asked for, which says nothing against the
    /// status.
    Accepted(Option<String>),
    /// 404 or 405: the server does not have this.
    Missing,
    /// Any other answer that will be the same next time.
    Refused(u16),
    /// 408, 429 or 5xx: later, after this long if the server said so.
    Later(Option<Duration>),
    /// No answer in time.
    Unreachable,
}

/// Where reports go.
pub struct Server {
    address: String,
    agent: Agent,
}

impl Server {
    /// The server of this host. `TELEMETRY_URL` names another one, with or without the path of
    /// events; `TELEMETRY_CA_FILE` the certificates (PEM) by which one's own is known.
    #[must_use]
    pub fn of(host: &Host) -> Self {
        let address = host.variable("TELEMETRY_URL").unwrap_or(DEFAULT_ADDRESS).trim_end_matches('/');
        let address = address.strip_suffix(EVENT_PATH).unwrap_or(address);
        let address = if address.contains("://") { address.to_owned() } else { format!("https://{address}") };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // What a report goes to was chosen; it does not go on from there.
            .max_redirects(0)
            .user_agent(concat!("community-scripts-telemetry/", env!("CARGO_PKG_VERSION")));
        let own = host.variable("TELEMETRY_CA_FILE").and_then(|path| fs::read(path).ok());
        if let Some(certificates) = own.map(|pem| certificates(&pem)).filter(|found| !found.is_empty()) {
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Self { address, agent: Agent::new_with_config(config.build()) }
    }

    /// Its address, without a path.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends one event.
    #[must_use]
    pub fn send_event(&self, json: &str, deadline: Deadline) -> Reply {
        match self.send(EVENT_PATH, "application/json", json.as_bytes(), None, deadline) {
            // The status says it all: nobody waits for the rest.
            Some(answer) if answer.status().is_success() => Reply::Accepted(None),
            answer => reply(answer),
        }
    }

    /// Sends many events, one in each line.
    #[must_use]
    pub fn send_batch(&self, lines: &str, deadline: Deadline) -> Reply {
        const TYPE: &str = "application/x-ndjson";
        let compressed = (lines.len() >= COMPRESS_FROM).then(|| gzip(lines.as_bytes())).flatten();
        if let Some(body) = compressed {
            let reply = self.post(BATCH_PATH, TYPE, &body, Some("gzip"), deadline);
            if reply != Reply::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE.as_u16()) {
                return reply;
            }
        }
        self.post(BATCH_PATH, TYPE, lines.as_bytes(), None, deadline)
    }

    /// What the server holds about a run.
    #[must_use]
    pub fn run(&self, id: &str, deadline: Deadline) -> Reply {
        let Some(time) = left(deadline) else { return Reply::Unreachable };
        let request = self.agent.get(format!("{}{RUN_PATH}{id}", self.address));
        reply(request.config().timeout_global(Some(time)).build().call().ok())
    }

    /// Has a run erased.
    #[must_use]
    pub fn erase(&self, id: &str, deadline: Deadline) -> Reply {
        let Some(time) = left(deadline) else { return Reply::Unreachable };
        let request = self.agent.delete(format!("{}{RUN_PATH}{id}", self.address));
        reply(request.config().timeout_global(Some(time)).build().call().ok())
    }

    fn post(&self, path: &str, kind: &str, body: &[u8], encoding: Option<&str>, deadline: Deadline) -> Reply {
        reply(self.send(path, kind, body, encoding, deadline))
    }

    /// The head of the answer, if one came in time.
    fn send(
        &self,
        path: &str,
        kind: &str,
        body: &[u8],
        encoding: Option<&str>,
        deadline: Deadline,
    ) -> Option<Response<Body>> {
        let time = left(deadline)?;
        let mut request = self.agent.post(format!("{}{path}", self.address)).header("Content-Type", kind);
        if let Some(encoding) = encoding {
            request = request.header("Content-Encoding", encoding);
        }
        request.config().timeout_global(Some(time)).build().send(body).ok()
    }
}

/// Time for a request, so that some is left to note down how it ended; `None` when there is too
/// little for any.
fn left(deadline: Deadline) -> Option<Duration> {
    const RESERVE: Duration = Duration::from_millis(50);
    deadline.remaining().checked_sub(RESERVE).filter(|time| *time >= Duration::from_millis(20))
}

fn reply(answer: Option<Response<Body>>) -> Reply {
    let Some(response) = answer else { return Reply::Unreachable };
    let status = response.status();
    match status.as_u16() {
        200..=299 => {
            let body = response.into_body().with_config().limit(LARGEST_ANSWER).read_to_string();
            Reply::Accepted(body.ok())
        }
        404 | 405 => Reply::Missing,
        408 | 429 | 500..=599 => Reply::Later(retry_after(response.headers())),
        refused => Reply::Refused(refused),
    }
}

/// Only the form in seconds; no server of ours sends a date.
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
    fn the_address_is_https_unless_told_otherwise_and_has_no_path() {
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
    fn compressed_bytes_come_back() {
        use std::io::Read;
        let compressed = gzip(b"abc").unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
