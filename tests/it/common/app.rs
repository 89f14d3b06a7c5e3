//! A server in this process: on a free port, with a database of its own on the one cluster of the
//! test program.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use telemetry_server::app::{Running, start};
use telemetry_server::config::Variables;
use telemetry_server::config::protection::ProtectionVariables;
use telemetry_server::store::database::connect::embedded_options;
use telemetry_server::store::database::embedded::Embedded;
use telemetry_server::store::keep::{known_names, recount, sessions};
use tokio::sync::OnceCell;

use super::DataDir;

/// The token of every server of the tests.
pub(crate) const READ_TOKEN: &str = "a-token-that-reads";

/// The cluster that all tests of a program share. It ends with the last test that uses it, and
/// with the program, however that ends.
pub(crate) struct Cluster {
    embedded: Embedded,
    filled: OnceCell<PgConnectOptions>,
    _folder: DataDir,
}

impl Cluster {
    /// The running one, else a new one. Blocks while it starts.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = shared.upgrade() {
            return cluster;
        }
        let folder = DataDir::new();
        let embedded = Embedded::start(&folder.settings()).expect("PostgreSQL starts");
        let cluster = Arc::new(Self { embedded, filled: OnceCell::new(), _folder: folder });
        *shared = Arc::downgrade(&cluster);
        cluster
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> PgConnectOptions {
        self.copy("template1").await
    }

    /// A new database with what `fill` writes. It is called once, because that takes time.
    async fn filled_database(&self, fill: impl AsyncFnOnce(&PgConnectOptions)) -> PgConnectOptions {
        let filled = async || {
            let options = self.database().await;
            fill(&options).await;
            options
        };
        let filled = self.filled.get_or_init(filled).await;
        self.copy(filled.get_database().expect("it has a name")).await
    }

    async fn copy(&self, template: &str) -> PgConnectOptions {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let options = embedded_options(self.embedded.endpoint());
        let mut connection = PgConnection::connect_with(&options).await.expect("it runs");
        let create = AssertSqlSafe(format!("create database {name} template {template}"));
        sqlx::query(create).execute(&mut connection).await.expect("the name is free");
        connection.close().await.expect("it runs");
        options.database(&name)
    }
}

/// A server that takes requests, and a test's way to it.
pub(crate) struct TestApp {
    /// `http://127.0.0.1:port`, without a final slash.
    pub(crate) url: String,
    running: Running,
    client: Client,
    options: PgConnectOptions,
    pool: PgPool,
    _cluster: Option<Arc<Cluster>>,
    /// Of the spool.
    _folder: DataDir,
}

/// Starts a server with the defaults, but without limits, and an empty database.
pub(crate) async fn spawn_app() -> TestApp {
    spawn_app_with(unlimited()).await
}

/// Starts a server with such protection and an empty database.
pub(crate) async fn spawn_app_with(protection: ProtectionVariables) -> TestApp {
    spawn_app_set(Variables { protection, ..Variables::default() }).await
}

/// Starts a server with some variables set and an empty database.
pub(crate) async fn spawn_app_set(variables: Variables) -> TestApp {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.database().await;
    let mut app = spawn(options, variables).await;
    app._cluster = Some(cluster);
    app
}

/// Starts a server with some variables set on a database that `fill` has written to. All tests that use this get
/// the same rows.
pub(crate) async fn spawn_app_filled(
    variables: Variables,
    fill: impl AsyncFnOnce(&PgConnectOptions),
) -> TestApp {
    let cluster = tokio::task::block_in_place(Cluster::shared);
    let options = cluster.filled_database(fill).await;
    let mut app = spawn(options, variables).await;
    app._cluster = Some(cluster);
    app
}

/// Starts a server with the defaults, but without limits, on a database that the test brings.
pub(crate) async fn spawn_app_on(options: PgConnectOptions) -> TestApp {
    spawn_unlimited(options, Variables::default()).await
}

/// The same with some variables set.
pub(crate) async fn spawn_unlimited(options: PgConnectOptions, variables: Variables) -> TestApp {
    spawn(options, Variables { protection: unlimited(), ..variables }).await
}

/// All requests of a test come from one address, and many tests repeat the events of a run.
pub(crate) fn unlimited() -> ProtectionVariables {
    let off = Some("0".to_owned());
    ProtectionVariables {
        run_limit_burst: off.clone(),
        address_limit_burst: off,
        ..ProtectionVariables::default()
    }
}

/// Starts a server with some variables set on a database that the test brings. By default answers are not
/// cached, and every name is public.
pub(crate) async fn spawn(options: PgConnectOptions, mut variables: Variables) -> TestApp {
    let folder = DataDir::new();
    variables.protection.rare_sessions.get_or_insert_with(|| "1".to_owned());
    variables.protection.read_token.get_or_insert_with(|| READ_TOKEN.parse().expect("a text"));
    let variables = Variables {
        listen_addr: Some("127.0.0.1:0".to_owned()),
        data_dir: Some(folder.path().to_string_lossy().into_owned()),
        cache_seconds: variables.cache_seconds.or_else(|| Some("0".to_owned())),
        ..variables
    };
    let config = variables.check().expect("they are right");
    let running = start(&config, &options).await.expect("the server starts");
    TestApp {
        url: format!("http://{}", running.address),
        running,
        client: Client::builder().no_proxy().build().expect("a client"),
        pool: PgPool::connect_lazy_with(options.clone()),
        options,
        _cluster: None,
        _folder: folder,
    }
}

impl TestApp {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// A request that the test completes.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Posts a body as clients do.
    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        request.body(body).send().await.expect("an answer")
    }

    /// Posts what must be accepted.
    pub(crate) async fn report(&self, path: &str, event: &Value) {
        let response = self.post(path, event.to_string()).await;
        assert_eq!(response.status(), StatusCode::OK, "{event}");
    }

    /// What a path answers with 200.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What a path answers with 200 to a maintainer.
    pub(crate) async fn get_all(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).bearer_auth(READ_TOKEN).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.expect("a JSON answer")
    }

    /// Checks which names are public, as the server does every few seconds.
    pub(crate) async fn learn_names(&self) {
        known_names::learn_all(&mut self.connection().await).await.expect("it runs");
    }

    /// What a path answers.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self.request(Method::GET, path).send().await.expect("an answer");
        let status = response.status();
        (status, response.json().await.expect("a JSON answer"))
    }

    /// The test's own way to the database.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection of the test's own.
    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.expect("it runs")
    }

    /// A connection that counts sessions, while the server does not.
    pub(crate) async fn session_counter(&self) -> PgConnection {
        let mut connection = self.connection().await;
        let lock = sqlx::query("select pg_advisory_lock($1)").bind(sessions::LOCK);
        lock.execute(&mut connection).await.expect("it runs");
        connection
    }

    /// Rows in `execution`.
    pub(crate) async fn executions(&self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from execution").fetch_one(&self.pool);
        count.await.expect("it runs")
    }

    /// Asserts that every rollup equals its recount.
    pub(crate) async fn verify(&self) {
        let mut connection = PgConnection::connect_with(&self.options).await.expect("it runs");
        let seen = recount::verify(&mut connection).await.expect("it runs");
        assert!(seen.mismatches.is_empty(), "rollups differ from their recount: {:#?}", seen.mismatches);
        assert_eq!(i64::try_from(seen.executions).ok(), Some(self.executions().await), "all are counted");
    }

    /// Stops the server and lets go of the database.
    pub(crate) async fn stop(self) {
        self.pool.close().await;
        self.running.stop().await.expect("a clean stop");
        // The last one stops PostgreSQL, which takes a moment.
        tokio::task::block_in_place(|| drop(self._cluster));
    }
}
