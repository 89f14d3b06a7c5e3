//! Whether a script fails more often than before: the same test as the alert `TelemetryScriptRegressed`, so that
//! a script that is too rare for a series of its own gets one when it matters.

/// Runs of a script.
#[derive(Clone, Copy, Debug, Default)]
pub struct History {
    /// All of them.
    pub runs: i64,
    /// Failed and ended (succeeded or failed) runs, recent and before.
    pub periods: [[i64; 2]; 2],
}

impl History {
    /// The rise of the failure rate in standard errors: two proportions, pooled. NaN where nothing or everything
    /// failed, or nothing ended.
    #[must_use]
    pub fn z(self) -> f64 {
        let [[failed, ended], [failed_before, ended_before]] =
            self.periods.map(|period| period.map(|n| n as f64));
        let pooled = (failed + failed_before) / (ended + ended_before);
        let error = (pooled * (1.0 - pooled) * (ended.recip() + ended_before.recip())).sqrt();
        self.rise() / error
    }

    fn rise(self) -> f64 {
        let [recent, before] = self.periods.map(|[failed, ended]| failed as f64 / ended as f64);
        recent - before
    }

    /// As the alert TelemetryScriptRegressed says it.
    #[must_use]
    pub fn is_risen(self) -> bool {
        self.z() > 4.0 && self.rise() >= 0.1 && self.periods[0][1] >= 20
    }
}
