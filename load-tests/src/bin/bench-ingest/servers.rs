//! The servers that the real one is compared with.

use std::io::Write;
use std::net::TcpListener;

use actix_web::{App, HttpResponse, HttpServer, web};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor, PgConnection, PgPool};
use telemetry_protocol::wire::{RawEvent, Scalar};

const INSERT: &str =
    "insert into event (random_id, execution_id, type, nsapp, status, ct_type, disk_size, core_count, ram_size,
        os_type, os_version, pve_version, method, exit_code, error, error_category, install_duration,
        cpu_vendor, cpu_model, gpu_vendor, gpu_model, ram_speed, repo_source, repo_slug)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
        $22, $23, $24)";
const UPDATE: &str =
    "on conflict (execution_id) do update set status = excluded.status, exit_code = excluded.exit_code,
        error = excluded.error, error_category = excluded.error_category,
        install_duration = excluded.install_duration, updated = now()";
const ACCEPTED: &str = r#"{"status":"accepted"}"#;
/// The default of sqlx.
const POOL_CONNECTIONS: u32 = 10;
const BACKLOG: u32 = 4096;

/// Decodes the body and responds.
pub(crate) fn decode() -> anyhow::Result<()> {
    serve(|service| {
        service.route(
            "/telemetry",
            web::post().to(|body: web::Bytes| async move {
                match serde_json::from_slice::<RawEvent<'_>>(&body) {
                    Ok(_) => HttpResponse::Ok().content_type("application/json").body(ACCEPTED),
                    Err(_) => HttpResponse::BadRequest().finish(),
                }
            }),
        );
    })
}

/// One INSERT per request: appended to a log of events, or (`upsert`) into one row per execution.
pub(crate) fn naive(database: &str, upsert: bool) -> anyhow::Result<()> {
    let database = database.to_owned();
    let statement = if upsert { format!("{INSERT} {UPDATE}") } else { INSERT.replacen("event", "log", 1) };
    serve(move |service| {
        // The workers share one pool, as those of the real server do.
        static POOL: std::sync::OnceLock<PgPool> = std::sync::OnceLock::new();
        let pool = POOL.get_or_init(|| {
            let options = PgPoolOptions::new().max_connections(POOL_CONNECTIONS);
            options.connect_lazy(&database).unwrap_or_else(|error| panic!("DATABASE_URL: {error}"))
        });
        let statement = web::Data::new(statement.clone());
        service
            .app_data(web::Data::new(pool.clone()))
            .app_data(statement)
            .route("/telemetry", web::post().to(insert));
    })
}

async fn insert(body: web::Bytes, pool: web::Data<PgPool>, statement: web::Data<String>) -> HttpResponse {
    let Ok(event) = serde_json::from_slice::<RawEvent<'_>>(&body) else {
        return HttpResponse::BadRequest().finish();
    };
    let text = |value: Scalar<'_>| value.into_text().map(std::borrow::Cow::into_owned);
    let number = |value: Scalar<'_>| value.to_integer();
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.get_ref().clone()))
        .bind(text(event.random_id))
        .bind(text(event.execution_id))
        .bind(text(event.kind))
        .bind(text(event.nsapp))
        .bind(text(event.status))
        .bind(number(event.ct_type))
        .bind(number(event.disk_size))
        .bind(number(event.core_count))
        .bind(number(event.ram_size))
        .bind(text(event.os_type))
        .bind(text(event.os_version))
        .bind(text(event.pve_version))
        .bind(text(event.method))
        .bind(number(event.exit_code))
        .bind(text(event.error))
        .bind(text(event.error_category))
        .bind(number(event.install_duration))
        .bind(text(event.cpu_vendor))
        .bind(text(event.cpu_model))
        .bind(text(event.gpu_vendor))
        .bind(text(event.gpu_model))
        .bind(text(event.ram_speed))
        .bind(text(event.repo_source))
        .bind(text(event.repo_slug))
        .execute(pool.get_ref())
        .await;
    match done {
        Ok(_) => HttpResponse::Ok().content_type("application/json").body(ACCEPTED),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

/// Creates the database of the naive servers.
pub(crate) fn create_database(url: &str, name: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await?;
        connection.close().await?;
        let mut connection = PgConnection::connect(&url.replacen("/telemetry?", &format!("/{name}?"), 1)).await?;
        connection
            .execute(
                "create table event (execution_id text primary key, random_id text, type text, nsapp text, status text, ct_type integer, disk_size integer,
                    core_count integer, ram_size integer, os_type text, os_version text, pve_version text,
                    method text, exit_code integer, error text, error_category text, install_duration integer,
                    cpu_vendor text, cpu_model text, gpu_vendor text, gpu_model text, ram_speed text,
                    repo_source text, repo_slug text, created timestamptz not null default now(),
                    updated timestamptz not null default now())",
            )
            .await?;
        connection
            .execute(
                "create table log (like event including defaults);
                 alter table log add id bigint generated always as identity primary key",
            )
            .await?;
        // The real table has these indexes as well.
        connection.execute("create index on event (random_id)").await?;
        connection.execute("create index on event (created)").await?;
        connection.close().await?;
        Ok(())
    })
}

fn serve(routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let routes = routes.clone();
        HttpServer::new(move || App::new().configure(routes.clone()))
            .backlog(BACKLOG)
            .listen(listener)?
            .run()
            .await
    })?;
    Ok(())
}
