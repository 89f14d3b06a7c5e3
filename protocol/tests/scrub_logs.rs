//! Real logs and requests that are kept outside of the sources: labelled strings survive or are gone. Without them
//! the tests pass.

mod recorded;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use telemetry_protocol::scrub::scrub;

fn outside(path: &str) -> PathBuf {
    recorded::fixtures().join("../../../../shared").join(path)
}

/// The strings below `labels[name]`.
fn strings<'v>(labels: &'v Value, name: &str) -> Vec<&'v str> {
    labels[name].as_array().map_or_else(Vec::new, |list| list.iter().filter_map(Value::as_str).collect())
}

/// What is wrong with a scrubbed text.
fn check(id: &str, text: &str, gone: &[&str], kept: &[&str]) -> Vec<String> {
    let scrubbed = scrub(text);
    let gone = gone.iter().filter(|secret| text.contains(**secret) && scrubbed.contains(**secret));
    let kept = kept.iter().filter(|public| text.contains(**public) && !scrubbed.contains(**public));
    let mut wrong: Vec<_> = gone.map(|secret| format!("{id}: {secret} survives")).collect();
    wrong.extend(kept.map(|public| format!("{id}: {public} is gone")));
    if scrub(&scrubbed) != scrubbed {
        wrong.push(format!("{id}: scrubbing twice changes it"));
    }
    wrong
}

#[test]
fn secrets_of_labelled_logs_are_gone_and_public_names_survive() {
    let logs = fs::read_to_string(outside("logs/reasons.jsonl")).unwrap_or_default();
    let wrong: Vec<String> = logs
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .flat_map(|log| {
            let text = log["log"].as_str().expect("a log");
            let (secrets, kept) = (strings(&log, "secrets"), strings(&log, "public"));
            check(log["id"].as_str().unwrap_or_default(), text, &secrets, &kept)
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn requests_of_reported_cases_come_out_as_expected() {
    let Ok(cases) = fs::read_dir(outside("cases")) else { return };
    let mut wrong = Vec::new();
    for path in cases
        .map(|entry| entry.expect("a case").path())
        .filter(|path| path.extension() == Some("json".as_ref()))
    {
        let case: Value = serde_json::from_slice(&fs::read(&path).expect("a case")).expect("JSON");
        let expected = &case["expect"];
        let gone = [strings(expected, "must be gone"), strings(expected, "should be gone")].concat();
        let kept = strings(expected, "must survive");
        for request in case["requests"].as_array().into_iter().flatten() {
            let body = request["body"].as_str().unwrap_or_default();
            let Ok(Value::Object(fields)) = serde_json::from_str(body) else { continue };
            for text in fields.iter().filter(|(name, _)| *name == "error" || *name == "failed_command") {
                let id = path.file_name().map(|name| name.to_string_lossy().into_owned());
                wrong.extend(check(
                    &id.unwrap_or_default(),
                    text.1.as_str().unwrap_or_default(),
                    &gone,
                    &kept,
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
