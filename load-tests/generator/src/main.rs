//! The load generator: [goose](https://book.goose.rs) users that play the scenarios of
//! `load-tests/README.md`. All flags are those of goose.
//!
//! If `LOAD_SUMMARY` is set, a summary of the accepted and the refused events is written to that file,
//! because goose's percentiles mix accepted events with the fast refusals of an overloaded server.

/// The events of the benchmarks. The file is included, so that this package does not depend on the server.
#[allow(dead_code, reason = "the benchmarks use all of it")]
#[path = "../../src/events.rs"]
mod events;
mod hostile;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use goose::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use events::{Run, Stage};

const PATH: &str = "/telemetry";
/// Attempts of a client to send one event.
const TRIES: usize = 4;
/// Number of pieces in which a slow client sends a body.
const PIECES: usize = 10;
/// Pause of a slow client between two pieces.
const SLOWNESS: Duration = Duration::from_millis(200);

/// Accepted events by milliseconds. The last entry counts all slower ones.
static ACCEPTED: [AtomicU64; 10_001] = [const { AtomicU64::new(0) }; 10_001];
static REFUSED: AtomicU64 = AtomicU64::new(0);
static REFUSED_SLOWEST: AtomicU64 = AtomicU64::new(0);
static WITHOUT_RETRY_AFTER: AtomicU64 = AtomicU64::new(0);
static OTHER: AtomicU64 = AtomicU64::new(0);

#[tokio::main]
async fn main() -> Result<(), GooseError> {
    let pause = (Duration::from_millis(500), Duration::from_secs(2));
    let begun = Instant::now();
    GooseAttack::initialize()?
        .register_scenario(
            scenario!("steady")
                .register_transaction(transaction!(install))
                .set_wait_time(pause.0, pause.1)?,
        )
        .register_scenario(scenario!("burst").register_transaction(transaction!(release)))
        .register_scenario(scenario!("retry").register_transaction(transaction!(storm)))
        .register_scenario(scenario!("slow").register_transaction(transaction!(slow_client)))
        .register_scenario(scenario!("hostile").register_transaction(transaction!(hostile_ids)))
        .execute()
        .await?;
    summarise(begun.elapsed());
    Ok(())
}

/// Installs a random script and reports every step.
async fn install(user: &mut GooseUser) -> TransactionResult {
    let run = Run::any();
    for stage in [Stage::Start, Stage::Validation, Stage::Configuring, Stage::End] {
        send(user, run.body(stage)).await?;
    }
    Ok(())
}

/// Installs the one script that everybody installs, without waiting.
async fn release(user: &mut GooseUser) -> TransactionResult {
    let run = Run::of("just-released");
    send(user, run.body(Stage::Start)).await?;
    send(user, run.body(Stage::End)).await?;
    Ok(())
}

/// Sends one event several times at once, whatever the response.
async fn storm(user: &mut GooseUser) -> TransactionResult {
    let body = Run::any().body(Stage::End);
    for _ in 0..TRIES {
        send(user, body.clone()).await?;
    }
    Ok(())
}

/// Sends a body slowly.
async fn slow_client(user: &mut GooseUser) -> TransactionResult {
    let body = Run::any().body(Stage::Start);
    let address = format!(
        "{}:{}",
        user.base_url.host_str().unwrap_or("127.0.0.1"),
        user.base_url.port_or_known_default().unwrap_or(80)
    );
    let begun = Instant::now();
    let answered = async {
        let mut connection = TcpStream::connect(address).await?;
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: load\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await?;
        for piece in body.as_bytes().chunks(body.len().div_ceil(PIECES)) {
            tokio::time::sleep(SLOWNESS).await;
            connection.write_all(piece).await?;
        }
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match answered.await {
        Ok(answer) => {
            let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            let trickled = SLOWNESS * u32::try_from(PIECES).unwrap_or(1);
            count(
                status,
                begun.elapsed().saturating_sub(trickled),
                answer.to_lowercase().contains("retry-after"),
            );
        }
        Err(_) => count(0, begun.elapsed(), false),
    }
    Ok(())
}

/// Sends ids that are too long, empty, forged or malformed.
async fn hostile_ids(user: &mut GooseUser) -> TransactionResult {
    send(user, hostile::body()).await
}

async fn send(user: &mut GooseUser, body: String) -> TransactionResult {
    let begun = Instant::now();
    let builder = user.get_request_builder(&GooseMethod::Post, PATH)?;
    let builder = builder.header("content-type", "application/json").body(body);
    let request =
        GooseRequest::builder().method(GooseMethod::Post).path(PATH).set_request_builder(builder).build();
    let answer = user.request(request).await?;
    match answer.response {
        Ok(response) => {
            let status = response.status().as_u16();
            let has_retry_after = response.headers().contains_key("retry-after");
            let _ = response.bytes().await;
            count(status, begun.elapsed(), has_retry_after);
        }
        Err(_) => count(0, begun.elapsed(), false),
    }
    Ok(())
}

fn count(status: u16, took: Duration, has_retry_after: bool) {
    let milliseconds = took.as_millis() as u64;
    match status {
        200 => {
            let place = usize::try_from(milliseconds).unwrap_or(usize::MAX).min(ACCEPTED.len() - 1);
            ACCEPTED[place].fetch_add(1, Ordering::Relaxed);
        }
        429 | 503 => {
            REFUSED.fetch_add(1, Ordering::Relaxed);
            REFUSED_SLOWEST.fetch_max(milliseconds, Ordering::Relaxed);
            if !has_retry_after {
                WITHOUT_RETRY_AFTER.fetch_add(1, Ordering::Relaxed);
            }
        }
        _ => {
            OTHER.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn summarise(took: Duration) {
    let counts: Vec<_> = ACCEPTED.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    let accepted: u64 = counts.iter().sum();
    let quantile = |share: f64| {
        let wanted = (accepted as f64 * share).ceil() as u64;
        let mut so_far = 0;
        counts.iter().position(|count| {
            so_far += count;
            so_far >= wanted.max(1)
        })
    };
    let summary = serde_json::json!({
        "seconds": took.as_secs_f64(),
        "accepted": accepted,
        "accepted_per_second": accepted as f64 / took.as_secs_f64(),
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
        "refused": REFUSED.load(Ordering::Relaxed),
        "refused_slowest_ms": REFUSED_SLOWEST.load(Ordering::Relaxed),
        "refused_without_retry_after": WITHOUT_RETRY_AFTER.load(Ordering::Relaxed),
        "other": OTHER.load(Ordering::Relaxed),
    });
    if let Some(file) = std::env::var_os("LOAD_SUMMARY") {
        let _ = std::fs::write(file, format!("{summary:#}\n"));
    }
}
