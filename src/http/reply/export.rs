//! Executions as a stream of any length, read page by page as the client consumes it.
//!
//! No query stays open between two pages, so a slow client holds neither a connection nor a snapshot, and memory
//! holds one page. A client that reads too slowly is disconnected, because the number of exports is limited. An
//! execution that is reported during an export may or may not be part of it.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::TryStreamExt;
use futures_util::stream::{self, try_unfold};
use serde::Serialize;

use crate::connections::{Connection, Reader};
use crate::expose::table::{Format, table};
use crate::http::error::ApiError;
use crate::http::reply::answer::attachment;
use crate::http::request::guard::address_of;
use crate::limit::places::Place;
use crate::state::AppState;
use crate::store::read::filter::Filter;
use crate::store::read::known::Shown;
use crate::store::read::records::{Choice, Order, Position, Start};
use crate::store::read::snapshot::Snapshot;
use crate::store::read::view::View;

/// Executions in a page.
const PAGE: i64 = 1_000;
/// Bytes that a client must read before its next deadline.
const PART: usize = 64 << 10;

/// Which executions are exported, and in which order.
#[derive(Debug)]
pub struct Selection {
    /// The common filters.
    pub filter: Filter,
    /// The filters of lists of executions.
    pub choice: Choice,
    /// The order.
    pub order: Order,
    /// What the request may see.
    pub view: View,
}

/// An export that is not complete.
struct Progress<T> {
    state: AppState,
    selection: Selection,
    format: Format,
    row: fn(&AppState, &Shown, &Selection) -> T,
    start: Start,
    reader: Option<Reader>,
    _place: Place,
}

/// A page, and the rest of the export unless this was the last one.
type Page<T> = (Bytes, Option<Progress<T>>);

/// The next item of the stream: the page that was read before the status was sent, or one that is still to be read.
enum Next<T> {
    Read(Page<T>),
    Unread(Progress<T>),
}

/// Streams all selected executions, each as `row` shows it, as the answer to `request`.
///
/// # Errors
/// [`ApiError::TooManyExports`], or an error of the first page.
pub async fn stream<T: Serialize + 'static>(
    request: &HttpRequest,
    state: &AppState,
    selection: Selection,
    name: &str,
    format: Format,
    row: fn(&AppState, &Shown, &Selection) -> T,
) -> Result<HttpResponse, ApiError> {
    let place = state.exports.take(&address_of(request, state)).ok_or(ApiError::TooManyExports)?;
    let reader = request.conn_data::<Connection>().map(Connection::reader);
    let mut response = HttpResponse::Ok();
    response.content_type(format.content_type()).insert_header((CACHE_CONTROL, "no-store"));
    if let Some(disposition) = attachment(name, format) {
        response.insert_header((CONTENT_DISPOSITION, disposition));
    }
    let start = Start::Offset(0);
    let progress = Progress {
        state: state.clone(),
        selection,
        format,
        row,
        start,
        reader: reader.clone(),
        _place: place,
    };
    // The first page is read before the status is sent, so that its error still becomes an error response.
    let first = read_page(progress).await?.map(Next::Read);
    let pages = try_unfold(first, |next| async {
        let page = match next {
            None => None,
            Some(Next::Read(page)) => Some(page),
            Some(Next::Unread(progress)) => {
                progress.reader.iter().for_each(Reader::pause);
                read_page(progress).await?
            }
        };
        Ok::<_, ApiError>(page.map(|(bytes, rest)| (bytes, rest.map(Next::Unread))))
    });
    let parts = pages.map_ok(|page: Bytes| {
        let starts = (0..page.len()).step_by(PART);
        stream::iter(
            starts.map(move |start| Ok::<_, ApiError>(page.slice(start..page.len().min(start + PART)))),
        )
    });
    let parts = parts.try_flatten().inspect_ok(move |bytes: &Bytes| {
        if let Some(reader) = &reader {
            reader.expect(bytes.len() as u64);
        }
    });
    Ok(response.streaming(parts))
}

/// The next page; `None` if there are no more executions.
async fn read_page<T: Serialize>(mut progress: Progress<T>) -> Result<Option<Page<T>>, ApiError> {
    let Selection { filter, choice, order, view } = &progress.selection;
    let mut snapshot = Snapshot::open(&progress.state.read_pool, filter, *view).await?;
    let executions = snapshot.records(choice, *order, &progress.start, PAGE, None).await?;
    snapshot.close().await?;
    let Some(last) = executions.last().map(|run| Position::of(&run.execution)) else { return Ok(None) };
    let is_last = (executions.len() as i64) < PAGE;
    let rows: Vec<_> =
        executions.iter().map(|run| (progress.row)(&progress.state, run, &progress.selection)).collect();
    let is_first = matches!(progress.start, Start::Offset(_));
    let page = table(&rows, progress.format, is_first).map_err(|_| ApiError::Internal)?;
    progress.start = Start::Behind(last);
    Ok(Some((page.into(), (!is_last).then_some(progress))))
}
