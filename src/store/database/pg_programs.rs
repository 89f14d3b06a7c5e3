//! The PostgreSQL programs of this machine: where they are, which version they have, and how they are started.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd;

/// The folder in which Debian's packages install each major version.
pub(super) const DEBIAN: &str = "/usr/lib/postgresql";

/// The environment variables that the programs inherit. Others such as `PGPORT` and `PGOPTIONS` would change their
/// behaviour, or contain secrets of the server.
const KEPT_VARIABLES: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// The folders to search for a program, the newest version first. They may not exist.
pub(super) fn usual_folders(program: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Most distributions link the programs into PATH.
    let linked = std::env::split_paths(&path).filter_map(|folder| folder.join(program).canonicalize().ok());
    let linked = linked.filter_map(|program| program.parent().map(Path::to_owned));
    versions.into_iter().map(|(_, folder)| folder).chain(linked).collect()
}

/// Parses the major version out of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`. Also accepts
/// `17beta1` and `18devel`.
pub(super) fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// A command that receives `on_our_death` when the thread that started it ends, which includes a kill -9 of this
/// process, and does not receive Ctrl-C from the terminal.
pub(super) fn command(program: &Path, on_our_death: Signal) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).process_group(0).env_clear().env("LC_ALL", "C");
    for key in KEPT_VARIABLES {
        if let Some(value) = std::env::var_os(key) {
            command.env(key, value);
        }
    }
    let parent = unistd::getpid();
    let die_with_parent = move || {
        prctl::set_pdeathsig(on_our_death)?;
        // If the parent died before the line above, no signal will come.
        if unistd::getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // The standard library calls the closure after setgroups, setgid and setuid. It must: the kernel clears
    // the parent-death signal when the user changes.
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. The closure makes two system
    // calls (prctl, getppid) and neither allocates nor locks.
    unsafe { command.pre_exec(die_with_parent) };
    command
}
