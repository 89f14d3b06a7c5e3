//! The tasks that run as long as the server. None of them ends on its own: one that does has failed, for example by a
//! panic, and the process ends with an error, so that its supervisor restarts it. A server that has lost its writer or
//! no longer counts sessions must not look alive.

use anyhow::Context;
use futures_util::future::select_all;
use tokio::task::JoinHandle;

/// A task, and its name for the error.
#[derive(Debug)]
pub struct Task {
    name: &'static str,
    handle: JoinHandle<anyhow::Result<()>>,
}

impl Task {
    /// Starts a task.
    #[must_use]
    pub fn start(
        name: &'static str,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        Self { name, handle: tokio::spawn(work) }
    }

    /// Ends the task where it waits.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Returns when the task ends.
    ///
    /// # Errors
    /// Its error, or that it panicked.
    pub async fn end(&mut self) -> anyhow::Result<()> {
        let ended = (&mut self.handle).await.unwrap_or_else(|error| Err(error.into()));
        ended.with_context(|| format!("{} failed", self.name))
    }
}

/// Returns when one of the tasks ends, with the reason.
pub async fn first_end(tasks: impl Iterator<Item = &mut Task>) -> anyhow::Error {
    let ends = tasks.map(async |task: &mut Task| {
        let name = task.name;
        task.end().await.err().unwrap_or_else(|| anyhow::anyhow!("{name} ended"))
    });
    select_all(ends.map(Box::pin)).await.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_or_fails_is_named_with_the_reason() {
        let forever = || Task::start("the writer", std::future::pending());
        for (work, expected) in [
            (
                Task::start("the drainer", async { panic!("no entries") }),
                "the drainer failed: task 1 panicked",
            ),
            (Task::start("the drainer", async { Ok(()) }), "the drainer ended"),
            (Task::start("the drainer", async { anyhow::bail!("no port") }), "the drainer failed: no port"),
        ] {
            let mut tasks = [forever(), work, forever()];
            let error = format!("{:#}", first_end(tasks.iter_mut()).await);
            let error = error.split(' ').map(|word| if word.parse::<u64>().is_ok() { "1" } else { word });
            let error = error.collect::<Vec<_>>().join(" ");
            assert!(error.starts_with(expected), "{error}");
            tasks.iter().for_each(Task::abort);
        }
    }
}
