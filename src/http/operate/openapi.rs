//! `/openapi.json`: the description of the API, generated from the handlers.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::http::aggregates::{
    dashboard, exit_code, failures, popular, reasons, regressions, repositories, runtimes, script, scripts,
    sessions, signatures, timeseries,
};
use crate::http::events::{bulk, single};
use crate::http::operate::{health, metrics_endpoint, triage};
use crate::http::runs::{list, one};
use crate::http::{exit_codes, legacy};

/// Introduction of the API.
const ABOUT: &str = "All counts are of runs, not of events, by the UTC day of the first event. Runs whose start was never \
    received appear in `unattributed_count` only. Success and failure rates are shares of the runs that succeeded or \
    failed.\n\nTimes are RFC 3339 in UTC. `as_of` is the time for which an answer is true; answers are cached for a \
    few seconds. Unknown parameters are ignored, and an empty parameter counts as not set.\n\nAn error is always \
    `{error, field, message}`. An unknown path answers 404, an unsupported method 405.\n\nThere are two views. Without \
    a token an answer shows what is public: all counts, and those names (of applications, repositories, versions, \
    hardware vendors, failing lines and the like) that at least five sessions share. All other names are counted \
    together as `(rare)`, and a filter by one of them finds nothing. Lists of runs then show no text of a single run: \
    `error`, `failed_command`, the line of `reason`, `app_version`, `kernel_version`, `ram_speed` and the models of CPU \
    and GPU are `null`. \
    With `READ_TOKEN` or `ADMIN_TOKEN` as bearer token an answer shows all of that. The counts are the same in both \
    views. A wrong token answers 401.";

/// Describes the tokens.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, description: &mut Description) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "READ_TOKEN or ADMIN_TOKEN. Optional: without it an answer shows what is public.",
        ));
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// All paths.
#[derive(OpenApi)]
#[openapi(
    info(title = "Telemetry server of the Proxmox VE helper scripts", description = ABOUT),
    modifiers(&Tokens),
    paths(
        single::telemetry,
        single::upload,
        single::update_status,
        single::dev_upload,
        single::dev_update_status,
        bulk::accept,
        one::show,
        one::erase,
        list::list,
        dashboard::show,
        failures::list,
        scripts::list,
        script::show,
        popular::list,
        exit_code::show,
        repositories::list,
        regressions::list,
        signatures::list,
        signatures::show,
        triage::set,
        reasons::list,
        reasons::show,
        timeseries::show,
        sessions::list,
        runtimes::list,
        exit_codes::list,
        exit_codes::show,
        legacy::counts,
        legacy::data_paginated,
        legacy::data_json,
        legacy::data_nsapp,
        legacy::data_status,
        legacy::data_os,
        legacy::data_date,
        legacy::errors,
        health::healthy,
        health::ready,
        metrics_endpoint::show,
    ),
    tags(
        (name = "aggregates", description = "Counts and rates. They are kept forever."),
        (name = "executions", description = "Single executions, until they expire."),
        (name = "catalogue", description = "The meaning of exit codes, and the reasons of failures."),
        (name = "triage", description = "Decisions of maintainers."),
        (name = "ingest", description = "Reports of the scripts."),
        (name = "2025", description = "The endpoints of the service of 2025."),
        (name = "operation", description = "Health and metrics of the server."),
    )
)]
struct Api;

/// The description as JSON.
#[must_use]
pub fn document() -> &'static Bytes {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| Api::openapi().to_json().map_or_else(|_| Bytes::new(), Bytes::from));
    &DOCUMENT
}

/// `/openapi.json`.
pub async fn description() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_written_for_users_of_the_api() {
        let text = std::str::from_utf8(document()).expect("UTF-8");
        for internal in ["# Errors", "ApiError", "[`", "::", "Result<", "Option<"] {
            assert!(!text.contains(internal), "{internal} in the description of the API");
        }
    }

    #[test]
    fn operation_ids_are_unique() {
        let api = Api::openapi();
        let operations = api.paths.paths.values().flat_map(|path| [&path.get, &path.post, &path.delete]);
        let mut ids: Vec<_> =
            operations.flatten().filter_map(|operation| operation.operation_id.clone()).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert!(count > 30 && ids.len() == count, "{count} operations, {} ids: {ids:?}", ids.len());
    }
}
