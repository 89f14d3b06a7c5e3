//! A minimal HTTP client. It does so little that measurements are of the server, not of a client library.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Longest wait for a response.
const PATIENCE: Duration = Duration::from_secs(120);

/// An open connection.
pub struct Connection {
    address: String,
    accept: &'static str,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// If the connection is refused.
    pub fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let stream = BufReader::with_capacity(64 << 10, stream);
        Ok(Self { address: address.to_owned(), accept: "*/*", stream })
    }

    /// Requests a path. Returns the body and the time until it arrived.
    ///
    /// # Errors
    /// On any status but 200.
    pub fn get(&mut self, path: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.exchange("GET", path, "")
    }

    /// Requests a page as browsers do. Otherwise like [`Connection::get`].
    ///
    /// # Errors
    /// On any status but 200.
    pub fn page(&mut self, path: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.accept = "text/html";
        let page = self.get(path);
        self.accept = "*/*";
        page
    }

    /// Posts a body. Otherwise like [`Connection::get`].
    ///
    /// # Errors
    /// On any status but 200.
    pub fn post(&mut self, path: &str, body: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.exchange("POST", path, body)
    }

    fn exchange(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        let begun = Instant::now();
        self.send(method, path, body)?;
        let length = self.head(path)?.context("no Content-Length")?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((body, begun.elapsed()))
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let Self { address, accept, stream } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(stream.get_mut().write_all(request.as_bytes())?)
    }

    /// Reads the head of a response. Returns the `Content-Length`, if there is one.
    fn head(&mut self, path: &str) -> anyhow::Result<Option<usize>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.split(' ').nth(1) == Some("200"), "{path}: {line}");
        let mut length = None;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.parse().ok();
                }
                Some(_) => {}
                None => return Ok(length),
            }
        }
    }

    /// Reads the first `most` lines of a chunked response and returns their number. Calls `each_chunk` after
    /// each chunk.
    ///
    /// # Errors
    /// On any status but 200, or if the response is not chunked.
    pub fn lines(
        mut self,
        path: &str,
        most: usize,
        mut each_chunk: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        self.send("GET", path, "")?;
        ensure!(self.head(path)?.is_none(), "{path} is not a stream");
        let mut lines = 0;
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).context("a chunk")?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            lines += chunk.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
            each_chunk()?;
            if size == 0 || lines >= most {
                return Ok(lines);
            }
        }
    }
}
