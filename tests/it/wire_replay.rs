//! Replays recorded traffic of real clients, byte for byte: in order, shuffled, and with every request
//! sent twice. Each time every run must end as the corpus expects, with one row for each run and rollups
//! that equal a recount.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::app::{TestApp, spawn_app};
use crate::common::corpus::{Corpus, Request, shuffle};
use crate::common::truth::{Comparison, executions};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::{IdKey, RunKey};
use telemetry_server::ingest::pipeline::read_event;

/// Concurrent requests of a replay.
const IN_FLIGHT: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn recorded_runs_end_as_expected_in_any_order_and_when_sent_twice() {
    replay_three_ways(&Corpus::largest()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fixtures_end_as_expected_in_any_order_and_when_sent_twice() {
    replay_three_ways(&Corpus::fixtures()).await;
}

#[test]
fn the_fixtures_cover_every_kind_of_client() {
    let fixtures = Corpus::fixtures();
    let kinds: BTreeSet<_> = fixtures
        .truth
        .iter()
        .map(|run| (run["generation"].to_string(), run["scenario"].to_string()[..2].to_owned()))
        .collect();
    assert!(kinds.len() >= 50, "{} kinds", kinds.len());
    let broken = fixtures.requests.iter().filter(|request| !is_json(&request.body)).count();
    assert!(broken >= 20, "{broken} broken bodies");
    assert!(fixtures.requests.iter().any(|request| request.id().is_none()));
}

async fn replay_three_ways(corpus: &Corpus) {
    let in_order = replay("in order", corpus, corpus.requests.iter().collect(), 1).await;

    let mut shuffled: Vec<_> = corpus.requests.iter().collect();
    shuffle(&mut shuffled);
    let any_order = replay("shuffled", corpus, shuffled, IN_FLIGHT).await;
    assert_eq!(any_order, in_order);

    let twice = corpus.requests.iter().flat_map(|request| [request, request]).collect();
    let twice = replay("twice", corpus, twice, IN_FLIGHT).await;
    assert_eq!(twice, in_order);
}

/// Sends the requests to a server with an empty database, checks the stored runs, and returns the dashboard
/// without the fields that depend on time.
async fn replay(name: &str, corpus: &Corpus, requests: Vec<&Request>, in_flight: usize) -> Value {
    let app = spawn_app().await;
    send(&app, &requests, in_flight).await;

    let comparison = Comparison::of(&app, corpus).await;
    comparison.assert_clean(name);
    let executions = corpus.truth.iter().flat_map(executions).count();
    assert_eq!(comparison.executions, executions, "{name}: every execution is compared");

    let rows = expected_rows(corpus);
    assert_eq!(app.executions().await, rows, "{name}");
    app.verify().await;
    let dashboard = app.get_json("/api/dashboard?days=0&repo=all").await;
    let counted = |field: &str| dashboard[field].as_i64().expect("a count");
    assert_eq!(counted("total_installs") + counted("unattributed_count"), rows, "{name}");
    app.stop().await;
    without_times(dashboard)
}

/// Expects every request to be accepted, except the end of a run without an id.
async fn send(app: &TestApp, requests: &[&Request], in_flight: usize) {
    let answers = stream::iter(requests).map(|request| async move {
        let posted = app.request(reqwest::Method::POST, &request.path).body(request.body.clone());
        let response = posted.header("content-type", &request.content_type).send().await.expect("an answer");
        let status = response.status().as_u16();
        (request, status, response.json::<Value>().await.expect("a JSON answer"))
    });
    let answers: Vec<_> = answers.buffer_unordered(in_flight).collect().await;
    for (request, status, answer) in answers {
        if request.id().is_some() {
            assert_eq!((status, &answer), (200, &json!({"status": "accepted"})), "{}", request.run_id);
        } else {
            assert_eq!((status, &answer["field"]), (400, &json!("random_id")), "{}", request.run_id);
        }
    }
}

/// One row for every id in the traffic. The corpus describes all of them except runs that should not have
/// been reported (`expect_requests: 0`) and whose clients sent an update nevertheless.
fn expected_rows(corpus: &Corpus) -> i64 {
    let sent = corpus.ids();
    let known: BTreeSet<_> = corpus
        .truth
        .iter()
        .flat_map(executions)
        .map(|execution| execution["execution_id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(known.difference(&sent).count(), 0, "every described run was sent");
    let runs = corpus.runs();
    let opted_out: BTreeSet<_> = corpus
        .truth
        .iter()
        .filter(|run| run["expect_requests"] == 0)
        .filter_map(|run| runs.get(run["run_id"].as_str()?))
        .flat_map(|requests| requests.iter().filter_map(|request| request.id()))
        .collect();
    assert_eq!(sent.difference(&known).collect::<Vec<_>>(), opted_out.difference(&known).collect::<Vec<_>>());
    i64::try_from(sent.len()).expect("a small number")
}

/// Removes everything that depends on the time or the order of requests. Daily counts are added up,
/// because midnight may pass during the test.
fn without_times(mut dashboard: Value) -> Value {
    let fields = dashboard.as_object_mut().expect("an object");
    for field in ["as_of", "recent_records"] {
        assert!(fields.remove(field).is_some(), "{field}");
    }
    let days = fields.remove("daily_stats").expect("daily_stats");
    for field in ["success", "failed"] {
        let sum: i64 = days.as_array().into_iter().flatten().filter_map(|day| day[field].as_i64()).sum();
        fields.insert(format!("daily_stats.{field}"), sum.into());
    }
    dashboard
}

fn is_json(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}

type Runs = BTreeMap<RunKey, Execution>;

/// The events of a recorded run, each with its time of arrival.
fn events(requests: &[&Request]) -> Vec<Execution> {
    let ids = IdKey::new(b"the secret of this test");
    let start = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    let arrivals = (0..).map(|second| start + TimeDelta::seconds(second));
    requests
        .iter()
        .zip(arrivals)
        .filter_map(|(request, at)| read_event(&request.body, request.route(), at, &ids).ok())
        .map(|accepted| accepted.event.execution().clone())
        .collect()
}

/// Joins the events one at a time, in the given order.
fn joined(events: impl IntoIterator<Item = Execution>) -> Runs {
    let mut runs = Runs::new();
    for event in events {
        match runs.get_mut(&event.key) {
            Some(run) => run.join(&event),
            None => drop(runs.insert(event.key, event)),
        }
    }
    runs
}

#[test]
fn the_events_of_a_recorded_run_join_to_the_same_run_in_any_order_and_number() {
    let corpus = Corpus::largest();
    let runs: Vec<_> = corpus.runs().values().map(|requests| events(requests)).collect();
    let runs: Vec<_> = runs.into_iter().filter(|events| events.len() > 1).collect();
    assert!(runs.len() > 20);

    let order = |run: usize, count: usize| {
        let repeated = prop::collection::vec(0..count, 0..6);
        let order = repeated.prop_flat_map(move |repeated| {
            Just((0..count).chain(repeated).collect::<Vec<_>>()).prop_shuffle()
        });
        (Just(run), order, any::<prop::sample::Index>())
    };
    let counts: Vec<_> = runs.iter().map(Vec::len).collect();
    let strategy = (0..runs.len()).prop_flat_map(move |run| order(run, counts[run]));
    let config =
        Config { cases: 1000, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |(run, order, middle)| {
        let events = &runs[run];
        let expected = joined(events.iter().cloned());
        let permuted: Vec<_> = order.iter().map(|&event| events[event].clone()).collect();
        prop_assert_eq!(&joined(permuted.iter().cloned()), &expected);
        // In two halves, each joined on its own before they are joined.
        let (first, second) = permuted.split_at(middle.index(permuted.len()));
        let halves = [first, second].map(|half| joined(half.iter().cloned()));
        let halves = halves.into_iter().flat_map(BTreeMap::into_values);
        prop_assert_eq!(&joined(halves), &expected);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
