//! `telemetry-server healthcheck`, and the check behind the watchdog: a request to the server's own address.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};

/// Longest wait for the connection, and again for the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Fails unless the server at `LISTEN_ADDR` answers that it runs.
pub(super) fn check_health(listen_addr: SocketAddr) -> anyhow::Result<()> {
    match status(listen_addr, PATIENCE)
        .with_context(|| format!("no answer from {listen_addr} (LISTEN_ADDR)"))?
    {
        200 => Ok(()),
        other => bail!("the server at {listen_addr} (LISTEN_ADDR) answers with {other}"),
    }
}

/// The status of `/healthz`. Blocks for at most twice the patience.
pub(super) fn status(listens_on: SocketAddr, patience: Duration) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&reachable(listens_on), patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut start)?;
    let status = start.strip_prefix(b"HTTP/1.1 ").and_then(|digits| str::from_utf8(digits).ok());
    status.and_then(|digits| digits.parse().ok()).context("the answer is not HTTP")
}

/// An address to connect to. A server that listens on every address also listens on the loopback interface.
fn reachable(listens_on: SocketAddr) -> SocketAddr {
    let ip = match listens_on.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens_on.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn a_server_that_accepts_but_never_answers_is_not_healthy() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        assert!(status(address, Duration::from_millis(50)).is_err());
    }

    #[test]
    fn the_status_is_that_of_the_answer() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Some(200)),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", Some(503)),
            ("SSH-2.0-OpenSSH_9.2\r\n", None),
            ("", None),
        ] {
            let listener = TcpListener::bind("0.0.0.0:0").expect("a free port");
            let address = listener.local_addr().expect("it listens");
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a connection");
                let _ = stream.read(&mut [0; 1024]).expect("a request");
                stream.write_all(answer.as_bytes()).expect("a reader");
            });
            assert_eq!(status(address, PATIENCE).ok(), expected, "{answer}");
            server.join().expect("it ends");
        }
    }
}
