//! `POST /admin/issues`: an issue on GitHub for a way to fail, once.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::github::{Draft, GitHubError, Opened, draft, open};
use crate::http::admin::Operator;
use crate::http::error::ApiError;
use crate::state::AppState;
use crate::store::read::report::{Claim, claim_issue, of_signature, settle_claim};

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// 16 hexadecimal digits.
    signature: String,
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum Answer {
    /// There is no GitHub in the configuration.
    Prepared(Draft),
    Opened(Opened),
    /// It was open before.
    Exists(Opened),
}

/// Opens the issue of a signature: 201. If there is one already: 200 with its number. Without a token for
/// GitHub: 200 with title and body.
///
/// # Errors
/// [`ApiError`]: 404 for an unknown signature, 409 while somebody else opens it, 502 if GitHub does not.
pub async fn create(
    _: Operator,
    wanted: web::Json<Wanted>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let bad = ApiError::BadParameter { name: "signature", reason: "must be 16 hexadecimal digits" };
    let digits = Some(wanted.signature.as_str()).filter(|digits| digits.len() == 16);
    let signature = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).ok_or(bad)?.cast_signed();
    let evidence = of_signature(&state.read_pool, signature, Utc::now().date_naive()).await?;
    let draft = draft(signature, &evidence.ok_or(ApiError::UnknownSignature)?);
    let Some(github) = state.github.as_deref() else {
        return Ok(answer(StatusCode::OK, &Answer::Prepared(draft)));
    };
    match claim_issue(&state.delete_pool, signature, &github.repository).await? {
        Claim::Open { number, url } => Ok(answer(StatusCode::OK, &Answer::Exists(Opened { number, url }))),
        Claim::Theirs => Err(ApiError::IssueInProgress),
        Claim::Ours => {
            let opened = open(github, &draft).await;
            let settled = match &opened {
                Ok(opened) => Some(Some((opened.number, opened.url.as_str()))),
                Err(GitHubError::Refused) => Some(None),
                // It may be open: the claim stays until it lapses.
                Err(GitHubError::Silent) => None,
            };
            if let Some(settled) = settled {
                settle_claim(&state.delete_pool, signature, &github.repository, settled).await?;
            }
            let opened = opened.map_err(|error| {
                tracing::warn!(%error, "no issue opened");
                ApiError::GitHub
            })?;
            Ok(answer(StatusCode::CREATED, &Answer::Opened(opened)))
        }
    }
}

fn answer(status: StatusCode, answer: &Answer) -> HttpResponse {
    HttpResponse::build(status).insert_header((CACHE_CONTROL, "no-store")).json(answer)
}
