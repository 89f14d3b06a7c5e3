//! Removes secrets and personal data from an event before it is checked, stored or logged.
//!
//! Every text is scrubbed, because a token can appear in any field. Texts are cut after scrubbing, so that
//! the cut never leaves half of a secret that the scrubber no longer recognises.

use std::borrow::Cow;
use std::mem::take;

use telemetry_protocol::scrub::{scrub as scrub_text, scrub_tail, scrub_version};

use crate::ingest::normalise::Event;
use crate::ingest::reported::{
    Facts, MAX_COMMAND_BYTES, MAX_ERROR_BYTES, MAX_LINE_BYTES, Reported, with_facts,
};

/// Removes secrets and personal data from every text of an event. The ids stay: `validate` replaces them
/// by their hashes.
#[must_use]
pub fn scrub(event: Event) -> Event {
    Event { facts: scrub_facts(event.facts), ..event }
}

/// Scrubs facts, also those that are already stored. Scrubbing is idempotent.
#[must_use]
pub fn scrub_facts(mut facts: Facts) -> Facts {
    let (mut error, mut command) = (take(&mut facts.error), take(&mut facts.failed_command));
    // The end of the log says why the run failed.
    clean(&mut error, MAX_ERROR_BYTES, |text| scrub_tail(text, MAX_ERROR_BYTES));
    clean(&mut command, MAX_COMMAND_BYTES, scrub_text);
    macro_rules! lines {
        ($($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)?) => {
            $(facts.$field.scrub_line(line_scrubber(stringify!($field)));)+
        };
    }
    with_facts!(lines);
    Facts { error, failed_command: command, ..facts }
}

/// Replaces secrets in a text.
type Scrubber = fn(&str) -> Cow<'_, str>;

/// Four numbers with dots are an address, except in a version.
fn line_scrubber(fact: &str) -> Scrubber {
    match fact {
        "app_version" | "kernel_version" | "os_version" | "pve_version" => scrub_version,
        _ => scrub_text,
    }
}

/// A fact that may hold a line of text.
trait Line {
    fn scrub_line(&mut self, _: Scrubber) {}
}

impl Line for Reported<i32> {}
impl Line for Reported<bool> {}
impl Line for Reported<String> {
    fn scrub_line(&mut self, scrub: Scrubber) {
        clean(self, MAX_LINE_BYTES, scrub);
    }
}

/// Scrubs a text and keeps at most `max_bytes` of it. A text of which nothing is left becomes absent.
fn clean(fact: &mut Reported<String>, max_bytes: usize, scrub: impl Fn(&str) -> Cow<'_, str>) {
    let (Some(text), Some(status)) = (fact.get(), fact.status()) else {
        return;
    };
    let scrubbed = scrub(text);
    let kept = head(&scrubbed, max_bytes);
    let kept = (!kept.trim().is_empty()).then(|| String::from(kept));
    *fact = Reported::by(status, kept);
}

/// The beginning of a text, cut between characters.
fn head(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes { text } else { text[..text.floor_char_boundary(max_bytes)].trim_end() }
}

#[cfg(test)]
mod tests;
