//! The paths of the cluster, its socket and the lock, and their permissions. They depend only on `DATA_DIR` and
//! the account, so that a second process such as `verify` or `rebuild` finds the running cluster.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use super::account::Account;
use super::embedded_error::EmbeddedError;

/// The file name of the socket. It contains a port number, but PostgreSQL listens on no TCP port.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";

/// Longest path of a socket in bytes, without the final NUL (`sun_path`).
const LONGEST_SOCKET_PATH: usize = 107;

/// The folders of one cluster.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    /// Contains the cluster and the lock, and usually the socket. Usually `DATA_DIR`.
    pub(super) home: PathBuf,
    /// PostgreSQL's data directory.
    pub(super) cluster: PathBuf,
    /// Contains the socket. Its mode, 0700, is the only access control: only the account and root can connect.
    pub(super) socket_dir: PathBuf,
    /// Identifies the cluster in process titles. Unique on this machine; no tag is a prefix of another.
    pub(super) tag: String,
}

impl Folders {
    /// Determines the folders for `data_dir`, which is created if it does not exist. They are in `fallback` if
    /// the account cannot reach `data_dir`, for example under `/root`.
    pub(super) fn resolve(data_dir: &Path, fallback: &Path) -> Result<(Self, Account), EmbeddedError> {
        make_reachable(data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(EmbeddedError::io("resolve", data_dir))?;
        if !data_dir.is_dir() {
            return Err(EmbeddedError::io("use as a folder", &data_dir)(Errno::ENOTDIR));
        }
        let account = Account::for_cluster(&data_dir.join("postgres"))?;
        let home = home(&data_dir, fallback, &account)?;
        let cluster = home.join("postgres");
        if let Ok(found) = fs::metadata(&cluster)
            && found.uid() != account.uid
        {
            return Err(EmbeddedError::Setup(format!(
                "{} belongs to user id {}, but PostgreSQL would run as {}; start the server as the owner, change the \
                 owner (`chown -R`), or set another DATA_DIR",
                cluster.display(),
                found.uid(),
                account.name
            )));
        }
        // The inode number is as unique as the path, shorter, and the same for every path to the folder.
        let found = fs::metadata(&home).map_err(EmbeddedError::io("read", &home))?;
        let tag = format!("telemetry-{:x}-{:016x}", found.dev(), found.ino());
        let mut socket_dir = home.join("run");
        if !fits_a_socket(&socket_dir) {
            // Only root can write to /run. In /tmp, `make_socket_dir` checks the owner.
            socket_dir = Path::new(if account.switch { "/run" } else { "/tmp" }).join(&tag);
        }
        Ok((Self { home, cluster, socket_dir, tag }, account))
    }

    /// The same folders for a second cluster, which runs beside the first one for a while.
    pub(super) fn beside(&self, cluster: PathBuf) -> Self {
        Self { cluster, tag: self.tag.replacen('-', "-new-", 1), ..self.clone() }
    }

    /// Takes the lock that allows only one process to run the cluster, for as long as the value lives. Child
    /// processes do not inherit it.
    pub(super) fn lock(&self) -> Result<Flock<File>, EmbeddedError> {
        let path = self.home.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(&path);
        let file = file.map_err(EmbeddedError::io("open", &path))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                let written = lock.set_len(0).and_then(|()| write!(*lock, "{}", std::process::id()));
                written.map_err(EmbeddedError::io("write", &path))?;
                Ok(lock)
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                // Only for the error message, which can do without it.
                let _ = file.read_to_string(&mut holder);
                Err(EmbeddedError::Locked { folder: self.home.clone(), holder: holder.parse().ok() })
            }
            Err((_, errno)) => Err(EmbeddedError::io("lock", &path)(errno)),
        }
    }

    /// Creates the folder of the socket, or checks that an existing one belongs to the account and excludes
    /// everyone else.
    pub(super) fn make_socket_dir(&self, account: &Account) -> Result<(), EmbeddedError> {
        let folder = &self.socket_dir;
        make_private(folder, account)?;
        // Does not follow links: in /tmp, any user may have created one.
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
        Err(EmbeddedError::Setup(format!(
            "{} cannot be used for the socket of the database: {problem}; remove it, or set DATA_DIR to a shorter path \
             so that the socket fits into it",
            folder.display()
        )))
    }

    /// Removes the folder of the socket if it is outside `home` and empty.
    pub(super) fn tidy_socket_dir(&self) {
        if !self.socket_dir.starts_with(&self.home) {
            // Fails if it is not empty or already gone.
            let _ = fs::remove_dir(&self.socket_dir);
        }
    }
}

/// Whether a socket can be in the folder: its path must be short, and PostgreSQL's programs split it at commas.
fn fits_a_socket(folder: &Path) -> bool {
    folder.join(SOCKET).as_os_str().len() <= LONGEST_SOCKET_PATH
        && !folder.as_os_str().as_bytes().iter().any(|byte| b",\"".contains(byte))
}

/// Creates a folder of mode 0700 that belongs to the account, unless the path exists.
pub(super) fn make_private(folder: &Path, account: &Account) -> Result<(), EmbeddedError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A folder that belongs to root was left by a crash before the change of the owner.
            let ours = |found: fs::Metadata| found.is_dir() && found.uid() == 0;
            if !account.switch || !fs::symlink_metadata(folder).is_ok_and(ours) {
                return Ok(());
            }
        }
        Err(error) => return Err(EmbeddedError::io("create", folder)(error)),
    }
    let owned = if account.switch {
        std::os::unix::fs::lchown(folder, Some(account.uid), Some(account.gid))
    } else {
        Ok(())
    };
    owned.map_err(EmbeddedError::io("change the owner of", folder))
}

/// Creates a folder and its parents so that other users can traverse but not list them, whatever the umask is.
fn make_reachable(folder: &Path) -> Result<(), EmbeddedError> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).collect();
    for part in missing.into_iter().rev() {
        match fs::create_dir(part) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            made => made.map_err(EmbeddedError::io("create", part))?,
        }
        let opened = fs::set_permissions(part, Permissions::from_mode(0o711));
        opened.map_err(EmbeddedError::io("change the mode of", part))?;
    }
    Ok(())
}

fn home(data_dir: &Path, fallback: &Path, account: &Account) -> Result<PathBuf, EmbeddedError> {
    let cluster = data_dir.join("postgres");
    let elsewhere = fallback.join("postgres");
    // A link records the choice, so that a later change of permissions does not create an empty cluster beside
    // the one with the data.
    let linked = fs::read_link(&cluster).is_ok_and(|target| target == elsewhere);
    if !linked && account.can_enter(data_dir)? {
        return Ok(data_dir.to_owned());
    }
    let unreachable = |folder: &Path| {
        EmbeddedError::Setup(format!(
            "user {} cannot reach {}; allow it to traverse the folders above (`chmod o+x`), or set DATA_DIR to a folder \
             that it can reach",
            account.name,
            folder.display()
        ))
    };
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
        "user {} cannot reach {}; the database is in {}",
        account.name,
        data_dir.display(),
        fallback.display()
    );
    Ok(fallback.to_owned())
}
