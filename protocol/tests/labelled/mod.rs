//! Logs whose reason people have labelled, and what is found for them. `examples/evaluate.rs` uses it too.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use telemetry_protocol::reason::{Diagnosis, Failure, Signature, diagnose};
use telemetry_protocol::scrub::scrub;

#[derive(Deserialize)]
pub struct Labelled {
    pub id: String,
    #[serde(default)]
    pub exit_code: Option<i32>,
    #[serde(default)]
    pub command: Option<String>,
    #[serde(default)]
    pub explanation: Option<String>,
    pub log: String,
    pub reason: Vec<String>,
    pub category: String,
    pub group: String,
    #[serde(default)]
    pub secrets: Vec<String>,
    #[serde(default)]
    pub public: Vec<String>,
}

/// What was found for one log.
pub struct Outcome {
    pub labelled: Labelled,
    pub diagnosis: Option<Diagnosis>,
    pub signature: Option<Signature>,
    pub reason_is_right: bool,
    pub category_is_right: bool,
    pub secrets_left: Vec<String>,
    pub public_lost: Vec<String>,
}

/// How often logs with the same cause have the same signature.
#[derive(Default)]
pub struct Pairs {
    pub pairs: usize,
    pub same: usize,
    /// The signatures of logs with several causes.
    pub mixed: usize,
}

/// Parses a line of a file of labelled logs.
pub fn read(line: &str) -> serde_json::Result<Labelled> {
    serde_json::from_str(line)
}

/// Compares the signatures of all logs.
pub fn compare(outcomes: &[Outcome]) -> Pairs {
    let (mut pairs, mut same) = (0, 0);
    let mut groups: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for (at, one) in outcomes.iter().enumerate() {
        if let Some(signature) = &one.signature {
            groups.entry(signature.id).or_default().insert(&one.labelled.group);
        }
        for other in outcomes[at + 1..].iter().filter(|other| other.labelled.group == one.labelled.group) {
            pairs += 1;
            same += usize::from(one.signature.is_some() && one.signature == other.signature);
        }
    }
    let mixed = groups.values().filter(|groups| groups.len() > 1).count();
    Pairs { pairs, same, mixed }
}

pub fn judge(labelled: Labelled) -> Outcome {
    let log = scrub(&labelled.log);
    let error = match (labelled.exit_code, &labelled.explanation) {
        (None, None) => log.to_string(),
        (code, explanation) => {
            let code = code.map_or_else(|| "?".to_owned(), |code| code.to_string());
            let explanation = explanation.as_deref().unwrap_or("Unknown error");
            format!("exit_code={code} | {explanation}\n---\n{log}")
        }
    };
    let command = labelled.command.as_deref().map(scrub);
    let failure = Failure {
        error: &error,
        failed_command: command.as_deref(),
        exit_code: labelled.exit_code,
        generation: None,
    };
    let diagnosis = diagnose(&failure);
    let picked = diagnosis.as_ref().map_or("", |diagnosis| diagnosis.line.as_str());
    let reason_is_right = labelled.reason.iter().any(|reason| is_same(picked, reason, &labelled.log, &log));
    let category = diagnosis.as_ref().map(|diagnosis| diagnosis.category.as_str());
    Outcome {
        reason_is_right,
        category_is_right: category == Some(&*labelled.category),
        secrets_left: labelled.secrets.iter().filter(|secret| log.contains(*secret)).cloned().collect(),
        public_lost: labelled
            .public
            .iter()
            .filter(|public| labelled.log.contains(*public) && !log.contains(*public))
            .cloned()
            .collect(),
        signature: diagnosis.as_ref().map(Diagnosis::signature),
        diagnosis,
        labelled,
    }
}

/// Whether the picked line is this line of the log, alone, joined with others, or without prefixes.
fn is_same(picked: &str, reason: &str, log: &str, scrubbed: &str) -> bool {
    let same_length = log.lines().count() == scrubbed.lines().count();
    let in_log =
        log.lines().zip(scrubbed.lines()).filter(|(line, _)| same_length && line.trim() == reason.trim());
    let mut texts: Vec<String> = in_log.map(|(_, scrubbed)| scrubbed.to_owned()).collect();
    texts.push(scrub(reason).into_owned());
    texts.iter().map(|text| text.trim()).any(|text| {
        let message = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        text == picked
            || (message.len() >= 4 && picked.contains(message))
            || (picked.len() >= 12 && text.ends_with(picked))
    })
}
