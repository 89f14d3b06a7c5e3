//! Upgrades while events arrive: no migration holds up writers, a version that is older than the schema refuses to
//! start, and events that it cannot store while a newer version has changed the schema are not lost.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::app::{Cluster, spawn_app};
use crate::common::server::run;
use reqwest::StatusCode;
use serde_json::json;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, SqlSafeStr};
use telemetry_server::store::database::migrate::{MIGRATIONS, migrate_by};
use uuid::Uuid;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// The last migration of the first release. Nobody upgrades from the ones before it.
const FIRST_RELEASE: i64 = 8;
/// A later migration, as an example.
const EXAMPLE: &str = "alter table execution add column later text;
    alter table rollup_script add column later bigint not null default 0;
    create table later (id integer primary key, at timestamptz not null);
    create index later_at on later (at);
    drop index rollup_script_open";
/// Rows in the table before a migration.
pub(crate) const ROWS: i32 = 20_000;
/// The work of the writers, in every version of the schema: a run begins, another one ends, and both are counted.
const WRITE: [&str; 3] = [
    "insert into execution (run_key, revision, generation, first_seen, last_seen, status, outcome, fact_status, app)
     select gen_random_uuid(), 1, 3, now(), now(), 'installing', 'open', '', 'jellyfin'",
    "update execution set revision = revision + 1, status = 'success', outcome = 'success'
     where run_key = (select run_key from execution where run_key > gen_random_uuid() limit 1)",
    "insert into rollup_script values (current_date, 1, 'jellyfin', 'open', 'epoch', 1, 0, 0)
     on conflict (day, population, app, outcome, open_hour) do update set runs = rollup_script.runs + 1",
];

/// Writers that never pause, with the time-out of the server's own writers.
#[derive(Default)]
struct Traffic {
    written: AtomicUsize,
    is_over: AtomicBool,
}

impl Traffic {
    /// Returns the longest time that anything took.
    async fn write(&self, options: &PgConnectOptions) -> Duration {
        let options = options.clone().options([("statement_timeout", "3s")]);
        let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
        let mut longest = Duration::ZERO;
        while !self.is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            let mut transaction = connection.begin().await.expect("it runs");
            for statement in WRITE {
                transaction.execute(statement).await.expect("no lock holds it up");
            }
            transaction.commit().await.expect("no lock holds it up");
            longest = longest.max(begun.elapsed());
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        longest
    }

    /// Waits until this many more transactions were committed.
    async fn goes_on(&self, more: usize) {
        let wanted = self.written.load(Ordering::Relaxed) + more;
        until("others write", async || self.written.load(Ordering::Relaxed) >= wanted).await;
    }
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}

/// A database with rows and all migrations before this one.
async fn database(cluster: &Cluster, before: i64) -> (PgConnectOptions, PgConnection) {
    let options = cluster.database().await;
    let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
    migrate_by(&up_to(before - 1), &mut connection).await.expect("it runs");
    let fill = format!(
        "insert into execution (run_key, revision, generation, first_seen, last_seen, status, outcome, fact_status, app)
         select gen_random_uuid(), 1, 3, now(), now(), 'failed', 'failed', '', 'app-' || number % 300
         from generate_series(1, {ROWS}) as number"
    );
    connection.execute(sqlx::AssertSqlSafe(fill)).await.expect("it runs");
    (options, connection)
}

/// A database of the first release with rows that are not counted yet.
pub(crate) async fn first_release(cluster: &Cluster) -> PgConnectOptions {
    let (options, mut connection) = database(cluster, FIRST_RELEASE + 1).await;
    let outdated = "insert into setting (name, value) values ('rollup_definition', 'of an earlier version')";
    connection.execute(outdated).await.expect("it runs");
    connection.close().await.expect("it runs");
    options
}

fn up_to(version: i64) -> Migrator {
    Migrator::with_migrations(MIGRATIONS.iter().filter(|found| found.version <= version).cloned().collect())
}

/// All migrations and one more.
fn and(sql: &'static str) -> Migrator {
    let later = Migration::new(9999, "later".into(), MigrationType::Simple, sql.into_sql_str(), false);
    Migrator::with_migrations(MIGRATIONS.iter().cloned().chain([later]).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_written_during_every_migration() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let released = MIGRATIONS.iter().map(|migration| migration.version);
    let released =
        released.filter(|version| *version > FIRST_RELEASE).map(|version| (version, up_to(version)));
    for (version, migrations) in released.chain([(i64::MAX, and(EXAMPLE))]) {
        let (options, mut connection) = database(&cluster, version).await;
        let traffic = Traffic::default();
        let migrating = async {
            traffic.goes_on(20).await;
            migrate_by(&migrations, &mut connection).await.expect("it runs");
            traffic.goes_on(20).await;
            traffic.is_over.store(true, Ordering::Relaxed);
        };
        let writer = || traffic.write(&options);
        tokio::join!(migrating, writer(), writer(), writer());
        connection.close().await.expect("it runs");
    }
    tokio::task::block_in_place(|| drop(cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_only_briefly_for_a_table_that_others_use() {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let (options, mut connection) = database(&cluster, i64::MAX).await;
    let mut reader = PgConnection::connect_with(&options).await.expect("it runs");
    let mut long = reader.begin().await.expect("it runs");
    long.execute("select count(*) from execution").await.expect("it runs");
    let mut observer = PgConnection::connect_with(&options).await.expect("it runs");
    let mut waits = async || {
        let waiting = sqlx::query_scalar::<_, bool>(
            "select exists (select from pg_locks
             where mode = 'AccessExclusiveLock' and not granted and relation = 'execution'::regclass
             and database = (select oid from pg_database where datname = current_database()))",
        );
        waiting.fetch_one(&mut observer).await.expect("it runs")
    };
    let traffic = Traffic::default();
    let watching = async {
        traffic.goes_on(5).await;
        for _ in 0..2 {
            until("the migration waits", &mut waits).await;
            until("it stops waiting", async || !waits().await).await;
            traffic.goes_on(5).await;
        }
        long.rollback().await.expect("it runs");
    };
    let add = and("alter table execution add column later text");
    let migrating = async {
        let (migrated, ()) = tokio::join!(migrate_by(&add, &mut connection), watching);
        migrated.expect("it gets its turn");
        traffic.goes_on(5).await;
        traffic.is_over.store(true, Ordering::Relaxed);
    };
    tokio::join!(migrating, traffic.write(&options));
    let later = "select count(later) from execution";
    connection.execute(later).await.expect("the column is there");
    let locks: i64 = sqlx::query_scalar(
        "select count(*) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())",
    )
    .fetch_one(&mut connection)
    .await
    .expect("it runs");
    assert_eq!(locks, 0, "other instances may migrate");
    tokio::task::block_in_place(|| drop(cluster));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_older_than_the_schema_says_so() {
    let app = spawn_app().await;
    let options = app.pool().connect_options().as_ref().clone();
    let mut connection = app.connection().await;
    migrate_by(&and("create table later (id integer)"), &mut connection).await.expect("it runs");
    let url = format!(
        "postgres://{}@localhost/{}?host={}",
        options.get_username(),
        options.get_database().expect("it has one"),
        options.get_socket().expect("it has one").display()
    );
    let spool = tempfile::tempdir().expect("a temporary folder");
    let spool = spool.path().to_string_lossy();
    let variables = [("DATABASE_URL", url.as_str()), ("SPOOL_DIR", &spool), ("LISTEN_ADDR", "127.0.0.1:0")];
    let ended = tokio::task::block_in_place(|| run(&["serve"], &variables));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("was migrated by a newer version of this program (it has migration 9999"),
        "{}",
        ended.stderr
    );
    // A running instance continues: additions do not disturb it.
    app.report("/telemetry", &json!({"random_id": "r", "nsapp": "x", "status": "installing"})).await;
    assert_eq!(app.executions().await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_an_older_version_cannot_write_wait_for_the_newer_one() {
    let app = spawn_app().await;
    let event = |id: Uuid| json!({"random_id": id.to_string(), "nsapp": "x", "status": "installing"});
    app.report("/telemetry", &event(Uuid::from_u128(1))).await;
    let mut connection = app.connection().await;
    connection.execute("alter table execution add column later text").await.expect("it runs");
    for id in 2..10 {
        app.report("/telemetry", &event(Uuid::from_u128(id))).await;
    }
    let (status, ready) = app.get("/readyz").await;
    assert_eq!((status, ready["status"].as_str()), (StatusCode::OK, Some("degraded")), "{ready}");
    assert_eq!(app.executions().await, 1, "they are in the spool");
    // As a version does that knows the column.
    connection.execute("alter table execution drop column later").await.expect("it runs");
    until("the spool is drained", async || app.executions().await == 9).await;
    app.verify().await;
    app.stop().await;
}

/// The statements of a migration that lock a table while they read or write all of it.
fn breaches(sql: &str) -> Vec<String> {
    let code =
        sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let code = code.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let made: Vec<_> =
        code.split("create table ").skip(1).filter_map(|rest| rest.split([' ', '(']).next()).collect();
    let is_new =
        |statement: &str| made.iter().any(|table| statement.split([' ', '(']).any(|word| word == *table));
    let is_slow = |statement: &str| {
        let index = statement.contains("create index") || statement.contains("create unique index");
        let constraint = statement.contains(" add constraint ") && !statement.contains(" not valid");
        (index && !statement.contains(" concurrently "))
            || constraint
            || [" set not null", " type ", " rename "]
                .iter()
                .any(|change| statement.contains("alter table") && statement.contains(change))
            || statement.starts_with("update ")
            || statement.starts_with("vacuum full")
            || statement.starts_with("cluster ")
    };
    let statements = code.split(';').map(str::trim);
    statements.filter(|statement| is_slow(statement) && !is_new(statement)).map(str::to_owned).collect()
}

#[test]
fn no_migration_holds_a_table_while_it_reads_or_writes_all_of_it() {
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > FIRST_RELEASE) {
        assert_eq!(breaches(migration.sql.as_str()), Vec::<String>::new(), "migration {}", migration.version);
    }
    for slow in [
        "create index later on execution (app)",
        "create table later (id uuid); create index on execution (app)",
        "alter table execution alter column app set not null",
        "alter table execution alter column app type varchar",
        "alter table execution add constraint c check (app <> '')",
        "update execution set app = ''",
    ] {
        assert_eq!(breaches(slow).len(), 1, "{slow}");
    }
    for quick in [
        "create table later (id uuid); create index on later (id)",
        "create index concurrently if not exists later on execution (app)",
        "alter table execution add column later text -- create index on execution (later)",
        "alter table execution add constraint c check (app <> '') not valid",
    ] {
        assert_eq!(breaches(quick), Vec::<String>::new(), "{quick}");
    }
}
