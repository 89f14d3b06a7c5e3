//! A PostgreSQL that the test stops, starts, kills and queries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use telemetry_protocol::Status;
use telemetry_server::store::database::connect::embedded_options;
use telemetry_server::store::database::embedded::{Cluster, Embedded, Endpoint, Settings, start_or_attach};

use crate::common::DataDir;
use crate::common::server::{Finished, run, until};

pub(crate) struct Postgres {
    settings: Settings,
    endpoint: Endpoint,
    embedded: Option<Embedded>,
    _folder: Option<DataDir>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = DataDir::new();
        let settings = folder.settings();
        Self { _folder: Some(folder), ..Self::start_in(settings) }
    }

    /// Starts it in a folder that belongs to the test.
    pub(crate) fn start_in(settings: Settings) -> Self {
        let embedded = Embedded::start(&settings).expect("PostgreSQL starts");
        let endpoint = embedded.endpoint().clone();
        Self { settings, endpoint, embedded: Some(embedded), _folder: None }
    }

    pub(crate) fn url(&self) -> String {
        let Endpoint { socket_dir, user, database } = &self.endpoint;
        format!("postgres://{user}@localhost/{database}?host={}", socket_dir.display())
    }

    /// The same over TCP, through a proxy on `port`.
    pub(crate) fn url_by(&self, port: u16) -> String {
        let Endpoint { user, database, .. } = &self.endpoint;
        format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.endpoint.socket_dir.join(".s.PGSQL.5432")
    }

    pub(crate) fn stop(&mut self) {
        self.embedded.take().expect("it runs").stop().expect("a clean stop");
    }

    pub(crate) fn start_again(&mut self) {
        self.embedded = Some(Embedded::start(&self.settings).expect("PostgreSQL starts"));
    }

    /// Kills it and returns when its supervisor has started it again.
    pub(crate) fn kill(&self) {
        let running = || self.embedded.as_ref().and_then(Embedded::postmaster_pid);
        until("PostgreSQL runs", || running().is_some());
        let pid = running().expect("it runs");
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
        until("it is another one", || running().is_some_and(|now| now != pid));
    }

    pub(crate) fn execute(&self, statement: &str) {
        execute(&embedded_options(&self.endpoint), statement).expect("it runs");
    }

    /// What `verify` says of the database.
    pub(crate) fn verify(&self) -> Finished {
        run(&["verify"], &[("DATABASE_URL", &self.url())])
    }

    /// Which steps of which runs are stored, by key.
    pub(crate) fn stored(&self) -> BTreeMap<uuid::Uuid, Vec<Status>> {
        stored(&embedded_options(&self.endpoint))
    }
}

/// Which steps of which runs a server with an embedded cluster has stored, by key.
pub(crate) fn stored_by(data: &DataDir) -> BTreeMap<uuid::Uuid, Vec<Status>> {
    match start_or_attach(&data.settings()).expect("it runs") {
        Cluster::Running(endpoint) => stored(&embedded_options(&endpoint)),
        Cluster::Own(_) => panic!("the server does not run"),
    }
}

/// Runs a statement.
///
/// # Errors
/// Any error from the database.
pub(crate) fn execute(options: &PgConnectOptions, statement: &str) -> sqlx::Result<()> {
    block_on(async {
        let mut connection = PgConnection::connect_with(options).await?;
        connection.execute(AssertSqlSafe(statement.to_owned())).await?;
        connection.close().await
    })
}

pub(crate) fn stored(options: &PgConnectOptions) -> BTreeMap<uuid::Uuid, Vec<Status>> {
    block_on(async {
        let mut connection = PgConnection::connect_with(options).await.expect("it runs");
        let times = Status::ALL.map(|status| format!("{}_at is not null", status.as_str())).join(", ");
        let select = AssertSqlSafe(format!("select run_key, {times} from execution"));
        let rows = sqlx::query(select).fetch_all(&mut connection).await.expect("it runs");
        let counted: Option<i64> = sqlx::query_scalar("select sum(runs)::bigint from rollup_script")
            .fetch_one(&mut connection)
            .await
            .expect("it runs");
        assert_eq!(counted, Some(rows.len() as i64), "each run is counted once");
        let steps = |row: &sqlx::postgres::PgRow| {
            let reported = (1..).zip(Status::ALL).filter(|(column, _)| row.get::<bool, _>(*column));
            reported.map(|(_, status)| status).collect()
        };
        rows.iter().map(|row| (row.get(0), steps(row))).collect()
    })
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
