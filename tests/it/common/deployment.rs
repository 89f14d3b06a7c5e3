//! The other programs of a deployment: PostgreSQL as a distribution runs it, PgBouncer and HAProxy. They end when the value is dropped, and with the thread that started them.

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};

use super::DataDir;
use super::server::until;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound").port()
}

/// A script of `deploy`.
pub(crate) fn deployed(path: &str) -> String {
    fs::read_to_string(Path::new(DEPLOY).join(path)).expect("it is there")
}

pub(crate) fn pg_bin() -> PathBuf {
    let found = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/pg-bin")).output();
    let found = String::from_utf8(found.expect("it starts").stdout).expect("a path");
    PathBuf::from(found.trim())
}

/// The programs of a version of PostgreSQL that `scripts/setup test` installs; `None` where there are no builds.
pub(crate) fn postgres_version(major: u32) -> Option<PathBuf> {
    if !cfg!(target_arch = "x86_64") {
        return None;
    }
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres-versions"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let found = succeed(script.arg(major.to_string()).env("CARGO_TARGET_DIR", target));
    let folder = PathBuf::from(found.trim());
    assert!(folder.join("postgres").exists(), "{} is missing: run `scripts/setup test`", folder.display());
    Some(folder)
}

/// A command that runs as the account of PostgreSQL, since that refuses to run as root. It gets SIGKILL
/// when the thread that starts it ends.
fn as_postgres(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if Uid::effective().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    let path = format!("{}:/usr/bin:/bin", pg_bin().display());
    command.arg("--").arg(program).env_clear().env("PATH", path).current_dir("/").stdin(Stdio::null());
    command
}

fn succeed(command: &mut Command) -> String {
    let done = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{command:?}: {} {}", text(&done.stdout), text(&done.stderr));
    text(&done.stdout)
}

/// A folder in which the account of PostgreSQL can create its clusters.
pub(crate) fn folder_for_clusters(folder: &DataDir) -> PathBuf {
    let path = folder.path();
    fs::create_dir(&path).expect("it is new");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
    give_to_postgres(&path);
    path
}

/// Makes the account of PostgreSQL the owner.
fn give_to_postgres(path: &Path) {
    if Uid::effective().is_root() {
        let user = User::from_name("postgres").expect("readable").expect("the package makes it");
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("we are root");
    }
}

/// A PostgreSQL on a port of its own.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    process: Child,
}

impl Cluster {
    /// Creates one below a folder that the account of PostgreSQL may write to.
    pub(crate) fn primary(parent: &Path) -> Self {
        let folder = parent.join("one");
        let options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
        succeed(as_postgres("initdb").arg("-D").arg(&folder).args(options));
        let settings = folder.join("postgresql.conf");
        let own = deployed("replica/primary.conf").replace("listen_addresses = '*'", "");
        fs::write(&settings, fs::read_to_string(&settings).expect("it is there") + &own).expect("it is ours");
        Self::start(folder)
    }

    /// Creates a replica with the script of `deploy/`.
    pub(crate) fn replica(parent: &Path, primary: &Self) -> Self {
        let folder = parent.join("two");
        let script = deployed("replica/setup");
        let primary = format!("host=127.0.0.1 port={} user=postgres", primary.port);
        succeed(as_postgres("bash").args(["-c", &script, "setup"]).arg(&folder).arg(primary));
        Self::start(folder)
    }

    fn start(folder: PathBuf) -> Self {
        let port = free_port();
        let log = fs::File::create(folder.with_extension("log")).expect("a new file");
        let process = as_postgres("postgres")
            .arg("-D")
            .arg(&folder)
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let cluster = Self { folder, port, process };
        until("PostgreSQL answers", || cluster.try_sql("select 1").is_some());
        cluster
    }

    /// Makes it offer TLS, with this certificate and key.
    pub(crate) fn offer_tls(&self, certificate: &Path, key: &Path) {
        for (file, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let own = self.folder.join(name);
            fs::copy(file, &own).expect("it is ours");
            fs::set_permissions(&own, Permissions::from_mode(0o600)).expect("it is ours");
            give_to_postgres(&own);
        }
        self.sql("alter system set ssl = on");
        self.reload();
        until("it offers TLS", || self.sql("show ssl") == "on");
    }

    /// Replaces its rules for connections over TCP.
    pub(crate) fn admit(&self, rules: &str) {
        fs::write(self.folder.join("pg_hba.conf"), rules).expect("it is ours");
        self.reload();
    }

    fn reload(&self) {
        self.sql("select pg_reload_conf()");
    }

    /// Its connection string for libpq.
    pub(crate) fn connection(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    pub(crate) fn sql(&self, statement: &str) -> String {
        self.try_sql(statement).expect(statement)
    }

    pub(crate) fn try_sql(&self, statement: &str) -> Option<String> {
        let mut psql = as_postgres("psql");
        psql.arg(self.connection()).args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]);
        let done = psql.output().expect("it starts");
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
    }

    /// Promotes it with the script of `deploy/`.
    pub(crate) fn promote(&self) {
        let script = deployed("replica/promote");
        succeed(
            as_postgres("bash").args(["-c", &script, "promote"]).arg(&self.folder).arg(self.connection()),
        );
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let ended = self.process.wait().expect("it is our child");
        assert_eq!(ended.signal(), Some(9));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), signal);
    }

    /// Sends a signal to all its processes.
    pub(crate) fn signal_all(&self, signal: Signal) {
        let postmaster = self.process.id();
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let children = children.expect("it runs");
        for process in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            let _ = kill(Pid::from_raw(process), signal);
        }
        self.signal(signal);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.signal_all(Signal::SIGCONT);
            // Immediate shutdown, without a checkpoint.
            self.signal(Signal::SIGQUIT);
            let _ = self.process.wait();
        }
    }
}

/// PgBouncer in front of a cluster.
pub(crate) struct PgBouncer {
    pub(crate) port: u16,
    process: Child,
}

impl PgBouncer {
    /// Starts it with these lines in its configuration.
    pub(crate) fn start(folder: &Path, cluster: &Cluster, settings: &str) -> Self {
        let port = free_port();
        let file = folder.join(format!("pgbouncer-{port}.ini"));
        let configuration = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n{settings}\n",
            cluster.port
        );
        fs::write(&file, configuration).expect("it is ours");
        let mut command = as_postgres("/usr/sbin/pgbouncer");
        let process = command.arg("-q").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.expect("PgBouncer is installed: scripts/setup test");
        until("PgBouncer listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, process }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// HAProxy with a file of `deploy/haproxy`.
pub(crate) struct HaProxy(Child);

impl HaProxy {
    /// Runs as the user of the test, as do the checks.
    pub(crate) fn start(file: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "haproxy", "-db", "-q", "-f"]);
        command.arg(Path::new(DEPLOY).join("haproxy").join(file));
        let path = "/usr/sbin:/usr/bin:/sbin:/bin";
        command.env_clear().env("PATH", path).envs(variables.iter().copied());
        // Its complaints belong in the output of the test.
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Self(process.expect("HAProxy is installed: scripts/setup test"))
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
