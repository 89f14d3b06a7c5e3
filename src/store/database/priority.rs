//! What reads gives way to what writes, where both share processors.

use std::time::Duration;
use std::{fs, io};

use sqlx::PgConnection;

/// From 0 to 19: when there is not enough for all, what reads gets a tenth of what the others get.
const NICENESS: i32 = 10;
/// For so long the kernel need not look for somebody else to run. Whoever asks for less, as by default, and wakes up
/// runs at once instead of what reads. Kernels before 6.12 know nothing of it.
const SLICE: Duration = Duration::from_millis(100);
/// Who may not do everything may change a session every 100 ms (sched(7)); so often and so late it is tried again.
const AUTOGROUP_ATTEMPTS: u32 = 3;
const AUTOGROUP_PAUSE: Duration = Duration::from_millis(120);

/// Lowers the priority of the calling thread.
///
/// # Errors
/// That it may not.
pub(crate) fn lower_thread() -> io::Result<()> {
    lower(0)
}

/// Lowers the priority of the process at the other end of a socket, as far as we may.
///
/// # Errors
/// What the database says.
pub(crate) async fn lower_backend(connection: &mut PgConnection) -> sqlx::Result<()> {
    let process = sqlx::query_scalar!("select pg_backend_pid() as \"process!\"");
    let process = process.fetch_one(connection).await?;
    // A socket can lead into a container, where another process has the number.
    let name = fs::read_to_string(format!("/proc/{process}/comm"));
    if name.is_ok_and(|name| name.trim_end() == "postgres") {
        let lowered = lower(process);
        // PostgreSQL makes a session of each process. Where the kernel shares the processors among sessions,
        // the process alone has nobody in its own to give way to.
        let lower_session = || fs::write(format!("/proc/{process}/autogroup"), NICENESS.to_string());
        let mut session = lower_session();
        for _ in 0..AUTOGROUP_ATTEMPTS {
            if !session.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                break;
            }
            tokio::time::sleep(AUTOGROUP_PAUSE).await;
            session = lower_session();
        }
        tracing::debug!(process = lowered.is_ok(), session = session.is_ok(), "priority of a reader lowered");
    }
    Ok(())
}

/// Lowers the priority of a process or thread; 0 is the calling thread.
fn lower(task: i32) -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: NICENESS,
        sched_priority: 0,
        sched_runtime: SLICE.as_nanos() as u64,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as many bytes as `size` says, before it returns.
    let code = unsafe { libc::syscall(libc::SYS_sched_setattr, task, &raw const attributes, 0) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gives_way_and_the_others_do_not() {
        let niceness = || {
            let stat = fs::read_to_string("/proc/thread-self/stat").expect("there is one");
            let (_, fields) = stat.rsplit_once(") ").expect("a name");
            fields.split(' ').nth(16).expect("a niceness").parse::<i32>().expect("a number")
        };
        let before = niceness();
        let lowered = std::thread::spawn(move || {
            lower_thread().expect("everybody may");
            niceness()
        });
        assert_eq!(lowered.join().expect("it ends"), NICENESS);
        assert_eq!(niceness(), before);
    }
}
