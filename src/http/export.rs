//! Executions as a stream, however many: page after page, each as it is asked for by whoever reads.
//!
//! No query stays open between two pages, so a slow reader holds neither a connection nor a
//! snapshot, and memory holds one page. What is reported meanwhile may or may not be in it.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Bytes;
use futures_util::stream::try_unfold;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::expose::table::{Format, table};
use crate::http::answer::attachment;
use crate::http::error::ApiError;
use crate::ingest::execution::Execution;
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::models::CommonModels;
use crate::store::read::records::{Choice, Order, Position, Start};
use crate::store::read::snapshot::Snapshot;

/// Executions in a page.
const PAGE: i64 = 1_000;

/// Which executions, and in which order.
#[derive(Debug)]
pub struct Wanted {
    /// By common filters.
    pub filter: Filter,
    /// By others.
    pub choice: Choice,
    /// The order.
    pub order: Order,
    /// Models of hardware that may be shown.
    pub models: Arc<CommonModels>,
}

/// Where an export stands.
struct Progress<T> {
    state: AppState,
    wanted: Wanted,
    format: Format,
    row: fn(&AppState, &Execution, &Wanted) -> T,
    start: Start,
    _permit: OwnedSemaphorePermit,
}

/// Streams everything that is wanted, each execution as `row` shows it.
///
/// # Errors
/// [`ApiError::TooManyExports`], and what the first page says.
pub async fn stream<T: Serialize + 'static>(
    state: &AppState,
    wanted: Wanted,
    name: &str,
    format: Format,
    row: fn(&AppState, &Execution, &Wanted) -> T,
) -> Result<HttpResponse, ApiError> {
    let permit = Arc::clone(&state.exports).try_acquire_owned().map_err(|_| ApiError::TooManyExports)?;
    let mut response = HttpResponse::Ok();
    response.content_type(format.content_type()).insert_header((CACHE_CONTROL, "no-store"));
    if let Some(disposition) = attachment(name, format) {
        response.insert_header((CONTENT_DISPOSITION, disposition));
    }
    let begin =
        Progress { state: state.clone(), wanted, format, row, start: Start::Offset(0), _permit: permit };
    // The first page before the status, so that an error still is one.
    let first = next_apart(Some(begin)).await?;
    let pages = try_unfold(Unfolding::Made(first), |unfolding| async {
        let made = match unfolding {
            Unfolding::Made(page) => page,
            Unfolding::Next(progress) => next_apart(progress).await?,
        };
        Ok::<_, ApiError>(made.map(|(page, progress)| (page, Unfolding::Next(progress))))
    });
    Ok(response.streaming(pages))
}

/// What the stream gives next: a page that is there already, or the one after it.
enum Unfolding<T> {
    Made(Made<T>),
    Next(Option<Progress<T>>),
}

/// A page and how it goes on; `None` at the end.
type Made<T> = Option<(Bytes, Option<Progress<T>>)>;

/// The next page, made on a thread that reads.
async fn next_apart<T: Serialize + 'static>(progress: Option<Progress<T>>) -> Result<Made<T>, ApiError> {
    let Some(progress) = progress else { return Ok(None) };
    let readers = progress.state.readers.clone();
    readers.apart(move || next(progress)).await.unwrap_or(Err(ApiError::Internal))
}

async fn next<T: Serialize>(mut progress: Progress<T>) -> Result<Made<T>, ApiError> {
    let Wanted { filter, choice, order, .. } = &progress.wanted;
    let mut snapshot = Snapshot::open(&progress.state.readers, filter).await?;
    let executions = snapshot.records(choice, *order, &progress.start, PAGE, None).await?;
    snapshot.close().await?;
    let Some(last) = executions.last().map(Position::of) else { return Ok(None) };
    let is_last = (executions.len() as i64) < PAGE;
    let rows: Vec<_> =
        executions.iter().map(|run| (progress.row)(&progress.state, run, &progress.wanted)).collect();
    let is_first = matches!(progress.start, Start::Offset(_));
    let page = table(&rows, progress.format, is_first).map_err(|_| ApiError::Internal)?;
    progress.start = Start::Behind(last);
    Ok(Some((page.into(), (!is_last).then_some(progress))))
}
