//! A running server: everything wired together, started and stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use anyhow::Context;
use chrono::Utc;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::cache::{Answers, Kept};
use crate::config::Config;
use crate::config::login::Login;
use crate::connections::{Connections, Patience, affordable};
use crate::http::error::ApiError;
use crate::http::guard::unasked;
use crate::http::observe::measure;
use crate::http::routes::routes;
use crate::ingest::identity::IdKey;
use crate::limit::limits::Limits;
use crate::metrics::Metrics;
use crate::state::AppState;
use crate::store::database::connect::connect_to_primary;
use crate::store::database::migrate::migrate;
use crate::store::database::outage::Outage;
use crate::store::database::pools::WriteTimeouts;
use crate::store::database::{exit_codes, pools, settings};
use crate::store::keep::retention::Retention;
use crate::store::keep::{recount, sessions, sums};
use crate::store::model::rollup;
use crate::store::read::domain::DomainText;
use crate::store::read::readers::Readers;
use crate::store::write::drain::Drainer;
use crate::store::write::queue::queue;
use crate::store::write::spool::Spool;
use crate::store::write::writer::{Destination, Writer};
use crate::watch::Watch;

/// Seconds that requests in flight have to end when the server stops.
const DRAIN_SECONDS: u64 = 2;
/// How long accepted connections have to reach a worker when the server stops.
const SETTLE: Duration = Duration::from_millis(150);
/// How long the writer has to commit what is queued when the server stops.
const COMMIT_PATIENCE: Duration = Duration::from_secs(2);
/// How long the spool may be drained when the server stops.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);
/// How long connections to the database, and then the spool, have to be closed when the server stops.
const CLOSE_PATIENCE: Duration = Duration::from_millis(500);
/// Connections for writing: one for the writer, one for the drainer.
const WRITE_CONNECTIONS: u32 = 2;
/// Bodies of many events that are worked on at once; each takes up to 32 MB.
const BATCHES_AT_ONCE: usize = 2;
/// Lists that are streamed at once; each has a connection of the read side from time to time.
const EXPORTS: usize = 3;
/// How long it is known which models of hardware are common, whatever is done with answers.
const MODELS_LAST: Duration = Duration::from_secs(60);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// Setting that names what the rollups were made with.
const DEFINITION: &str = "rollup_definition";
/// Setting that holds the secret behind run keys.
const ID_KEY: &str = "id_key";

/// A server that takes requests.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    writer: JoinHandle<()>,
    watchers: [JoinHandle<()>; 2],
    retention: JoinHandle<()>,
    sessions: JoinHandle<()>,
    spans: JoinHandle<()>,
    spool: Option<Spooling>,
    pools: [PgPool; 4],
}

/// Connections for reading: to a replica, if there is one.
fn read_pool(config: &Config, options: &PgConnectOptions) -> PgPool {
    pools::read_pool(config.read_database.as_ref().map_or(options, Login::options), config.read_timeout)
}

/// The spool and who empties it.
#[derive(Debug)]
struct Spooling {
    drainer: JoinHandle<()>,
    spool: Spool,
    stopping: watch::Sender<bool>,
}

/// Prepares the database, then listens.
///
/// # Errors
/// Everything that keeps a server from starting, in words for the operator.
pub async fn start(config: &Config, options: &PgConnectOptions) -> anyhow::Result<Running> {
    let metrics = Arc::new(Metrics::new().context("cannot register the metrics")?);
    let ids = prepare(config, options).await?;
    let opened = config.spool_max_bytes.map(|bytes| Spool::open(&config.spool_dir, bytes.get(), &metrics));
    let spool = opened.transpose()?;
    let outage = Arc::new(Outage::default());
    let timeouts = if spool.is_some() { WriteTimeouts::WITH_SPOOL } else { WriteTimeouts::WITHOUT_SPOOL };
    let read_pool = read_pool(config, options);
    let readers = Readers::new(read_pool.clone(), config.read_timeout);
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
    let patience = Patience { part: protection.request_timeout / 2, keep_alive: protection.keep_alive };
    let connections = Connections::new(affordable(protection.max_connections), patience, unasked(), &metrics);
    // Without a replica what is read for the metrics says it all.
    let probed = config.read_database.is_some().then(|| probe_pool.clone());
    let state = AppState {
        ids,
        queue,
        spool: spool.clone(),
        outage,
        readers: readers.clone(),
        read_pool: read_pool.clone(),
        write_pool: write_pool.clone(),
        delete_pool: delete_pool.clone(),
        probe_pool: probe_pool.clone(),
        domain: Arc::new(DomainText::new(&read_pool, probed, &metrics)),
        watch: Arc::new(Watch::new(readers)),
        folders: config.folders().into(),
        github: config.outgoing.github.clone().map(Arc::new),
        metrics,
        limits: Arc::clone(&limits),
        connections: Arc::clone(&connections),
        protection: Arc::new(protection.clone()),
        started_at: Utc::now(),
        unfinished_after: config.unfinished_after,
        answers: Answers::default(),
        models: Kept::new(MODELS_LAST),
        cache_for: config.cache_for,
        exports: Arc::new(Semaphore::new(EXPORTS)),
        max_body_bytes: config.max_body_bytes,
        batches: Arc::new(Semaphore::new(BATCHES_AT_ONCE)),
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
            .wrap(from_fn(measure))
            .configure(|service| routes(service, has_admin))
    })
    .on_connect(move |stream, data| {
        if let Some(stream) = stream.downcast_ref::<TcpStream>() {
            data.insert(open.admit(stream));
        }
    })
    // `connections` times it, with an answer that says why.
    .client_request_timeout(Duration::ZERO)
    .keep_alive(patience.keep_alive)
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
        server: tokio::spawn(server),
        writer: tokio::spawn(writer.run()),
        spool: drainer.zip(spool).map(|(drainer, spool)| {
            let (stopping, is_stopping) = watch::channel(false);
            Spooling { drainer: tokio::spawn(drainer.run(is_stopping)), spool, stopping }
        }),
        watchers: [tokio::spawn(limits.keep_small()), tokio::spawn(connections.cut_overdue())],
        retention: tokio::spawn(retention.run()),
        sessions: tokio::spawn(sessions::keep_counting(options.clone())),
        spans: tokio::spawn(sums::keep_sealing(options.clone())),
        pools: [read_pool, write_pool, delete_pool, probe_pool],
    })
}

impl Running {
    /// Takes no new connections, answers what is in flight, commits what is queued, and closes
    /// the connections to the database.
    ///
    /// # Errors
    /// If something queued could not be committed in time: then its request was not answered.
    pub async fn stop(self) -> anyhow::Result<()> {
        // It can be cut off anywhere.
        self.retention.abort();
        self.sessions.abort();
        self.spans.abort();
        // What the workers have accepted but not begun would be dropped by a stop.
        self.handle.pause().await;
        tokio::time::sleep(SETTLE).await;
        self.handle.stop(true).await;
        self.server.await.context("the server panicked")??;
        self.watchers.iter().for_each(JoinHandle::abort);
        let written = tokio::time::timeout(COMMIT_PATIENCE, self.writer).await;
        if let Some(spool) = self.spool {
            spool.stop().await;
        }
        let closed = futures_util::future::join_all(self.pools.iter().map(PgPool::close));
        // A query that is still running ends with its connection.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, closed).await;
        written.context("the writer did not finish in time")?.context("the writer panicked")?;
        Ok(())
    }

    /// Returns when the server, the writer or the deletion of old executions ends by itself, which they do
    /// only in trouble.
    pub async fn ended(&mut self) -> anyhow::Error {
        let server = tokio::select! {
            _ = &mut self.writer => return anyhow::anyhow!("the writer ended"),
            _ = &mut self.retention => return anyhow::anyhow!("the deletion of old executions ended"),
            server = &mut self.server => server,
        };
        match server {
            Ok(Err(error)) => anyhow::Error::new(error).context("the server ended"),
            Ok(Ok(())) => anyhow::anyhow!("the server ended"),
            Err(error) => anyhow::Error::new(error).context("the server panicked"),
        }
    }
}

impl Spooling {
    /// Drains what can be drained in time; the rest is there at the next start.
    async fn stop(self) {
        let Self { mut drainer, spool, stopping } = self;
        let _ = stopping.send(true);
        if tokio::time::timeout(DRAIN_PATIENCE, &mut drainer).await.is_err() {
            drainer.abort();
            let _ = drainer.await;
        }
        // A hanging disk must not keep the server from stopping.
        let _ = tokio::time::timeout(CLOSE_PATIENCE, spool.close()).await;
    }
}

/// Connects, migrates, learns the secret of the run ids, and remakes rollups that were made by
/// another definition.
async fn prepare(config: &Config, options: &PgConnectOptions) -> anyhow::Result<IdKey> {
    let mut connection = connect_to_primary(options, config.connect_patience).await?;
    migrate(&mut connection).await?;
    let ids = match &config.id_key {
        Some(key) => IdKey::new(key.reveal().as_bytes()),
        None => {
            let fresh = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
            IdKey::new(&settings::remember(&mut connection, ID_KEY, &fresh).await?)
        }
    };
    renew_rollups(&mut connection).await?;
    sessions::begin(&mut connection).await?;
    let published = exit_codes::publish(&mut connection, config.unfinished_after).await;
    published.context("cannot copy the catalogue of exit codes into the database")?;
    connection.close().await?;
    Ok(ids)
}

async fn renew_rollups(connection: &mut PgConnection) -> anyhow::Result<()> {
    let definition = rollup::definition();
    let made_with = settings::remember(connection, DEFINITION, definition.as_bytes()).await?;
    if made_with != definition.as_bytes() {
        tracing::info!("the rollups were made by another version; making them anew");
        let rebuilt = recount::rebuild(connection).await.context("cannot rebuild the rollups")?;
        settings::overwrite(connection, DEFINITION, definition.as_bytes()).await?;
        let left_out = rebuilt.days_left_out.len();
        tracing::info!(days = rebuilt.days, left_out, "the rollups are made anew");
    }
    Ok(())
}
