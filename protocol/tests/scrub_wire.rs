//! No secret planted in the recorded traffic survives scrubbing.

mod recorded;

use std::path::PathBuf;

use serde_json::Value;
use telemetry_protocol::scrub::scrub;
use telemetry_protocol::wire::FIELDS;

/// The folder of the whole recording if it exists, otherwise the part that is kept with the sources.
fn recording() -> PathBuf {
    let whole = recorded::fixtures().join("../../../../shared/wire");
    if whole.join("truth.jsonl").exists() { whole } else { recorded::fixtures() }
}

/// The text fields of a body; for a body that is not JSON, the raw text from `error` on.
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
fn no_planted_secret_survives_scrubbing() {
    let planted = recorded::planted_secrets(&recording());
    let (mut found, mut survived) = (0, Vec::new());
    for request in recorded::requests(&recording()) {
        let body = recorded::body(&request);
        let secrets = &planted[recorded::run_id(&request)];
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
    assert!(found > 10, "only {found} planted secrets in the recording");
    assert!(survived.is_empty(), "{} of {found} secrets survived: {survived:#?}", survived.len());
}
