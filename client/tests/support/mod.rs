//! A host in a temporary folder and a recording server, for tests of the command. Each test file uses only
//! part of this module.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod listener;
#[path = "../../../protocol/tests/recorded/mod.rs"]
pub mod recorded;
pub mod scripts;
mod typical_run;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub use listener::{Listener, Mode};

/// A host that has consented, with the variables of a typical run.
pub struct Host {
    pub root: TempDir,
    url: String,
    variables: Vec<(String, String)>,
}

impl Host {
    pub fn new(url: &str) -> Self {
        let host = Self {
            root: tempfile::tempdir().expect("a temporary folder"),
            url: url.to_owned(),
            variables: Vec::new(),
        };
        host.write("usr/local/community-scripts/diagnostics", "DIAGNOSTICS=yes\n");
        host.with(&[("DIAGNOSTICS", "yes")]).with(&typical_run::VARIABLES)
    }

    pub fn with(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            self.variables.retain(|(known, _)| known != name);
            self.variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        self
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folder");
        fs::write(&path, content).expect("file");
        path
    }

    pub fn write_executable(&self, path: &str, content: &str) -> PathBuf {
        let path = self.write(path, content);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("mode");
        path
    }

    pub fn outbox(&self) -> PathBuf {
        self.root.path().join("var/lib/community-scripts/telemetry")
    }

    /// The unsent events, oldest first.
    pub fn unsent(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.outbox()) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        files.retain(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
        files.sort();
        files.iter().map(|path| json(&fs::read_to_string(path).expect("event"))).collect()
    }

    /// Paths and contents of all files of the host.
    pub fn all_files(&self) -> String {
        fn read(folder: PathBuf, text: &mut String) {
            for entry in fs::read_dir(folder).expect("folder").flatten() {
                if entry.path().is_dir() {
                    read(entry.path(), text);
                } else {
                    let content = fs::read(entry.path()).expect("file");
                    let name = entry.file_name();
                    *text += &format!("{}\n{}\n", name.display(), String::from_utf8_lossy(&content));
                }
            }
        }
        let mut text = String::new();
        read(self.root.path().to_owned(), &mut text);
        text
    }

    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TELEMETRY_ROOT", self.root.path());
        command.env("TELEMETRY_URL", &self.url);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs `telemetry` with these arguments.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command(env!("CARGO_BIN_EXE_telemetry")).args(arguments).output().expect("telemetry runs")
    }

    /// Runs `telemetry` like a script does. Asserts that it prints nothing and exits with status 0.
    pub fn report(&self, arguments: &str) {
        assert_silent(&self.run(arguments.split(' ')), arguments);
    }
}

/// Asserts that a program printed nothing and exited with status 0.
pub fn assert_silent(output: &Output, what: &str) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = (output.status.code(), text(&output.stdout), text(&output.stderr));
    assert_eq!(seen, (Some(0), String::new(), String::new()), "{what}");
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// All events that the server received, singly or in batches, in order.
pub fn events(listener: &Listener) -> Vec<Value> {
    let requests = listener.requests();
    let lines = requests.iter().flat_map(|request| match request.path.as_str() {
        "/api/v1/events" => request.text().lines().map(json).collect(),
        _ => vec![json(&request.text())],
    });
    lines.collect()
}

pub fn statuses(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["status"].as_str().expect("a status")).collect()
}

/// Method and path of each request.
pub fn paths(listener: &Listener) -> Vec<String> {
    listener.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}
