//! The embedded PostgreSQL, tested with the real programs. Each test has its own cluster. The tests can run as
//! root, where PostgreSQL runs as another user, or as any other user.
//!
//! A test cannot kill its own process, so [`owner`] runs in a second process: the same program with `DATA_DIR`
//! in its environment.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, Uid};
use telemetry_server::store::database::embedded::{
    Cluster, Embedded, EmbeddedError, Endpoint, Settings, start_or_attach,
};
use tempfile::TempDir;

#[test]
fn the_cluster_is_private_durable_and_never_runs_as_root() {
    let data = Data::new();
    let embedded = data.start();
    let endpoint = embedded.endpoint();
    let postmaster = embedded.postmaster_pid().expect("it runs");

    let user = fs::metadata(format!("/proc/{postmaster}")).expect("it runs").uid();
    assert_ne!(user, 0);
    let own = Uid::effective();
    assert!(own.is_root() || own.as_raw() == user);

    let socket_dir = fs::metadata(&endpoint.socket_dir).expect("the folder is there");
    assert_eq!((socket_dir.mode() & 0o777, socket_dir.uid()), (0o700, user));
    let pid_file = fs::read_to_string(data.cluster().join("postmaster.pid")).expect("it runs");
    assert_eq!(pid_file.lines().nth(5), Some(""), "the TCP address");

    assert_eq!(endpoint.database, "telemetry");
    for (parameter, expected) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        // Messages that could quote an event are not logged.
        ("log_min_messages", "log"),
        ("log_min_error_statement", "panic"),
        ("log_error_verbosity", "terse"),
        ("log_statement", "none"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
    ] {
        assert_eq!(query(endpoint, &format!("show {parameter}")), expected, "{parameter}");
    }
}

#[test]
fn stop_leaves_no_process_and_keeps_the_data() {
    let data = Data::new();
    let embedded = data.start();
    query(embedded.endpoint(), "create table kept as select 42 as answer");
    let postmaster = embedded.postmaster_pid().expect("it runs");
    let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
    let children = children.expect("it runs");
    assert!(children.split_whitespace().count() >= 4, "checkpointer, writers: {children}");
    let endpoint = embedded.endpoint().clone();
    let mut busy = busy_backend(&endpoint);

    embedded.stop().expect("a clean stop");

    assert!(!runs(postmaster));
    for child in children.split_whitespace() {
        assert!(!runs(child.parse().expect("a process id")), "{child} is left");
    }
    assert!(!busy.wait().expect("psql ends").success());
    assert!(UnixStream::connect(endpoint.socket_dir.join(".s.PGSQL.5432")).is_err());

    let embedded = data.start();
    assert_eq!(query(embedded.endpoint(), "select answer from kept"), "42");
    let postmaster = embedded.postmaster_pid().expect("it runs");
    drop(embedded);
    assert!(!runs(postmaster), "a drop stops it as well");
}

#[test]
fn a_second_server_is_refused_with_the_folder_and_a_command_attaches() {
    let data = Data::new();
    let embedded = data.start();

    let second = Embedded::start(&data.settings()).map(|_| ()).expect_err("it is taken");
    assert!(matches!(second, EmbeddedError::Locked { .. }), "{second}");
    assert!(second.to_string().contains(&*data.folder().to_string_lossy()), "{second}");
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");

    match start_or_attach(&data.settings()).expect("it attaches") {
        Cluster::Running(endpoint) => {
            assert_eq!(&endpoint, embedded.endpoint());
            assert_eq!(query(&endpoint, "select 1"), "1");
        }
        Cluster::Own(_) => panic!("started a cluster beside the running one"),
    }

    embedded.stop().expect("a clean stop");
    match start_or_attach(&data.settings()).expect("it starts") {
        Cluster::Own(own) => assert_eq!(query(own.endpoint(), "select 1"), "1"),
        Cluster::Running(_) => panic!("attached to a cluster that has stopped"),
    }
}

#[test]
fn postgres_stops_when_its_server_is_killed_and_the_next_start_has_the_data() {
    let data = Data::new();
    let mut owner = Owner::start(&data);
    let endpoint = owner.attach(&data);
    query(&endpoint, "create table kept as select 1 as answer");
    let mut busy = busy_backend(&endpoint);
    let postmaster = data.postmaster();
    owner.kill();
    until("postgres stops with its server", || !runs(postmaster));
    assert!(!busy.wait().expect("psql ends").success());

    let mut owner = Owner::start(&data);
    query(&owner.attach(&data), "insert into kept values (2)");
    let postmaster = data.postmaster();
    owner.kill();
    // Immediately: the old postmaster is still shutting down.
    let embedded = data.start();
    assert!(!runs(postmaster));
    assert_eq!(query(embedded.endpoint(), "select sum(answer) from kept"), "3");
}

#[test]
fn a_killed_postgres_is_restarted() {
    let data = Data::new();
    let embedded = data.start();
    let endpoint = embedded.endpoint();
    query(endpoint, "create table kept as select 42 as answer");
    let mut busy = busy_backend(endpoint);
    let postmaster = embedded.postmaster_pid().expect("it runs");

    signal::kill(Pid::from_raw(postmaster), Signal::SIGKILL).expect("it runs");

    until("another postmaster answers", || {
        embedded.postmaster_pid().is_some_and(|pid| pid != postmaster)
            && try_query(endpoint, "select answer from kept").is_some_and(|answer| answer == "42")
    });
    assert!(!busy.wait().expect("psql ends").success());
    embedded.stop().expect("a clean stop");
}

#[test]
fn stale_lock_files_with_the_id_of_an_unrelated_process_are_removed() {
    let data = Data::new();
    let embedded = data.start();
    let lines = fs::read_to_string(data.cluster().join("postmaster.pid")).expect("it runs");
    let socket_dir = embedded.endpoint().socket_dir.clone();
    embedded.stop().expect("a clean stop");

    // PostgreSQL itself recognizes a process of another user as unrelated.
    let user = fs::metadata(data.cluster()).expect("it is there");
    let mut command = Command::new("sleep");
    if Uid::effective().is_root() {
        command.uid(user.uid()).gid(user.gid());
    }
    let mut unrelated = command.arg("60").spawn().expect("sleep starts");
    let rest = lines.split_once('\n').expect("several lines").1;
    let stale = format!("{}\n{rest}", unrelated.id());
    for file in [data.cluster().join("postmaster.pid"), socket_dir.join(".s.PGSQL.5432.lock")] {
        fs::write(&file, &stale).expect("it can be written");
        chown(&file, Some(user.uid()), Some(user.gid())).expect("the owner can be changed");
    }

    let embedded = data.start();
    assert_eq!(query(embedded.endpoint(), "select 1"), "1");
    assert!(unrelated.try_wait().expect("sleep is ours").is_none(), "the process still runs");
    unrelated.kill().expect("sleep runs");
    unrelated.wait().expect("sleep is ours");
}

#[test]
fn an_interrupted_initdb_is_repeated() {
    let data = Data::new();
    let mut owner = Owner::spawn(&data);
    let unfinished = || {
        let entries = fs::read_dir(data.folder()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("unfinished"))
    };
    until("initdb is running", || unfinished().is_some_and(|folder| folder.join("base/1").exists()));
    owner.kill();
    assert!(!data.cluster().exists(), "an incomplete cluster has another name");
    assert!(unfinished().is_some());

    let embedded = data.start();
    assert_eq!(query(embedded.endpoint(), "select 1"), "1");
}

#[test]
fn a_path_that_is_too_long_for_a_socket_gets_its_socket_elsewhere() {
    let data = Data::at(&format!("{}, {}", "long".repeat(20), "path".repeat(10)));
    let embedded = data.start();
    let socket_dir = embedded.endpoint().socket_dir.clone();
    assert!(!socket_dir.starts_with(data.folder()));
    assert_eq!(fs::metadata(&socket_dir).expect("it is there").mode() & 0o777, 0o700);
    assert_eq!(query(embedded.endpoint(), "select 1"), "1");
    match start_or_attach(&data.settings()).expect("it attaches") {
        Cluster::Running(endpoint) => assert_eq!(&endpoint, embedded.endpoint()),
        Cluster::Own(_) => panic!("started a cluster beside the running one"),
    }
    embedded.stop().expect("a clean stop");
    assert!(!socket_dir.exists());
}

#[test]
fn an_unusable_pg_bin_is_reported() {
    let data = Data::new();
    let settings = Settings { pg_bin: Some(PathBuf::from("/usr/share")), ..data.settings() };
    let error = Embedded::start(&settings).map(|_| ()).expect_err("there is no postgres").to_string();
    assert!(error.contains("PG_BIN=/usr/share") && error.contains("`postgres`"), "{error}");
}

#[test]
fn a_cluster_of_another_version_is_refused_with_the_version_to_install() {
    let data = Data::new();
    data.fake_cluster("9.6\n");
    let error = Embedded::start(&data.settings()).map(|_| ()).expect_err("it is too old").to_string();
    assert!(error.contains(&*data.cluster().to_string_lossy()), "{error}");
    assert!(error.contains("postgresql-9.6"), "{error}");
}

#[test]
fn the_error_of_a_postgres_that_does_not_start_is_reported() {
    let data = Data::new();
    drop(data.start());
    fs::set_permissions(data.cluster(), Permissions::from_mode(0o755)).expect("it is there");
    let error = Embedded::start(&data.settings()).map(|_| ()).expect_err("it is open to all");
    assert!(matches!(error, EmbeddedError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("invalid permissions"), "{error}");
}

/// Not a test but the server that other tests kill. Runs until its input ends.
#[test]
#[ignore = "runs in a second process, started by other tests"]
fn owner() {
    let data_dir = PathBuf::from(std::env::var_os("DATA_DIR").expect("started by another test"));
    let embedded = Embedded::start(&Settings { data_dir, pg_bin: None }).expect("it starts");
    writeln!(std::io::stdout(), "\nrunning").expect("the other test listens");
    for _ in std::io::stdin().lock().lines() {}
    embedded.stop().expect("a clean stop");
}

/// A temporary data folder that the user that runs PostgreSQL can reach.
struct Data {
    _root: TempDir,
    folder: PathBuf,
}

impl Data {
    fn new() -> Self {
        Self::at("data")
    }

    fn at(name: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        // Otherwise the cluster would be in the fallback folder if root runs the tests.
        fs::set_permissions(root.path(), Permissions::from_mode(0o711)).expect("it is ours");
        let folder = root.path().canonicalize().expect("it is there").join(name);
        Self { _root: root, folder }
    }

    fn folder(&self) -> &Path {
        &self.folder
    }

    fn cluster(&self) -> PathBuf {
        self.folder.join("postgres")
    }

    fn settings(&self) -> Settings {
        Settings { data_dir: self.folder.clone(), pg_bin: None }
    }

    fn start(&self) -> Embedded {
        Embedded::start(&self.settings()).expect("it starts")
    }

    fn postmaster(&self) -> i32 {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).expect("it runs");
        text.lines().next().and_then(|line| line.parse().ok()).expect("a process id")
    }

    /// A folder that looks like a cluster of this version and belongs to another user than root.
    fn fake_cluster(&self, version: &str) {
        let cluster = self.cluster();
        fs::create_dir_all(&cluster).expect("a new folder");
        fs::write(cluster.join("PG_VERSION"), version).expect("it is ours");
        if Uid::effective().is_root() {
            fs::set_permissions(&self.folder, Permissions::from_mode(0o711)).expect("it is ours");
            chown(&cluster, Some(65534), Some(65534)).expect("root may");
        }
    }
}

/// A second process that runs the cluster. Killed when the value is dropped.
struct Owner {
    child: Child,
}

impl Owner {
    fn spawn(data: &Data) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "embedded::owner", "--ignored", "--nocapture"])
            .env("DATA_DIR", data.folder());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self { child: child.expect("this program starts") }
    }

    /// Returns when the cluster is up.
    fn start(data: &Data) -> Self {
        let mut owner = Self::spawn(data);
        let output = BufReader::new(owner.child.stdout.take().expect("a pipe"));
        let up = output.lines().map_while(Result::ok).any(|line| line == "running");
        assert!(up, "the second process did not start a cluster");
        owner
    }

    /// Attaches to the cluster, as a command beside a server does.
    fn attach(&self, data: &Data) -> Endpoint {
        match start_or_attach(&data.settings()).expect("it attaches") {
            Cluster::Running(endpoint) => endpoint,
            Cluster::Own(_) => panic!("the second process does not run the cluster"),
        }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.kill();
    }
}

fn psql(endpoint: &Endpoint, sql: &str) -> Command {
    let mut command = Command::new("psql");
    command.args([
        "-X",
        "-A",
        "-t",
        "-q",
        "-p",
        "5432",
        "-U",
        &endpoint.user,
        "-d",
        &endpoint.database,
        "-c",
    ]);
    command.arg(sql).arg("-h").arg(&endpoint.socket_dir).stdin(Stdio::null());
    command
}

fn try_query(endpoint: &Endpoint, sql: &str) -> Option<String> {
    let output = psql(endpoint, sql).output().expect("psql is there");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn query(endpoint: &Endpoint, sql: &str) -> String {
    try_query(endpoint, sql).unwrap_or_else(|| panic!("{sql} fails"))
}

/// Starts a query that never ends, and returns when it is running.
fn busy_backend(endpoint: &Endpoint) -> Child {
    let endless = "do $$ begin loop null; end loop; end $$";
    let child = psql(endpoint, endless).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let is_running = "select count(*) from pg_stat_activity where state = 'active' and query like 'do %' \
                   and pid <> pg_backend_pid()";
    until("a backend is busy", || query(endpoint, is_running) == "1");
    child.expect("psql is there")
}

/// Whether a process runs and is not a zombie.
fn runs(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited too long: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
