//! Tests of the limits, of torn files and of concurrent processes.

use std::collections::BTreeSet;
use std::thread;

use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

fn event(text: &str) -> CleanEvent {
    let json = format!("{{\"random_id\":\"{text}\"}}");
    CleanEvent { json, run_id: text.to_owned(), app: String::new() }
}

fn outbox(max_bytes: u64) -> (tempfile::TempDir, Outbox) {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::new(folder.path().join("below/telemetry"), max_bytes, Duration::from_hours(7 * 24));
    (folder, outbox)
}

fn ids(outbox: &Outbox, now_ms: u64) -> Vec<String> {
    outbox
        .pending(now_ms)
        .into_iter()
        .map(|pending| pending.json.split('"').nth(3).unwrap().to_owned())
        .collect()
}

#[test]
fn events_are_returned_oldest_first() {
    let (_folder, outbox) = outbox(1 << 20);
    for (id, at) in [("b", 2000), ("c", 3000), ("a", 1000)] {
        outbox.add(&event(id), at).unwrap();
    }
    assert_eq!(ids(&outbox, 4000), ["a", "b", "c"]);
}

#[test]
fn the_oldest_events_are_removed_when_space_runs_out() {
    let (_folder, outbox) = outbox(3 * BLOCK);
    for at in 0..10 {
        outbox.add(&event(&at.to_string()), at).unwrap();
        assert!(outbox.size().1 <= 3 * BLOCK);
    }
    assert_eq!(ids(&outbox, 10), ["7", "8", "9"]);
}

#[test]
fn the_default_limits_hold_for_events_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path(), &[]);
    let outbox = Outbox::of(&host);
    for at in 0..1500 {
        outbox.add(&event(&format!("{at}{}", "x".repeat(usize::try_from(at).unwrap() * 7))), at).unwrap();
    }
    let (count, bytes) = outbox.size();
    assert!(bytes <= 5 * 1024 * 1024 && count > 400, "{count} events, {bytes} bytes");
}

#[test]
fn events_older_than_seven_days_are_removed() {
    let (_folder, outbox) = outbox(1 << 20);
    outbox.add(&event("old"), 1000).unwrap();
    outbox.add(&event("new"), 1001 + DAY_MS).unwrap();
    assert_eq!(ids(&outbox, 1001 + 7 * DAY_MS), ["new"]);
    assert_eq!(outbox.size().0, 1);
}

#[test]
fn a_torn_file_does_not_affect_other_events() {
    let (_folder, outbox) = outbox(1 << 20);
    outbox.add(&event("whole"), 1000).unwrap();
    for (name, content) in [
        ("0000000000500-1-0.json", "{\"random_id\":\"cut"),
        ("0000000000600-1-0.json", ""),
        ("0000000000700-1-0.json", "\u{0}\u{0}"),
        ("0000000000800-1-0.json", "[]"),
        ("0000000000900-1-0.json", "{\n}"),
    ] {
        fs::write(outbox.file(name), content).unwrap();
    }
    assert_eq!(ids(&outbox, 2000), ["whole"]);
    assert_eq!(outbox.size().0, 1, "invalid files are removed");
}

#[test]
fn other_files_in_the_folder_are_kept() {
    let (_folder, outbox) = outbox(1 << 20);
    outbox.add(&event("a"), 1000).unwrap();
    for name in ["facts.json", "runs", "lock", ".unfinished-1-1"] {
        fs::write(outbox.file(name), "x").unwrap();
    }
    outbox.remove_events_of(None);
    assert_eq!(outbox.size().0, 0);
    assert_eq!(fs::read_dir(outbox.file("")).unwrap().count(), 4);
}

#[test]
fn concurrent_writers_lose_no_event() {
    let (_folder, outbox) = outbox(16 << 20);
    thread::scope(|scope| {
        for writer in 0..8 {
            let outbox = &outbox;
            scope.spawn(move || {
                for number in 0..50 {
                    // All use the same millisecond.
                    outbox.add(&event(&format!("{writer}-{number}")), 1000).unwrap();
                }
            });
        }
    });
    let found: BTreeSet<_> = ids(&outbox, 1000).into_iter().collect();
    assert_eq!(found.len(), 400);
}

#[test]
fn only_one_process_can_hold_the_lock() {
    let (_folder, outbox) = outbox(1 << 20);
    assert!(outbox.lock().is_none(), "the folder does not exist yet");
    outbox.add(&event("a"), 1000).unwrap();
    let held = outbox.lock();
    assert!(held.is_some() && outbox.lock().is_none());
    drop(held);
    assert!(outbox.lock().is_some());
}

#[test]
fn the_events_of_one_run_can_be_removed() {
    let (_folder, outbox) = outbox(1 << 20);
    outbox.add(&event("a"), 1000).unwrap();
    outbox.add(&event("ab"), 1000).unwrap();
    outbox.remove_events_of(Some(&["a".to_owned()]));
    assert_eq!(ids(&outbox, 2000), ["ab"]);
}

#[test]
fn only_the_owner_can_read_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, outbox) = outbox(1 << 20);
    let path = outbox.add(&event("a"), 1000).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}
