//! The database user of Grafana, made as the operator makes it.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

/// The same database as that user; on the cluster of the tests nobody is asked for a password.
pub(crate) async fn grafana(pool: &PgPool) -> PgConnection {
    let options = pool.connect_options();
    tokio::task::block_in_place(|| make_role(&options));
    let options = PgConnectOptions::clone(&options).username("telemetry_grafana");
    PgConnection::connect_with(&options).await.expect("it may log in")
}

/// Runs the operator's script. A role belongs to the whole cluster, so one test at a time does.
pub(crate) fn make_role(options: &PgConnectOptions) {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/role.sql");
    // Twice: it repairs what is there.
    for _ in 0..2 {
        let made = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-v", "password=it's secret"])
            .arg("-h")
            .arg(options.get_socket().expect("a socket"))
            .args(["-p", "5432", "-U", options.get_username(), "-d", options.get_database().expect("a name")])
            .arg("-f")
            .arg(&script)
            .output()
            .expect("psql is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}
