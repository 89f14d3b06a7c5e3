//! A server in a process of its own, and what it takes of the machine.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// As root PostgreSQL runs as another user, who must reach the folder.
pub(crate) fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// A server in a process of its own, which prints its URL first.
pub(crate) struct Server {
    process: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Server {
    /// Starts it and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.split("http://").nth(1).map(|url| url.trim().to_owned());
        let address = address.with_context(|| format!("no URL in the first line: {line}"))?;
        Ok(Self { process, address })
    }

    /// The memory that it has (`VmRSS:`) or has had at most (`VmHWM:`).
    pub(crate) fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        memory_mb(self.process.id(), line)
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let done = Command::new("kill").arg(self.process.id().to_string()).status()?;
        ensure!(done.success(), "cannot stop a server");
        for _ in 0..100 {
            if self.process.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.process.kill()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line of `/proc/…/status` in megabytes.
pub(crate) fn memory_mb(process: u32, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)).context("no such line")?;
    let kilobytes: f64 = value.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
