//! What leaves an event and what stays. What is recognised as a secret is tested with the scrubber.

use proptest::prelude::*;
use telemetry_protocol::Status;

use super::*;

fn told(text: &str) -> Reported<String> {
    Reported::by(Status::Failed, Some(text.into()))
}

fn text(fact: &Reported<String>) -> Option<&str> {
    fact.get().map(String::as_str)
}

#[test]
fn a_secret_is_found_in_every_text() {
    const SECRET: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    macro_rules! everywhere {
        ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
            Facts { $($field: Secretive::with(SECRET),)+ }
        };
    }
    let facts = with_facts!(everywhere);
    assert!(format!("{facts:?}").matches(SECRET).count() > 15);
    let facts = format!("{:?}", scrub_facts(facts));
    assert!(!facts.contains(&SECRET[8..20]), "{facts}");
}

trait Secretive: Sized {
    fn with(_: &str) -> Reported<Self> {
        Reported::default()
    }
}

impl Secretive for i32 {}
impl Secretive for bool {}
impl Secretive for String {
    fn with(secret: &str) -> Reported<Self> {
        told(&format!("token {secret}"))
    }
}

#[test]
fn versions_stay_and_an_address_in_an_error_goes() {
    let version = "1.2.3.4";
    let facts = Facts {
        app_version: told(version),
        kernel_version: told("6.8.12-11-pve"),
        cpu_model: told("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz"),
        error: told("cannot reach 93.184.216.34"),
        ..Facts::default()
    };
    let scrubbed = scrub_facts(facts);
    assert_eq!(text(&scrubbed.app_version), Some(version));
    assert_eq!(text(&scrubbed.kernel_version), Some("6.8.12-11-pve"));
    assert_eq!(text(&scrubbed.cpu_model), Some("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz"));
    assert_eq!(text(&scrubbed.error), Some("cannot reach <ip>"));
}

#[test]
fn long_texts_are_cut_between_characters_the_error_at_its_beginning() {
    // No limit is a multiple of the 3 bytes of this character.
    let long = format!("abc{}xyz", "€".repeat(10_000));
    let facts =
        Facts { error: told(&long), failed_command: told(&long), cpu_model: told(&long), ..Facts::default() };
    let facts = scrub_facts(facts);
    let kept = |limit: usize| "€".repeat((limit - 3) / 3);
    assert_eq!(text(&facts.error), Some(&*format!("{}xyz", kept(MAX_ERROR_BYTES))));
    assert_eq!(text(&facts.failed_command), Some(&*format!("abc{}", kept(MAX_COMMAND_BYTES))));
    assert_eq!(text(&facts.cpu_model), Some(&*format!("abc{}", kept(MAX_SHORT_TEXT_BYTES))));
    let fits = "e".repeat(MAX_ERROR_BYTES);
    let facts = scrub_facts(Facts { error: told(&fits), ..Facts::default() });
    assert_eq!(text(&facts.error), Some(&*fits));
}

#[test]
fn a_secret_across_the_cut_leaves_no_half() {
    let secret = "hunter2hunter2hunter2";
    for before in MAX_SHORT_TEXT_BYTES - 30..MAX_SHORT_TEXT_BYTES {
        let model = format!("{} password={secret}", "x ".repeat(before / 2));
        let facts = scrub_facts(Facts { gpu_model: told(&model), ..Facts::default() });
        assert!(!text(&facts.gpu_model).expect("something stays").contains("hunt"));
    }
}

proptest! {
    #[test]
    fn nothing_left_is_nothing_told_and_twice_is_once(texts in proptest::collection::vec(any::<String>(), 4)) {
        let facts = Facts {
            error: told(&texts[0]),
            failed_command: told(&texts[1]),
            cpu_model: told(&texts[2]),
            app_version: told(&texts[3]),
            ..Facts::default()
        };
        let once = scrub_facts(facts);
        for fact in [&once.error, &once.failed_command, &once.cpu_model, &once.app_version] {
            prop_assert!(text(fact).is_none_or(|text| !text.trim().is_empty()));
        }
        prop_assert_eq!(scrub_facts(once.clone()), once);
    }
}
