//! Arbitrary events of a few runs, from few values, so that events often agree and conflict.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use telemetry_protocol::{Generation, Status};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::ingest::reported::{Facts, Reported};
use uuid::Uuid;

/// Batches of events.
pub(crate) type Batches = Vec<Vec<Execution>>;

/// A midnight in UTC.
pub(crate) fn midnight() -> DateTime<Utc> {
    DateTime::from_timestamp(1_772_755_200, 0).expect("a time")
}

pub(crate) fn key(run: u8) -> RunKey {
    RunKey(Uuid::from_u128(u128::from(run) << 90))
}

pub(crate) fn event(run: u8, status: Status, at: DateTime<Utc>, facts: Facts) -> Execution {
    let mut steps = [None; Status::ALL.len()];
    steps[usize::from(status.rank())] = Some(at);
    let generation = Generation::Two;
    let session = None;
    let run = Execution {
        key: key(run),
        session,
        generation,
        first_seen: at,
        last_seen: at,
        steps,
        facts,
        signature: None,
        category: None,
    };
    run.diagnosed()
}

fn any_event() -> impl Strategy<Value = Execution> {
    // Close to midnight, within the day around it, and days away.
    let micros =
        prop_oneof![-2..2_i64, -43_200_000_000..43_200_000_000_i64, -300_000_000_000..300_000_000_000_i64];
    let letters = vec(option::of(0..4_usize), Facts::COUNT);
    let session = option::of((1..3_u8).prop_map(|session| key(100 + session)));
    (0..4_u8, select(&Status::ALL[..]), select(&Generation::ALL[..]), micros, letters, session).prop_map(
        |(run, status, generation, micros, letters, session)| {
            let letters = Letters { status, letters: letters.into_iter() };
            let event = event(run, status, midnight() + TimeDelta::microseconds(micros), letters.facts());
            Execution { session, generation, ..event }.diagnosed()
        },
    )
}

pub(crate) fn batches() -> impl Strategy<Value = Batches> {
    vec(vec(any_event(), 1..6), 1..6)
}

/// The same events twice, in two orders and in batches of different sizes.
pub(crate) fn two_arrangements() -> impl Strategy<Value = (Batches, Batches)> {
    (batches(), 1..7_usize).prop_flat_map(|(batches, size)| {
        let shuffled = Just(batches.concat()).prop_shuffle();
        let rearranged = shuffled.prop_map(move |events| events.chunks(size).map(<[_]>::to_vec).collect());
        (Just(batches), rearranged)
    })
}

/// Generates the facts of an event from few values, so that runs share and change their counts.
struct Letters {
    status: Status,
    letters: std::vec::IntoIter<Option<usize>>,
}

impl Letters {
    fn told<T: Clone>(&mut self, values: [T; 4]) -> Reported<T> {
        let letter = self.letters.next().flatten();
        Reported::by(self.status, letter.map(|letter| values[letter].clone()))
    }

    fn text(&mut self) -> Reported<String> {
        self.told(["a", "b", "aa", "é\n'\\,{\""].map(String::from))
    }

    fn number(&mut self) -> Reported<i32> {
        self.told([0, 1, 104, 130])
    }

    fn flag(&mut self) -> Reported<bool> {
        self.told([true, false, true, false])
    }

    fn facts(mut self) -> Facts {
        Facts {
            app: self.text(),
            kind: self.text(),
            ct_type: self.number(),
            disk_size: self.number(),
            core_count: self.number(),
            ram_size: self.told([512, 513, 100_000, i32::MAX]),
            os_type: self.told(["debian", "wolfi", "chainguard", "alpine"].map(String::from)),
            os_version: self.text(),
            pve_version: self.text(),
            method: self.text(),
            disable_ipv6: self.flag(),
            exit_code: self.number(),
            error: self.text(),
            error_category: self.told(["network", "shell", "x", "storage"].map(String::from)),
            install_duration: self.told([0, 1, 90, 2_678_400]),
            failed_command: self.text(),
            failed_line: self.number(),
            cpu_vendor: self.text(),
            cpu_model: self.text(),
            gpu_vendor: self.text(),
            gpu_model: self.text(),
            gpu_passthrough: self.text(),
            ram_speed: self.text(),
            arch: self.text(),
            platform: self.text(),
            has_arm: self.flag(),
            kernel_version: self.text(),
            app_version: self.text(),
            repo_source: self.text(),
            repo_slug: self.text(),
            template_kind: self.text(),
            custom_entrypoint: self.flag(),
            host_managed_network: self.flag(),
            runtime_source: self.text(),
            runtime_ref: self.text(),
        }
    }
}
