//! The awk scrubber of `api.func` removes every planted secret from logs and from failed commands, and leaves the
//! output of tools as it is. The table is that of the Rust scrubber.
#![allow(clippy::unwrap_used)]

#[path = "../../protocol/tests/planted/mod.rs"]
mod planted;
mod support;

use planted::{Planted, clean_lines, report, secrets};
use support::scripts::{Transport, curl_transports, run};
use support::{Host, Listener, Mode, events};

/// A line between two texts in a log. Two words end a key block that has no end.
const BETWEEN: &str = "== next text ==";
/// Texts in a log, so that all of them fit into the excerpt that is sent.
const BATCH: usize = 40;

/// The texts as they are sent in logs, many in each, and the last one as the failed command too.
fn scrubbed(transport: Transport, texts: &[String]) -> Vec<String> {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "20000")]);
    let mut script = "DISK_SIZE=8".to_owned();
    for (number, batch) in texts.chunks(BATCH).enumerate() {
        let log = host.write(&format!("tmp/{number}"), batch.join(&format!("\n{BETWEEN}\n")));
        script += &format!("\nBUILD_LOG={} post_update_to_api failed 1 force", log.display());
    }
    run(&host, transport, &script);
    let logs = events(&server).into_iter().map(|event| {
        let error = event["error"].as_str().unwrap().to_owned();
        error.split_once("\n---\n").unwrap().1.to_owned()
    });
    let parts: Vec<String> = logs
        .flat_map(|log| log.split(&format!("\n{BETWEEN}\n")).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(parts.len(), texts.len(), "{transport:?}");
    parts
}

/// The texts as they are sent as failed commands.
fn as_commands(transport: Transport, texts: &[&str]) -> Vec<String> {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "20000")]);
    let mut script = "DISK_SIZE=8".to_owned();
    for (number, text) in texts.iter().enumerate() {
        let file = host.write(&format!("tmp/{number}"), text);
        script += &format!("\nFAILED_COMMAND=\"$(<{})\" post_update_to_api failed 1 force", file.display());
    }
    run(&host, transport, &script);
    events(&server).iter().map(|event| event["failed_command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn curl_sends_no_planted_secret_in_a_log() {
    let planted = secrets();
    let texts: Vec<String> = planted.iter().map(|text| text.text.clone()).collect();
    for transport in curl_transports() {
        let sent = scrubbed(transport, &texts);
        let faults: Vec<(&Planted, String)> =
            planted.iter().zip(&sent).filter_map(|(text, sent)| Some((text, text.fault(sent)?))).collect();
        assert!(faults.is_empty(), "{transport:?}: {}", report(&planted, &faults));
    }
}

#[test]
fn curl_sends_no_planted_secret_in_a_failed_command() {
    // Here documents lose their line breaks in a command. One text in four keeps the test fast.
    let several = |text: &Planted| text.kind.starts_with("command.") || text.text.contains('\n');
    let planted: Vec<Planted> = secrets().into_iter().filter(several).step_by(4).collect();
    let texts: Vec<&str> = planted.iter().map(|text| text.text.as_str()).collect();
    for transport in curl_transports() {
        let sent = as_commands(transport, &texts);
        assert_eq!(sent.len(), texts.len());
        let faults: Vec<(&Planted, String)> =
            planted.iter().zip(&sent).filter_map(|(text, sent)| Some((text, text.fault(sent)?))).collect();
        assert!(faults.is_empty(), "{transport:?}: {}", report(&planted, &faults));
    }
}

#[test]
fn curl_changes_at_most_one_line_in_a_hundred_of_the_output_of_tools() {
    let lines = clean_lines();
    for transport in curl_transports() {
        let sent = scrubbed(transport, &lines);
        let pairs = lines.iter().zip(&sent).filter(|(line, sent)| line != sent);
        let changed: Vec<_> = pairs.map(|(line, sent)| format!("{line}\n  {sent}")).collect();
        let (count, all) = (changed.len(), lines.len());
        assert!(count * 100 <= all, "{transport:?}: {count} of {all}:\n{}", changed.join("\n"));
    }
}
