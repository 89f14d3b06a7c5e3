//! The join must not depend on the order, grouping or repetition of events, which is tested with arbitrary
//! events. The strongest report alone must decide how a run ended, which is tested with tables.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::*;
use crate::ingest::reported::with_facts;

/// An alphabet so small that events often report the same value, or one of equal length.
trait Letter: Sized {
    const LETTERS: [Self; 4];
}

impl Letter for &'static str {
    const LETTERS: [Self; 4] = ["b", "a", "é", "aaa"];
}

impl Letter for i32 {
    const LETTERS: [Self; 4] = [0, 1, 104, 130];
}

impl Letter for bool {
    const LETTERS: [Self; 4] = [false, true, true, false];
}

trait Pick {
    fn pick(letter: usize) -> Self;
}

impl Pick for String {
    fn pick(letter: usize) -> Self {
        <&str>::LETTERS[letter].into()
    }
}

impl Pick for i32 {
    fn pick(letter: usize) -> Self {
        Self::LETTERS[letter]
    }
}

impl Pick for bool {
    fn pick(letter: usize) -> Self {
        Self::LETTERS[letter]
    }
}

macro_rules! facts_of_letters {
    ($($(#[$doc:meta])* $field:ident: $type:ty),+ $(,)?) => {
        /// Facts of an event of this status: one letter for each fact, or none.
        fn facts(status: Status, letters: &[Option<usize>]) -> Facts {
            let mut letters = letters.iter().copied();
            Facts { $($field: Reported::by(status, letters.next().flatten().map(<$type>::pick)),)+ }
        }

        /// Each fact of a run beside its expected value: the greatest among all events by status, then
        /// by preference.
        fn facts_and_expected(run: &Execution, events: &[Execution]) -> Vec<(String, String)> {
            vec![$({
                let reported = events.iter().filter_map(|event| {
                    let value = event.facts.$field.get()?.clone();
                    Some((event.status(), weight(&value), value))
                });
                let expected = reported.max().map_or_else(Reported::default, |(status, _, value)| {
                    Reported::by(status, Some(value))
                });
                (format!("{:?}", run.facts.$field), format!("{expected:?}"))
            }),+]
        }
    };
}
with_facts!(facts_of_letters);

/// Decides before the value itself: the length of a text.
fn weight(value: &impl std::fmt::Debug) -> usize {
    let printed = format!("{value:?}");
    let text = printed.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    text.map_or(0, str::len)
}

fn time(micros: i64) -> DateTime<Utc> {
    // Half a second before midnight, so that events fall on two days and two hours.
    let start = DateTime::from_timestamp(1_772_755_199, 500_000_000).expect("a time");
    start + TimeDelta::microseconds(micros)
}

fn event_of(status: Status, at: DateTime<Utc>, generation: Generation, facts: Facts) -> Execution {
    let mut steps = [None; Status::ALL.len()];
    steps[usize::from(status.rank())] = Some(at);
    let key = RunKey(Uuid::from_u128(7));
    let session = None;
    let signature = None;
    Execution {
        key,
        session,
        generation,
        first_seen: at,
        last_seen: at,
        steps,
        facts,
        signature,
        category: None,
    }
    .diagnosed()
}

fn event_with(status: impl Strategy<Value = Status>) -> impl Strategy<Value = Execution> {
    let session = option::of((1..4_u128).prop_map(|id| RunKey(Uuid::from_u128(id))));
    let letters = vec(option::of(0..4_usize), Facts::COUNT);
    let micros = prop_oneof![0..4_i64, 0..1_000_000_i64, 0..10_000_000_000_i64];
    (status, micros, select(&Generation::ALL[..]), session, letters).prop_map(
        |(status, micros, generation, session, letters)| {
            let event = event_of(status, time(micros), generation, facts(status, &letters));
            Execution { session, ..event }
        },
    )
}

/// Any event of the one run.
fn event() -> impl Strategy<Value = Execution> {
    event_with(select(&Status::ALL[..]))
}

/// Some events, and the same with repetitions in any order.
fn events_and_disorder() -> impl Strategy<Value = (Vec<Execution>, Vec<Execution>)> {
    (vec(event(), 1..8), vec(any::<Index>(), 0..8)).prop_flat_map(|(events, repeated)| {
        let mut all = events.clone();
        all.extend(repeated.iter().map(|index| index.get(&events).clone()));
        (Just(events), Just(all).prop_shuffle())
    })
}

fn joined(events: &[Execution]) -> Execution {
    let (first, rest) = events.split_first().expect("at least one event");
    rest.iter().fold(first.clone(), and)
}

fn and(mut one: Execution, other: &Execution) -> Execution {
    one.join(other);
    one
}

proptest! {
    #[test]
    fn the_join_is_commutative_associative_and_idempotent(
        a in vec(event(), 1..4), b in vec(event(), 1..4), c in vec(event(), 1..4),
    ) {
        let (a, b, c) = (joined(&a), joined(&b), joined(&c));
        let both = and(a.clone(), &b);
        prop_assert_eq!(&and(b.clone(), &a), &both);
        prop_assert_eq!(and(both.clone(), &c), and(a.clone(), &and(b.clone(), &c)));
        prop_assert_eq!(&and(a.clone(), &a), &a);
        prop_assert_eq!(&and(both.clone(), &a), &both);
        prop_assert_eq!(&and(both.clone(), &b), &both);
    }

    #[test]
    fn order_and_repetition_do_not_change_the_run((events, again) in events_and_disorder()) {
        prop_assert_eq!(joined(&events), joined(&again));
    }

    #[test]
    fn every_fact_comes_from_the_strongest_event(events in vec(event(), 1..8)) {
        for (fact, expected) in facts_and_expected(&joined(&events), &events) {
            prop_assert_eq!(fact, expected);
        }
    }

    #[test]
    fn times_and_steps_are_those_of_the_first_and_last_events(events in vec(event(), 1..8)) {
        let run = joined(&events);
        let times = events.iter().map(|event| event.first_seen);
        prop_assert_eq!(Some(run.first_seen), times.clone().min());
        prop_assert_eq!(Some(run.last_seen), times.max());
        for status in Status::ALL {
            let reports = events.iter().filter(|event| event.status() == status);
            prop_assert_eq!(run.step(status), reports.map(|event| event.first_seen).min());
        }
        prop_assert_eq!(Some(run.status()), events.iter().map(Execution::status).max());
        prop_assert_eq!(Some(run.generation), events.iter().map(|event| event.generation).max());
        prop_assert_eq!(run.session, events.iter().filter_map(|event| event.session).max());
    }

    #[test]
    fn one_success_decides_the_status(
        events in vec(event(), 0..6), success in event_with(Just(Status::Success)), at in any::<Index>(),
    ) {
        let mut all = events;
        all.insert(at.index(all.len() + 1), success);
        let run = joined(&all);
        let successes: Vec<_> = all.iter().filter(|event| event.status() == Status::Success).collect();
        prop_assert_eq!(run.status(), Status::Success);
        prop_assert_eq!(run.outcome(), Outcome::Success);
        prop_assert_eq!(run.category, None);
        prop_assert_eq!(run.open_hour(), None);
        prop_assert_eq!(run.finished_at(), successes.iter().map(|event| event.first_seen).min());
        let reported = successes.iter().filter_map(|event| event.facts.exit_code.get().copied()).max();
        prop_assert_eq!(run.exit_code(), Some(reported.unwrap_or(0)));
    }

    #[test]
    fn a_weaker_report_never_supplies_the_cause(events in vec(event(), 1..8)) {
        let run = joined(&events);
        let final_reports = events.iter().filter(|event| event.status() == run.status());
        let reported = final_reports.clone().filter_map(|event| event.facts.error.get());
        let longest = reported.max_by_key(|text| (text.len(), *text));
        prop_assert_eq!(run.failure_text(&run.facts.error), longest.map(String::as_str));
        if run.status() != Status::Success {
            let reported = final_reports.filter_map(|event| event.facts.exit_code.get().copied());
            prop_assert_eq!(run.exit_code(), reported.max());
        }
    }

    #[test]
    fn finished_runs_have_an_end_time_and_open_runs_an_open_hour(events in vec(event(), 1..8)) {
        let run = joined(&events);
        prop_assert_eq!(run.finished_at().is_some(), run.status().is_end());
        prop_assert_eq!(run.open_hour().is_none(), run.status().is_end());
        if let Some(hour) = run.open_hour() {
            prop_assert_eq!(hour.timestamp() % 3600, 0);
            prop_assert!(hour <= run.last_seen && run.last_seen - hour < TimeDelta::hours(1));
            prop_assert_eq!(run.outcome(), Outcome::Open);
        }
    }
}

fn ended(status: Status, generation: Generation, exit_code: Option<i32>) -> Execution {
    let facts = Facts { exit_code: Reported::by(status, exit_code), ..Facts::default() };
    event_of(status, time(0), generation, facts)
}

#[test]
fn the_outcome_follows_from_status_code_and_generation() {
    use Generation::{One, Three, Two, Zero};
    use Outcome::{Aborted, Blocked, Failed, Open, Success};

    for (status, generation, code, outcome) in [
        (Status::Success, Three, Some(0), Success),
        (Status::Success, One, None, Success),
        (Status::Success, Three, Some(143), Success),
        (Status::Failed, Three, Some(1), Failed),
        (Status::Failed, One, None, Failed),
        (Status::Failed, Zero, None, Failed),
        (Status::Failed, Two, Some(0), Failed),
        // Clients before July 2026 report these as failures.
        (Status::Failed, One, Some(129), Aborted),
        (Status::Failed, Two, Some(130), Aborted),
        (Status::Failed, Three, Some(143), Aborted),
        (Status::Failed, Three, Some(137), Failed),
        (Status::Aborted, Three, Some(130), Aborted),
        (Status::Aborted, Three, Some(1), Aborted),
        (Status::Aborted, Two, None, Aborted),
        // Not started as root; generation 1 did not use this code.
        (Status::Failed, Three, Some(104), Blocked),
        (Status::Failed, One, Some(104), Failed),
        // A container id in use, also in generation 1.
        (Status::Failed, One, Some(206), Blocked),
        (Status::Failed, Three, Some(206), Blocked),
        (Status::Aborted, Three, Some(104), Aborted),
        (Status::Unknown, Three, Some(104), Open),
        (Status::Unknown, Three, None, Open),
        (Status::Configuring, Three, None, Open),
        (Status::Validation, Three, None, Open),
        (Status::Installing, One, None, Open),
    ] {
        let run = ended(status, generation, code);
        assert_eq!(run.outcome(), outcome, "{status:?} {generation:?} {code:?}");
    }
}

#[test]
fn the_generation_decides_the_meaning_of_a_code() {
    let category = |generation, code| ended(Status::Failed, generation, Some(code)).category;
    // PostgreSQL could not be reached; today the code means a failed upgrade of the LXC packages.
    assert_eq!(category(Generation::One, 231), Some(Category::Database));
    assert_eq!(category(Generation::Three, 231), Some(Category::Proxmox));
    // A later event of a newer client decides.
    let old = ended(Status::Failed, Generation::One, Some(231));
    let both = and(old, &ended(Status::Installing, Generation::Three, None));
    assert_eq!(both.category, Some(Category::Proxmox));
}

#[test]
fn the_category_comes_from_the_reason_then_from_the_code_then_from_the_client() {
    let run = |status, code, word: Option<&str>| {
        let mut run = ended(status, Generation::Three, code);
        run.facts.error_category = Reported::by(status, word.map(String::from));
        run.diagnosed()
    };
    for (status, code, word, category) in [
        (Status::Failed, Some(137), Some("network"), Some(Category::Resource)),
        (Status::Failed, None, Some("network"), Some(Category::Network)),
        (Status::Failed, None, Some("nonsense"), Some(Category::Unknown)),
        (Status::Failed, None, None, Some(Category::Unknown)),
        (Status::Failed, Some(130), Some("shell"), Some(Category::UserAborted)),
        (Status::Aborted, None, Some("network"), Some(Category::UserAborted)),
        (Status::Success, None, None, None),
        (Status::Unknown, None, Some("network"), None),
        (Status::Installing, None, None, None),
    ] {
        assert_eq!(run(status, code, word).category, category, "{status:?} {code:?} {word:?}");
    }
    let mut unresolved = run(Status::Failed, Some(100), Some("dependency"));
    let error = "E: Could not resolve 'deb.example.org'";
    unresolved.facts.error = Reported::by(Status::Failed, Some(error.into()));
    assert_eq!(unresolved.diagnosed().category, Some(Category::Network));
    // The category of an abort does not apply to the failure that replaces it.
    let failed = and(run(Status::Aborted, None, Some("network")), &run(Status::Failed, None, None));
    assert_eq!(failed.category, Some(Category::Unknown));
    let recovered = and(run(Status::Failed, Some(1), Some("network")), &run(Status::Success, None, None));
    assert_eq!((recovered.category, recovered.exit_code()), (None, Some(0)));
}

#[test]
fn an_unknown_end_leaves_the_run_open_without_an_open_hour() {
    let run = ended(Status::Unknown, Generation::Three, None);
    assert_eq!(run.outcome(), Outcome::Open);
    assert_eq!(run.open_hour(), None);
    assert_eq!(run.finished_at(), Some(time(0)));
    assert_eq!(run.exit_code(), None, "absent is not 0");
}

#[test]
fn a_step_keeps_the_time_of_its_first_report() {
    let at = |micros| event_of(Status::Configuring, time(micros), Generation::Three, Facts::default());
    for (one, other) in [(5, 3), (3, 5)] {
        let run = and(at(one), &at(other));
        assert_eq!(run.step(Status::Configuring), Some(time(3)));
        assert_eq!((run.first_seen, run.last_seen), (time(3), time(5)));
        assert_eq!(run.step(Status::Installing), None);
        assert_eq!(run.finished_at(), None);
    }
}

#[test]
fn the_strongest_end_gives_the_time_even_before_a_weaker_one() {
    let end = |status, micros| event_of(status, time(micros), Generation::Three, Facts::default());
    let run = joined(&[end(Status::Failed, 1), end(Status::Success, 5), end(Status::Aborted, 9)]);
    assert_eq!((run.status(), run.finished_at()), (Status::Success, Some(time(5))));
    assert_eq!(run.last_seen, time(9));
}
