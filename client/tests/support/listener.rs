//! A telemetry server on loopback that records requests and answers in a chosen mode.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How the server answers requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Like the real server.
    Up,
    /// Like a server without batches: 404 for their path.
    WithoutBatches,
    /// Like a server without compression: 415.
    WithoutCompression,
    /// With this status, and `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// Like the real server if nothing is stored under the id.
    Unknown,
    /// Like a proxy or a captive portal: an HTML page with this status.
    Page(u16),
    /// Never answers, but keeps the connection open.
    BlackHole,
    /// Sends the head at once and never the body.
    Slow,
    /// Like the real server behind a slow link: stops reading after this many bytes of bodies.
    SlowLink(usize),
}

/// One request, its body decompressed.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    connections: Vec<TcpStream>,
    /// Bytes of bodies that are still read; `None` for no limit.
    allowance: Option<usize>,
    stopped: bool,
}

struct Shared {
    mode: Mutex<Mode>,
    /// File to which each request is appended as one line before it is answered: method, path, body.
    record: Option<PathBuf>,
    state: Mutex<State>,
    changed: Condvar,
}

/// The running server, which stops when dropped.
pub struct Listener {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listener {
    pub fn start(mode: Mode) -> Self {
        Self::start_with_record(mode, None)
    }

    pub fn start_with_record(mode: Mode, record: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("the listener is bound");
        let shared = Arc::new(Shared {
            mode: Mutex::new(Mode::Up),
            record,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || accept(&listener, &for_thread));
        let listener = Self { address, shared, thread: Some(thread) };
        listener.answer(mode);
        listener
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn answer(&self, mode: Mode) {
        lock(&self.shared.state).allowance =
            if let Mode::SlowLink(bytes) = mode { Some(bytes) } else { None };
        *lock(&self.shared.mode) = mode;
    }

    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.state).requests.clone()
    }

    /// Waits until there are this many requests.
    pub fn wait_for(&self, requests: usize) {
        let mut state = lock(&self.shared.state);
        while state.requests.len() < requests {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.shared.state);
            state.stopped = true;
            self.shared.changed.notify_all();
            for connection in &state.connections {
                let _ = connection.shutdown(std::net::Shutdown::Both);
            }
        }
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let mut state = lock(&shared.state);
        if state.stopped {
            return;
        }
        let Ok(stream) = stream else { continue };
        if let Ok(copy) = stream.try_clone() {
            state.connections.push(copy);
        }
        let shared = Arc::clone(shared);
        // The thread ends with its connection.
        thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, &mut writer, shared)? {
        let mode = lock(&shared.mode).clone();
        let answer = answer(&mode, &request);
        if let Some(path) = &shared.record {
            let line = format!("{} {} {}\n", request.method, request.path, request.text());
            OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())?;
        }
        {
            let mut state = lock(&shared.state);
            state.requests.push(request);
            shared.changed.notify_all();
        }
        match mode {
            Mode::BlackHole => {}
            Mode::Slow => writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?,
            _ => writer.write_all(answer.as_bytes())?,
        }
    }
    Ok(())
}

/// Whether a body of this size passes the slow link. If not, waits until the server stops.
fn passes(bytes: usize, shared: &Shared) -> bool {
    let mut state = lock(&shared.state);
    let Some(allowance) = state.allowance else { return true };
    state.allowance = Some(allowance.saturating_sub(bytes));
    if bytes > allowance {
        while !state.stopped {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
    bytes <= allowance
}

fn answer(mode: &Mode, request: &Request) -> String {
    let batch = request.path == "/api/v1/events";
    let compressed = request.header("Content-Encoding").is_some();
    let (status, extra, body) = match mode {
        Mode::WithoutBatches if batch => (404, String::new(), r#"{"error":"not_found"}"#.to_owned()),
        Mode::WithoutCompression if compressed => (415, String::new(), "{}".to_owned()),
        Mode::Status(status, retry) => {
            let extra = retry.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
            (*status, extra, r#"{"error":"x","field":null,"message":"x"}"#.to_owned())
        }
        Mode::Unknown => {
            let body =
                r#"{"error":"not_found","field":null,"message":"Nothing is stored under this id or name."}"#;
            (404, String::new(), body.to_owned())
        }
        Mode::Page(204) => (204, String::new(), String::new()),
        Mode::Page(status) => {
            let extra = "Location: /login\r\nContent-Type: text/html\r\n".to_owned();
            (*status, extra, "<html>\"executions\": please log in</html>".to_owned())
        }
        _ if batch => {
            let results = vec![r#"{"status":"accepted"}"#; request.text().lines().count()];
            (200, String::new(), format!("{{\"results\":[{}]}}", results.join(",")))
        }
        _ if request.method == "DELETE" => (204, "Telemetry-Erased: true\r\n".to_owned(), String::new()),
        _ if request.method == "GET" => (200, String::new(), r#"{"executions":[]}"#.to_owned()),
        _ => (200, String::new(), r#"{"status":"accepted"}"#.to_owned()),
    };
    format!("HTTP/1.1 {status} X\r\n{extra}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Reads a request; `None` if the client closed the connection or the slow link is exhausted.
fn read_request(
    reader: &mut impl BufRead,
    writer: &mut TcpStream,
    shared: &Shared,
) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, headers: Vec::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if request.header("Expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = request.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if !passes(length, shared) {
        return Ok(None);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    if request.header("Content-Encoding") == Some("gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain)?;
        body = plain;
    }
    request.body = body;
    Ok(Some(request))
}
