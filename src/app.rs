//! Wires the parts of a server together, and starts and stops them in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use chrono::Utc;
use futures_util::{FutureExt, TryFutureExt};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::{Semaphore, watch};

use crate::cache::Answers;
use crate::config::Config;
use crate::config::login::Login;
use crate::connections::{Connections, Timeouts, affordable};
use crate::http::error::ApiError;
use crate::http::request::guard::rejections;
use crate::http::request::observe::observe;
use crate::http::routes::routes;
use crate::ingest::identity::IdKey;
use crate::limit::limits::Limits;
use crate::limit::places::Places;
use crate::metrics::Metrics;
use crate::scrape::Scrape;
use crate::state::AppState;
use crate::store::database::connect::{check_readable, connect_to_primary};
use crate::store::database::id_key::id_key;
use crate::store::database::migrate::migrate;
use crate::store::database::outage::Outage;
use crate::store::database::pools::WriteTimeouts;
use crate::store::database::{exit_codes, pools, settings};
use crate::store::keep::retention::Retention;
use crate::store::keep::{known_names, monthly_sums, recount, renewal, rules, sessions};
use crate::store::model::rollup;
use crate::store::write::drain::Drainer;
use crate::store::write::queue::queue;
use crate::store::write::spool::Spool;
use crate::store::write::writer::{Destination, Writer};
use crate::tasks::{Task, first_end};

/// Seconds that a stop waits for requests in flight.
const DRAIN_SECONDS: u64 = 2;
/// Time that a stop gives accepted connections to reach a worker.
const SETTLE: Duration = Duration::from_millis(150);
/// Longest time that a stop waits for the writer to commit the queue.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time that a stop drains the spool.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time that a stop waits for the connections to the database, and again for the spool, to close.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);
/// Connections for writing. The writer and the drainer use one each. The others replace those that the pool tests after
/// use, which takes some seconds after a silent network failure.
const WRITE_CONNECTIONS: u32 = 4;
/// Bodies of many events that are processed at the same time; each takes up to 16 MB besides its arrived bytes.
const BULK_BODIES: usize = 2;
/// Clients that send such bodies at the same time.
const BULK_SENDERS: usize = 64;
/// The same with one address. They cannot fill `BULK_KIB`.
const BULK_SENDERS_PER_ADDRESS: usize = 2;
/// Bytes of such bodies that may have arrived, in KiB: four bodies of the greatest length.
const BULK_KIB: usize = 64 << 10;
/// Exports at the same time. Each holds one page in memory.
const EXPORTS: usize = 16;
/// Exports for one address at the same time.
const EXPORTS_PER_ADDRESS: usize = 3;
/// Longest queue of connections that are not accepted yet.
const BACKLOG: u32 = 4096;
/// Setting that stores the definition with which the rollups were built.
const DEFINITION: &str = "rollup_definition";
/// Setting that stores the rules by which executions were scrubbed and diagnosed.
const RULES: &str = "rules";

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// Address on which it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    server: Task,
    writer: Task,
    /// Tasks that may be aborted at any time.
    background: [Task; 6],
    spool: Option<Spooling>,
    pools: [PgPool; 4],
}

/// Connections for reading, to the replica if there is one.
fn read_pool(config: &Config, options: &PgConnectOptions) -> PgPool {
    pools::read_pool(config.read_database.as_ref().map_or(options, Login::options), config.read_timeout)
}

/// The spool and the task that drains it.
#[derive(Debug)]
struct Spooling {
    drainer: Task,
    spool: Spool,
    stopping: watch::Sender<bool>,
}

/// Prepares the database and starts to listen.
///
/// # Errors
/// Any error that prevents the start, in a form for the operator.
pub async fn start(config: &Config, options: &PgConnectOptions) -> anyhow::Result<Running> {
    let metrics = Arc::new(Metrics::new().context("cannot register the metrics")?);
    let ids = prepare(config, options).await?;
    let opened = config.spool_max_bytes.map(|bytes| Spool::open(&config.spool_dir, bytes.get(), &metrics));
    let spool = opened.transpose()?;
    let outage = Arc::new(Outage::default());
    let timeouts = if spool.is_some() { WriteTimeouts::WITH_SPOOL } else { WriteTimeouts::WITHOUT_SPOOL };
    let read_pool = read_pool(config, options);
    let (delete_pool, probe_pool) = (pools::delete_pool(options, &outage), pools::probe_pool(options));
    let retention =
        Retention { options: options.clone(), days: config.retention_days, metrics: Arc::clone(&metrics) };
    let write_pool = pools::write_pool(options, WRITE_CONNECTIONS, timeouts, &outage);
    let destination = Destination {
        pool: write_pool.clone(),
        batch_timeout: timeouts.batch,
        outage: Arc::clone(&outage),
        spool: spool.clone(),
    };
    let drainer = Drainer::new(&destination, &metrics);
    let (queue, batches) = queue(config.queue_events, &metrics);
    let writer = Writer::new(batches, destination, &metrics);
    let protection = &config.protection;
    let limits = Arc::new(Limits::new(protection.run_limit, protection.address_limit, &metrics));
    let timeouts =
        Timeouts { request_part: protection.request_timeout / 2, keep_alive: protection.keep_alive };
    let connections =
        Connections::new(affordable(protection.max_connections), timeouts, rejections(), &metrics);
    let has_replica = config.read_database.is_some();
    let state = AppState {
        ids,
        queue,
        spool: spool.clone(),
        outage,
        read_pool: read_pool.clone(),
        write_pool: write_pool.clone(),
        delete_pool: delete_pool.clone(),
        probe_pool: probe_pool.clone(),
        scrape: Arc::new(Scrape::new(&read_pool, &probe_pool, has_replica, &metrics)),
        folders: config.folders().into(),
        issue_repository: config.outgoing.issue_repository.as_str().into(),
        metrics,
        limits,
        connections: Arc::clone(&connections),
        protection: Arc::new(protection.clone()),
        started_at: Utc::now(),
        unfinished_after: config.unfinished_after,
        retention_days: config.retention_days,
        answers: Answers::default(),
        cache_for: config.cache_for,
        exports: Places::new(EXPORTS, EXPORTS_PER_ADDRESS),
        max_body_bytes: config.max_body_bytes,
        bulk_bodies: Arc::new(Semaphore::new(BULK_BODIES)),
        bulk_senders: Places::new(BULK_SENDERS, BULK_SENDERS_PER_ADDRESS),
        bulk_kib: Arc::new(Semaphore::new(BULK_KIB)),
    };
    let max_body_bytes = config.max_body_bytes;
    let has_admin = protection.admin_token.is_some();
    let open = Arc::clone(&connections);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::new(state.clone()))
            .app_data(web::PayloadConfig::new(max_body_bytes))
            .app_data(web::QueryConfig::default().error_handler(|_, _| ApiError::UnreadableQuery.into()))
            .app_data(web::PathConfig::default().error_handler(|_, _| ApiError::NoSuchPath.into()))
            .wrap(from_fn(observe))
            .configure(|service| routes(service, has_admin))
    })
    .on_connect(move |stream, data| {
        if let Some(stream) = stream.downcast_ref::<TcpStream>() {
            data.insert(open.register(stream));
        }
    })
    // `connections` has this time limit, with an error response.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(timeouts.keep_alive)
    .backlog(BACKLOG)
    .shutdown_timeout(DRAIN_SECONDS)
    .disable_signals()
    .bind(config.listen_addr)
    .with_context(|| format!("cannot listen on {} (LISTEN_ADDR)", config.listen_addr))?;
    let address = server.addrs().first().copied().context("no address to listen on")?;
    let server = server.run();
    Ok(Running {
        address,
        handle: server.handle(),
        server: Task::start("the server", server.map_err(Into::into)),
        writer: Task::start("the writer", writer.run().map(Ok)),
        spool: drainer.zip(spool).map(|(drainer, spool)| {
            let (stopping, is_stopping) = watch::channel(false);
            let drainer = Task::start("the drainer of the spool", drainer.run(is_stopping).map(Ok));
            Spooling { drainer, spool, stopping }
        }),
        background: [
            Task::start("the deadline of connections", connections.close_overdue().map(Ok)),
            Task::start("the deletion of expired executions", retention.run().map(Ok)),
            Task::start("the counting of sessions", sessions::keep_counting(options.clone()).map(Ok)),
            Task::start("the making of monthly sums", monthly_sums::keep_making(options.clone()).map(Ok)),
            Task::start("the renewal of executions", renewal::keep_renewed(options.clone()).map(Ok)),
            Task::start("the search for known names", known_names::keep_learning(options.clone()).map(Ok)),
        ],
        pools: [read_pool, write_pool, delete_pool, probe_pool],
    })
}

impl Running {
    /// Stops: accepts no more connections, answers requests in flight, commits the queue, and closes the connections to
    /// the database.
    ///
    /// # Errors
    /// Events in the queue could not be committed in time. Their requests were not answered.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        // A stop drops connections that are accepted but have not reached a worker yet.
        self.handle.pause().await;
        tokio::time::sleep(SETTLE).await;
        self.handle.stop(true).await;
        self.server.end().await?;
        self.background.iter().for_each(Task::abort);
        let written = tokio::time::timeout(COMMIT_TIMEOUT, self.writer.end()).await;
        if let Some(spool) = self.spool {
            spool.stop().await;
        }
        let closed = futures_util::future::join_all(self.pools.iter().map(PgPool::close));
        // A query that is still running ends with its connection.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
        written.context("the writer did not finish in time")?
    }

    /// Returns when the server or a background task ends, which none of them does on its own.
    pub async fn ended(&mut self) -> anyhow::Error {
        let drainer = self.spool.as_mut().map(|spooling| &mut spooling.drainer);
        let tasks = [&mut self.server, &mut self.writer].into_iter().chain(drainer);
        first_end(tasks.chain(&mut self.background)).await
    }
}

impl Spooling {
    /// Drains the spool as far as the time allows; the rest stays for the next start.
    async fn stop(self) {
        let Self { mut drainer, spool, stopping } = self;
        let _ = stopping.send(true);
        if tokio::time::timeout(DRAIN_TIMEOUT, drainer.end()).await.is_err() {
            drainer.abort();
            let _ = drainer.end().await;
        }
        // A hanging disk must not keep the server from stopping.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, spool.close()).await;
    }
}

/// Connects, migrates, reads or creates the key of the run ids, and rebuilds rollups of another definition.
///
/// # Errors
/// Any error that prevents a start on this database.
pub async fn prepare(config: &Config, options: &PgConnectOptions) -> anyhow::Result<IdKey> {
    let mut connection = connect_to_primary(options, config.connect_patience).await?;
    migrate(&mut connection).await?;
    if let Some(reading) = &config.read_database {
        check_readable(reading.options()).await.context("READ_DATABASE_URL cannot be used")?;
    }
    let ids = id_key(&mut connection, config.id_key.as_ref().map(|key| key.reveal().as_bytes())).await?;
    renew_rollups(&mut connection).await?;
    sessions::begin(&mut connection).await?;
    known_names::begin(&mut connection, config.protection.rare_sessions)
        .await
        .context("cannot store RARE_SESSIONS")?;
    let published = exit_codes::publish(&mut connection, config.unfinished_after).await;
    published.context("cannot copy the catalogue of exit codes into the database")?;
    connection.close().await?;
    Ok(ids)
}

async fn renew_rollups(connection: &mut PgConnection) -> anyhow::Result<()> {
    let definition = rollup::definition();
    let built_with = settings::remember(connection, DEFINITION, definition.as_bytes()).await?;
    if built_with == definition.as_bytes() {
        settings::remember(connection, RULES, rules::fingerprint().as_bytes()).await?;
    } else {
        tracing::info!("another version built the rollups; rebuilding them");
        let rebuilt = recount::rebuild(connection).await.context("cannot rebuild the rollups")?;
        rules::note(connection).await.context("cannot store the rules")?;
        settings::overwrite(connection, DEFINITION, definition.as_bytes()).await?;
        let left_out = rebuilt.days_left_out.len();
        tracing::info!(days = rebuilt.days, left_out, "rebuilt the rollups");
    }
    Ok(())
}
