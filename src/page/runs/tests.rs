//! Pages of runs whose every text is hostile, and their size.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::expose::execution_view::ExecutionView;
use crate::ingest::identity::IdKey;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::read_event;
use crate::page::address::Address;
use crate::page::context::{Context, Visitor};
use crate::page::runs::list::{PARAMETERS, Runs, runs};
use crate::page::runs::one::{OneRun, one_run};
use crate::page::runs::own::{OwnRun, own_run};
use crate::page::tests::{HOSTILE, structure};
use crate::store::read::known::Shown;

fn now() -> DateTime<Utc> {
    "2026-03-10T14:03:05Z".parse().expect("a time")
}

/// A failed run with this text wherever a client can send one.
fn run(text: &str) -> ExecutionView {
    let event = json!({
        "random_id": "a", "nsapp": "jellyfin", "type": "lxc", "status": "failed", "exit_code": 100,
        "install_duration": 125, "error": "E: Unable to locate package ffmpeg7", "os_type": "debian",
    });
    let ids = IdKey::new(b"key");
    let accepted = read_event(event.to_string().as_bytes(), Route::Telemetry, now(), &ids).expect("valid");
    let view = ExecutionView::of(&Shown::all(accepted.event.execution().clone()), now());
    let mut reason = view.reason.clone().expect("a reason");
    (reason.line, reason.subject) = (Some(text.to_owned()), Some(text.to_owned()));
    let text = || Some(text.to_owned());
    ExecutionView {
        app: text(),
        error: text(),
        error_category_reported: text(),
        reason: Some(reason),
        os_type: text(),
        os_version: text(),
        pve_version: text(),
        method: text(),
        cpu_vendor: text(),
        cpu_model: text(),
        gpu_vendor: text(),
        gpu_model: text(),
        gpu_passthrough: text(),
        ram_speed: text(),
        arch: text(),
        platform: text(),
        kernel_version: text(),
        app_version: text(),
        failed_command: text(),
        repo_source: text(),
        repo_slug: text(),
        runtime_source: text(),
        runtime_ref: text(),
        ..view
    }
}

fn list(query: &str, text: &str, length: usize) -> String {
    let context =
        Context { address: Address::read("/runs", query, &PARAMETERS), visitor: Visitor::Maintainer };
    let data = Runs {
        as_of: now(),
        runs: vec![(Uuid::from_u128(7), run(text)); length],
        total: 120,
        total_is_exact: false,
        is_first: false,
        next: Some("n5f-0".to_owned()),
    };
    runs(&context, &data)
}

#[test]
fn a_hostile_text_changes_no_structure() {
    let pages = |text: &str| {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("app", text).finish();
        let context = Context { address: Address::read("/my-run", "", &[]), visitor: Visitor::Public };
        [
            list(&query, text, 1),
            one_run(&context, &OneRun { as_of: now(), run: run(text) }),
            own_run(&context, &OwnRun::Stored { id: text.to_owned(), as_of: now(), runs: vec![run(text)] }),
            own_run(&context, &OwnRun::Confirm { id: text.to_owned(), runs: 1 }),
        ]
    };
    for (harmless, hostile) in pages("text").iter().zip(pages(HOSTILE)) {
        assert_eq!(structure(harmless), structure(&hostile));
        assert!(!hostile.contains("<svg onload") && !hostile.contains("\"javascript:"), "{hostile}");
    }
}

#[test]
fn a_page_of_the_list_has_at_most_100_kb() {
    let query =
        "days=365&repo=all&type=lxc&platform=pve&status=failed&os=debian&blame=upstream&method=advanced";
    let page = list(query, "a-rather-long-name", 40);
    assert!(page.len() < 100_000, "{} bytes", page.len());
}
