//! Every metric, with meaning, unit and labels. Label values come from closed sets only.
//!
//! What the process counts stands here, the times of the stages in [`stages`], what is read from the rollups
//! in [`domain`].

pub mod domain;
pub mod regressed;
pub mod stages;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, exponential_buckets,
};
use stages::Stages;

/// The metrics of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests answered, by matched route and status code.
    pub http_requests: IntCounterVec,
    /// Seconds from the head of a request to its answer, by matched route.
    pub http_request_seconds: HistogramVec,
    /// Events answered 2xx, by client generation.
    pub events_accepted: IntCounterVec,
    /// Bodies that had to be mended, by what was broken.
    pub events_rescued: IntCounterVec,
    /// Bodies refused or not taken, by reason.
    pub events_rejected: IntCounterVec,
    /// Requests and events refused because they came too often, by kind of limit.
    pub limited: IntCounterVec,
    /// Keys that a limit remembers, by kind of limit.
    pub limiter_keys: IntGaugeVec,
    /// Requests for `/admin` without the right token.
    pub admin_denied: IntCounter,
    /// Open connections of clients.
    pub connections: IntGauge,
    /// Connections refused because there were too many.
    pub connections_refused: IntCounter,
    /// Connections cut because the client was too slow.
    pub connections_cut: IntCounter,
    /// Events that wait for the writer.
    pub queue_events: IntGauge,
    /// Events in a committed transaction.
    pub batch_events: Histogram,
    /// Seconds in each stage of ingest.
    pub stages: Stages,
    /// When this process last committed a batch, as Unix time in seconds; 0: not yet.
    pub last_commit: IntGauge,
    /// Batches begun again because another writer was faster.
    pub batch_retries: IntCounter,
    /// Failed tries to commit a batch, by kind.
    pub batch_failures: IntCounterVec,
    /// Executions deleted, by reason (`age`, `request`).
    pub executions_deleted: IntCounterVec,
    /// Passes of the deletion by age that failed.
    pub retention_failures: IntCounter,
    /// Passes that deleted nothing because the clock was in doubt, by reason.
    pub retention_refusals: IntCounterVec,
    /// Start of the first day whose executions are all kept, as Unix time in seconds; 0: nothing was
    /// deleted for its age yet.
    pub retention_horizon: IntGauge,
    /// Whether the numbers of the domain could be read when they were last wanted.
    pub database_up: IntGaugeVec,
    /// Seconds that reading the numbers of the domain took.
    pub domain_read_seconds: Histogram,
    /// Tries to read them that failed.
    pub domain_read_failures: IntCounter,
    /// Bytes that are free on the disk of a folder, by folder (`data`, `spool`).
    pub disk_free: IntGaugeVec,
    /// Size of that disk in bytes.
    pub disk_size: IntGaugeVec,
    /// 1, with the version of the program as label.
    pub build_info: IntGaugeVec,
    /// Events written to the spool.
    pub spool_spooled: IntCounter,
    /// Events that left the spool: committed to the database, or erased while they waited.
    pub spool_drained: IntCounter,
    /// Entries of the spool that cannot be committed, by reason: `unreadable`, `refused`, and `damaged`, which
    /// counts files.
    pub spool_cut: IntCounterVec,
    /// Entries of the spool.
    pub spool_entries: IntGauge,
    /// Bytes that they take.
    pub spool_bytes: IntGauge,
    /// Age of the oldest entry in seconds, 0 if there is none.
    pub spool_oldest_age: IntGauge,
    /// 1 while events go to the spool because the database is away.
    pub spooling: IntGauge,
    /// Connections to the database, by pool (`write`, `read`, `delete`) and state (`idle`, `busy`).
    pub database_connections: IntGaugeVec,
}

impl Metrics {
    /// Makes and registers all metrics.
    ///
    /// # Errors
    /// A name or label that is not valid or stands twice: a mistake in this file.
    pub fn new() -> prometheus::Result<Self> {
        let metrics = Self {
            registry: Registry::new(),
            http_requests: IntCounterVec::new(
                Opts::new("telemetry_http_requests_total", "Requests answered, by matched route and status."),
                &["route", "status"],
            )?,
            http_request_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "telemetry_http_request_duration_seconds",
                    "Time from the head of a request to its answer in seconds, by matched route.",
                )
                .buckets(exponential_buckets(0.0005, 2.0, 15)?),
                &["route"],
            )?,
            events_accepted: IntCounterVec::new(
                Opts::new(
                    "telemetry_events_accepted_total",
                    "Events stored and acknowledged, by client generation.",
                ),
                &["generation"],
            )?,
            events_rescued: IntCounterVec::new(
                Opts::new(
                    "telemetry_events_rescued_total",
                    "Bodies that had to be mended, by what was broken.",
                ),
                &["kind"],
            )?,
            events_rejected: IntCounterVec::new(
                Opts::new("telemetry_events_rejected_total", "Bodies refused or not taken, by reason."),
                &["reason"],
            )?,
            limited: IntCounterVec::new(
                Opts::new("telemetry_limited_total", "Refused because it came too often, by kind of limit."),
                &["kind"],
            )?,
            limiter_keys: IntGaugeVec::new(
                Opts::new("telemetry_limiter_keys", "Keys that a limit remembers, by kind of limit."),
                &["kind"],
            )?,
            admin_denied: IntCounter::new(
                "telemetry_admin_denied_total",
                "Requests for /admin without the right token.",
            )?,
            connections: IntGauge::new("telemetry_connections", "Open connections of clients.")?,
            connections_refused: IntCounter::new(
                "telemetry_connections_refused_total",
                "Connections refused because there were too many.",
            )?,
            connections_cut: IntCounter::new(
                "telemetry_connections_cut_total",
                "Connections cut because the client was too slow.",
            )?,
            queue_events: IntGauge::new("telemetry_queue_events", "Events that wait for the writer.")?,
            batch_events: Histogram::with_opts(
                HistogramOpts::new("telemetry_batch_events", "Events in a committed transaction.")
                    .buckets(exponential_buckets(1.0, 2.0, 13)?),
            )?,
            stages: Stages::new()?,
            last_commit: IntGauge::new(
                "telemetry_last_commit_timestamp_seconds",
                "When this process last committed events, as Unix time in seconds; 0: not since it started.",
            )?,
            batch_retries: IntCounter::new(
                "telemetry_batch_retries_total",
                "Batches begun again because another writer changed one of their rows.",
            )?,
            batch_failures: IntCounterVec::new(
                Opts::new("telemetry_batch_failures_total", "Failed tries to commit a batch, by kind."),
                &["kind"],
            )?,
            executions_deleted: IntCounterVec::new(
                Opts::new(
                    "telemetry_executions_deleted_total",
                    "Executions deleted, for their age or on request.",
                ),
                &["reason"],
            )?,
            retention_failures: IntCounter::new(
                "telemetry_retention_failures_total",
                "Passes of the deletion of old executions that failed.",
            )?,
            retention_refusals: IntCounterVec::new(
                Opts::new(
                    "telemetry_retention_refusals_total",
                    "Passes of the deletion of old executions that deleted nothing, because the clock may be wrong, by \
                     reason.",
                ),
                &["reason"],
            )?,
            retention_horizon: IntGauge::new(
                "telemetry_retention_horizon_timestamp_seconds",
                "Start of the first day whose executions are all kept; 0 while none was deleted for its age.",
            )?,
            database_up: IntGaugeVec::new(
                Opts::new(
                    "telemetry_database_up",
                    "1 if the database answered for the newest numbers of the domain, else 0: the one that is written \
                     (primary), and the one that is read, if that is another (replica).",
                ),
                &["database"],
            )?,
            domain_read_seconds: Histogram::with_opts(
                HistogramOpts::new(
                    "telemetry_domain_read_duration_seconds",
                    "Time to read the numbers of the domain from the rollups in seconds.",
                )
                .buckets(exponential_buckets(0.001, 2.0, 12)?),
            )?,
            domain_read_failures: IntCounter::new(
                "telemetry_domain_read_failures_total",
                "Failed tries to read the numbers of the domain; they are then missing from the scrape.",
            )?,
            disk_free: IntGaugeVec::new(
                Opts::new(
                    "telemetry_disk_free_bytes",
                    "Bytes that the server may still use on the disk of a folder, by folder.",
                ),
                &["folder"],
            )?,
            disk_size: IntGaugeVec::new(
                Opts::new("telemetry_disk_size_bytes", "Size of the disk of a folder in bytes, by folder."),
                &["folder"],
            )?,
            build_info: IntGaugeVec::new(
                Opts::new("telemetry_build_info", "Always 1; the version of the server is the label."),
                &["version"],
            )?,
            spool_spooled: IntCounter::new("telemetry_spool_spooled_total", "Events written to the spool.")?,
            spool_drained: IntCounter::new(
                "telemetry_spool_drained_total",
                "Events that left the spool: committed to the database, or erased while they waited.",
            )?,
            spool_cut: IntCounterVec::new(
                Opts::new(
                    "telemetry_spool_cut_total",
                    "Entries of the spool that cannot be committed, by reason; damaged counts files.",
                ),
                &["reason"],
            )?,
            spool_entries: IntGauge::new("telemetry_spool_entries", "Events that wait in the spool.")?,
            spool_bytes: IntGauge::new("telemetry_spool_bytes", "Bytes that the spool uses.")?,
            spool_oldest_age: IntGauge::new(
                "telemetry_spool_oldest_age_seconds",
                "Seconds that the oldest event has waited in the spool, 0 if none waits.",
            )?,
            spooling: IntGauge::new(
                "telemetry_spooling",
                "1 while events go to the spool because the database is away, else 0.",
            )?,
            database_connections: IntGaugeVec::new(
                Opts::new(
                    "telemetry_database_connections",
                    "Connections to the database, by pool and state.",
                ),
                &["pool", "state"],
            )?,
        };
        // From the first event on there is a rate.
        for kind in ["run", "address", "admin"] {
            metrics.limited.with_label_values(&[kind]);
        }
        for reason in ["clocks_differ", "long_silence"] {
            metrics.retention_refusals.with_label_values(&[reason]);
        }
        for kind in ["transient", "away", "refused"] {
            metrics.batch_failures.with_label_values(&[kind]);
        }
        for generation in ["0", "1", "2", "3"] {
            metrics.events_accepted.with_label_values(&[generation]);
        }
        for reason in ["age", "request"] {
            metrics.executions_deleted.with_label_values(&[reason]);
        }
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let registry = &metrics.registry;
        registry.register(Box::new(metrics.http_requests.clone()))?;
        registry.register(Box::new(metrics.http_request_seconds.clone()))?;
        registry.register(Box::new(metrics.events_accepted.clone()))?;
        registry.register(Box::new(metrics.events_rescued.clone()))?;
        registry.register(Box::new(metrics.events_rejected.clone()))?;
        registry.register(Box::new(metrics.limited.clone()))?;
        registry.register(Box::new(metrics.limiter_keys.clone()))?;
        registry.register(Box::new(metrics.admin_denied.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.connections_refused.clone()))?;
        registry.register(Box::new(metrics.connections_cut.clone()))?;
        registry.register(Box::new(metrics.queue_events.clone()))?;
        registry.register(Box::new(metrics.batch_events.clone()))?;
        registry.register(Box::new(metrics.stages.family()))?;
        registry.register(Box::new(metrics.last_commit.clone()))?;
        registry.register(Box::new(metrics.batch_retries.clone()))?;
        registry.register(Box::new(metrics.batch_failures.clone()))?;
        registry.register(Box::new(metrics.executions_deleted.clone()))?;
        registry.register(Box::new(metrics.retention_failures.clone()))?;
        registry.register(Box::new(metrics.retention_refusals.clone()))?;
        registry.register(Box::new(metrics.retention_horizon.clone()))?;
        registry.register(Box::new(metrics.spool_spooled.clone()))?;
        registry.register(Box::new(metrics.spool_drained.clone()))?;
        registry.register(Box::new(metrics.spool_cut.clone()))?;
        registry.register(Box::new(metrics.spool_entries.clone()))?;
        registry.register(Box::new(metrics.spool_bytes.clone()))?;
        registry.register(Box::new(metrics.spool_oldest_age.clone()))?;
        registry.register(Box::new(metrics.spooling.clone()))?;
        for reason in ["damaged", "unreadable", "refused"] {
            // A rate needs the zero before the first one.
            metrics.spool_cut.with_label_values(&[reason]).reset();
        }
        registry.register(Box::new(metrics.database_connections.clone()))?;
        registry.register(Box::new(metrics.database_up.clone()))?;
        registry.register(Box::new(metrics.domain_read_seconds.clone()))?;
        registry.register(Box::new(metrics.domain_read_failures.clone()))?;
        registry.register(Box::new(metrics.disk_free.clone()))?;
        registry.register(Box::new(metrics.disk_size.clone()))?;
        registry.register(Box::new(metrics.build_info.clone()))?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Everything in the Prometheus text format.
    ///
    /// # Errors
    /// A metric without a value type: cannot come from outside.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
