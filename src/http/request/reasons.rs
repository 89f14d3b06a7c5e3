//! The parameters that filter by reason.

use telemetry_protocol::reason::{Blame, Category, rule};

use crate::expose::numbers::parse_hexadecimal;
use crate::http::error::ApiError;

/// The id of a signature in the parameter `name`.
///
/// # Errors
/// [`ApiError::BadParameter`] with this name.
pub fn signature_id(name: &'static str, id: &str) -> Result<i64, ApiError> {
    parse_hexadecimal(id).ok_or(ApiError::BadParameter { name, reason: "must be 16 hexadecimal digits" })
}

/// The id of a reason.
///
/// # Errors
/// [`ApiError::BadParameter`] for `reason`.
pub fn reason_id(id: &str) -> Result<&'static str, ApiError> {
    let bad =
        ApiError::BadParameter { name: "reason", reason: "must be the id of a reason, as in /api/reasons" };
    rule(id).map(|rule| rule.id).ok_or(bad)
}

/// A category of reasons.
///
/// # Errors
/// [`ApiError::BadParameter`] for `category`.
pub fn category(word: &str) -> Result<Category, ApiError> {
    let reason = "must be the category of a reason, such as dns; /api/reasons lists them";
    Category::from_word(word).ok_or(ApiError::BadParameter { name: "category", reason })
}

/// The side that has to act.
///
/// # Errors
/// [`ApiError::BadParameter`] for `blame`.
pub fn blame(word: &str) -> Result<Blame, ApiError> {
    let reason = "must be script, upstream, host, user or unknown";
    Blame::from_word(word).ok_or(ApiError::BadParameter { name: "blame", reason })
}
