//! Each aggregate as one statement over the executions, which is how it would be computed without rollups.

/// An endpoint, and the statement that computes the same.
pub(crate) struct Aggregate {
    /// Path and query without the period, so that `days=…` can be appended.
    pub(crate) path: &'static str,
    /// The statement. `{runs}` stands for the executions of the period: table and condition.
    raw: &'static str,
    /// The number of days, if the endpoint ignores the requested period.
    days: Option<u32>,
}

const fn aggregate(path: &'static str, raw: &'static str) -> Aggregate {
    Aggregate { path, raw, days: None }
}

/// All endpoints that aggregate a period.
pub(crate) const AGGREGATES: [Aggregate; 19] = [
    aggregate(
        "/api/dashboard?",
        "select app, kind, outcome, os_type, method, pve_version, gpu_vendor, gpu_passthrough, repo_slug, exit_code,
             generation, signature, date(first_seen), count(*), avg(install_duration)
         from {runs}
         group by grouping sets ((app, kind, outcome), (os_type), (method), (pve_version), (gpu_vendor, gpu_passthrough),
             (repo_slug), (exit_code, generation), (signature), (date(first_seen), outcome))",
    ),
    aggregate(
        "/api/errors?",
        "select exit_code, generation, outcome, app, kind, date(first_seen), count(*)
         from {runs}
         group by grouping sets ((exit_code, generation, outcome), (app, kind, outcome), (app, exit_code, generation),
             (date(first_seen), outcome))",
    ),
    aggregate("/api/scripts?", BY_SCRIPT),
    aggregate("/api/scripts/docker?", ONE_SCRIPT),
    aggregate(
        "/api/popular?",
        "select app, kind, count(*), count(*) filter (where outcome = 'failed') from {runs} group by app, kind",
    ),
    aggregate(
        "/api/exit-codes/1/runs?",
        "select app, kind, date(first_seen), outcome, count(*) from {runs} and exit_code = 1
         group by grouping sets ((app, kind), (date(first_seen), outcome))",
    ),
    aggregate("/api/repo-slugs?", "select repo_slug, count(*) from {runs} group by repo_slug"),
    aggregate("/api/signatures?", BY_SIGNATURE),
    Aggregate {
        path: "/api/regressions?",
        raw: "select app, os_type, substring(pve_version from '^[^.]*[.][^.]*'), date(first_seen),
                  count(*) filter (where outcome = 'failed'), count(*)
              from {runs} and outcome in ('success', 'failed') and session_key is null
              group by grouping sets ((app, os_type, date(first_seen)),
                  (app, substring(pve_version from '^[^.]*[.][^.]*'), date(first_seen)))",
        days: Some(36),
    },
    aggregate(
        "/api/sessions?",
        "select coalesce(session_key, run_key), min(first_seen), count(*),
             max(first_seen) filter (where outcome = 'success') > min(first_seen) filter (where outcome = 'failed')
         from {runs} group by 1",
    ),
    aggregate(
        "/api/runtime?",
        "select runtime_source, runtime_ref, count(*), min(first_seen)
         from {runs} and runtime_source is not null group by runtime_source, runtime_ref",
    ),
    aggregate(
        "/api/timeseries?",
        "select date(first_seen), outcome, count(*) from {runs} group by date(first_seen), outcome",
    ),
    aggregate(
        "/api/timeseries?group=app&",
        "select date(first_seen), app, outcome, count(*) from {runs} group by date(first_seen), app, outcome",
    ),
    aggregate(
        "/api/timeseries?group=os&bucket=week&",
        "select date_trunc('week', first_seen), os_type, outcome, count(*) from {runs} group by 1, os_type, outcome",
    ),
    aggregate(
        "/api/timeseries?group=pve_version&metric=failure_rate&",
        "select date(first_seen), pve_version, outcome, count(*)
         from {runs} group by date(first_seen), pve_version, outcome",
    ),
    aggregate(
        "/api/timeseries?group=type&",
        "select date(first_seen), kind, outcome, count(*) from {runs} group by date(first_seen), kind, outcome",
    ),
    aggregate("/data/summary?", "select app, outcome, count(*) from {runs} group by app, outcome"),
    aggregate(
        "/data/errors?",
        "select signature, count(*)
         from {runs} and outcome in ('failed', 'blocked') and signature is not null
         group by signature order by 2 desc limit 1000",
    ),
    aggregate(
        "/api/scripts?repo=all&type=vm&",
        "select app, kind, outcome, count(*), avg(install_duration)
         from {runs} and kind = 'vm' group by app, kind, outcome",
    ),
];

const BY_SCRIPT: &str =
    "select app, kind, outcome, count(*), avg(install_duration) from {runs} group by app, kind, outcome";

const BY_SIGNATURE: &str =
    "select signature, (select template from signature where id = hit.signature), sum(runs), count(*), min(first_seen),
         max(last_seen), sum(last_week), sum(week_before), (array_agg(app order by runs desc, app))[:5],
         (array_agg(runs order by runs desc))[:5], sum(sum(runs)) over ()
     from (
         select signature, app, count(*) as runs, min(first_seen) as first_seen, max(first_seen) as last_seen,
             count(*) filter (where first_seen >= date(now()) - 6) as last_week,
             count(*) filter (where first_seen >= date(now()) - 13 and first_seen < date(now()) - 6) as week_before
         from {runs} and outcome = 'failed' group by signature, app
     ) as hit
     group by signature order by 3 desc limit 50";

const ONE_SCRIPT: &str = "with run as materialized (
         select coalesce(session_key, run_key) as session, first_seen, outcome, os_type, os_version, pve_version,
             exit_code, generation, signature, install_duration
         from {runs} and app = 'docker'
     ), session as (
         select count(*) as attempts,
             max(first_seen) filter (where outcome = 'success')
                 > min(first_seen) filter (where outcome = 'failed') as is_saved
         from run group by session
     )
     select date(first_seen), outcome, os_type, os_version, pve_version, exit_code, generation, signature, count(*),
         min(first_seen), max(first_seen), null
     from run
     group by grouping sets ((date(first_seen), outcome), (os_type, os_version, outcome), (pve_version, outcome),
         (exit_code, generation, outcome), (signature))
     union all
     select null, null, null, null, null, null, null, null, count(*), null, null,
         percentile_cont(array[0.5, 0.9, 0.95]) within group (order by install_duration)
     from run where outcome = 'success'
     union all
     select null, null, null, null, null, null, null, null, count(*), null, null,
         array[count(*) filter (where attempts > 1), count(*) filter (where is_saved)]
     from session";

impl Aggregate {
    /// The statement for the last `days` days.
    pub(crate) fn statement(&self, days: u32) -> String {
        let days = self.days.unwrap_or(days);
        let repo = if self.path.contains("repo=all") {
            ""
        } else {
            "and coalesce(repo_source, 'ProxmoxVE') = 'ProxmoxVE'"
        };
        let runs = format!(
            "execution where app is not null {repo} \
             and first_seen >= (date(now()) - {days} + 1)::timestamp at time zone 'UTC'"
        );
        self.raw.replace("{runs}", &runs)
    }
}
