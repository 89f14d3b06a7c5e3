//! The recorded traffic: nothing that was planted in it survives.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use telemetry_protocol::scrub::scrub;
use telemetry_protocol::wire::FIELDS;

/// The recorded corpus, or the part of it that is kept with the sources.
fn wire() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [root.join("../shared/wire"), root.join("tests/fixtures/wire")]
        .into_iter()
        .find(|folder| folder.join("truth.jsonl").exists())
        .expect("there is a corpus")
}

fn lines(file: &str) -> Vec<Value> {
    let text = fs::read_to_string(wire().join(file)).expect("the corpus can be read");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the corpus is JSON")).collect()
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

/// The texts of a body: decoded, and as it stands for those that are no JSON.
fn texts(body: &str) -> Vec<String> {
    let raw = body.find("\"error\"").map(|start| body[start..].to_owned());
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(fields)) => {
            let known = fields.into_iter().filter(|(name, _)| FIELDS.contains(&name.as_str()));
            let decoded = known.filter_map(|(_, value)| value.as_str().map(str::to_owned));
            decoded.chain(raw).collect()
        }
        _ => {
            let unescaped = raw.as_ref().map(|raw| raw.replace("\\n", "\n").replace("\\\"", "\""));
            raw.into_iter().chain(unescaped).collect()
        }
    }
}

#[test]
fn nothing_planted_survives() {
    let planted: BTreeMap<String, Vec<String>> = lines("truth.jsonl")
        .iter()
        .map(|run| {
            let secrets = run["must_not_contain"].as_array().into_iter().flatten();
            let secrets = secrets.filter_map(|secret| secret.as_str().map(str::to_owned)).collect();
            (run["run_id"].as_str().unwrap_or_default().to_owned(), secrets)
        })
        .collect();
    let (mut found, mut survived) = (0, Vec::new());
    for request in lines("corpus.jsonl") {
        let body = base64(request["body_b64"].as_str().unwrap_or_default());
        let secrets = &planted[request["run_id"].as_str().unwrap_or_default()];
        for text in texts(&String::from_utf8_lossy(&body)) {
            let scrubbed = scrub(&text);
            assert_eq!(scrub(&scrubbed), scrubbed, "scrubbing twice changes {text}");
            for secret in secrets.iter().filter(|secret| text.contains(secret.as_str())) {
                found += 1;
                if scrubbed.contains(secret.as_str()) {
                    survived.push(format!("{secret} in {}", request["scenario"]));
                }
            }
        }
    }
    assert!(found > 10, "the corpus has planted secrets, found {found}");
    assert!(survived.is_empty(), "{} of {found}: {survived:#?}", survived.len());
}
