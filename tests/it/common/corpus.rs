//! Traffic of real clients, and what a correct server ends up with. The whole corpus lies beside
//! the repository and may be absent; a small part of it belongs to the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use telemetry_server::ingest::normalise::Route;

/// A recorded request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) run_id: String,
    pub(crate) path: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    fn read(line: &Value) -> Self {
        let text = |field: &str| line[field].as_str().expect("a text").to_owned();
        assert_eq!(line["method"], "POST");
        Self {
            run_id: text("run_id"),
            path: text("path"),
            content_type: text("content_type"),
            body: STANDARD.decode(text("body_b64")).expect("base64"),
        }
    }

    /// The id under which the execution is found: its own, else that of the session; `None` if
    /// neither was sent.
    pub(crate) fn id(&self) -> Option<String> {
        self.text("execution_id").or_else(|| self.text("random_id"))
    }

    /// The value of a text field up to its first quote; `None` if there is nothing. A search, for
    /// many bodies are not JSON.
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        let (_, rest) = body.split_once(&format!("\"{field}\""))?;
        let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        value.split_once('"').map(|(text, _)| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub(crate) fn route(&self) -> Route {
        match self.path.as_str() {
            "/telemetry" => Route::Telemetry,
            "/upload" => Route::Upload,
            "/upload/updatestatus" => Route::UpdateStatus,
            "/dev/upload" => Route::DevUpload,
            "/dev/upload/updatestatus" => Route::DevUpdateStatus,
            other => panic!("{other} is no path of a client"),
        }
    }
}

/// Requests in the order sent, and the truth about their runs.
pub(crate) struct Corpus {
    pub(crate) requests: Vec<Request>,
    /// One value a run: `run_id`, `executions`, `expect_requests`.
    pub(crate) truth: Vec<Value>,
}

impl Corpus {
    /// The part that belongs to the tests.
    pub(crate) fn fixtures() -> Self {
        Self::read(&root().join("tests/fixtures/wire"))
    }

    /// The whole corpus where it is, else the part.
    pub(crate) fn largest() -> Self {
        let whole = root().join("../shared/wire");
        if whole.join("corpus.jsonl").exists() { Self::read(&whole) } else { Self::fixtures() }
    }

    fn read(folder: &Path) -> Self {
        let requests: Vec<_> = lines(&folder.join("corpus.jsonl")).iter().map(Request::read).collect();
        let truth = lines(&folder.join("truth.jsonl"));
        assert!(!requests.is_empty() && !truth.is_empty());
        Self { requests, truth }
    }

    /// Every id under which an execution must be stored.
    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.requests.iter().filter_map(Request::id).collect()
    }

    /// The requests of each run, in their order.
    pub(crate) fn runs(&self) -> BTreeMap<&str, Vec<&Request>> {
        let mut runs = BTreeMap::<_, Vec<_>>::new();
        for request in &self.requests {
            runs.entry(request.run_id.as_str()).or_default().push(request);
        }
        runs
    }
}

/// The same permutation every time: Fisher and Yates with the generator SplitMix64.
pub(crate) fn shuffle<T>(items: &mut [T]) {
    let mut state = 0x2026_u64;
    for end in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = state;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        random ^= random >> 31;
        items.swap(end, (random % (end as u64 + 1)) as usize);
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}
