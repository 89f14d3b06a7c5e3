//! Any query string gives a valid filter or an error, and never a panic.

#![no_main]

use actix_web::web::Query;
use chrono::NaiveDate;
use libfuzzer_sys::fuzz_target;
use telemetry_server::http::request::parameters::FilterParameters;

fuzz_target!(|query: &str| {
    let today = NaiveDate::default();
    if let Ok(parameters) = Query::<FilterParameters>::from_query(query)
        && let Ok(filter) = parameters.into_inner().check(today)
    {
        assert!(filter.from.is_none() || filter.to.is_none() || filter.from <= filter.to);
    }
});
