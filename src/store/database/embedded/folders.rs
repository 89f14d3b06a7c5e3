//! Where the cluster, its socket and the lock lie, and who may enter. All follows from
//! `DATA_DIR` and the account alone, so that a second process (`verify`, `rebuild`) finds the
//! running cluster by the same rules.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::account::Account;
use super::error::EmbeddedError;

/// The name of the socket in its folder. The port is part of it; there is no TCP port.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";

/// The longest path of a socket, without the final NUL (`sun_path`).
const LONGEST_SOCKET_PATH: usize = 107;

/// The folders of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// Holds the others, and the lock. Mostly `DATA_DIR`.
    pub(super) home: PathBuf,
    /// PostgreSQL's data directory.
    pub(super) cluster: PathBuf,
    /// Holds the socket. Mode 0700, and that is all the access control there is: whoever
    /// passes it is the account or root.
    pub(super) socket_dir: PathBuf,
    /// Names the cluster in `ps`, unique on this machine. No tag is the beginning of another.
    pub(super) tag: String,
}

impl Folders {
    /// Finds the place for the cluster of `data_dir`, and makes `data_dir` if it is not there.
    /// It lies in `fallback` if the account cannot reach `data_dir`, as under `/root`.
    pub(super) fn resolve(data_dir: &Path, fallback: &Path) -> Result<(Self, Account), EmbeddedError> {
        make_reachable(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(EmbeddedError::io("resolve", data_dir))?;
        if !data_dir.is_dir() {
            return Err(EmbeddedError::io("use as a folder", &data_dir)(Errno::ENOTDIR));
        }
        let account = Account::for_cluster(&data_dir.join("postgres"))?;
        let home = home(&data_dir, fallback, &account)?;
        let cluster = home.join("postgres");
        match fs::metadata(&cluster) {
            Ok(found) if found.uid() != account.uid => {
                return Err(EmbeddedError::Owner { folder: cluster, owner: found.uid(), user: account.name });
            }
            _ => {}
        }
        // The folder's number is as unique as its path, shorter, and the same by every path.
        let found = fs::metadata(&home).map_err(EmbeddedError::io("read", &home))?;
        let tag = format!("telemetry-{:x}-{:016x}", found.dev(), found.ino());
        let mut socket_dir = home.join("run");
        if !fits_a_socket(&socket_dir) {
            // Only root can write to /run. In /tmp the owner is checked when it is made.
            socket_dir = Path::new(if account.switch { "/run" } else { "/tmp" }).join(&tag);
        }
        Ok((Self { home, cluster, socket_dir, tag }, account))
    }

    /// Takes the lock that makes this process the only one to run the cluster, for as long as
    /// the value lives. Programs that are started do not inherit it.
    pub(super) fn lock(&self, account: &Account) -> Result<Flock<File>, EmbeddedError> {
        let path = self.home.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = match options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let found = fs::metadata(&self.home).map_err(EmbeddedError::io("read", &self.home))?;
                let (folder, user) = (self.home.clone(), account.name.clone());
                return Err(EmbeddedError::Owner { folder, owner: found.uid(), user });
            }
            opened => opened.map_err(EmbeddedError::io("open", &path))?,
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                let written = lock.set_len(0).and_then(|()| write!(*lock, "{}", std::process::id()));
                written.map_err(EmbeddedError::io("write", &path))?;
                Ok(lock)
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                // Only for the message, which does without it, too.
                let _ = file.read_to_string(&mut holder);
                Err(EmbeddedError::Locked { folder: self.home.clone(), holder: holder.parse().ok() })
            }
            Err((_, errno)) => Err(EmbeddedError::io("lock", &path)(errno)),
        }
    }

    /// Makes the folder of the socket, or checks that the one that is there is the account's
    /// and closed to everybody else.
    pub(super) fn make_socket_dir(&self, account: &Account) -> Result<(), EmbeddedError> {
        let folder = &self.socket_dir;
        make_private(folder, account)?;
        // Not of what a link points to: in /tmp anybody may have put a link here.
        let found = fs::symlink_metadata(folder).map_err(EmbeddedError::io("read", folder))?;
        let problem = if !found.is_dir() {
            "it is not a folder"
        } else if found.uid() != account.uid {
            "it belongs to another user"
        } else if found.mode() & 0o777 != 0o700 {
            "its mode is not 0700"
        } else {
            return Ok(());
        };
        Err(EmbeddedError::SocketFolder { folder: folder.clone(), problem })
    }

    /// Removes the folder of the socket if it lies outside and is empty.
    pub(super) fn tidy_socket_dir(&self) {
        if !self.socket_dir.starts_with(&self.home) {
            // One that is not empty or gone is as well.
            let _ = fs::remove_dir(&self.socket_dir);
        }
    }
}

/// A socket's path is short, and PostgreSQL's programs take one with a comma for a list.
fn fits_a_socket(folder: &Path) -> bool {
    folder.join(SOCKET).as_os_str().len() <= LONGEST_SOCKET_PATH
        && !folder.as_os_str().as_bytes().iter().any(|byte| b",\"".contains(byte))
}

/// Makes a folder of mode 0700 that belongs to the account, unless there is something already.
pub(super) fn make_private(folder: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Root's own is what a crash between the two steps left.
            let ours = |found: fs::Metadata| found.is_dir() && found.uid() == 0;
            if !account.switch || !fs::symlink_metadata(folder).is_ok_and(ours) {
                return Ok(());
            }
        }
        Err(error) => return Err(EmbeddedError::io("make", folder)(error)),
    }
    let owned = if account.switch {
        std::os::unix::fs::lchown(folder, Some(account.uid), Some(account.gid))
    } else {
        Ok(())
    };
    owned.map_err(EmbeddedError::io("change the owner of", folder))
}

/// Makes a folder and those above it that others may pass but not list, whatever the umask.
fn make_reachable(folder: &Path) -> Result<(), EmbeddedError> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).collect();
    for part in missing.into_iter().rev() {
        match fs::create_dir(part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(EmbeddedError::io("make", part))?,
        }
        let opened = fs::set_permissions(part, Permissions::from_mode(0o711));
        opened.map_err(EmbeddedError::io("change the mode of", part))?;
    }
    Ok(())
}

fn home(data_dir: &Path, fallback: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let cluster = data_dir.join("postgres");
    let elsewhere = fallback.join("postgres");
    // The choice is kept as a link, so that a later change of some mode does not bring up an
    // empty cluster beside the one with the data.
    let linked = fs::read_link(&cluster).is_ok_and(|target| target == elsewhere);
    if !linked && account.can_enter(data_dir)? {
        return Ok(data_dir.to_owned());
    }
    let unreachable =
        |folder: &Path| EmbeddedError::Unreachable { folder: folder.to_owned(), user: account.name.clone() };
    if !linked && fs::symlink_metadata(&cluster).is_ok() {
        return Err(unreachable(data_dir));
    }
    make_reachable(fallback)?;
    if !account.can_enter(fallback)? {
        return Err(unreachable(fallback));
    }
    if !linked {
        symlink(&elsewhere, &cluster).map_err(EmbeddedError::io("link", &cluster))?;
    }
    tracing::info!(
        "user {} cannot reach {}: the database lies in {}",
        account.name,
        data_dir.display(),
        fallback.display()
    );
    Ok(fallback.to_owned())
}
