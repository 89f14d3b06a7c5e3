//! The recording server of the tests, for tests in bash: `listener FILE MODE` prints its address,
//! writes each request as a line to FILE, and ends when its stdin is closed.

#[path = "../tests/support/listener.rs"]
mod listener;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use listener::{Listener, Mode};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, mode] = &arguments[..] else { bail!("usage: listener FILE up|black-hole|slow|STATUS") };
    let mode = match mode.as_str() {
        "up" => Mode::Up,
        "black-hole" => Mode::BlackHole,
        "slow" => Mode::Slow,
        status => Mode::Status(status.parse().context("a status")?, None),
    };
    let listener = Listener::start_with_record(mode, Some(PathBuf::from(file)));
    let mut out = io::stdout().lock();
    writeln!(out, "{}", listener.url())?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
