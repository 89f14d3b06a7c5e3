//! The parameters that all aggregates share.

use chrono::{Days, NaiveDate};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::expose::table::{Format, Lists};
use crate::http::error::ApiError;
use crate::store::read::filter::Filter;

/// Days shown without `days`, `from` or `to`.
const DEFAULT_DAYS: u64 = 30;
/// Longest period in days.
const MAX_DAYS: u64 = 3660;

/// The common filter, as sent. Unknown parameters are ignored.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FilterParameters {
    /// Number of UTC days up to today: 1 is today, 0 is all time, at most 3660. Default: 30 for aggregates,
    /// 0 for lists of executions.
    #[param(example = "30")]
    days: Option<String>,
    /// First UTC day, instead of `days`.
    #[param(example = "2026-01-31")]
    from: Option<String>,
    /// Last UTC day, instead of `days`.
    to: Option<String>,
    /// `ProxmoxVE` (default), `ProxmoxVED`, `external` or `all`.
    repo: Option<String>,
    /// A repository, as `owner/name`.
    slug: Option<String>,
    /// `lxc`, `vm`, `addon`, `pve`, `turnkey` or `all` (default).
    #[serde(rename = "type")]
    kind: Option<String>,
    /// `pve` or `incus`.
    platform: Option<String>,
}

/// The format of an answer with lists.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// `json` (default), or `csv` or `ndjson` for one list of the answer.
    format: Option<String>,
    /// The field whose list is returned as `csv` or `ndjson`. Default: the main list of the answer.
    list: Option<String>,
}

impl ListParameters {
    /// The requested table format; `None` for JSON.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn format(&self) -> Result<Option<Format>, ApiError> {
        match self.format.as_deref() {
            None | Some("" | "json") => Ok(None),
            Some("csv") => Ok(Some(Format::Csv)),
            Some("ndjson") => Ok(Some(Format::Ndjson)),
            Some(_) => Err(ApiError::BadParameter { name: "format", reason: "must be json, csv or ndjson" }),
        }
    }

    /// The requested list and its format; `None` for the whole answer as JSON.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`].
    pub fn check<T: Lists>(&self) -> Result<Option<(&'static str, Format)>, ApiError> {
        let Some(format) = self.format()? else { return Ok(None) };
        let list = match set(self.list.clone()) {
            None => T::NAMES.first(),
            Some(name) => T::NAMES.iter().find(|known| **known == name),
        };
        let bad = ApiError::BadParameter { name: "list", reason: "must name a list of the answer" };
        Ok(Some((list.ok_or(bad)?, format)))
    }
}

impl FilterParameters {
    /// Checks the parameters; `today` is the current UTC day. An empty parameter counts as not set.
    ///
    /// # Errors
    /// [`ApiError::BadParameter`] for the first one that is not valid.
    pub fn check(self, today: NaiveDate) -> Result<Filter, ApiError> {
        self.check_over(today, DEFAULT_DAYS)
    }

    /// Checks the parameters; without dates the filter covers all time.
    ///
    /// # Errors
    /// As [`FilterParameters::check`].
    pub fn check_all(self, today: NaiveDate) -> Result<Filter, ApiError> {
        self.check_over(today, 0)
    }

    fn check_over(self, today: NaiveDate, default_days: u64) -> Result<Filter, ApiError> {
        let (days, from, to) = (set(self.days), set(self.from), set(self.to));
        let (from, to) = match (days, from, to) {
            (days, None, None) => period(days.as_deref(), today, default_days)?,
            (_, from, to) => (date("from", from)?, date("to", to)?),
        };
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            return Err(ApiError::BadParameter { name: "from", reason: "must not be later than `to`" });
        }
        if from.is_some_and(|from| (to.unwrap_or(today) - from).num_days() > MAX_DAYS as i64) {
            return Err(ApiError::BadParameter {
                name: "from",
                reason: "must be at most 3660 days before `to`",
            });
        }
        Ok(Filter {
            from,
            to,
            repo: repo(set(self.repo).as_deref())?.map(str::to_owned),
            slug: text("slug", self.slug)?,
            kind: kind(set(self.kind).as_deref())?.map(str::to_owned),
            platform: text("platform", self.platform)?,
        })
    }
}

/// The parameter, unless it is empty.
pub fn set(parameter: Option<String>) -> Option<String> {
    parameter.filter(|text| !text.is_empty())
}

/// A text to compare with stored texts, which never contain a null character.
///
/// # Errors
/// [`ApiError::BadParameter`] with this name.
pub fn text(name: &'static str, parameter: Option<String>) -> Result<Option<String>, ApiError> {
    match set(parameter) {
        Some(text) if text.contains('\0') => {
            Err(ApiError::BadParameter { name, reason: "must not contain a null character" })
        }
        text => Ok(text),
    }
}

/// `days=1` is today, `days=0` is all time.
fn period(
    days: Option<&str>,
    today: NaiveDate,
    default_days: u64,
) -> Result<(Option<NaiveDate>, Option<NaiveDate>), ApiError> {
    let bad =
        ApiError::BadParameter { name: "days", reason: "must be a whole number from 0 (all time) to 3660" };
    let days = days.map_or(Ok(default_days), |days| days.parse().map_err(|_| bad))?;
    match days {
        0 => Ok((None, None)),
        1..=MAX_DAYS => Ok((today.checked_sub_days(Days::new(days - 1)), Some(today))),
        _ => Err(bad),
    }
}

/// A date between 2000 and 2199.
///
/// # Errors
/// [`ApiError::BadParameter`] with this name.
pub fn date(name: &'static str, text: Option<String>) -> Result<Option<NaiveDate>, ApiError> {
    let years = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or(NaiveDate::MIN)
        ..NaiveDate::from_ymd_opt(2200, 1, 1).unwrap_or(NaiveDate::MAX);
    text.map(|text| {
        let date = text.parse().ok().filter(|date| years.contains(date));
        date.ok_or(ApiError::BadParameter { name, reason: "must be a date like 2026-01-31" })
    })
    .transpose()
}

fn repo(name: Option<&str>) -> Result<Option<&'static str>, ApiError> {
    match name {
        None | Some("ProxmoxVE") => Ok(Some("ProxmoxVE")),
        Some("ProxmoxVED") => Ok(Some("ProxmoxVED")),
        Some("external") => Ok(Some("external")),
        Some("all") => Ok(None),
        Some(_) => Err(ApiError::BadParameter {
            name: "repo",
            reason: "must be ProxmoxVE, ProxmoxVED, external or all",
        }),
    }
}

fn kind(name: Option<&str>) -> Result<Option<&'static str>, ApiError> {
    match name {
        None | Some("all") => Ok(None),
        Some("lxc") => Ok(Some("lxc")),
        Some("vm") => Ok(Some("vm")),
        Some("addon") => Ok(Some("addon")),
        Some("pve") => Ok(Some("pve")),
        Some("turnkey") => Ok(Some("turnkey")),
        Some(_) => Err(ApiError::BadParameter {
            name: "type",
            reason: "must be lxc, vm, addon, pve, turnkey or all",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<Filter, ApiError> {
        let today = NaiveDate::from_ymd_opt(2026, 3, 10).expect("a day");
        let parameters = actix_web::web::Query::<FilterParameters>::from_query(query).expect("a query");
        parameters.into_inner().check(today)
    }

    fn day(text: &str) -> Option<NaiveDate> {
        text.parse().ok()
    }

    #[test]
    fn one_day_is_today_and_none_is_all_time() {
        let filter = check("days=1&unknown=x").expect("valid");
        assert_eq!((filter.from, filter.to), (day("2026-03-10"), day("2026-03-10")));
        assert_eq!(filter.repo.as_deref(), Some("ProxmoxVE"));
        let filter = check("days=0&repo=all").expect("valid");
        assert_eq!((filter.from, filter.to, filter.repo), (None, None, None));
        assert_eq!(check("").expect("valid").from, day("2026-02-09"));
        assert_eq!(check("from=2026-01-01").expect("valid").to, None);
    }

    #[test]
    fn parameters_that_are_not_valid_are_named() {
        for (query, name) in [
            ("days=-1", "days"),
            ("days=4000", "days"),
            ("days=x", "days"),
            ("from=yesterday", "from"),
            ("to=2026-02-30", "to"),
            ("from=+262142-01-01", "from"),
            ("from=2026-02-02&to=2026-02-01", "from"),
            ("from=2000-01-01", "from"),
            ("from=2000-01-01&to=2100-01-01", "from"),
            ("repo=proxmox", "repo"),
            ("type=docker", "type"),
        ] {
            let error = check(query).expect_err(query);
            assert!(matches!(error, ApiError::BadParameter { name: field, .. } if field == name), "{query}");
        }
    }
}
