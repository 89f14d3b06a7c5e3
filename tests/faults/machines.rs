//! Several machines, set up with the files of `deploy/`: three servers behind HAProxy, on a primary and a
//! replica behind HAProxy. While clients report, a server dies, the replica hangs, and the primary dies and
//! is replaced by the replica.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Instant;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::common::deployment::{Cluster, HaProxy, deployed, folder_for_clusters, free_port, pg_bin};
use crate::common::server::{Server, run, until_within};
use crate::common::{DataDir, http};
use crate::postgres::{block_on, stored};
use crate::scenario::{Scenario, exclusive_machine, metric, server, wait_until_drained};
use crate::traffic::{OnFailure, Traffic, targets};

/// HAProxy's checks are programs, which a busy machine starts late.
fn until(what: &str, done: impl Fn() -> bool) {
    until_within(180, what, done);
}

/// HAProxy in front of the two databases.
struct DatabaseProxy {
    writes: u16,
    reads: u16,
    _proxy: HaProxy,
}

impl DatabaseProxy {
    fn start(folder: &Path, one: &Cluster, two: &Cluster) -> Self {
        let check = folder.join("is-primary");
        fs::write(&check, deployed("haproxy/is-primary")).expect("it is ours");
        fs::set_permissions(&check, Permissions::from_mode(0o755)).expect("it is ours");
        // Debian's psql is a wrapper that looks for its own clusters first.
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

    /// The port of the database that gets the writes; `None` if there is none.
    fn primary(&self) -> Option<i32> {
        let options = PgConnectOptions::from_str(&Self::url(self.writes)).expect("it is one");
        block_on(async {
            let mut connection = PgConnection::connect_with(&options).await.ok()?;
            // Until the first check HAProxy takes a replica for a primary.
            let port = "select inet_server_port() where not pg_is_in_recovery()";
            sqlx::query_scalar(port).fetch_optional(&mut connection).await.ok().flatten()
        })
    }

    fn url(port: u16) -> String {
        format!("postgres://telemetry@127.0.0.1:{port}/telemetry?sslmode=disable")
    }
}

fn is_known(address: SocketAddr, id: &str) -> bool {
    http::get(address, &format!("/api/runs/{id}")).is_ok_and(|answer| answer.status == 200)
}

#[test]
fn several_machines_lose_nothing_when_a_server_and_the_primary_die() {
    let mut scenario = Scenario::on_exclusive_machine("several machines");
    let _machine = exclusive_machine();
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let mut one = Cluster::primary(&folder);
    one.sql("create role telemetry login");
    one.sql("create database telemetry owner telemetry");
    let two = Cluster::replica(&folder, &one);
    one.sql("alter system set synchronous_standby_names = 'replica'");
    one.sql("select pg_reload_conf()");
    until("the replica is waited for", || one.sql("select sync_state from pg_stat_replication") == "sync");

    let proxy = DatabaseProxy::start(&folder, &one, &two);
    until("the primary is found", || proxy.primary() == Some(one.port.into()));
    let (url, read_url) = (DatabaseProxy::url(proxy.writes), DatabaseProxy::url(proxy.reads));
    let spools =
        [0, 1, 2].map(|number| folder.join(format!("spool-{number}")).to_string_lossy().into_owned());
    let start = |spool: &String| {
        server(&[("DATABASE_URL", &url), ("READ_DATABASE_URL", &read_url), ("SPOOL_DIR", spool)])
    };
    let [first, second, third] = spools.each_ref().map(start);
    let clients: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let at = [&first, &second, &third].map(|server: &Server| server.address.to_string());
    let _front = HaProxy::start(
        "instances.cfg",
        &[
            ("HTTP", &clients.to_string()),
            ("INSTANCE_ONE", &at[0]),
            ("INSTANCE_TWO", &at[1]),
            ("INSTANCE_THREE", &at[2]),
        ],
    );
    until("clients are served", || http::get(clients, "/readyz").is_ok_and(|answer| answer.status == 200));

    let traffic = Traffic::start(&targets(&[clients]), OnFailure::Retries);
    traffic.wait_for(300);
    // Writes go to the primary, reads to the replica.
    let reading = "select count(*) > 0 from pg_stat_activity where application_name = 'telemetry read'";
    until("a run is read", || is_known(clients, &traffic.first_run()));
    assert_eq!([&one, &two].map(|cluster| cluster.sql(reading)), ["f", "t"].map(str::to_owned));

    scenario.sample(&first);
    first.kill();
    traffic.wait_for(300);

    // A commit that the replica has not confirmed does not count: it would be lost with the primary.
    two.signal_all(Signal::SIGSTOP);
    let spooling = |server: &Server| metric(server.address, "telemetry_spooling") == Some(1.0);
    until("events are spooled", || spooling(&second) && spooling(&third));
    traffic.wait_for(100);
    two.signal_all(Signal::SIGCONT);
    wait_until_drained(&[&second, &third]);

    traffic.wait_for(300);
    one.kill();
    let begun = Instant::now();
    until("events are spooled", || spooling(&second) && spooling(&third));
    traffic.wait_for(300);
    two.promote();
    scenario.wait_for_recovery(begun, &[&second, &third]);
    traffic.wait_for(300);
    scenario.add(traffic.finish());
    wait_until_drained(&[&second, &third]);

    // The killed server may have events in its spool.
    let again = start(&spools[0]);
    wait_until_drained(&[&again]);
    for server in [&second, &third, &again] {
        scenario.sample(server);
    }
    scenario.assert_all_answered();
    assert!(scenario.spooled() > 0.0);
    let options = PgConnectOptions::from_str(&url).expect("it is one");
    scenario.assert_nothing_lost(&stored(&options), &run(&["verify"], &[("DATABASE_URL", &url)]));
    assert_eq!(two.sql("select pg_is_in_recovery()"), "f");
}

#[test]
fn a_primary_that_comes_back_after_a_failover_is_not_written_to() {
    let _machine = exclusive_machine();
    let data = DataDir::new();
    let folder = folder_for_clusters(&data);
    let one = Cluster::primary(&folder);
    one.sql("create role telemetry login");
    one.sql("create database telemetry owner telemetry");
    let two = Cluster::replica(&folder, &one);
    let proxy = DatabaseProxy::start(&folder, &one, &two);
    until("the primary is found", || proxy.primary() == Some(one.port.into()));
    // It does not answer, and may or may not be gone.
    one.signal(Signal::SIGSTOP);
    two.promote();
    until("the new one is found", || proxy.primary() == Some(two.port.into()));
    one.signal(Signal::SIGCONT);
    until("the old one answers", || one.try_sql("select 1").is_some());
    two.signal(Signal::SIGSTOP);
    // No primary is better than the old one: HAProxy has none once its checks have failed.
    until("the new one is missed", || proxy.primary().is_none());
    two.signal(Signal::SIGCONT);
    until("the new one is found again", || proxy.primary() == Some(two.port.into()));
    assert_eq!(one.sql("select pg_is_in_recovery()"), "f", "it believed all along that it was the primary");
}
