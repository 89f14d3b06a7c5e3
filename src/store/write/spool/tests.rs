//! The guarantees of the spool, tested with real files.

use std::borrow::Cow;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};

use chrono::DateTime;
use tempfile::TempDir;

use super::*;
use crate::ingest::identity::IdKey;
use crate::ingest::normalise::Route;
use crate::ingest::pipeline::read_event;

const MIB: u64 = 1 << 20;
const FILE: &str = "queue/spool.sqlite3";

fn run(number: usize, padding: usize) -> Execution {
    let error = "long words ".repeat(padding / 11);
    let body = format!(
        r#"{{"random_id":"r-{number}","nsapp":"x","status":"failed","exit_code":1,"error":"{error}"}}"#
    );
    let at = DateTime::from_timestamp_micros(1_780_000_000_000_000).expect("a time");
    let read = read_event(body.as_bytes(), Route::Telemetry, at, &IdKey::new(b"k")).expect("an event");
    *read.event.into_execution()
}

struct Open {
    spool: Spool,
    metrics: Arc<Metrics>,
}

impl Open {
    fn new(folder: &Path) -> Self {
        let metrics = Arc::new(Metrics::new().expect("right"));
        Self { spool: Spool::open(folder, 64 * MIB, &metrics).expect("a spool"), metrics }
    }

    async fn append(&self, runs: &[Execution]) -> Result<(), SpoolError> {
        self.spool.append(&runs.iter().map(Cow::Borrowed).collect::<Vec<_>>()).await
    }

    /// Removes all entries and returns them in order.
    async fn drain(&self) -> Vec<Execution> {
        let mut drained = Vec::new();
        loop {
            let page = self.spool.oldest(100).await.expect("it is readable");
            if page.is_empty() {
                return drained;
            }
            let ids = page.iter().map(|entry| entry.id).collect();
            drained.extend(page.into_iter().map(|entry| *entry.execution));
            self.spool.remove(ids, Vec::new()).await.expect("it is writable");
        }
    }

    fn cut(&self, reason: &str) -> u64 {
        self.metrics.spool_cut.with_label_values(&[reason]).get()
    }

    async fn close(self) {
        self.spool.close().await;
    }
}

fn runs(numbers: std::ops::Range<usize>) -> Vec<Execution> {
    numbers.map(|number| run(number, 600)).collect()
}

/// A copy of what a kill -9 would leave on the disk now.
fn as_after_a_kill(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    fs::create_dir(copy.path().join("queue")).expect("it is empty");
    for file in ["queue/spool.sqlite3", "queue/spool.sqlite3-wal"] {
        fs::copy(folder.join(file), copy.path().join(file)).expect("it is there");
    }
    copy
}

#[tokio::test]
async fn entries_survive_a_kill_in_order_and_are_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path().join("spool");
    let open = Open::new(&folder);
    let all = runs(0..300);
    for group in all.chunks(70) {
        open.append(group).await.expect("there is room");
    }
    assert_eq!(open.spool.entries(), 300);
    assert_eq!(fs::metadata(&folder).expect("it is there").permissions().mode() & 0o777, 0o700);

    let killed = Open::new(as_after_a_kill(&folder).path());
    assert_eq!(killed.spool.entries(), 300, "counted before the first command");
    assert_eq!(killed.drain().await, all);
    assert_eq!((killed.spool.entries(), killed.metrics.spool_drained.get()), (0, 300));
    killed.close().await;
    assert_eq!(open.drain().await, all);
    assert!(open.metrics.spool_bytes.get() < 100_000, "the file has shrunk");
    open.close().await;
}

#[tokio::test]
async fn only_a_torn_tail_is_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    let all = runs(0..40);
    open.append(&all[..30]).await.expect("there is room");
    open.append(&all[30..]).await.expect("there is room");
    let killed = as_after_a_kill(folder.path());
    open.close().await;
    let log = OpenOptions::new().write(true).open(killed.path().join("queue/spool.sqlite3-wal"));
    let log = log.expect("it is there");
    let bytes = log.metadata().expect("it is there").len();
    log.set_len(bytes - 1000).expect("it is ours");

    let killed = Open::new(killed.path());
    assert_eq!(killed.drain().await, &all[..30]);
    killed.close().await;
}

#[tokio::test]
async fn a_second_process_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    let second = Spool::open(folder.path(), 64 * MIB, &open.metrics).map(drop).expect_err("it is locked");
    assert!(second.to_string().contains("SPOOL_DIR"), "{second}");
    let another_handle = open.spool.clone();
    open.close().await;
    Open::new(folder.path()).close().await;
    assert_eq!(another_handle.oldest(1).await.map(drop), Err(SpoolError::Failed), "it is closed for good");
}

#[tokio::test]
async fn a_full_spool_refuses_entries_until_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = Arc::new(Metrics::new().expect("right"));
    let open = Open { spool: Spool::open(folder.path(), 16 * MIB, &metrics).expect("a spool"), metrics };
    let group: Vec<_> = (0..20).map(|number| run(number, 16_000)).collect();
    let mut groups = 0;
    let refused = loop {
        match open.append(&group).await {
            Ok(()) => groups += 1,
            Err(error) => break error,
        }
        assert!(groups < 1000, "it has a bound");
    };
    assert_eq!(refused, SpoolError::Full);
    assert!(open.spool.is_full() && groups >= 5, "{groups}");
    let used: u64 = ["queue/spool.sqlite3", "queue/spool.sqlite3-wal", "reserve"]
        .iter()
        .map(|file| fs::metadata(folder.path().join(file)).map_or(0, |metadata| metadata.len()))
        .sum();
    assert!(used <= 16 * MIB, "{used}");

    assert_eq!(open.drain().await.len(), groups * group.len(), "nothing of a refused group is left");
    assert!(!open.spool.is_full());
    open.append(&group).await.expect("there is room");
    open.close().await;
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_counted_and_a_new_one_is_created() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    let all = runs(0..2000);
    open.append(&all).await.expect("there is room");
    open.close().await;
    let file = OpenOptions::new().write(true).open(folder.path().join(FILE)).expect("it is there");
    let bytes = file.metadata().expect("it is there").len();
    file.write_all_at(&[0xff; 8192], bytes / 2 / 4096 * 4096).expect("it is ours");

    let open = Open::new(folder.path());
    assert_eq!((open.cut("damaged"), open.spool.entries()), (1, 0));
    let kept = folder.path().join("damaged-1/spool.sqlite3");
    assert_eq!(fs::metadata(kept).expect("nothing is deleted").len(), bytes);
    open.append(&all).await.expect("there is room");
    open.close().await;
    let open = Open::new(folder.path());
    assert_eq!((open.cut("damaged"), open.drain().await.len()), (0, 2000));
    open.close().await;
}

#[tokio::test]
async fn a_file_that_is_damaged_while_it_is_open_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    open.append(&runs(0..2000)).await.expect("there is room");
    let ids: Vec<_> = open.spool.oldest(9).await.expect("legible").iter().map(|entry| entry.id).collect();
    let file = OpenOptions::new().write(true).open(folder.path().join(FILE)).expect("it is there");
    let bytes = file.metadata().expect("it is there").len() as usize;
    file.write_all_at(&vec![0xff; bytes - 4096], 4096).expect("it is ours");

    let damaged = loop {
        match open.spool.oldest(500).await {
            Ok(page) => {
                assert!(!page.is_empty(), "most entries are damaged");
                let drained = page.iter().map(|entry| entry.id).collect();
                open.spool.remove(drained, Vec::new()).await.unwrap_or_default();
            }
            Err(error) => break error,
        }
    };
    assert_eq!((damaged, open.cut("damaged")), (SpoolError::Failed, 1));
    open.append(&runs(0..30)).await.expect("a new file takes entries at once");
    open.spool.remove(ids, Vec::new()).await.expect("it is writable");
    assert_eq!(open.spool.entries(), 30, "numbers of the old file remove nothing from the new one");
    open.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_set_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("queue")).expect("it is empty");
    for number in 1..=2 {
        fs::write(folder.path().join(FILE), [7; 10_000]).expect("it is ours");
        let open = Open::new(folder.path());
        assert_eq!(open.cut("damaged"), 1);
        assert!(folder.path().join(format!("damaged-{number}")).exists());
        open.append(&runs(0..3)).await.expect("there is room");
        assert_eq!(open.drain().await.len(), 3);
        open.close().await;
    }
}

#[tokio::test]
async fn an_unreadable_entry_does_not_affect_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    let all = runs(0..5);
    open.append(&all).await.expect("there is room");
    open.close().await;
    let change = |statement: &str| {
        let connection = rusqlite::Connection::open(folder.path().join(FILE)).expect("a file");
        assert_eq!(connection.execute(statement, []).expect("it is right"), 1);
    };
    change("update entry set body = replace(body, '{', '[') where id = (select min(id) + 1 from entry)");
    change(
        r#"update entry set body = replace(body, '"version":1', '"version":9') where id = (select min(id) + 3 from entry)"#,
    );

    let open = Open::new(folder.path());
    assert_eq!(open.drain().await, [all[0].clone(), all[2].clone(), all[4].clone()]);
    assert_eq!((open.cut("unreadable"), open.spool.entries()), (2, 0));
    open.close().await;
    // A version that knows the format drains the entry of another version.
    change("update aside set reason = reason || '' where reason = 'version'");
    let open = Open::new(folder.path());
    assert_eq!(open.spool.entries(), 1);
    open.close().await;
}

#[tokio::test]
async fn entries_that_the_database_refuses_are_kept_aside() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Open::new(folder.path());
    open.append(&runs(0..3)).await.expect("there is room");
    let ids: Vec<_> = open.spool.oldest(9).await.expect("legible").iter().map(|entry| entry.id).collect();
    open.spool.remove(ids[..1].to_vec(), ids[1..2].to_vec()).await.expect("it is writable");
    assert_eq!((open.cut("refused"), open.metrics.spool_drained.get(), open.spool.entries()), (1, 1, 1));
    assert_eq!(open.drain().await.len(), 1);
    open.close().await;
}
