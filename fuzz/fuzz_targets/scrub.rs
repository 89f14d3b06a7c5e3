//! Scrubbing any text terminates, is idempotent, and leaves text for which a signature can be computed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_protocol::scrub::scrub;
use telemetry_protocol::signature::signature;

fuzz_target!(|text: &str| {
    let once = scrub(text).into_owned();
    assert_eq!(scrub(&once), once, "scrubbing twice changes something");
    assert!(!once.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "a control character is left");
    let _ = signature(Some(&once), Some(text));
});
