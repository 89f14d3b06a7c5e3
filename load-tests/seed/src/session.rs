//! A session: the attempts of one person at one script, until it works or they give up.

use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::Distribution;
use telemetry_protocol::exit_code::explain;
use telemetry_protocol::{Generation, Status};
use telemetry_server::ingest::execution::Execution;
use telemetry_server::ingest::identity::RunKey;
use telemetry_server::ingest::reported::{Facts, Reported};
use telemetry_server::ingest::scrub::scrub_facts;
use uuid::Uuid;

use crate::Plan;
use crate::applications::{Catalogue, Script, log_normal};
use crate::failure_texts::{Failure, blocked, failed, log_tail};
use crate::invented_host::Host;

/// Most attempts in a session.
const MAX_ATTEMPTS: usize = 5;
/// Share of executions whose end is never reported.
const SILENT: f64 = 0.03;
/// Share of executions that end with the status `unknown`.
const UNKNOWN: f64 = 0.003;
const ABORTED: f64 = 0.045;
const BLOCKED: f64 = 0.018;

/// How an attempt ends.
enum Course {
    Success,
    Failed(Failure),
    Aborted,
    Unknown,
    Silent,
}

/// The executions of a session that begins at `start`. No event is later than the end of the plan.
pub(super) fn session(
    random: &mut ChaCha8Rng,
    catalogue: &Catalogue,
    plan: &Plan,
    start: DateTime<Utc>,
) -> Vec<Execution> {
    let script = catalogue.pick(random);
    let host = Host::of(random, script, start, plan.until);
    let session = key(random);
    let mut attempts = Vec::new();
    let (mut begin, mut failure_rate) = (start, script.failure_rate);
    loop {
        let course = course(random, plan, script, &host, begin, failure_rate);
        // The first attempt has the id of the session.
        let is_retry = !attempts.is_empty();
        let key = if is_retry { key(random) } else { session };
        let attempt = attempt(random, plan, script, &host, &course, begin);
        let attempt = Execution { key, session: is_retry.then_some(session), ..attempt };
        let pause = random.random_range(20..900);
        begin = attempt.last_seen + TimeDelta::seconds(pause);
        attempts.push(attempt);
        let again = match course {
            Course::Success | Course::Unknown | Course::Silent => 0.0,
            Course::Aborted => 0.3,
            Course::Failed(failure) => {
                failure_rate = if failure.passes { 0.35 } else { 0.7 };
                0.45
            }
        };
        if attempts.len() == MAX_ATTEMPTS || !random.random_bool(again) || begin > plan.until {
            return attempts;
        }
    }
}

fn key(random: &mut ChaCha8Rng) -> RunKey {
    RunKey(Uuid::from_u128(random.random()))
}

fn course(
    random: &mut ChaCha8Rng,
    plan: &Plan,
    script: &Script,
    host: &Host,
    begin: DateTime<Utc>,
    failure_rate: f64,
) -> Course {
    let days_ago = (plan.until.date_naive() - begin.date_naive()).num_days();
    for plant in &plan.plants {
        if plant.hits(script.name, host.os.0, host.pve_version, days_ago) && random.random_bool(plant.rate) {
            return Course::Failed(Failure {
                exit_code: plant.exit_code,
                error: log_tail(plant.exit_code, &plant.error),
                command: String::new(),
                passes: false,
            });
        }
    }
    let roll = random.random::<f64>();
    let bounds = [failure_rate, SILENT, UNKNOWN, ABORTED, BLOCKED];
    let mut bound = 0.0;
    let position = bounds.iter().position(|share| {
        bound += share;
        roll < bound
    });
    match position {
        Some(0) => Course::Failed(failed(random, script.name)),
        Some(1) => Course::Silent,
        Some(2) => Course::Unknown,
        Some(3) => Course::Aborted,
        Some(_) => Course::Failed(blocked(random, script.name)),
        None => Course::Success,
    }
}

/// One attempt. The caller sets its keys.
fn attempt(
    random: &mut ChaCha8Rng,
    plan: &Plan,
    script: &Script,
    host: &Host,
    course: &Course,
    begin: DateTime<Utc>,
) -> Execution {
    let full = script.duration.sample(random).clamp(2.0, 20_000.0);
    let seconds = match course {
        Course::Success | Course::Unknown => full,
        _ => (full * random.random_range(0.05..1.0)).max(1.0),
    };
    let end = begin + TimeDelta::milliseconds((seconds * 1000.0) as i64);
    let status = match course {
        Course::Silent => None,
        _ if end > plan.until => None,
        Course::Success => Some(Status::Success),
        Course::Failed(_) => Some(Status::Failed),
        Course::Aborted => Some(Status::Aborted),
        Course::Unknown => Some(Status::Unknown),
    };
    let mut steps = [None; Status::ALL.len()];
    let mut last_seen = begin;
    let mut reached = Status::Installing;
    let mut step = |status: Status, at: DateTime<Utc>| {
        if at <= plan.until {
            steps[status.rank() as usize] = Some(at);
            (last_seen, reached) = (at.max(last_seen), status);
        }
    };
    step(Status::Installing, begin);
    if host.generation > Generation::One {
        step(Status::Validation, begin + (end - begin) / 10);
        step(Status::Configuring, begin + (end - begin) / 4);
    }
    if let Some(status) = status {
        step(status, end);
    }
    let run = Execution {
        key: RunKey(Uuid::nil()),
        session: None,
        generation: host.generation,
        first_seen: begin,
        last_seen,
        steps,
        facts: scrub_facts(facts(random, script, host, course, reached, seconds)),
        signature: None,
        category: None,
    };
    run.diagnosed()
}

/// The facts of the last report, whose status is `reached`.
fn facts(
    random: &mut ChaCha8Rng,
    script: &Script,
    host: &Host,
    course: &Course,
    reached: Status,
    seconds: f64,
) -> Facts {
    let text = |value: &str| Reported::by(reached, (!value.is_empty()).then(|| value.into()));
    let number = |value: i32| Reported::by(reached, Some(value));
    let newest = host.generation == Generation::Three;
    let telemetry = host.generation > Generation::One;
    let when = |reported: bool, value: &'static str| text(if reported { value } else { "" });
    let mut facts = Facts {
        app: text(script.name),
        kind: text(script.kind),
        ct_type: number(if script.kind == "vm" { 2 } else { i32::from(random.random_bool(0.93)) }),
        disk_size: number((log_normal(7.0, 0.8).sample(random) as i32).clamp(1, 500)),
        core_count: number([1, 1, 2, 2, 2, 4, 4, 8][random.random_range(0..8)]),
        ram_size: number([512, 512, 1024, 2048, 2048, 4096, 6144, 8192][random.random_range(0..8)]),
        os_type: text(host.os.0),
        os_version: text(host.os.1),
        pve_version: text(host.pve_version),
        method: text(host.method),
        cpu_vendor: when(telemetry, host.cpu.0),
        cpu_model: when(telemetry, host.cpu.1),
        gpu_vendor: when(telemetry, host.gpu.0),
        gpu_model: when(telemetry, host.gpu.1),
        gpu_passthrough: when(telemetry, if host.passthrough { "yes" } else { "no" }),
        ram_speed: when(telemetry, host.ram_speed),
        arch: when(newest, host.arch),
        platform: when(newest, host.platform),
        kernel_version: when(newest, host.kernel),
        repo_source: when(telemetry, host.repository.0),
        repo_slug: when(newest, host.repository.1),
        template_kind: when(newest && script.kind == "lxc", "tarball"),
        runtime_source: when(newest, host.runtime.0),
        runtime_ref: when(newest, host.runtime.1),
        ..Facts::default()
    };
    if telemetry && reached.is_end() {
        facts.install_duration = number(seconds as i32);
    }
    match course {
        Course::Failed(failure) if reached == Status::Failed => {
            let category = explain(host.generation, failure.exit_code).category.as_str();
            facts.exit_code = number(failure.exit_code);
            facts.error = text(&failure.error);
            facts.error_category = when(telemetry, category);
            facts.failed_command = text(if newest { &failure.command } else { "" });
            facts.failed_line =
                if newest { number(random.random_range(20..400)) } else { Reported::default() };
        }
        Course::Aborted if reached == Status::Aborted => facts.exit_code = number(130),
        Course::Success if telemetry && reached == Status::Success => facts.exit_code = number(0),
        _ => {}
    }
    facts
}
