//! The recording test server as a program, for `client/measure`: `listener FILE MODE` prints its address,
//! appends each request as a line to FILE, and exits when stdin is closed. In the mode `silent-resolver` it is
//! instead a DNS resolver on 127.9.9.9 that never answers, which requires root.

#[path = "../tests/support/listener.rs"]
mod listener;

use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use listener::{Listener, Mode};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, mode] = &arguments[..] else {
        bail!("usage: listener FILE up|black-hole|slow|silent-resolver|STATUS")
    };
    if mode == "silent-resolver" {
        let _socket = UdpSocket::bind("127.9.9.9:53").context("port 53")?;
        return until_stdin_is_closed("127.9.9.9");
    }
    let mode = match mode.as_str() {
        "up" => Mode::Up,
        "black-hole" => Mode::BlackHole,
        "slow" => Mode::Slow,
        status => Mode::Status(status.parse().context("MODE is not a status code")?, None),
    };
    let listener = Listener::start_with_record(mode, Some(PathBuf::from(file)));
    until_stdin_is_closed(&listener.url())
}

fn until_stdin_is_closed(address: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{address}")?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
