//! Servers in processes of their own, and their memory.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

/// Opens a folder to all users. For root, PostgreSQL runs as another user, who must reach the folder.
///
/// # Errors
/// If the permissions cannot be set.
pub fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// A server in a process of its own. It ends with the value.
pub struct Server {
    process: Child,
    /// Host and port.
    pub address: String,
}

impl Server {
    /// Starts the server and waits until it prints its URL, which it must do in its first line.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.split("http://").nth(1).map(|url| url.trim().to_owned());
        let address = address.with_context(|| format!("no URL in the first line: {line}"))?;
        Ok(Self { process, address })
    }

    /// Its resident set now (`VmRSS:`) or at its peak (`VmHWM:`).
    ///
    /// # Errors
    /// If the server has ended.
    pub fn memory_mb(&self, line: &str) -> anyhow::Result<f64> {
        memory_mb(self.process.id(), line)
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    /// If it cannot be stopped.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let done = Command::new("kill").arg(self.process.id().to_string()).status()?;
        ensure!(done.success(), "cannot stop a server");
        for _ in 0..150 {
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

/// A line of `/proc/…/status`, in megabytes.
///
/// # Errors
/// If the process or the line does not exist.
pub fn memory_mb(process: u32, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let value = status.lines().find_map(|found| found.strip_prefix(line)).context("no such line")?;
    let kilobytes: f64 = value.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
