//! HTTP as `curl` does it for the clients: one connection a request, and every byte under control.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::app::READ_TOKEN;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, and from which port it was asked for.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and header lines, in lower case.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    pub(crate) client_port: u16,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON answer")
    }
}

pub(crate) fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut connection = open(address)?;
    connection.write_all(head("GET", path, &[], 0).as_bytes())?;
    answer(connection)
}

/// The same as a maintainer.
pub(crate) fn get_all(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut connection = open(address)?;
    let token = format!("Authorization: Bearer {READ_TOKEN}");
    connection.write_all(head("GET", path, &[&token], 0).as_bytes())?;
    answer(connection)
}

pub(crate) fn delete(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut connection = open(address)?;
    connection.write_all(head("DELETE", path, &[], 0).as_bytes())?;
    answer(connection)
}

pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> io::Result<Answer> {
    let mut connection = open(address)?;
    connection.write_all(&[head("POST", path, &[], body.len()).as_bytes(), body].concat())?;
    answer(connection)
}

/// The same in chunks, so that the length is not known before the end.
pub(crate) fn post_chunked(address: SocketAddr, path: &str, body: &[u8]) -> io::Result<Answer> {
    let mut connection = open(address)?;
    let head = head("POST", path, &["Transfer-Encoding: chunked"], 0).replace("Content-Length: 0\r\n", "");
    connection.write_all(head.as_bytes())?;
    for chunk in body.chunks(8192) {
        let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        // The server may answer and close before the end.
        if connection.write_all(&chunk).is_err() {
            break;
        }
    }
    let _ = connection.write_all(b"0\r\n\r\n");
    answer(connection)
}

pub(crate) fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// The head of a request after which the connection is closed.
pub(crate) fn head(method: &str, path: &str, headers: &[&str], length: usize) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: telemetry\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    )
}

/// Reads to the end of the connection. One that ends without an answer is an error.
pub(crate) fn answer(mut connection: TcpStream) -> io::Result<Answer> {
    let client_port = connection.local_addr()?.port();
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes)?;
    let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let bytes = bytes.strip_prefix(go_on).unwrap_or(&bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, head: head.to_ascii_lowercase(), body: bytes[end + 4..].to_vec(), client_port })
}
