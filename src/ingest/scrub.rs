//! What is personal or secret leaves an event here, before anything is checked, stored or logged.
//!
//! Every text is scrubbed, not only the error: a token can stand in any field. Texts are cut
//! after scrubbing, so that no half of a secret escapes recognition.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::mem::take;

use foldhash::fast::RandomState;
use telemetry_protocol::scrub::{scrub as scrub_text, scrub_tail, scrub_version};

use crate::ingest::execution::{Facts, Reported, with_facts};
use crate::ingest::normalise::Event;

/// Longest text of one word or line, in bytes.
pub const MAX_SHORT_TEXT_BYTES: usize = 160;
/// Longest failed command, in bytes.
pub const MAX_COMMAND_BYTES: usize = 2 * 1024;
/// Longest error text, in bytes. The end is kept: it says why.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;

/// Removes secrets and personal data from every text of an event. The ids stay: the next stage
/// replaces them by their hashes.
#[must_use]
pub fn scrub(event: Event) -> Event {
    Event { facts: scrub_facts(event.facts), ..event }
}

/// The same for facts that are stored already. Scrubbing twice changes nothing more.
#[must_use]
pub fn scrub_facts(mut facts: Facts) -> Facts {
    let (mut error, mut command) = (take(&mut facts.error), take(&mut facts.failed_command));
    clean(&mut error, MAX_ERROR_BYTES, |text| scrub_tail(text, MAX_ERROR_BYTES));
    clean(&mut command, MAX_COMMAND_BYTES, scrub_text);
    macro_rules! short_texts {
        ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
            $(ShortText::scrub(&mut facts.$field, scrubber(stringify!($field)));)+
        };
    }
    with_facts!(short_texts);
    Facts { error, failed_command: command, ..facts }
}

/// How a short text is read: four numbers with dots are an address, unless a version is asked for.
#[derive(Clone, Copy)]
enum Scrubber {
    Version,
    Other,
}

fn scrubber(fact: &str) -> Scrubber {
    let is_version = matches!(fact, "app_version" | "kernel_version" | "os_version" | "pve_version");
    if is_version { Scrubber::Version } else { Scrubber::Other }
}

/// Short texts that are left as they are. The same few are told again and again; to know them halves the
/// work of this stage. What was changed is not remembered.
type Harmless = HashSet<String, RandomState>;

/// Most texts that a thread remembers, of each kind.
const MAX_HARMLESS: usize = 4096;

thread_local! {
    static HARMLESS: RefCell<[Harmless; 2]> = RefCell::default();
}

/// A fact that may hold a short text.
trait ShortText {
    fn scrub(&mut self, _: Scrubber) {}
}

impl ShortText for Reported<i32> {}
impl ShortText for Reported<bool> {}
impl ShortText for Reported<String> {
    fn scrub(&mut self, scrubber: Scrubber) {
        let Some(before) = self.get().cloned() else { return };
        HARMLESS.with_borrow_mut(|harmless| {
            let harmless = &mut harmless[scrubber as usize];
            if harmless.contains(&before) {
                return;
            }
            let scrub = match scrubber {
                Scrubber::Version => scrub_version,
                Scrubber::Other => scrub_text,
            };
            clean(self, MAX_SHORT_TEXT_BYTES, scrub);
            if self.get() == Some(&before) {
                if harmless.len() == MAX_HARMLESS {
                    harmless.clear();
                }
                harmless.insert(before);
            }
        });
    }
}

/// Leaves of a text what is no secret, and at most so many bytes of that; if nothing is left, nothing
/// was told.
fn clean(fact: &mut Reported<String>, max_bytes: usize, scrub: impl Fn(&str) -> Cow<'_, str>) {
    let (Some(text), Some(status)) = (fact.get(), fact.status()) else {
        return;
    };
    let scrubbed = scrub(text);
    let kept = head(&scrubbed, max_bytes);
    let is_empty = kept.trim().is_empty();
    if kept != text.as_str() || is_empty {
        let kept = (!is_empty).then(|| String::from(kept));
        *fact = Reported::by(status, kept);
    }
}

fn head(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes { text } else { text[..text.floor_char_boundary(bytes)].trim_end() }
}

#[cfg(test)]
mod tests;
