//! A connection that asks and waits, without a client library in between: what is measured is the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Nothing that is asked here may take longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// An open connection.
pub(crate) struct Connection {
    address: String,
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { address: address.to_owned(), stream: BufReader::with_capacity(64 << 10, stream) })
    }

    /// The body of what is answered with 200, and how long it took.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.ask("GET", path, "")
    }

    /// Sends a body; the rest as [`Connection::get`].
    pub(crate) fn post(&mut self, path: &str, body: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        self.ask("POST", path, body)
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(Vec<u8>, Duration)> {
        let begun = Instant::now();
        self.send(method, path, body)?;
        let length = self.head(path)?.context("an answer of unknown length")?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((body, begun.elapsed()))
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<()> {
        let Self { address, stream } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
             {body}",
            body.len()
        );
        Ok(stream.get_mut().write_all(request.as_bytes())?)
    }

    /// Reads the head of an answer; returns the length of its body, if it says one.
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

    /// Reads a stream of lines up to so many of them, then leaves. `each_chunk` is called now and then. Returns how
    /// many there were.
    pub(crate) fn lines(
        mut self,
        path: &str,
        most: usize,
        mut each_chunk: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        self.send("GET", path, "")?;
        ensure!(self.head(path)?.is_none(), "{path} is no stream");
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
