//! A host in a folder, and a server that records, for tests of the command. Every test file uses
//! another part of it.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod listener;
pub mod scripts;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub use listener::{Listener, Mode};

/// A host that consented, with a run that scripts set up.
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
        host.with(&[
            ("DIAGNOSTICS", "yes"),
            ("RANDOM_UUID", "550e8400-e29b"),
            ("NSAPP", "jellyfin"),
            ("CT_TYPE", "1"),
            ("DISK_SIZE", "8"),
            ("CORE_COUNT", "2"),
            ("RAM_SIZE", "2048"),
            ("var_os", "debian"),
            ("var_version", "12"),
            ("METHOD", "default"),
        ])
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

    pub fn outbox(&self) -> PathBuf {
        self.root.path().join("var/lib/community-scripts/telemetry")
    }

    /// Contents of the events that wait.
    pub fn waiting(&self) -> Vec<Value> {
        let Ok(entries) = fs::read_dir(self.outbox()) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
        files.retain(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
        files.sort();
        files.iter().map(|path| json(&fs::read_to_string(path).expect("event"))).collect()
    }

    /// Everything below the root, with contents: what a person could find on the disk.
    pub fn everything(&self) -> String {
        fn read(folder: PathBuf, text: &mut String) {
            for entry in fs::read_dir(folder).expect("folder").flatten() {
                if entry.path().is_dir() {
                    read(entry.path(), text);
                } else {
                    let content = fs::read(entry.path()).expect("file");
                    *text += &format!("{}\n{}\n", entry.path().display(), String::from_utf8_lossy(&content));
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

    /// Runs `telemetry`.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command(env!("CARGO_BIN_EXE_telemetry")).args(arguments).output().expect("telemetry runs")
    }

    /// Runs it as a script does: it must be silent, and its exit status 0.
    pub fn report(&self, arguments: &str) {
        let output = self.run(arguments.split(' '));
        assert_eq!(output.status.code(), Some(0), "{arguments}");
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b""[..], &b""[..]), "{arguments}");
    }
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// All events that reached the server, by either path, in the order in which they came.
pub fn events(listener: &Listener) -> Vec<Value> {
    let requests = listener.requests();
    let lines = requests.iter().flat_map(|request| match request.path.as_str() {
        "/api/v1/events" => request.text().lines().map(json).collect(),
        _ => vec![json(&request.text())],
    });
    lines.collect()
}

pub fn paths(listener: &Listener) -> Vec<String> {
    listener.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

pub fn decode_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let Some(value) = ALPHABET.iter().position(|known| *known == byte) else { continue };
        bits = bits << 6 | u32::try_from(value).expect("six bits");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
