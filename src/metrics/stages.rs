//! Durations of the ingest stages. Each thread times at most one event in two milliseconds: every event at light load,
//! and at full load the clock costs nothing.

use std::cell::Cell;
use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts, HistogramVec, Registry, exponential_buckets};

use super::register;
use crate::ingest::pipeline::Stage;

/// Shortest time between two events that one thread times.
const SAMPLE_EVERY: Duration = Duration::from_millis(2);

/// A histogram for each stage.
#[derive(Debug)]
pub struct Stages {
    decode: Histogram,
    scrub: Histogram,
    /// Seconds that an event waits in the queue.
    pub queue: Histogram,
    /// Seconds that a writer takes to join and commit a batch; every batch is timed.
    pub commit: Histogram,
}

/// Measures the stages of one event.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    stages: &'a Stages,
    lap: Instant,
}

impl Stages {
    /// Creates and registers the histograms.
    ///
    /// # Errors
    /// A name or label that is not valid or not unique: a bug in this file.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let options = HistogramOpts::new(
            "telemetry_stage_duration_seconds",
            "Time in an ingest stage in seconds: decode and scrub of an event, its wait in the queue, and commit of a \
             batch. All but commit are sampled.",
        );
        // From 2 µs, a decode, to 8 s, a commit on a busy disk.
        let options = options.buckets(exponential_buckets(2e-6, 3.0, 15)?);
        let all = register(registry, HistogramVec::new(options, &["stage"])?)?;
        let stage = |stage| all.get_metric_with_label_values(&[stage]);
        Ok(Self {
            decode: stage("decode")?,
            scrub: stage("scrub")?,
            queue: stage("queue")?,
            commit: stage("commit")?,
        })
    }

    /// A running stopwatch, if the event is to be timed.
    #[must_use]
    pub fn stopwatch(&self) -> Option<Stopwatch<'_>> {
        thread_local!(static LAST: Cell<Option<Instant>> = const { Cell::new(None) });
        let now = Instant::now();
        let is_due = LAST.get().is_none_or(|last| now - last >= SAMPLE_EVERY);
        is_due.then(|| {
            LAST.set(Some(now));
            Stopwatch { stages: self, lap: now }
        })
    }
}

impl Stopwatch<'_> {
    /// Records the end of a stage.
    pub fn lap(&mut self, stage: Stage) {
        let now = Instant::now();
        let histogram = match stage {
            Stage::Decode => &self.stages.decode,
            Stage::Scrub => &self.stages.scrub,
        };
        histogram.observe((now - self.lap).as_secs_f64());
        self.lap = now;
    }
}
