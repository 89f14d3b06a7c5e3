//! The cost of hostile clients: forged ids and addresses, and idle connections.
//!
//! - `limiter`: 2,000,000 forged run ids and as many forged addresses, none of them twice, through the
//!   rate limiter, in this process.
//! - `forged`: the same over HTTP against the real server, with fewer ids.
//! - `idle`: 10,000 connections that send nothing, while `wrk` sends events.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use telemetry_load_tests::server_process::{Server, memory_mb, open_to_all};
use telemetry_load_tests::wrk;
use telemetry_server::config::Variables;
use telemetry_server::limit::limits::{Kind, Limits};
use telemetry_server::metrics::Metrics;

const FORGED: u64 = 2_000_000;
const FORGED_BY_HTTP: u64 = 204_800;
/// Requests that are sent before their responses are read.
const PIPELINED: u64 = 8;
const SENDERS: u64 = 64;
const IDLE: usize = 10_000;
const SECONDS: u32 = 5;
const CONNECTIONS: u32 = 64;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("limiter") => limiter(),
        Some("forged") => forged(),
        Some("idle") => idle(),
        _ => limiter().and_then(|()| forged()).and_then(|()| idle()),
    }
}

fn say(text: &std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn limiter() -> anyhow::Result<()> {
    let protection = Variables::default().check()?.protection;
    let metrics = Arc::new(Metrics::new()?);
    let limits = Limits::new(protection.run_limit, protection.address_limit, &metrics);
    let rss = || memory_mb(std::process::id(), "VmRSS:");
    let before = rss()?;
    let started = Instant::now();
    let mut refused = 0_u64;
    for number in 0..FORGED {
        refused += u64::from(limits.check(Kind::Run, &black_box(number)).is_err());
        refused += u64::from(limits.check(Kind::Address, &black_box(number)).is_err());
    }
    let each = started.elapsed().as_nanos() as f64 / (2 * FORGED) as f64;
    let (runs, addresses) = (limits.keys(Kind::Run), limits.keys(Kind::Address));
    let full = rss()?;
    say(&format_args!(
        "limiter: {FORGED} forged ids and {FORGED} forged addresses, {each:.0} ns each: {runs} and {addresses} keys, \
         {refused} refused; RSS {before:.1} MB before, {full:.1} MB after"
    ))
}

/// Runs `run` against the real server on a database of its own, with these variables.
fn with_server(
    variables: &[(&str, &str)],
    run: impl FnOnce(&Server) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("telemetry-bench").tempdir()?;
    open_to_all(folder.path())?;
    let program = std::env::current_exe()?.with_file_name("telemetry-server");
    let mut server = Server::start(
        Command::new(&program)
            .arg("serve")
            .env("DATA_DIR", folder.path().join("data"))
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("LOG", "warn")
            .envs(variables.iter().copied()),
    )
    .with_context(|| format!("cannot start {}: build it first", program.display()))?;
    run(&server)?;
    server.stop()
}

/// Sends events, each with a run id and an address of its own.
fn forged() -> anyhow::Result<()> {
    with_server(&[("TRUSTED_PROXIES", "127.0.0.1")], |server| {
        let before = server.memory_mb("VmRSS:")?;
        let started = Instant::now();
        let accepted = std::thread::scope(|scope| -> anyhow::Result<u64> {
            let forge = |sender| scope.spawn(move || forge(&server.address, sender));
            let senders: Vec<_> = (0..SENDERS).map(forge).collect();
            let accepted =
                senders.into_iter().map(|sender| sender.join().ok().context("a sender panicked")?);
            accepted.sum()
        })?;
        let seconds = started.elapsed().as_secs_f64();
        say(&format_args!(
            "forged: {FORGED_BY_HTTP} events of forged ids from forged addresses in {seconds:.1} s, {accepted} accepted; \
             {}; RSS {before:.0} MB before, {:.0} MB at most",
            metrics(&server.address, "telemetry_limiter_keys")?,
            server.memory_mb("VmHWM:")?
        ))
    })
}

/// Sends the share of one sender and returns the number of accepted events.
fn forge(address: &str, sender: u64) -> anyhow::Result<u64> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let mut answers = BufReader::new(connection.try_clone()?);
    let (mut accepted, mut line) = (0, String::new());
    for turn in 0..FORGED_BY_HTTP / SENDERS / PIPELINED {
        let mut requests = Vec::new();
        for part in 0..PIPELINED {
            let number = (turn * PIPELINED + part) * SENDERS + sender;
            let [_, a, b, c] = u32::try_from(number)?.to_be_bytes();
            let body = format!(r#"{{"random_id":"forged-{number}","nsapp":"x","status":"installing"}}"#);
            write!(
                requests,
                "POST /telemetry HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 11.{a}.{b}.{c}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
        }
        connection.write_all(&requests)?;
        for _ in 0..PIPELINED {
            let mut length = 0;
            line.clear();
            answers.read_line(&mut line)?;
            ensure!(line.starts_with("HTTP/1.1 "), "not an HTTP response: {line}");
            accepted += u64::from(line.starts_with("HTTP/1.1 200"));
            while line != "\r\n" {
                line.clear();
                answers.read_line(&mut line)?;
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse()?;
                }
            }
            answers.read_exact(&mut vec![0; length])?;
        }
    }
    Ok(accepted)
}

fn idle() -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    // No connection is closed before the end.
    let unlimited = [("ADDRESS_LIMIT_BURST", "0"), ("REQUEST_TIMEOUT_SECONDS", "120")];
    with_server(&unlimited, |server| {
        let alone = wrk::run(&server.address, CONNECTIONS, SECONDS)?;
        let before = server.memory_mb("VmRSS:")?;
        let started = Instant::now();
        let idle: Vec<_> =
            (0..IDLE).map(|_| TcpStream::connect(&server.address)).collect::<Result<_, _>>()?;
        let opened = started.elapsed();
        let beside = wrk::run(&server.address, CONNECTIONS, SECONDS)?;
        let open = metrics(&server.address, "telemetry_connections ")?;
        say(&format_args!(
            "idle: {IDLE} connections opened in {:.1} s; {open}; RSS {before:.0} MB before, {:.0} MB with them\n\
             idle: events over {CONNECTIONS} connections, alone {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {} refused; beside them \
             {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {} refused",
            opened.as_secs_f64(),
            server.memory_mb("VmRSS:")?,
            alone.per_second,
            alone.p50_ms,
            alone.p99_ms,
            alone.refused,
            beside.per_second,
            beside.p50_ms,
            beside.p99_ms,
            beside.refused
        ))?;
        drop(idle);
        Ok(())
    })?;
    with_server(&[("ADDRESS_LIMIT_BURST", "0")], |server| {
        let started = Instant::now();
        let idle: Vec<_> =
            (0..IDLE).map(|_| TcpStream::connect(&server.address)).collect::<Result<_, _>>()?;
        for mut connection in &idle {
            connection.set_read_timeout(Some(Duration::from_secs(60)))?;
            let mut said = Vec::new();
            connection.read_to_end(&mut said).context("a connection is not closed")?;
        }
        let seconds = started.elapsed().as_secs_f64();
        say(&format_args!(
            "idle: with the defaults all {IDLE} are closed {seconds:.1} s after the first was opened"
        ))
    })
}

/// The lines of `/metrics` that begin with `name`.
fn metrics(address: &str, name: &str) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    write!(connection, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    Ok(text.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join(", "))
}
