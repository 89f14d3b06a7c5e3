//! More than one machine, with what `deploy/` brings: three servers behind HAProxy on a primary and
//! a replica, which are behind HAProxy as well. A server dies, the replica hangs, the primary dies and
//! the replica takes its place, while clients report.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::common::server::{Server, run, until_within};
use crate::common::{DataDir, http};
use crate::postgres::{block_on, stored};
use crate::programs::{Cluster, HaProxy, deployed, free_port, pg_bin};
use crate::stage::{CLIENTS, Story, alone, metric, server, settle};
use crate::traffic::{Manner, Traffic, targets};

/// Checks are programs, and a machine that runs other tests as well starts them late.
fn until(what: &str, done: impl Fn() -> bool) {
    until_within(180, what, done);
}

/// The programs in front of the two databases.
struct Way {
    writes: u16,
    reads: u16,
    _proxy: HaProxy,
}

impl Way {
    fn start(folder: &Path, one: &Cluster, two: &Cluster) -> Self {
        let check = folder.join("is-primary");
        fs::write(&check, deployed("haproxy/is-primary")).expect("it is ours");
        fs::set_permissions(&check, Permissions::from_mode(0o755)).expect("it is ours");
        // Debian's psql is a script that looks for clusters first.
        let settings =
            format!("state={}\nPATH={}:$PATH\n", folder.join("timeline").display(), pg_bin().display());
        fs::write(folder.join("is-primary.conf"), settings).expect("it is ours");
        let at = |port: u16| format!("127.0.0.1:{port}");
        let (writes, reads) = (free_port(), free_port());
        let proxy = HaProxy::start(
            "postgres.cfg",
            &[
                ("PG_WRITES", &at(writes)),
                ("PG_READS", &at(reads)),
                ("PG_ONE", &at(one.port)),
                ("PG_TWO", &at(two.port)),
                ("IS_PRIMARY", &check.to_string_lossy()),
            ],
        );
        Self { writes, reads, _proxy: proxy }
    }

    /// The port of the database to which writes are led; `None` if it cannot be reached.
    fn primary(&self) -> Option<i32> {
        let options = PgConnectOptions::from_str(&Self::url(self.writes)).expect("it is one");
        block_on(async {
            let mut connection = PgConnection::connect_with(&options).await.ok()?;
            // A check may not have come to it yet: then a replica is taken for a primary.
            let port = "select inet_server_port() where not pg_is_in_recovery()";
            sqlx::query_scalar(port).fetch_optional(&mut connection).await.ok().flatten()
        })
    }

    fn url(port: u16) -> String {
        format!("postgres://telemetry@127.0.0.1:{port}/telemetry?sslmode=disable")
    }
}

/// A folder in which the account of PostgreSQL can make its own.
fn folder_for_clusters(folder: &DataDir) -> std::path::PathBuf {
    let path = folder.path();
    fs::create_dir(&path).expect("it is new");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("it is ours");
    if Uid::effective().is_root() {
        let user = User::from_name("postgres").expect("readable").expect("the package makes it");
        chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("we are root");
    }
    path
}

fn is_known(address: SocketAddr, id: &str) -> bool {
    http::get(address, &format!("/api/runs/{id}")).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn several_machines_lose_nothing_when_a_server_and_the_primary_die() {
    let _turn = alone();
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let mut one = Cluster::primary(&folder);
    one.sql("create role telemetry login");
    one.sql("create database telemetry owner telemetry");
    let two = Cluster::replica(&folder, &one);
    one.sql("alter system set synchronous_standby_names = 'replica'");
    one.sql("select pg_reload_conf()");
    until("the replica is waited for", || one.sql("select sync_state from pg_stat_replication") == "sync");

    let way = Way::start(&folder, &one, &two);
    until("the primary is found", || way.primary() == Some(one.port.into()));
    let (url, read_url) = (Way::url(way.writes), Way::url(way.reads));
    let spools =
        [0, 1, 2].map(|number| folder.join(format!("spool-{number}")).to_string_lossy().into_owned());
    let start = |spool: &String| {
        server(&[("DATABASE_URL", &url), ("READ_DATABASE_URL", &read_url), ("SPOOL_DIR", spool)])
    };
    let [first, second, third] = spools.each_ref().map(start);
    let clients: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let at = [&first, &second, &third].map(|server: &Server| server.address.to_string());
    let _proxy = HaProxy::start(
        "instances.cfg",
        &[
            ("HTTP", &clients.to_string()),
            ("INSTANCE_ONE", &at[0]),
            ("INSTANCE_TWO", &at[1]),
            ("INSTANCE_THREE", &at[2]),
        ],
    );
    until("clients are served", || http::get(clients, "/readyz").is_ok_and(|answer| answer.status == 200));

    let mut story = Story::new("several machines");
    let traffic = Traffic::start(&targets(&[clients]), CLIENTS, Manner::Retries);
    traffic.wait_for(300);
    // What is written on the primary is read on the replica.
    let reading = "select count(*) > 0 from pg_stat_activity where application_name = 'telemetry read'";
    until("a run is read", || is_known(clients, &traffic.first_run()));
    assert_eq!([&one, &two].map(|cluster| cluster.sql(reading)), ["f", "t"].map(str::to_owned));

    story.watch(&first);
    first.kill();
    traffic.wait_for(300);

    // A commit that the replica does not confirm is none: it would be gone with the primary.
    two.signal_all(Signal::SIGSTOP);
    let spooling = |server: &Server| metric(server.address, "telemetry_spooling") == Some(1.0);
    until("events are spooled", || spooling(&second) && spooling(&third));
    traffic.wait_for(100);
    two.signal_all(Signal::SIGCONT);
    settle(&[&second, &third]);

    traffic.wait_for(300);
    one.kill();
    let begun = Instant::now();
    until("events are spooled", || spooling(&second) && spooling(&third));
    traffic.wait_for(300);
    two.promote();
    settle(&[&second, &third]);
    story.recovered(begun);
    traffic.wait_for(300);
    story.tell(traffic.finish());
    settle(&[&second, &third]);

    // What the server that was killed may have kept.
    let again = start(&spools[0]);
    settle(&[&again]);
    for server in [&second, &third, &again] {
        story.watch(server);
    }
    assert_eq!(story.ledger().failed.len(), 0, "{:?}", story.ledger().failed);
    assert!(story.spooled() > 0.0);
    let options = PgConnectOptions::from_str(&url).expect("it is one");
    story.reckon(&stored(&options), &run(&["verify"], &[("DATABASE_URL", &url)]));
    assert_eq!(two.sql("select pg_is_in_recovery()"), "f");
}

#[test]
fn a_primary_that_comes_back_after_a_failover_is_not_written_to() {
    let _turn = alone();
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let one = Cluster::primary(&folder);
    one.sql("create role telemetry login");
    one.sql("create database telemetry owner telemetry");
    let two = Cluster::replica(&folder, &one);
    let way = Way::start(&folder, &one, &two);
    until("the primary is found", || way.primary() == Some(one.port.into()));
    // It does not answer; nobody knows whether it is gone.
    one.signal(Signal::SIGSTOP);
    two.promote();
    until("the new one is found", || way.primary() == Some(two.port.into()));
    one.signal(Signal::SIGCONT);
    until("the old one answers", || one.try_sql("select 1").is_some());
    two.signal(Signal::SIGSTOP);
    // Rather none than that one: the way is closed when the checks have seen it.
    until("the new one is missed", || way.primary().is_none());
    two.signal(Signal::SIGCONT);
    until("the new one is found again", || way.primary() == Some(two.port.into()));
    assert_eq!(one.sql("select pg_is_in_recovery()"), "f", "it took itself for the primary all the time");
}
