//! The program as a process of its own: started, signalled, killed.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::DataDir;
use super::app::READ_TOKEN;

/// All requests of a test come from one address, and many tests repeat the events of a run. Every name is public.
const UNLIMITED: [(&str, &str); 4] = [
    ("RUN_LIMIT_BURST", "0"),
    ("ADDRESS_LIMIT_BURST", "0"),
    ("RARE_SESSIONS", "1"),
    ("READ_TOKEN", READ_TOKEN),
];
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with these variables and no others of ours.
pub(crate) fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_telemetry-server"));
    let kept = ["PATH", "HOME", "PG_BIN"].into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
    command.env_clear().envs(kept).envs(variables.iter().copied()).args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    Finished::of(program(arguments, variables).output().expect("the program starts"))
}

/// Runs a command on the embedded cluster.
pub(crate) fn run_on(data: &DataDir, command: &str) -> Finished {
    run(&[command], &[("DATA_DIR", &data.path().to_string_lossy())])
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A server that listens. It is stopped with the value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    child: Child,
    log: DataDir,
}

impl Server {
    /// Starts it on an embedded cluster and returns when it listens.
    pub(crate) fn start(data: &DataDir) -> Self {
        Self::start_with(&[("DATA_DIR", &data.path().to_string_lossy())])
    }

    pub(crate) fn start_with(variables: &[(&str, &str)]) -> Self {
        let log = DataDir::new();
        let mut command = program(&["serve"], &[&UNLIMITED, variables].concat());
        let stderr = File::create(log.path()).expect("a new file");
        command.env("LISTEN_ADDR", "127.0.0.1:0");
        if !variables.iter().any(|(name, _)| ["DATA_DIR", "SPOOL_DIR"].contains(name)) {
            command.env("SPOOL_DIR", log.path().with_file_name("spool"));
        }
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the program starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, receiver) = mpsc::channel();
        // Reads on to the end, so that the program never waits for its reader.
        thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let mut server = Self { address: ([127, 0, 0, 1], 0).into(), child, log };
        let Ok(line) = receiver.recv_timeout(PATIENCE) else {
            panic!("it does not listen: {}", server.stderr());
        };
        let (_, address) = line.rsplit_once("http://").expect("the first line ends with the URL");
        server.address = address.parse().expect("an address");
        server
    }

    /// What it has logged so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log.path()).expect("it is there")).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).expect("it runs");
    }

    /// Ends it with a signal that it cannot see coming, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        assert_eq!(self.wait(PATIENCE).and_then(|status| status.signal()), Some(9));
    }

    /// Waits until it ends; `None` if it does not.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The most memory that it has used so far.
    pub(crate) fn peak_rss_mb(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is Linux");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // In good order, so that the data folder can be removed at once.
            let _ = signal::kill(self.pid(), Signal::SIGTERM);
            if self.wait(PATIENCE).is_none() {
                let _ = self.child.kill();
            }
        }
    }
}

/// Waits until something is so.
pub(crate) fn until(what: &str, done: impl Fn() -> bool) {
    until_within(PATIENCE.as_secs(), what, done);
}

/// The same with a patience of its own.
pub(crate) fn until_within(seconds: u64, what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed().as_secs() < seconds, "waited too long until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
