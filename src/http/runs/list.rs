//! `/api/records`: executions by page, by cursor or as an export.

#![allow(unused_qualifications, reason = "utoipa generates the paths")]

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::expose::execution_view::{Record, Records};
use crate::http::error::ApiError;
use crate::http::reply::answer::{json, lifetime};
use crate::http::reply::described::CachedResponses;
use crate::http::reply::export::{Selection, stream};
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::{FilterParameters, ListParameters, set, text};
use crate::http::request::reasons::{blame, category, reason_id, signature_id};
use crate::state::AppState;
use crate::store::read::known::Shown;
use crate::store::read::records::{Choice, Order, Position, Start, Total};
use crate::store::read::snapshot::Snapshot;

/// Default length of a page.
const DEFAULT_LIMIT: i64 = 50;
/// Largest length of a page.
const MAX_LIMIT: i64 = 100;
/// Largest number of executions before a page, unless whole days can be skipped.
const MAX_OFFSET: i64 = 10_000;
/// Largest number of a page.
const MAX_PAGE: i64 = 1_000_000_000;
/// Largest number of applications that a search may find.
const MAX_FOUND: i64 = 1_000;

/// Filters of a list of executions, its order, and the page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RecordParameters {
    /// Number of the page, from 1 (default).
    pub(in crate::http) page: Option<String>,
    /// Length of the page, 1 to 100; default 50.
    pub(in crate::http) limit: Option<String>,
    /// Outcome of the run: `success`, `failed`, `blocked`, `aborted`, `installing` (still running, at any step) or
    /// `unfinished` (it never reported an outcome).
    pub(in crate::http) status: Option<String>,
    /// Application, exact name.
    pub(in crate::http) app: Option<String>,
    /// Applications whose name contains this text.
    pub(in crate::http) search: Option<String>,
    /// Operating system of the guest.
    pub(in crate::http) os: Option<String>,
    /// Its version.
    pub(in crate::http) os_version: Option<String>,
    /// Id of a signature, 16 hexadecimal digits.
    pub(in crate::http) signature: Option<String>,
    /// Id of a reason, as in `/api/reasons`.
    pub(in crate::http) reason: Option<String>,
    /// Category of the reason, such as `dns`.
    pub(in crate::http) category: Option<String>,
    /// The side that has to act: `script`, `upstream`, `host`, `user` or `unknown`.
    pub(in crate::http) blame: Option<String>,
    /// Exit code, 0 to 255.
    pub(in crate::http) exit_code: Option<String>,
    /// Version of Proxmox VE.
    pub(in crate::http) pve_version: Option<String>,
    /// Architecture, such as `amd64`.
    pub(in crate::http) arch: Option<String>,
    /// Method of the installation, such as `default`.
    pub(in crate::http) method: Option<String>,
    /// `created`, `-created` (default), `app` or `-app`.
    pub(in crate::http) sort: Option<String>,
    /// `next_cursor` of the previous page, instead of `page`.
    pub(in crate::http) cursor: Option<String>,
}

/// Executions, newest first
///
/// All stored facts but the ids. Without a token, texts, hardware models and the versions of application and kernel
/// are `null`, and names that few sessions have are `(rare)`. With `format=csv` or `format=ndjson` the answer is an export of all executions that
/// match the filters.
#[utoipa::path(
    get,
    path = "/api/records",
    operation_id = "records",
    tag = "executions",
    security((), ("token" = [])),
    params(FilterParameters, RecordParameters, ListParameters),
    responses((status = 200, description = "A page of executions, or an export", body = Records), CachedResponses)
)]
pub async fn list(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let filter = request.filter_of_all_time()?;
    let parameters: RecordParameters = request.parameters()?;
    let paging = parameters.paging(DEFAULT_LIMIT, MAX_LIMIT)?;
    let choice = parameters.choice(&request.state)?;
    let search = text("search", parameters.search)?;
    if let Some(format) = request.format()? {
        let mut snapshot = Snapshot::open(&request.state.read_pool, &filter, request.view).await?;
        let choice = with_found_apps(&mut snapshot, choice, search.as_deref()).await?;
        snapshot.close().await?;
        let selection = Selection { filter, choice, order: paging.order, view: request.view };
        let row =
            |_: &AppState, run: &_, selection: &Selection| Record::of(run, selection.choice.running_since);
        return stream(request.http(), &request.state, selection, "records", format, row).await;
    }
    let key = (&paging, choice.clone(), &search);
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        let as_of = snapshot.as_of().await?;
        let choice = with_found_apps(snapshot, choice, search.as_deref()).await?;
        let Page { total, records, next } = page(snapshot, &choice, &paging).await?;
        let records = Records {
            as_of,
            records: records.iter().map(|run| Record::of(run, choice.running_since)).collect(),
            page: paging.page,
            limit: paging.limit,
            total: total.runs,
            total_is_exact: total.is_exact(),
            total_pages: (total.runs + paging.limit - 1) / paging.limit,
            next_cursor: next,
        };
        json(&records, lifetime(state, &filter))
    };
    request.cached(&filter, key, read).await
}

/// Position and length of a page.
#[derive(Clone, Debug)]
pub struct Paging {
    /// Number of the page; `None` with a cursor.
    pub page: Option<i64>,
    /// Length of the page.
    pub limit: i64,
    /// Order of the list.
    pub order: Order,
    start: Start,
}

/// A page of executions.
pub struct Page {
    /// Number of executions on all pages.
    pub total: Total,
    /// The executions.
    pub records: Vec<Shown>,
    /// Cursor of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// Reads a page.
///
/// # Errors
/// [`ApiError::BadParameter`] for a page that cannot be reached by its number.
pub async fn page(snapshot: &mut Snapshot<'_>, choice: &Choice, paging: &Paging) -> Result<Page, ApiError> {
    let total = snapshot.total(choice).await?;
    let by_day = total.is_by_day() && matches!(paging.order, Order::Newest | Order::Oldest);
    if !by_day && matches!(paging.start, Start::Offset(offset) if offset > MAX_OFFSET) {
        let reason = "is too far for this order and filter; follow next_cursor";
        return Err(ApiError::BadParameter { name: "page", reason });
    }
    // One more record shows whether there is another page.
    let limit = paging.limit + 1;
    let mut records = snapshot.records(choice, paging.order, &paging.start, limit, Some(&total)).await?;
    let has_more = records.len() as i64 == limit;
    records.truncate(paging.limit as usize);
    let last = records.last().filter(|_| has_more);
    let next = last.map(|run| write_cursor(paging.order, &Position::of(&run.execution)));
    Ok(Page { total, records, next })
}

/// Restricts a choice to the applications that a search finds.
///
/// # Errors
/// [`ApiError::BadParameter`] if it finds too many.
pub async fn with_found_apps(
    snapshot: &mut Snapshot<'_>,
    choice: Choice,
    search: Option<&str>,
) -> Result<Choice, ApiError> {
    let Some(search) = search else { return Ok(choice) };
    let mut apps = snapshot.find_apps(&search.trim().to_lowercase(), MAX_FOUND + 1).await?;
    if apps.len() as i64 > MAX_FOUND {
        let reason = "matches more than 1000 applications";
        return Err(ApiError::BadParameter { name: "search", reason });
    }
    if let Some(chosen) = &choice.apps {
        apps.retain(|app| chosen.contains(app));
    }
    Ok(Choice { apps: Some(apps), ..choice })
}

impl RecordParameters {
    /// The filters besides the common ones and `search`.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn choice(&self, state: &AppState) -> Result<Choice, ApiError> {
        Ok(Choice {
            outcome: set(self.status.clone()).map(|status| outcome(&status)).transpose()?.flatten(),
            apps: text("app", self.app.clone())?.map(|app| vec![app.trim().to_lowercase()]),
            os: text("os", self.os.clone())?
                .filter(|os| os != "all")
                .map(|os| vec![os.trim().to_lowercase()]),
            os_version: text("os_version", self.os_version.clone())?,
            pve_version: text("pve_version", self.pve_version.clone())?,
            arch: text("arch", self.arch.clone())?.map(|arch| arch.to_lowercase()),
            method: text("method", self.method.clone())?.map(|method| method.to_lowercase()),
            exit_code: set(self.exit_code.clone()).map(|code| exit_code(&code)).transpose()?,
            signature: set(self.signature.clone()).map(|id| signature_id("signature", &id)).transpose()?,
            reason: set(self.reason.clone()).map(|id| reason_id(&id)).transpose()?,
            category: set(self.category.clone()).map(|word| category(&word)).transpose()?,
            blame: set(self.blame.clone()).map(|word| blame(&word)).transpose()?,
            running_since: state.running_since(Utc::now()),
        })
    }

    /// Position and length of the page.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn paging(&self, default_limit: i64, max_limit: i64) -> Result<Paging, ApiError> {
        let bad = |name, reason| ApiError::BadParameter { name, reason };
        let limit = set(self.limit.clone()).map_or(Ok(default_limit), |text| text.parse());
        let limit = limit.ok().filter(|limit| (1..=max_limit).contains(limit));
        let limit = limit.ok_or(bad(
            "limit",
            if max_limit == MAX_LIMIT {
                "must be a whole number from 1 to 100"
            } else {
                "must be a whole number from 1 to 1000"
            },
        ))?;
        let page = set(self.page.clone()).map_or(Ok(1), |text| text.parse::<i64>());
        let page = page.ok().filter(|page| (1..=MAX_PAGE).contains(page));
        let page = page.ok_or(bad("page", "must be a whole number from 1 to 1000000000"))?;
        let order = match set(self.sort.clone()).as_deref() {
            None | Some("-created" | "-first_seen" | "-created_at") => Order::Newest,
            Some("created" | "first_seen" | "created_at") => Order::Oldest,
            Some("app" | "nsapp") => Order::App,
            Some("-app" | "-nsapp") => Order::AppDescending,
            Some(_) => return Err(bad("sort", "must be created, -created, app or -app")),
        };
        let Some(cursor) = set(self.cursor.clone()) else {
            return Ok(Paging { page: Some(page), limit, order, start: Start::Offset((page - 1) * limit) });
        };
        let (written, position) = read_cursor(&cursor).ok_or(bad("cursor", "must be a next_cursor"))?;
        if self.sort.is_some() && written != order {
            return Err(bad("cursor", "belongs to another order than `sort`"));
        }
        Ok(Paging { page: None, limit, order: written, start: Start::Behind(position) })
    }
}

fn exit_code(code: &str) -> Result<i32, ApiError> {
    let reason = "must be a whole number from 0 to 255";
    let code = code.parse::<u8>().map_err(|_| ApiError::BadParameter { name: "exit_code", reason });
    code.map(i32::from)
}

/// The outcome with this name; `None` for all.
fn outcome(status: &str) -> Result<Option<&'static str>, ApiError> {
    Ok(Some(match status {
        "all" => return Ok(None),
        "success" | "done" => "success",
        "failed" => "failed",
        "blocked" => "blocked",
        "aborted" => "aborted",
        "installing" | "validation" | "configuring" => "installing",
        "unfinished" | "unknown" => "unfinished",
        _ => {
            let reason = "must be success, failed, blocked, aborted, installing, unfinished or all";
            return Err(ApiError::BadParameter { name: "status", reason });
        }
    }))
}

const ORDERS: [(char, Order); 4] =
    [('n', Order::Newest), ('o', Order::Oldest), ('a', Order::App), ('d', Order::AppDescending)];

/// Encodes an order and the position of the last record of a page.
fn write_cursor(order: Order, Position { app, first_seen, key }: &Position) -> String {
    let letter = ORDERS.iter().find(|(_, known)| *known == order).map_or('n', |(letter, _)| *letter);
    let app: String = match order {
        Order::Newest | Order::Oldest => String::new(),
        Order::App | Order::AppDescending => app.bytes().map(|byte| format!("{byte:02x}")).collect(),
    };
    format!("{letter}{:x}-{}-{app}", first_seen.timestamp_micros(), key.simple())
}

/// Decodes a cursor; `None` if it is not valid.
fn read_cursor(cursor: &str) -> Option<(Order, Position)> {
    let letter = cursor.chars().next()?;
    let (_, order) = ORDERS.iter().find(|(known, _)| *known == letter)?;
    let mut parts = cursor.strip_prefix(letter)?.splitn(3, '-');
    let first_seen = DateTime::from_timestamp_micros(i64::from_str_radix(parts.next()?, 16).ok()?)?;
    let years = DateTime::UNIX_EPOCH..DateTime::from_timestamp_secs(7_258_118_400)?;
    let key = Uuid::try_parse(parts.next()?).ok()?;
    let app = parts.next()?.as_bytes();
    let bytes = app.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let app = String::from_utf8(bytes.collect::<Option<Vec<_>>>()?).ok()?;
    let is_whole = years.contains(&first_seen) && !app.contains('\0');
    is_whole.then_some((*order, Position { app, first_seen, key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_position() {
        let first_seen = DateTime::from_timestamp_micros(1_771_234_567_890_123).expect("a time");
        for (_, order) in ORDERS {
            let app = if matches!(order, Order::App | Order::AppDescending) { "über-app" } else { "" };
            let position = Position { app: app.to_owned(), first_seen, key: Uuid::from_u128(7) };
            let cursor = write_cursor(order, &position);
            assert!(cursor.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{cursor}");
            assert_eq!(read_cursor(&cursor), Some((order, position)));
        }
        for cursor in
            ["", "n", "n-", "x1-0-", "nffffffffffffffff-0-", "n1-00000000000000000000000000000007-zz", "é"]
        {
            assert_eq!(read_cursor(cursor), None, "{cursor}");
        }
    }

    #[test]
    fn outcomes_have_their_documented_names() {
        assert_eq!(outcome("done").ok(), Some(Some("success")));
        assert_eq!(outcome("all").ok(), Some(None));
        assert!(outcome("exploded").is_err());
    }
}
