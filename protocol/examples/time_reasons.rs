//! Times the picker: `cargo run --release -p telemetry-protocol --example time_reasons`
//!
//! The first diagnosis reads the rules. After that, a log of 16 KiB should take well under a millisecond, and less
//! than 10 ms whatever it contains.

use std::hint::black_box;
use std::io::{Write, stdout};
use std::time::Instant;

use telemetry_protocol::reason::{Failure, diagnose};

/// The most that is read of an error text, in bytes.
const SIZE: usize = 16 * 1024;

fn main() -> std::io::Result<()> {
    let mut out = stdout().lock();
    let started = Instant::now();
    black_box(diagnose(&Failure { error: "E: Unable to locate package foo", ..Failure::default() }));
    writeln!(out, "{:<44} {:>8.2} ms", "first diagnosis", started.elapsed().as_secs_f64() * 1e3)?;
    for (name, text) in texts() {
        let failure = Failure { error: &text, exit_code: Some(1), ..Failure::default() };
        let (mut best, mut first) = (f64::MAX, None);
        for _ in 0..20 {
            let started = Instant::now();
            black_box(diagnose(&failure));
            let time = started.elapsed().as_secs_f64() * 1e3;
            first.get_or_insert(time);
            best = best.min(time);
        }
        let first = first.unwrap_or_default();
        writeln!(out, "{name:<44} {best:>8.2} ms, {first:.2} at first")?;
    }
    Ok(())
}

/// Names and texts of 16 KiB.
fn texts() -> Vec<(&'static str, String)> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/data/reasons"))
        .into_iter()
        .flatten()
        .flatten();
    let files: Vec<String> = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
    let examples: Vec<&str> = files
        .iter()
        .flat_map(|file| file.split("\nexamples = [").skip(1))
        .filter_map(|rest| rest.split(['"', '\'']).find(|text| text.len() > 3))
        .collect();
    let usual = "Get:1 http://deb.example.org/debian bookworm/main amd64 curl amd64 7.88.1-10 [315 kB]\n\
                 Setting up curl (7.88.1-10+deb12u12) ...\nProcessing triggers for libc-bin (2.36-9) ...\n";
    let build = "[ 52%] Building CXX object src/CMakeFiles/app.dir/main.cc.o\nnpm warn deprecated glob@7.2.3: no longer \
                 supported\n   Compiling serde v1.0.228\nadded 812 packages, and audited 813 packages in 42s\n";
    let repeated = |text: &str| text.repeat(SIZE / text.len() + 1)[..SIZE].to_owned();
    let fitted = |text: String| {
        let mut end = text.len().min(SIZE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].to_owned()
    };
    vec![
        ("usual: apt", repeated(usual)),
        ("usual: builds", repeated(build)),
        ("every example, a line each", fitted(examples.join("\n"))),
        ("every example in one line", fitted(examples.join(" "))),
        ("every example in one line, backwards", {
            fitted(examples.iter().rev().copied().collect::<Vec<_>>().join(" "))
        }),
        ("every example in one line, not ASCII", fitted(examples.join(" é "))),
        ("error in one line", repeated("error: failed: not found ")),
        ("letters", repeated("a")),
        ("blanks", repeated(" x")),
        ("prefixes", repeated("[1] ")),
        ("bars", repeated("a|")),
        ("short lines", repeated("e\n")),
        ("short lines of errors", repeated("error\n")),
        ("open lines", repeated("error:\n a\n")),
        ("quotes and slashes", repeated("'/\"")),
    ]
}
