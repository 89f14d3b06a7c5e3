//! Every metric of the server, with name, unit and labels. Label values come from closed sets only.
//!
//! This file defines the metrics of the process, [`stages`] the durations of the ingest stages. [`domain`] and
//! [`regressed`] define the metrics that are read from the database at each scrape.

pub mod domain;
pub mod regressed;
pub mod stages;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, exponential_buckets,
};
use stages::Stages;

/// The metrics of one process. The help texts in [`Metrics::new`] describe them.
#[derive(Debug)]
#[allow(missing_docs, reason = "the help texts describe the metrics")]
pub struct Metrics {
    registry: Registry,
    pub http_requests: IntCounterVec,
    pub http_request_seconds: HistogramVec,
    pub events_accepted: IntCounterVec,
    pub events_rescued: IntCounterVec,
    pub events_rejected: IntCounterVec,
    pub limited: IntCounterVec,
    pub limiter_keys: IntGaugeVec,
    pub admin_denied: IntCounter,
    pub read_denied: IntCounter,
    pub connections: IntGauge,
    pub connections_refused: IntCounter,
    pub connections_cut: IntCounter,
    pub queue_events: IntGauge,
    pub batch_events: Histogram,
    pub stages: Stages,
    pub last_commit: IntGauge,
    pub batch_retries: IntCounter,
    pub batch_failures: IntCounterVec,
    pub executions_deleted: IntCounterVec,
    pub retention_failures: IntCounter,
    pub retention_refusals: IntCounterVec,
    pub retention_horizon: IntGauge,
    pub spool_spooled: IntCounter,
    pub spool_drained: IntCounter,
    pub spool_cut: IntCounterVec,
    pub spool_entries: IntGauge,
    pub spool_bytes: IntGauge,
    pub spool_oldest_age: IntGauge,
    pub spooling: IntGauge,
    pub database_up: IntGaugeVec,
    pub database_connections: IntGaugeVec,
    pub domain_read_seconds: Histogram,
    pub domain_read_failures: IntCounter,
    pub disk_free: IntGaugeVec,
    pub disk_size: IntGaugeVec,
}

impl Metrics {
    /// Creates and registers all metrics.
    ///
    /// # Errors
    /// A name or label that is not valid or not unique: a bug in this file.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counter = |name, help| register(&registry, IntCounter::new(name, help)?);
        // A counter with all its label values from the start has a rate from the first increment on.
        let counters = |name, help, label, values: &[&str]| {
            let counters = register(&registry, IntCounterVec::new(Opts::new(name, help), &[label])?)?;
            values.iter().for_each(|value| drop(counters.with_label_values(&[*value])));
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name, help| gauge(&registry, name, help);
        let gauges = |name, help, labels: &[&str]| gauges(&registry, name, help, labels);
        let histogram = |name, help, buckets| {
            register(&registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
        };
        let request_seconds = HistogramOpts::new(
            "telemetry_http_request_duration_seconds",
            "Time from the head of a request to its response in seconds, by route.",
        );
        let request_seconds = request_seconds.buckets(exponential_buckets(0.0005, 2.0, 15)?);
        let requests =
            Opts::new("telemetry_http_requests_total", "Number of requests, by route and status code.");
        let metrics = Self {
            http_requests: register(&registry, IntCounterVec::new(requests, &["route", "status"])?)?,
            http_request_seconds: register(&registry, HistogramVec::new(request_seconds, &["route"])?)?,
            events_accepted: counters(
                "telemetry_events_accepted_total",
                "Events stored and acknowledged, by client generation.",
                "generation",
                &["0", "1", "2", "3"],
            )?,
            events_rescued: counters(
                "telemetry_events_rescued_total",
                "Events whose body had to be repaired, by kind of repair.",
                "kind",
                &[],
            )?,
            events_rejected: counters(
                "telemetry_events_rejected_total",
                "Events that were not stored, by reason.",
                "reason",
                &[],
            )?,
            limited: counters(
                "telemetry_limited_total",
                "Requests and events refused by a rate limit, by kind of limit.",
                "kind",
                &["run", "address", "admin"],
            )?,
            limiter_keys: gauges(
                "telemetry_limiter_keys",
                "Keys of a rate limit in memory, by kind of limit.",
                &["kind"],
            )?,
            admin_denied: counter(
                "telemetry_admin_denied_total",
                "Requests for /admin with a missing or wrong token.",
            )?,
            read_denied: counter(
                "telemetry_read_denied_total",
                "Requests for data with a wrong token; requests without one see what is public.",
            )?,
            connections: gauge("telemetry_connections", "Open connections of clients.")?,
            connections_refused: counter(
                "telemetry_connections_refused_total",
                "Connections refused because the maximum was reached.",
            )?,
            connections_cut: counter(
                "telemetry_connections_cut_total",
                "Connections closed because the client was too slow.",
            )?,
            queue_events: gauge("telemetry_queue_events", "Events in the queue.")?,
            batch_events: histogram(
                "telemetry_batch_events",
                "Events in a committed batch.",
                exponential_buckets(1.0, 2.0, 13)?,
            )?,
            stages: Stages::new(&registry)?,
            last_commit: gauge(
                "telemetry_last_commit_timestamp_seconds",
                "Unix time in seconds at which this process last committed events; 0 if it has not yet.",
            )?,
            batch_retries: counter(
                "telemetry_batch_retries_total",
                "Batches started again because another writer changed one of their rows.",
            )?,
            batch_failures: counters(
                "telemetry_batch_failures_total",
                "Failed attempts to commit a batch, by kind of error.",
                "kind",
                &["transient", "away", "refused"],
            )?,
            executions_deleted: counters(
                "telemetry_executions_deleted_total",
                "Deleted executions, by reason: age (they expired) or request.",
                "reason",
                &["age", "request"],
            )?,
            retention_failures: counter(
                "telemetry_retention_failures_total",
                "Failed passes of the deletion of expired executions.",
            )?,
            retention_refusals: counters(
                "telemetry_retention_refusals_total",
                "Passes of the deletion of expired executions that deleted nothing because the clock may be wrong, by \
                 reason.",
                "reason",
                &["clocks_differ", "long_silence"],
            )?,
            retention_horizon: gauge(
                "telemetry_retention_horizon_timestamp_seconds",
                "Unix time in seconds of the first day whose executions are complete; 0 while none has expired.",
            )?,
            spool_spooled: counter("telemetry_spool_spooled_total", "Entries written to the spool.")?,
            spool_drained: counter(
                "telemetry_spool_drained_total",
                "Entries that left the spool: committed to the database, or erased.",
            )?,
            spool_cut: counters(
                "telemetry_spool_cut_total",
                "Entries of the spool that cannot be committed, and damaged files, by reason.",
                "reason",
                &["damaged", "unreadable", "refused"],
            )?,
            spool_entries: gauge("telemetry_spool_entries", "Entries in the spool.")?,
            spool_bytes: gauge("telemetry_spool_bytes", "Size of the spool in bytes.")?,
            spool_oldest_age: gauge(
                "telemetry_spool_oldest_age_seconds",
                "Age of the oldest entry in the spool in seconds; 0 if the spool is empty.",
            )?,
            spooling: gauge(
                "telemetry_spooling",
                "1 while events go to the spool because the database is unavailable, else 0.",
            )?,
            database_up: gauges(
                "telemetry_database_up",
                "1 if the database answered at the last scrape, else 0: the primary, and the replica if there is one.",
                &["database"],
            )?,
            database_connections: gauges(
                "telemetry_database_connections",
                "Connections to the database, by pool (read, write, delete) and state (idle, busy).",
                &["pool", "state"],
            )?,
            domain_read_seconds: histogram(
                "telemetry_domain_read_duration_seconds",
                "Time to read the domain metrics from the database in seconds.",
                exponential_buckets(0.001, 2.0, 12)?,
            )?,
            domain_read_failures: counter(
                "telemetry_domain_read_failures_total",
                "Failed attempts to read the domain metrics, which are then missing from the scrape.",
            )?,
            disk_free: gauges(
                "telemetry_disk_free_bytes",
                "Bytes available to the server on the disk of a folder, by folder.",
                &["folder"],
            )?,
            disk_size: gauges(
                "telemetry_disk_size_bytes",
                "Size of the disk of a folder in bytes, by folder.",
                &["folder"],
            )?,
            registry: registry.clone(),
        };
        let build =
            gauges("telemetry_build_info", "Always 1, with the version of the server.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// All metrics of the process in the Prometheus text format.
    ///
    /// # Errors
    /// A metric without a value type: a bug in this file.
    pub fn render(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> prometheus::Result<IntGauge> {
    register(registry, IntGauge::new(name, help)?)
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}
