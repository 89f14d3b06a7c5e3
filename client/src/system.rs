//! Access to the host's environment variables and files. Both can be replaced, so that tests can use a
//! temporary folder as a host.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Environment variables and file system of the host.
#[derive(Clone, Debug)]
pub struct Host {
    root: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Host {
    /// The host that this process runs on. `TELEMETRY_ROOT` replaces `/` with another folder.
    #[must_use]
    pub fn current() -> Self {
        let variables: BTreeMap<_, _> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let root = variables.get("TELEMETRY_ROOT").filter(|root| !root.is_empty());
        Self { root: PathBuf::from(root.map_or("/", String::as_str)), variables }
    }

    /// A host with exactly these files and variables.
    #[must_use]
    pub fn new(root: &Path, variables: &[(&str, &str)]) -> Self {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { root: root.to_owned(), variables }
    }

    /// The same host with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable without surrounding whitespace; `None` if it is unset or empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The exact value of a variable; `None` only if it is unset.
    #[must_use]
    pub fn raw_variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The location of a path of the host, below the root folder.
    #[must_use]
    pub fn path(&self, absolute: &str) -> PathBuf {
        self.root.join(absolute.trim_start_matches('/'))
    }

    /// The first `limit` bytes of a regular file, with invalid UTF-8 replaced; `None` if it cannot be read.
    #[must_use]
    pub fn read(&self, absolute: &str, limit: u64) -> Option<String> {
        read_start(&self.path(absolute), limit).map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Like [`Host::read`], as bytes.
    #[must_use]
    pub fn read_bytes(&self, absolute: &str, limit: u64) -> Option<Vec<u8>> {
        read_start(&self.path(absolute), limit)
    }

    /// Whether the path exists.
    #[must_use]
    pub fn exists(&self, absolute: &str) -> bool {
        self.path(absolute).exists()
    }

    /// Whether `PATH` contains a program of this name.
    #[must_use]
    pub fn has_program(&self, name: &str) -> bool {
        self.variable("PATH")
            .is_some_and(|path| std::env::split_paths(path).any(|dir| dir.join(name).is_file()))
    }
}

/// Reads regular files only: opening a pipe could block forever.
fn read_start(path: &Path, limit: u64) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
