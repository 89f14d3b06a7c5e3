//! Which texts are scrubbed and where they are cut. The protocol tests what counts as a secret.

use proptest::prelude::*;
use telemetry_protocol::Status;

use super::*;

fn reported(text: &str) -> Reported<String> {
    Reported::by(Status::Failed, Some(text.into()))
}

fn text(fact: &Reported<String>) -> Option<&str> {
    fact.get().map(String::as_str)
}

#[test]
fn every_text_is_scrubbed() {
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
        reported(&format!("token {secret}"))
    }
}

#[test]
fn versions_stay_and_addresses_in_errors_are_replaced() {
    let version = "1.2.3.4";
    let facts = Facts {
        app_version: reported(version),
        kernel_version: reported("6.8.12-11-pve"),
        cpu_model: reported("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz"),
        error: reported("cannot reach 93.184.216.34"),
        ..Facts::default()
    };
    let scrubbed = scrub_facts(facts);
    assert_eq!(text(&scrubbed.app_version), Some(version));
    assert_eq!(text(&scrubbed.kernel_version), Some("6.8.12-11-pve"));
    assert_eq!(text(&scrubbed.cpu_model), Some("Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz"));
    assert_eq!(text(&scrubbed.error), Some("cannot reach <ip>"));
}

#[test]
fn long_texts_are_cut_between_characters_and_errors_keep_their_end() {
    // No limit is a multiple of the 3 bytes of this character.
    let long = format!("abc{}xyz", "€".repeat(10_000));
    let facts = Facts {
        error: reported(&long),
        failed_command: reported(&long),
        cpu_model: reported(&long),
        ..Facts::default()
    };
    let facts = scrub_facts(facts);
    let kept = |limit: usize| "€".repeat((limit - 3) / 3);
    assert_eq!(text(&facts.error), Some(&*format!("{}xyz", kept(MAX_ERROR_BYTES))));
    assert_eq!(text(&facts.failed_command), Some(&*format!("abc{}", kept(MAX_COMMAND_BYTES))));
    assert_eq!(text(&facts.cpu_model), Some(&*format!("abc{}", kept(MAX_LINE_BYTES))));
    let fits = "e".repeat(MAX_ERROR_BYTES);
    let facts = scrub_facts(Facts { error: reported(&fits), ..Facts::default() });
    assert_eq!(text(&facts.error), Some(&*fits));
}

#[test]
fn a_secret_across_the_cut_leaves_no_part() {
    let secret = "hunter2hunter2hunter2";
    for before in MAX_LINE_BYTES - 30..MAX_LINE_BYTES {
        let model = format!("{} password={secret}", "x ".repeat(before / 2));
        let facts = scrub_facts(Facts { gpu_model: reported(&model), ..Facts::default() });
        assert!(!text(&facts.gpu_model).expect("something stays").contains("hunt"));
    }
}

proptest! {
    #[test]
    fn an_empty_text_becomes_absent_and_scrubbing_is_idempotent(texts in proptest::collection::vec(any::<String>(), 4)) {
        let facts = Facts {
            error: reported(&texts[0]),
            failed_command: reported(&texts[1]),
            cpu_model: reported(&texts[2]),
            app_version: reported(&texts[3]),
            ..Facts::default()
        };
        let once = scrub_facts(facts);
        for fact in [&once.error, &once.failed_command, &once.cpu_model, &once.app_version] {
            prop_assert!(text(fact).is_none_or(|text| !text.trim().is_empty()));
        }
        prop_assert_eq!(scrub_facts(once.clone()), once);
    }
}
