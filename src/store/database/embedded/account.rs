//! The account that runs the PostgreSQL programs. PostgreSQL refuses to run as root, so a server that runs as
//! root starts them as another user.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};

use super::embedded_error::EmbeddedError;
use crate::store::database::pg_programs;

/// The user that the distribution's package creates.
const SYSTEM_USER: &str = "postgres";

/// The account that runs PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The name for messages, or `user id 1000` if there is none.
    pub(super) name: String,
    /// Whether this process is root and switches to the account.
    pub(super) switch: bool,
}

impl Account {
    /// Chooses the account for a cluster that exists or will be created: the user of this process or, if that is
    /// root, the owner of the folder or `postgres`.
    pub(super) fn for_cluster(cluster: &Path) -> Result<Self, EmbeddedError> {
        let own = Uid::effective();
        if !own.is_root() {
            return Ok(Self::new(own.as_raw(), Gid::effective().as_raw(), false));
        }
        if let Ok(found) = fs::metadata(cluster)
            && found.uid() != 0
        {
            return Ok(Self::new(found.uid(), found.gid(), true));
        }
        match User::from_name(SYSTEM_USER) {
            Ok(Some(user)) => Ok(Self::new(user.uid.as_raw(), user.gid.as_raw(), true)),
            _ => Err(EmbeddedError::Setup(format!(
                "PostgreSQL refuses to run as root and there is no user `{SYSTEM_USER}` to run it as; install the \
                 distribution's package, which creates that user (Debian, Ubuntu: `apt install postgresql`), or start \
                 the server as another user"
            ))),
        }
    }

    fn new(uid: u32, gid: u32, switch: bool) -> Self {
        let named = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let name = named.map_or_else(|| format!("user id {uid}"), |user| user.name);
        Self { uid, gid, name, switch }
    }

    /// Whether the account can enter `folder`. A child process that runs as the account tries it, because the
    /// mode does not reflect ACLs, mounts and namespaces.
    pub(super) fn can_enter(&self, folder: &Path) -> Result<bool, EmbeddedError> {
        Ok(!self.switch
            || self.run(Path::new("test"), [OsStr::new("-x"), folder.as_os_str()])?.status.success())
    }

    /// Runs a program as the account and waits for it. The program ends if the calling thread ends.
    pub(super) fn run<I>(&self, program: &Path, arguments: I) -> Result<Output, EmbeddedError>
    where
        I: IntoIterator<Item: AsRef<OsStr>>,
    {
        let mut command = self.command(program, Signal::SIGTERM);
        command.args(arguments).output().map_err(EmbeddedError::io("run", program))
    }

    /// A command that runs as the account and receives `on_our_death` when the thread that started it ends.
    pub(super) fn command(&self, program: &Path, on_our_death: Signal) -> Command {
        let mut command = pg_programs::command(program, on_our_death);
        command.current_dir("/");
        if self.switch {
            // Drops all supplementary groups as well.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}
