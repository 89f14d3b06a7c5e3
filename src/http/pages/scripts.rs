//! `/scripts`.

use actix_web::HttpResponse;
use serde::Deserialize;

use crate::http::aggregates::scripts::{Listed, read};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::text;
use crate::page::scripts::{LENGTH, ORDERS, PARAMETERS, ScriptList, scripts};
use crate::state::AppState;
use crate::store::read::snapshot::Snapshot;

#[derive(Debug, Deserialize)]
struct Parameters {
    search: Option<String>,
    tab: Option<String>,
}

/// The table of scripts.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let Parameters { search, tab } = request.parameters()?;
    let tab = tab.as_deref().unwrap_or_default();
    let order = ORDERS.into_iter().find(|(_, value, ..)| *value == tab).map(|(.., order)| order);
    let order =
        order.ok_or(ApiError::BadParameter { name: "tab", reason: "must be failures, rate or name" })?;
    let search = text("search", search)?.map(|text| text.trim().to_lowercase());
    let listed = Listed { search, order, length: LENGTH };
    let read = async |state: &AppState, snapshot: &mut Snapshot<'_>| {
        Ok(ScriptList { scripts: read(state, snapshot, &listed).await?, order })
    };
    request.page(&PARAMETERS, &request.filter()?, &listed, read, scripts).await
}
