//! Failover without a person, set up with the files of `deploy/`: three PostgreSQL under Patroni with etcd, behind
//! HAProxy. The leader is killed three times under load. `make failover` runs this; it takes minutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use sqlx::postgres::PgConnectOptions;

use crate::common::DataDir;
use crate::common::deployment::{HaProxy, folder_for_clusters, free_port, pg_bin};
use crate::common::http;
use crate::common::server::{run, until_within};
use crate::postgres::stored;
use crate::scenario::{Scenario, exclusive_machine, is_spooling, server, wait_until_drained};
use crate::traffic::{OnFailure, Traffic, targets};

/// Kills of the leader.
const KILLS: usize = 3;
const PASSWORD: &str = "a-password";

fn until(what: &str, done: impl Fn() -> bool) {
    until_within(300, what, done);
}

/// A program that runs as the account of PostgreSQL.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if Uid::effective().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", pg_bin().display());
    command.arg("--").arg(program).env_clear().env("PATH", path).current_dir("/").stdin(Stdio::null());
    command
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

struct Etcd {
    port: u16,
    process: Child,
}

impl Etcd {
    fn start(folder: &Path) -> Self {
        let (port, peers) = (free_port(), format!("http://{}", at(free_port())));
        let clients = format!("http://{}", at(port));
        let process = as_postgres("etcd")
            .arg("--data-dir")
            .arg(folder.join("etcd"))
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("default={peers}"), "--log-level", "error"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("etcd.log")).expect("a new file"))
            .spawn()
            .expect("etcd is installed: scripts/setup failover");
        let own = Self { port, process };
        until("etcd answers", || {
            http::get(([127, 0, 0, 1], port).into(), "/health").is_ok_and(|answer| answer.status == 200)
        });
        own
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A machine with Patroni and PostgreSQL.
struct Node {
    name: &'static str,
    folder: PathBuf,
    postgres: u16,
    rest: u16,
    etcd: u16,
    process: Option<Child>,
}

impl Node {
    fn new(name: &'static str, parent: &Path, etcd: u16) -> Self {
        let (folder, postgres, rest) = (parent.join(name), free_port(), free_port());
        Self { name, folder, postgres, rest, etcd, process: None }
    }

    fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.with_extension("log"));
        let log = log.expect("it is ours");
        let started = as_postgres("patroni")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/patroni/node.yml"))
            .env("PATRONI_NAME", self.name)
            .env("PATRONI_ETCD3_HOSTS", format!("'{}'", at(self.etcd)))
            .env("PATRONI_RESTAPI_LISTEN", at(self.rest))
            .env("PATRONI_RESTAPI_CONNECT_ADDRESS", at(self.rest))
            .env("PATRONI_POSTGRESQL_LISTEN", at(self.postgres))
            .env("PATRONI_POSTGRESQL_CONNECT_ADDRESS", at(self.postgres))
            .env("PATRONI_POSTGRESQL_DATA_DIR", &self.folder)
            .env("PATRONI_POSTGRESQL_BIN_DIR", pg_bin())
            .env("PATRONI_POSTGRESQL_PGPASS", self.folder.with_extension("pgpass"))
            .env("PATRONI_SUPERUSER_USERNAME", "postgres")
            .env("PATRONI_SUPERUSER_PASSWORD", PASSWORD)
            .env("PATRONI_REPLICATION_USERNAME", "replicator")
            .env("PATRONI_REPLICATION_PASSWORD", PASSWORD)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(started.expect("Patroni is installed: scripts/setup failover"));
    }

    /// What its REST interface says about a role.
    fn is(&self, role: &str) -> bool {
        let answer = http::get(([127, 0, 0, 1], self.rest).into(), &format!("/{role}"));
        answer.is_ok_and(|answer| answer.status == 200)
    }

    fn sql(&self, statement: &str) {
        let mut psql = as_postgres("psql");
        let connection = format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.postgres);
        psql.args([&connection, "-XAtq", "-c", statement]).env("PGPASSWORD", PASSWORD);
        let done = psql.output().expect("it starts");
        assert!(done.status.success(), "{statement}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Kills Patroni and PostgreSQL at once, as the loss of the machine does.
    fn kill(&mut self) {
        let file = fs::read_to_string(self.folder.join("postmaster.pid")).unwrap_or_default();
        let postmaster = file.lines().next().and_then(|line| line.trim().parse().ok()).map(Pid::from_raw);
        if let Some(mut patroni) = self.process.take() {
            let _ = patroni.kill();
            let _ = patroni.wait();
        }
        if let Some(postmaster) = postmaster {
            let _ = kill(postmaster, Signal::SIGKILL);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

fn leader(nodes: &[Node]) -> Option<usize> {
    nodes.iter().position(|node| node.is("primary"))
}

/// Waits until there is a leader, with a replica that commits wait for and one more.
fn wait_until_complete(nodes: &[Node]) -> usize {
    let count = |role: &str| nodes.iter().filter(|node| node.is(role)).count();
    until("all nodes take part", || count("primary") == 1 && count("sync") == 1 && count("replica") == 2);
    leader(nodes).expect("there is one")
}

#[test]
#[ignore = "takes minutes and needs patroni and etcd: make failover"]
fn a_leader_that_dies_is_replaced_without_a_person_and_nothing_is_lost() {
    let mut scenario = Scenario::on_exclusive_machine("failover by Patroni");
    let _machine = exclusive_machine();
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let etcd = Etcd::start(&folder);
    let mut nodes = ["one", "two", "three"].map(|name| Node::new(name, &folder, etcd.port));
    nodes.iter_mut().for_each(Node::start);
    let first = wait_until_complete(&nodes);
    nodes[first].sql(&format!("create role telemetry login password '{PASSWORD}'"));
    nodes[first].sql("create database telemetry owner telemetry");

    let (writes, reads) = (free_port(), free_port());
    let ports = nodes.each_ref().map(|node| (at(node.postgres), node.rest.to_string()));
    let _proxy = HaProxy::start(
        "patroni.cfg",
        &[
            ("PG_WRITES", &at(writes)),
            ("PG_READS", &at(reads)),
            ("PG_ONE", &ports[0].0),
            ("PG_TWO", &ports[1].0),
            ("PG_THREE", &ports[2].0),
            ("REST_ONE", &ports[0].1),
            ("REST_TWO", &ports[1].1),
            ("REST_THREE", &ports[2].1),
        ],
    );
    let url = |port: u16| format!("postgres://telemetry:{PASSWORD}@{}/telemetry?sslmode=disable", at(port));
    let spool = folder.join("spool").to_string_lossy().into_owned();
    let server = server(&[
        ("DATABASE_URL", &url(writes)),
        ("READ_DATABASE_URL", &url(reads)),
        ("SPOOL_DIR", &spool),
        ("CONNECT_SECONDS", "120"),
    ]);
    let traffic = Traffic::start(&targets(&[server.address]), OnFailure::Retries);
    traffic.wait_for(300);
    for _ in 0..KILLS {
        let leader = wait_until_complete(&nodes);
        nodes[leader].kill();
        let begun = Instant::now();
        until("events are spooled", || is_spooling(&server));
        scenario.wait_for_recovery(begun, &[&server]);
        traffic.wait_for(300);
        nodes[leader].start();
    }
    wait_until_complete(&nodes);
    scenario.finish(traffic, &[&server]);
    wait_until_drained(&[&server]);
    scenario.assert_all_answered();
    assert!(scenario.spooled() > 0.0);
    let options = PgConnectOptions::from_str(&url(writes)).expect("it is one");
    scenario.assert_nothing_lost(&stored(&options), &run(&["verify"], &[("DATABASE_URL", &url(writes))]));
}
