//! Scrubs standard input, or with `--measure` prints how long logs of several kinds take.
//!
//! `cargo run --release -p telemetry-protocol --features fast --example scrub -- --measure` (as the server is built)
#![allow(clippy::print_stdout)]

use std::io::Read;
use std::time::{Duration, Instant};

use telemetry_protocol::scrub::scrub;

const CLEAN: &str = include_str!("../tests/data/clean_lines.txt");
const SECRETS: &str = include_str!("../data/secrets.toml");

/// The shortest of several runs.
fn fastest(text: &str) -> Duration {
    let runs = (0..15).map(|_| {
        let start = Instant::now();
        std::hint::black_box(scrub(std::hint::black_box(text)));
        start.elapsed()
    });
    runs.min().unwrap_or_default()
}

fn repeated(text: &str, bytes: usize) -> String {
    let mut all = text.repeat(bytes / text.len() + 1);
    all.truncate(all.floor_char_boundary(bytes));
    all
}

fn main() {
    let first = Instant::now();
    let measured = std::env::args().any(|argument| argument == "--measure");
    if !measured {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        print!("{}", read.map_or_else(|error| error.to_string().into(), |_| scrub(&text)));
        return;
    }
    let log = repeated(CLEAN, 16 * 1024);
    std::hint::black_box(scrub(&log));
    println!("{:>9.3} ms  the first log of a process, 16 KiB", first.elapsed().as_secs_f64() * 1e3);
    println!("{:>9.3} ms  a usual log, 16 KiB", fastest(&log).as_secs_f64() * 1e3);
    let kinds = [
        ("usual lines", CLEAN),
        ("the file of rules", SECRETS),
        ("pairs", "password=hunter2 "),
        ("pairs in lines", "password=hunter2\n"),
        ("names", "password "),
        ("names and colons", "password: "),
        ("short names", "pw pin "),
        ("curl", "curl -x "),
        ("curl with users", "curl -u a:b "),
        ("mysql", "mysql -u x "),
        ("echo", "echo a "),
        ("addresses", "10.1.2.3 "),
        ("IPv6", "fe80::1 "),
        ("dots", "."),
        ("colons", ":"),
        ("at signs", "a@"),
        ("URLs", "https://a:b@c.d/e?f=g "),
        ("slashes", "://"),
        ("questions", "?a"),
        ("tilde", " ~a"),
        ("T0", "T0"),
        ("quotes", "password=\" "),
        ("dashes", "----- "),
        ("key blocks", "-----BEGIN A KEY-----\nabcd\n"),
        ("tokens", "ghp_16C7e42F292c6912E7710c838347Ae178B4a "),
        ("random", "aB3dE6gH9jK2mN5pQ8rS1tU4vW7 "),
        ("a path", "a1/b2/"),
        ("one word", "aB3"),
        ("elements", "<password>"),
        ("escapes", "\\x1b[0m\\"),
        ("terminal", "\x1b[31mred\x1b[0m "),
        ("domains", "a.lan "),
        ("hosts", "hostname: x host y "),
        ("wide", "пароль: 密码 "),
    ];
    for (kind, text) in kinds {
        let time = fastest(&repeated(text, 256 * 1024));
        println!("{:>9.3} ms  256 KiB of {kind}", time.as_secs_f64() * 1e3);
    }
}
