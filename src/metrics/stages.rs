//! Durations of the ingest stages that wait: for the queue and for the database. The others take microseconds.

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry, exponential_buckets};

use super::register;

/// A histogram for each stage.
#[derive(Debug)]
pub struct Stages {
    /// Seconds that an event waits in the queue; sampled.
    pub queue: Histogram,
    /// Seconds that a writer takes to join and commit a batch.
    pub commit: Histogram,
}

impl Stages {
    /// Creates and registers the histograms.
    ///
    /// # Errors
    /// A name or label that is not valid or not unique: a bug in this file.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let options = HistogramOpts::new(
            "telemetry_stage_duration_seconds",
            "Time in an ingest stage in seconds: an event's wait in the queue, which is sampled, and the commit of a \
             batch.",
        );
        // From 2 µs, a wait at light load, to 8 s, a commit on a busy disk.
        let options = options.buckets(exponential_buckets(2e-6, 3.0, 15)?);
        let all = register(registry, HistogramVec::new(options, &["stage"])?)?;
        let stage = |stage| all.get_metric_with_label_values(&[stage]);
        Ok(Self { queue: stage("queue")?, commit: stage("commit")? })
    }
}
