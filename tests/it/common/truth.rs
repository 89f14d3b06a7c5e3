//! Compares what the server says about executions with what is true of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::app::TestApp;
use super::corpus::{Corpus, Request};

/// Mismatches that a report shows.
const SHOWN: usize = 30;
/// Fields of the truth and of the answer that must agree.
const FIELDS: [(&str, &str); 20] = [
    ("app", "app"),
    ("type", "type"),
    ("status", "status"),
    ("exit_code", "exit_code"),
    ("os_type", "os_type"),
    ("os_version", "os_version"),
    ("pve_version", "pve_version"),
    ("disk_gb", "disk_size"),
    ("cores", "core_count"),
    ("ram_mb", "ram_size"),
    ("ct_type", "ct_type"),
    ("method", "method"),
    ("category", "error_category"),
    ("cpu_vendor", "cpu_vendor"),
    ("cpu_model", "cpu_model"),
    ("gpu_vendor", "gpu_vendor"),
    ("gpu_model", "gpu_model"),
    ("ram_speed", "ram_speed"),
    ("repo_source", "repo_source"),
    ("platform", "platform"),
];

/// What was compared and what differs.
#[derive(Default)]
pub(crate) struct Comparison {
    pub(crate) executions: usize,
    values: usize,
    mismatches: Vec<(&'static str, String)>,
}

impl Comparison {
    /// Asks the server about every execution of the truth.
    pub(crate) async fn of(app: &TestApp, corpus: &Corpus) -> Self {
        let mut comparison = Self::default();
        let (attempts, requests) = (attempts(corpus), corpus.runs());
        for run in &corpus.truth {
            for execution in executions(run) {
                let (id, session) = (text(execution, "execution_id"), text(execution, "random_id"));
                let Some(found) = find(app, id, &attempts[session]).await else {
                    comparison.note(run, "execution", execution, &Value::Null);
                    continue;
                };
                if !listed(app, session).await.contains(&found) {
                    comparison.note(run, "random_id", execution, &found);
                }
                comparison.compare(run, execution, &found, &requests[text(run, "run_id")]);
            }
        }
        comparison
    }

    fn compare(&mut self, run: &Value, execution: &Value, found: &Value, requests: &[&Request]) {
        self.executions += 1;
        let (expect, accept) = (&execution["expect"], &execution["accept"]);
        for (field, answered) in FIELDS {
            let Some(expected) = expect.get(field) else { continue };
            let got = &found[answered];
            let is_sent = || requests.iter().any(|request| request.text(field).is_some());
            match field {
                // Without an expectation a category of ours is as good as none.
                "category" if expected.is_null() => continue,
                // The log says more than the exit code.
                "category" if found["reason"]["id"].is_string() => continue,
                // The truth says nothing about some hardware that is on the wire.
                _ if expected == "" && is_sent() => continue,
                _ => self.values += 1,
            }
            let others = accept[field].as_array().map_or(&[][..], Vec::as_slice);
            if ![expected].into_iter().chain(others).any(|right| same(right, got)) {
                self.note(run, field, expected, got);
            }
        }
        if !outcomes(expect, &found["exit_code"], &accept["status"]).contains(&found["outcome"].as_str()) {
            self.note(run, "outcome", &expect["status"], &found["outcome"]);
        }
    }

    fn note(&mut self, run: &Value, field: &'static str, expected: &Value, got: &Value) {
        let run_id = text(run, "run_id");
        self.mismatches.push((field, format!("{run_id}: {field}: expected {expected}, got {got}")));
    }

    /// Fails with a report unless everything agreed.
    pub(crate) fn assert_clean(&self, replay: &str) {
        let mut counts = BTreeMap::<_, usize>::new();
        for (field, _) in &self.mismatches {
            *counts.entry(field).or_default() += 1;
        }
        let shown: Vec<_> = self.mismatches.iter().take(SHOWN).map(|(_, line)| line.as_str()).collect();
        assert!(
            shown.is_empty(),
            "{replay}: {} mismatches in {} values, {counts:?}:\n{}",
            self.mismatches.len(),
            self.values,
            shown.join("\n")
        );
    }
}

/// The executions of a run.
pub(crate) fn executions(run: &Value) -> &[Value] {
    run["executions"].as_array().expect("a list")
}

/// What the server knows about an id, newest first; empty if nothing.
async fn listed(app: &TestApp, id: &str) -> Vec<Value> {
    let (status, mut answer) = app.get(&format!("/api/runs/{id}")).await;
    match status.as_u16() {
        200 => serde_json::from_value(answer["executions"].take()).expect("a list"),
        404 => Vec::new(),
        other => panic!("{other} for a run"),
    }
}

/// The execution with this id. The first attempt of a session often has the session's id, so that
/// the later attempts are listed with it: those are known by their own ids.
async fn find(app: &TestApp, id: &str, attempts: &[&str]) -> Option<Value> {
    let mut found = listed(app, id).await;
    if found.len() > 1 {
        for sibling in attempts.iter().filter(|attempt| **attempt != id) {
            let own = listed(app, sibling).await;
            assert_eq!(own.len(), 1, "an attempt that is not the first has an id of its own");
            found.retain(|execution| *execution != own[0]);
        }
    }
    assert!(found.len() <= 1, "one execution, but {found:#?}");
    found.pop()
}

/// The ids of the attempts by session.
fn attempts(corpus: &Corpus) -> BTreeMap<&str, Vec<&str>> {
    let mut attempts = BTreeMap::<_, Vec<_>>::new();
    for execution in corpus.truth.iter().flat_map(executions) {
        attempts.entry(text(execution, "random_id")).or_default().push(text(execution, "execution_id"));
    }
    attempts
}

/// The outcomes that fit the true end of a run; a run without an end has none yet.
fn outcomes(expect: &Value, exit_code: &Value, accepted: &Value) -> &'static [Option<&'static str>] {
    let may_fail = accepted.as_array().is_some_and(|accepted| accepted.contains(&"failed".into()));
    match (text(expect, "status"), exit_code.as_i64()) {
        ("success", _) => &[Some("success")],
        ("installing", _) if may_fail => &[None, Some("failed")],
        ("installing", _) => &[None],
        // Known by its exit code only, and that is lost on the wire in some versions.
        ("aborted", None | Some(1)) if may_fail => &[Some("aborted"), Some("failed")],
        ("aborted", _) => &[Some("aborted")],
        ("failed", _) if !accepted.is_null() => &[Some("failed"), Some("aborted")],
        ("failed", _) => &[Some("failed"), Some("blocked")],
        (other, _) => panic!("{other} is no status of the truth"),
    }
}

/// `null`, nothing and white space are the same; so are 4 and 4.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => folded(a) == folded(b),
    }
}

fn folded(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(text.trim().into()),
        other => Some(other.clone()),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is a text"))
}
