//! The recorded traffic of real clients, with the secrets that were planted in each run. The tests of the
//! host client use it too.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The part of the recording that is kept with the sources.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/wire")
}

/// The recorded requests in `folder`, in order.
pub fn requests(folder: &Path) -> Vec<Value> {
    lines(&folder.join("corpus.jsonl"))
}

/// The secrets planted in each run, by the run's id.
pub fn planted_secrets(folder: &Path) -> BTreeMap<String, Vec<String>> {
    let texts = |list: &Value| {
        let items = list.as_array().into_iter().flatten();
        items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    let runs = lines(&folder.join("truth.jsonl")).into_iter();
    runs.map(|run| (run_id(&run).to_owned(), texts(&run["must_not_contain"]))).collect()
}

/// The id of the run that a line belongs to.
pub fn run_id(line: &Value) -> &str {
    line["run_id"].as_str().unwrap_or_default()
}

/// The decoded body of a request.
pub fn body(request: &Value) -> Vec<u8> {
    base64(request["body_b64"].as_str().unwrap_or_default())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the recording can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the recording is JSON")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in digits {
        bits = bits << 6 | digit as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}
