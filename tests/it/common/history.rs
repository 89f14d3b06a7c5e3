//! A made-up history: many runs of every kind over several days, through the real merge, and what
//! must be counted of them.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use telemetry_protocol::Outcome;
use telemetry_server::ingest::execution::{Execution, full_hour};
use telemetry_server::ingest::identity::IdKey;
use telemetry_server::ingest::normalise::Route;
use telemetry_server::ingest::pipeline::read_event;
use telemetry_server::store::write::merge::{KnownIds, Merged, join_events, merge};

use super::app::{TestApp, spawn_app};

/// Runs, newest last.
pub(crate) struct History {
    pub(crate) runs: Vec<Execution>,
    /// The day of the newest run.
    pub(crate) last: NaiveDate,
}

/// What a run is, for a filter; `None` where nothing was told.
#[derive(Clone, Copy)]
pub(crate) struct Filter<'a> {
    pub(crate) days: Option<(NaiveDate, NaiveDate)>,
    pub(crate) repo: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) slug: Option<&'a str>,
    pub(crate) platform: Option<&'a str>,
}

/// Days of a history.
const DAYS: u64 = 6;

/// A generator of numbers, the same ones every time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut random = self.0;
        random = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        random = (random ^ (random >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((random ^ (random >> 31)) % sides as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

impl History {
    /// A server with so many runs.
    pub(crate) async fn spawn(count: usize) -> (TestApp, Self) {
        let app = spawn_app().await;
        let history = Self::write(&mut app.connection().await, count).await;
        (app, history)
    }

    /// Commits the events of so many runs, in batches in which neither order nor runs are together.
    pub(crate) async fn write(connection: &mut PgConnection, count: usize) -> Self {
        let (mut dice, ids, now) = (Dice(2026), IdKey::new(b"a secret of the tests"), Utc::now());
        let mut events: Vec<_> = (0..count).flat_map(|run| events_of(run, &mut dice, &ids, now)).collect();
        for end in (1..events.len()).rev() {
            events.swap(end, dice.roll(end + 1));
        }
        let mut known = KnownIds::default();
        for batch in events.chunks(400) {
            let runs = join_events(batch);
            // A start that comes after another event of its run is taken for the first, once.
            if merge(connection, &mut known, &runs).await.expect("it is stored") == Merged::Conflict {
                let merged = merge(connection, &mut known, &runs).await.expect("it is stored");
                assert_eq!(merged, Merged::Committed);
            }
        }
        let mut runs: Vec<_> = join_events(&events).into_iter().map(|run| run.into_owned()).collect();
        runs.sort_by_key(|run| (run.first_seen, run.key));
        Self { runs, last: now.date_naive() }
    }

    /// The first day of the last `days` days.
    pub(crate) fn day(&self, days: u64) -> NaiveDate {
        self.last - Days::new(days - 1)
    }

    /// The runs that a filter means, of which the start arrived or not.
    pub(crate) fn meant(&self, filter: &Filter<'_>, with_app: bool) -> Vec<&Execution> {
        let holds = |wanted: Option<&str>, told: Option<&str>| wanted.is_none() || wanted == told;
        let is_meant = |run: &&Execution| {
            let (facts, day) = (&run.facts, run.first_seen.date_naive());
            facts.app.get().is_some() == with_app
                && filter.days.is_none_or(|(from, to)| (from..=to).contains(&day))
                && holds(filter.repo, facts.repo_source.get().map(|text| text.as_str()).or(Some("ProxmoxVE")))
                && holds(filter.kind, facts.kind.get().map(|text| text.as_str()))
                && holds(filter.slug, facts.repo_slug.get().map(|text| text.as_str()))
                && holds(filter.platform, facts.platform.get().map(|text| text.as_str()))
        };
        self.runs.iter().filter(is_meant).collect()
    }
}

/// What is published as the outcome of a run.
pub(crate) fn outcome(run: &Execution) -> &'static str {
    let running_since = full_hour(Utc::now() - TimeDelta::hours(24));
    match run.outcome() {
        Outcome::Open if run.open_hour().is_some_and(|hour| hour >= running_since) => "installing",
        Outcome::Open => "unfinished",
        outcome => outcome.as_str(),
    }
}

fn events_of(run: usize, dice: &mut Dice, ids: &IdKey, now: DateTime<Utc>) -> Vec<Execution> {
    // Away from the ends of a day and from the hour that decides what is unfinished.
    let day = (now.date_naive() - Days::new(dice.roll(DAYS as usize) as u64)).and_time(Default::default());
    let at =
        if run.is_multiple_of(29) { now } else { day.and_utc() + TimeDelta::milliseconds(run as i64 % 500) };
    let id = format!("run-{run}");
    let [kind, app] = dice.pick(&[
        ["lxc", "jellyfin"],
        ["lxc", "docker"],
        ["lxc", "Immich"],
        ["vm", "docker"],
        ["vm", "haos-vm"],
        ["addon", "netdata"],
        ["tool", "post-pve-install"],
        ["turnkey", "turnkey"],
    ]);
    let mut start = json!({
        "random_id": id, "execution_id": id, "type": kind, "nsapp": app, "status": "installing",
        "os_type": dice.pick(&["Debian", "ubuntu", "wolfi", "chainguard", ""]),
        "os_version": dice.pick(&["12", "13"]), "pve_version": dice.pick(&["9.0.3", "8.4.1"]),
        "method": dice.pick(&["default", "advanced", ""]), "gpu_vendor": dice.pick(&["intel", "nvidia", ""]),
    });
    for (field, values) in [
        ("core_count", [1, 2, 4, 20]),
        ("ram_size", [512, 2048, 2049, 65_536]),
        ("disk_size", [0, 4, 8, 100]),
        ("ct_type", [0, 1, 1, 1]),
    ] {
        // No roll of the dice: the other facts stay as they are.
        start[field] = json!(values[run % 4]);
    }
    start["app_version"] = json!(["1.0", "1.1", ""][run % 3]);
    for (field, values) in [
        ("repo_source", &["ProxmoxVE", "ProxmoxVED", "external", ""][..]),
        ("repo_slug", &["community-scripts/ProxmoxVE", "me/fork", "", ""][..]),
        ("platform", &["pve", "pve", "incus", ""][..]),
    ] {
        start[field] = json!(dice.pick(values));
    }
    let (status, exit_code) = dice.pick(&[
        ("success", 0),
        ("success", 0),
        ("success", 0),
        ("failed", 1),
        ("failed", 100),
        ("failed", 231),
        ("failed", 105),
        ("failed", 130),
        ("aborted", 130),
        ("unknown", 0),
        ("configuring", 0),
    ]);
    let mut end = start.clone();
    end["status"] = json!(status);
    if exit_code != 0 {
        end["exit_code"] = json!(exit_code);
        end["error"] = json!(dice.pick(&["E: broken packages", "=cmd|calc", "no space left", ""]));
    }
    end["install_duration"] = json!(dice.roll(900));
    let late = at + TimeDelta::minutes(20).min((now - at).max(TimeDelta::zero()));
    let read = |body: &Value, at| {
        let body = body.to_string();
        let accepted = read_event(body.as_bytes(), Route::Telemetry, at, ids).expect("an event");
        accepted.event.execution().clone()
    };
    let events = match dice.roll(12) {
        // Its start never arrived.
        0 => vec![read(
            &json!({"random_id": id, "execution_id": id, "status": status, "exit_code": exit_code}),
            at,
        )],
        // Only its start arrived.
        1 => vec![read(&start, at)],
        2 => vec![read(&end, at), read(&end, late)],
        _ => vec![read(&start, at), read(&end, late)],
    };
    // As fine as the database keeps times.
    let fine =
        |time: DateTime<Utc>| DateTime::from_timestamp_micros(time.timestamp_micros()).expect("a time");
    let fine = |mut event: Execution| {
        event.first_seen = fine(event.first_seen);
        event.last_seen = fine(event.last_seen);
        event.steps = event.steps.map(|step| step.map(fine));
        event
    };
    events.into_iter().map(fine).collect()
}
