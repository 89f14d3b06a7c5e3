//! How long the stages of ingest take. Not every event is timed: one of each thread's in two
//! milliseconds, so that all are while little comes, and at full load the clock costs nothing.

use std::cell::Cell;
use std::time::{Duration, Instant};

use prometheus::{Histogram, HistogramOpts, HistogramVec, exponential_buckets};

use crate::ingest::pipeline::Stage;

/// Time between two events that one thread times.
const SAMPLE_EVERY: Duration = Duration::from_millis(2);

/// A histogram for each stage.
#[derive(Debug)]
pub struct Stages {
    all: HistogramVec,
    decode: Histogram,
    scrub: Histogram,
    /// Seconds that an event waits for a writer.
    pub queue: Histogram,
    /// Seconds that a writer needs to join and commit a batch; every batch is timed.
    pub commit: Histogram,
}

/// Times the stages of one event.
#[derive(Debug)]
pub struct Stopwatch<'a> {
    stages: &'a Stages,
    lap: Instant,
}

impl Stages {
    /// # Errors
    /// A name or label that is not valid: a mistake in this file.
    pub fn new() -> prometheus::Result<Self> {
        let options = HistogramOpts::new(
            "telemetry_stage_duration_seconds",
            "Time in a stage of ingest in seconds: decode (with repair and folding) and scrub of an event, queue \
             (its wait for a writer), commit (of a batch, with the join). All but commit are samples.",
        );
        // 2 µs to 8 s: a decode and a commit on a busy disk.
        let all = HistogramVec::new(options.buckets(exponential_buckets(2e-6, 3.0, 15)?), &["stage"])?;
        let of = |stage| all.get_metric_with_label_values(&[stage]);
        let (decode, scrub, queue, commit) = (of("decode")?, of("scrub")?, of("queue")?, of("commit")?);
        Ok(Self { all, decode, scrub, queue, commit })
    }

    /// For the registry.
    pub(super) fn family(&self) -> HistogramVec {
        self.all.clone()
    }

    /// A running watch, if this event is one to time.
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
    /// A stage has ended.
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
