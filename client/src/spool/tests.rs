//! Bounds, torn files, and processes that run at the same time.

use std::collections::BTreeSet;
use std::thread;

use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

fn event(text: &str) -> CleanEvent {
    let json = format!("{{\"random_id\":\"{text}\"}}");
    CleanEvent { json, run_id: text.to_owned(), app: String::new() }
}

fn spool(max_bytes: u64) -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(folder.path().join("below/telemetry"), max_bytes, Duration::from_hours(7 * 24));
    (folder, spool)
}

fn ids(spool: &Spool, now_ms: u64) -> Vec<String> {
    spool
        .pending(now_ms)
        .into_iter()
        .map(|pending| pending.json.split('"').nth(3).unwrap().to_owned())
        .collect()
}

#[test]
fn events_come_back_oldest_first() {
    let (_folder, spool) = spool(1 << 20);
    for (id, at) in [("b", 2000), ("c", 3000), ("a", 1000)] {
        spool.add(&event(id), at).unwrap();
    }
    assert_eq!(ids(&spool, 4000), ["a", "b", "c"]);
}

#[test]
fn the_oldest_go_when_there_is_no_room() {
    let (_folder, spool) = spool(3 * BLOCK);
    for at in 0..10 {
        spool.add(&event(&at.to_string()), at).unwrap();
        assert!(spool.size().1 <= 3 * BLOCK);
    }
    assert_eq!(ids(&spool, 10), ["7", "8", "9"]);
}

#[test]
fn the_default_bounds_hold_whatever_comes() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new(folder.path(), &[]);
    let spool = Spool::of(&host);
    for at in 0..1500 {
        spool.add(&event(&format!("{at}{}", "x".repeat(usize::try_from(at).unwrap() * 7))), at).unwrap();
    }
    let (count, bytes) = spool.size();
    assert!(bytes <= 5 * 1024 * 1024 && count > 400, "{count} events, {bytes} bytes");
}

#[test]
fn events_of_more_than_seven_days_go() {
    let (_folder, spool) = spool(1 << 20);
    spool.add(&event("old"), 1000).unwrap();
    spool.add(&event("new"), 1001 + DAY_MS).unwrap();
    assert_eq!(ids(&spool, 1001 + 7 * DAY_MS), ["new"]);
    assert_eq!(spool.size().0, 1);
}

#[test]
fn a_torn_event_costs_only_itself() {
    let (_folder, spool) = spool(1 << 20);
    spool.add(&event("whole"), 1000).unwrap();
    for (name, content) in [
        ("0000000000500-1-0.json", "{\"random_id\":\"cut"),
        ("0000000000600-1-0.json", ""),
        ("0000000000700-1-0.json", "\u{0}\u{0}"),
        ("0000000000800-1-0.json", "[]"),
        ("0000000000900-1-0.json", "{\n}"),
    ] {
        fs::write(spool.file(name), content).unwrap();
    }
    assert_eq!(ids(&spool, 2000), ["whole"]);
    assert_eq!(spool.size().0, 1, "what is no event is removed");
}

#[test]
fn other_files_of_the_folder_are_left_alone() {
    let (_folder, spool) = spool(1 << 20);
    spool.add(&event("a"), 1000).unwrap();
    for name in ["facts.json", "runs", "lock", ".unfinished-1-1"] {
        fs::write(spool.file(name), "x").unwrap();
    }
    spool.remove_events_of(None);
    assert_eq!(spool.size().0, 0);
    assert_eq!(fs::read_dir(spool.file("")).unwrap().count(), 4);
}

#[test]
fn processes_that_write_at_the_same_time_lose_nothing() {
    let (_folder, spool) = spool(16 << 20);
    thread::scope(|scope| {
        for writer in 0..8 {
            let spool = &spool;
            scope.spawn(move || {
                for number in 0..50 {
                    // The same millisecond for all.
                    spool.add(&event(&format!("{writer}-{number}")), 1000).unwrap();
                }
            });
        }
    });
    let found: BTreeSet<_> = ids(&spool, 1000).into_iter().collect();
    assert_eq!(found.len(), 400);
}

#[test]
fn only_one_may_send() {
    let (_folder, spool) = spool(1 << 20);
    assert!(spool.lock().is_none(), "no folder yet");
    spool.add(&event("a"), 1000).unwrap();
    let held = spool.lock();
    assert!(held.is_some() && spool.lock().is_none());
    drop(held);
    assert!(spool.lock().is_some());
}

#[test]
fn the_events_of_one_run_can_be_removed() {
    let (_folder, spool) = spool(1 << 20);
    spool.add(&event("a"), 1000).unwrap();
    spool.add(&event("ab"), 1000).unwrap();
    spool.remove_events_of(Some(&["a".to_owned()]));
    assert_eq!(ids(&spool, 2000), ["ab"]);
}

#[test]
fn nobody_else_may_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, spool) = spool(1 << 20);
    let path = spool.add(&event("a"), 1000).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}
