//! `/failures`.

use actix_web::HttpResponse;
use serde::Deserialize;

use crate::http::aggregates::{days_shown, signatures};
use crate::http::error::ApiError;
use crate::http::reply::read_request::ReadRequest;
use crate::http::request::parameters::set;
use crate::http::request::reasons::{blame, category, reason_id};
use crate::page::failures::{Failures, LENGTH, PARAMETERS, Tab, failures};
use crate::page::reason::new_since;
use crate::state::AppState;
use crate::store::read::signatures::{BLOCKED, FAILED, SignatureChoice, SignatureOrder};
use crate::store::read::snapshot::Snapshot;

/// Rows among which rising ones are searched.
const MOST: i64 = 200;

#[derive(Debug, Deserialize)]
struct Parameters {
    tab: Option<String>,
    blame: Option<String>,
    category: Option<String>,
    reason: Option<String>,
}

impl Parameters {
    fn tab(&self) -> Result<Tab, ApiError> {
        let value = self.tab.as_deref().unwrap_or_default();
        let tab = Tab::ALL.into_iter().find(|(_, known, _)| *known == value).map(|(_, _, tab)| tab);
        tab.ok_or(ApiError::BadParameter { name: "tab", reason: "must be new, rising, blocked or ignored" })
    }
}

/// The list of reasons.
///
/// # Errors
/// [`ApiError::BadParameter`], or any error from the database.
pub async fn show(request: ReadRequest) -> Result<HttpResponse, ApiError> {
    let (filter, today) = (request.filter()?, request.today);
    let parameters: Parameters = request.parameters()?;
    let tab = parameters.tab()?;
    let order = if tab == Tab::New { SignatureOrder::Created } else { SignatureOrder::Priority };
    let choice = SignatureChoice {
        outcomes: if tab == Tab::Blocked { BLOCKED } else { FAILED },
        new_since: (tab == Tab::New).then(|| new_since(today)),
        reason: set(parameters.reason).map(|id| reason_id(&id)).transpose()?,
        category: set(parameters.category).map(|word| category(&word)).transpose()?,
        blame: set(parameters.blame).map(|word| blame(&word)).transpose()?,
        state: (tab == Tab::Ignored).then_some("ignored"),
        with_ignored: tab == Tab::Ignored,
        order,
        today,
    };
    let length = if tab == Tab::Rising { MOST } else { LENGTH };
    let read = async |_: &AppState, snapshot: &mut Snapshot<'_>| {
        let signatures = signatures::read_list(snapshot, &choice, length).await?;
        let first = match snapshot.filter.from {
            Some(_) => None,
            None => snapshot.history().await?.first_day,
        };
        let days = days_shown(&snapshot.filter, signatures.as_of, first);
        Ok(Failures { signatures, tab, days })
    };
    request.page(&PARAMETERS, &filter, (), read, failures).await
}
