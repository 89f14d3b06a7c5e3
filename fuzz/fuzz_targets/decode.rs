//! Any bytes on any route give a valid event or a rejection, and never a panic.

#![no_main]

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use telemetry_server::ingest::identity::IdKey;
use telemetry_server::ingest::normalise::Route;
use telemetry_server::ingest::pipeline::read_event;
use telemetry_server::ingest::reported::MAX_ERROR_BYTES;

const ROUTES: [Route; 5] =
    [Route::Telemetry, Route::Upload, Route::DevUpload, Route::UpdateStatus, Route::DevUpdateStatus];

fuzz_target!(|body: &[u8]| {
    let ids = IdKey::new(b"fuzz");
    for route in ROUTES {
        if let Ok(accepted) = read_event(body, route, DateTime::UNIX_EPOCH, &ids) {
            let run = accepted.event.execution();
            assert!(run.facts.error.get().is_none_or(|text| text.len() <= MAX_ERROR_BYTES && !text.contains('\0')));
            assert_eq!(run.signature, run.clone().diagnosed().signature);
            // Joining is idempotent.
            let mut twice = run.clone();
            twice.join(run);
            assert_eq!(&twice, run);
        }
    }
});
