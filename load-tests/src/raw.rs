//! The figures of each aggregate from the executions themselves, by one statement each: what one would write
//! without rollups.

/// An aggregate.
pub(crate) struct Aggregate {
    /// What is asked for, without the period; it ends where the query goes on.
    pub(crate) path: &'static str,
    /// The same by SQL, behind `from execution where … `.
    raw: (&'static str, &'static str),
    /// Days that count whatever the period is.
    days: Option<u32>,
}

const fn aggregate(path: &'static str, select: &'static str, rest: &'static str) -> Aggregate {
    Aggregate { path, raw: (select, rest), days: None }
}

/// All that answer for a period.
pub(crate) const AGGREGATES: [Aggregate; 17] = [
    aggregate(
        "/api/dashboard?",
        "app, kind, outcome, os_type, method, pve_version, gpu_vendor, gpu_passthrough, repo_slug, exit_code, generation,
         signature, date(first_seen), count(*), avg(install_duration)",
        "group by grouping sets ((app, kind, outcome), (os_type), (method), (pve_version), (gpu_vendor, gpu_passthrough),
         (repo_slug), (exit_code, generation), (signature), (date(first_seen), outcome))",
    ),
    aggregate(
        "/api/errors?",
        "exit_code, generation, outcome, app, kind, date(first_seen), count(*)",
        "group by grouping sets ((exit_code, generation, outcome), (app, kind, outcome), (app, exit_code, generation),
         (date(first_seen), outcome))",
    ),
    aggregate("/api/scripts?", "app, kind, outcome, count(*), avg(install_duration)", "group by app, kind, outcome"),
    aggregate("/api/scripts/docker?", SCRIPT, SCRIPT_GROUPS),
    aggregate("/api/repo-slugs?", "repo_slug, count(*)", "group by repo_slug"),
    aggregate(
        "/api/signatures?",
        "signature, count(*), count(distinct app), min(first_seen), max(first_seen)",
        "and outcome = 'failed' group by signature order by 2 desc limit 50",
    ),
    Aggregate {
        path: "/api/regressions?",
        raw: (
            "app, os_type, substring(pve_version from '^[^.]*[.][^.]*'), date(first_seen),
             count(*) filter (where outcome = 'failed'), count(*)",
            "and outcome in ('success', 'failed') and session_key is null group by grouping sets
             ((app, os_type, date(first_seen)), (app, substring(pve_version from '^[^.]*[.][^.]*'), date(first_seen)))",
        ),
        days: Some(36),
    },
    aggregate(
        "/api/sessions?",
        "coalesce(session_key, run_key), min(first_seen), count(*),
         max(first_seen) filter (where outcome = 'success') > min(first_seen) filter (where outcome = 'failed')",
        "group by 1",
    ),
    aggregate(
        "/api/runtime?",
        "runtime_source, runtime_ref, count(*), min(first_seen)",
        "and runtime_source is not null group by runtime_source, runtime_ref",
    ),
    aggregate("/api/timeseries?", "date(first_seen), outcome, count(*)", "group by date(first_seen), outcome"),
    aggregate("/api/timeseries?group=app&", "date(first_seen), app, outcome, count(*)", BY_APP),
    aggregate(
        "/api/timeseries?group=os&bucket=week&",
        "date_trunc('week', first_seen), os_type, outcome, count(*)",
        "group by 1, os_type, outcome",
    ),
    aggregate(
        "/api/timeseries?group=pve_version&metric=failure_rate&",
        "date(first_seen), pve_version, outcome, count(*)",
        "group by date(first_seen), pve_version, outcome",
    ),
    aggregate(
        "/api/timeseries?group=type&",
        "date(first_seen), kind, outcome, count(*)",
        "group by date(first_seen), kind, outcome",
    ),
    aggregate("/data/summary?", "app, outcome, count(*)", "group by app, outcome"),
    aggregate(
        "/data/errors?",
        "signature, count(*), count(distinct app)",
        "and outcome in ('failed', 'blocked') and signature is not null group by signature order by 2 desc limit 1000",
    ),
    aggregate(
        "/api/scripts?repo=all&type=vm&",
        "app, kind, outcome, count(*), avg(install_duration)",
        "and kind = 'vm' group by app, kind, outcome",
    ),
];

const SCRIPT: &str =
    "date(first_seen), outcome, os_type, os_version, pve_version, exit_code, generation, signature, count(*),
    percentile_cont(array[0.5, 0.9, 0.95]) within group (order by install_duration)";
const SCRIPT_GROUPS: &str =
    "and app = 'docker' group by grouping sets ((date(first_seen), outcome), (os_type, os_version, outcome),
    (pve_version, outcome), (exit_code, generation, outcome), (signature))";
const BY_APP: &str = "group by date(first_seen), app, outcome";

impl Aggregate {
    /// The statement for the last days.
    pub(crate) fn statement(&self, days: u32) -> String {
        let (select, rest) = self.raw;
        let days = self.days.unwrap_or(days);
        let repo = if self.path.contains("repo=all") {
            ""
        } else {
            "and coalesce(repo_source, 'ProxmoxVE') = 'ProxmoxVE'"
        };
        format!(
            "select {select} from execution where app is not null {repo} \
             and first_seen >= (date(now()) - {days} + 1)::timestamp at time zone 'UTC' {rest}"
        )
    }
}
