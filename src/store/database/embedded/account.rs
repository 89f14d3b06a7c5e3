//! The account that runs PostgreSQL, and how a program is started as it. PostgreSQL refuses to
//! run as root, so a server that runs as root starts every program of it as another user.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{self, Gid, Uid, User};

use super::error::EmbeddedError;

/// The user that the distribution's package makes.
const SYSTEM_USER: &str = "postgres";

/// The environment that PostgreSQL gets. Nothing else: `PGPORT`, `PGOPTIONS` and the like would
/// change its behaviour, and the server's own secrets are not its business.
const KEPT_VARIABLES: [&str; 2] = ["PATH", "LD_LIBRARY_PATH"];

/// Who runs PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// For messages: the name, or `user id 1000` if it has none.
    pub(super) name: String,
    /// This process is root and has to become the account first.
    pub(super) switch: bool,
}

impl Account {
    /// The account for the cluster that `cluster` is or will be: an ordinary user's own; for
    /// root the owner of the folder if it is there, else `postgres`.
    pub(super) fn for_cluster(cluster: &Path) -> Result<Self, EmbeddedError> {
        let own = Uid::effective();
        if !own.is_root() {
            return Ok(Self::new(own.as_raw(), Gid::effective().as_raw(), false));
        }
        match fs::metadata(cluster) {
            Ok(found) if found.uid() != 0 => return Ok(Self::new(found.uid(), found.gid(), true)),
            _ => {}
        }
        match User::from_name(SYSTEM_USER) {
            Ok(Some(user)) => Ok(Self::new(user.uid.as_raw(), user.gid.as_raw(), true)),
            _ => Err(EmbeddedError::NoUser { user: SYSTEM_USER }),
        }
    }

    fn new(uid: u32, gid: u32, switch: bool) -> Self {
        let named = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = named.map_or_else(|| format!("user id {uid}"), |user| user.name);
        Self { uid, gid, name, switch }
    }

    /// Whether the account can enter `folder`. Asked of the kernel by a child that runs as the
    /// account, because modes alone do not tell: there are ACLs, mounts and namespaces.
    pub(super) fn can_enter(&self, folder: &Path) -> Result<bool, EmbeddedError> {
        Ok(!self.switch
            || self.run(Path::new("test"), [OsStr::new("-x"), folder.as_os_str()])?.status.success())
    }

    /// Runs a program to its end as the account. It ends with the calling thread.
    pub(super) fn run<I>(&self, program: &Path, arguments: I) -> Result<Output, EmbeddedError>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let mut command = self.command(program, Signal::SIGTERM);
        command.args(arguments).output().map_err(EmbeddedError::io("run", program))
    }

    /// A program that runs as the account, gets `on_our_death` when the thread that started it
    /// ends (so also on kill -9 of this process), and does not get the terminal's Ctrl-C.
    pub(super) fn command(&self, program: &Path, on_our_death: Signal) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).process_group(0).env_clear().env("LC_ALL", "C");
        for key in KEPT_VARIABLES {
            if let Some(value) = std::env::var_os(key) {
                command.env(key, value);
            }
        }
        if self.switch {
            // This also drops all supplementary groups.
            command.uid(self.uid).gid(self.gid);
        }
        let parent = unistd::getpid();
        let die_with_parent = move || {
            prctl::set_pdeathsig(on_our_death)?;
            // A parent that died before the line above sends no signal any more.
            if unistd::getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
        };
        // The standard library calls the closure after setgroups, setgid and setuid, and it has
        // to: the kernel forgets the parent-death signal when the user changes.
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; the closure
        // makes two system calls (prctl, getppid) and neither allocates nor locks.
        unsafe { command.pre_exec(die_with_parent) };
        command
    }
}
