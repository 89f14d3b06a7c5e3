//! Scripts that fail more than before, with the evidence.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::explain;
use utoipa::ToSchema;

use crate::expose::execution::rfc3339;
use crate::expose::numbers::Rate;
use crate::expose::table::lists;
use crate::regression::proportion::Proportion;
use crate::regression::{BASELINE_DAYS, Evidence, FALSE_DISCOVERIES, Findings, Scope};
use crate::store::read::platform_history::{ReasonCode, ReasonSignature};

/// The answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Regressions {
    /// For when it is true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Days before a window that it is compared with.
    pub baseline_days: u64,
    /// Bound of `q`: the share of false ones among what is reported, on average.
    pub false_discoveries: f64,
    /// Comparisons that had enough runs.
    pub tested: usize,
    /// How much more failures vary from day to day than chance lets them; 1 is chance.
    pub dispersion: f64,
    /// Clearest first.
    pub regressions: Vec<RegressionView>,
}

lists!(Regressions: regressions);

/// A script that fails more than before.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegressionView {
    /// Script.
    pub app: String,
    /// The first evidence, which is the clearest.
    #[serde(flatten)]
    pub clearest: EvidenceView,
    /// The same for the other parts of the script that fail more, clearest first.
    pub others: Vec<EvidenceView>,
    /// The reason whose share grew most.
    pub top_signature: Option<SignatureReason>,
    /// The exit code whose share grew most.
    pub top_exit_code: Option<CodeReason>,
}

/// Where the rate rose, and by how much.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// `script`, `os`, `pve`: which runs of the script.
    pub scope: &'static str,
    /// The operating system or the version of Proxmox VE; `null` for all runs.
    pub value: Option<String>,
    /// `today`, `24h`, `3d`, `7d`.
    pub window: &'static str,
    /// Failed among succeeded and failed first attempts in the days before the window.
    pub before: Rate,
    /// The same in the window.
    pub after: Rate,
    /// Probability of such a rise by chance (Fisher's exact test, one-sided).
    pub p: f64,
    /// The same, corrected for the number of comparisons (Benjamini-Hochberg).
    pub q: f64,
    /// UTC day from which on the rate is best explained as higher.
    pub first_bad_day: NaiveDate,
}

/// A reason.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignatureReason {
    /// 16 hexadecimal digits.
    pub id: String,
    /// The failing line, with its variable parts masked.
    pub template: Option<String>,
    /// Failed runs with it since the first bad day.
    pub count: i64,
    /// And in the days before that are looked at.
    pub count_before: i64,
    /// Whether there were none before.
    pub new: bool,
}

/// An exit code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CodeReason {
    /// The code; `null` where none was told.
    pub exit_code: Option<i16>,
    /// What it means.
    pub description: String,
    /// Our category.
    pub category: &'static str,
    /// Failed runs with it since the first bad day.
    pub count: i64,
    /// And in the days before that are looked at.
    pub count_before: i64,
    /// Whether there were none before.
    pub new: bool,
}

/// Puts the answer together.
#[must_use]
pub fn regressions(
    as_of: DateTime<Utc>,
    findings: Findings,
    signatures: &[ReasonSignature],
    codes: &[ReasonCode],
) -> Regressions {
    let regressions = findings.regressions.into_iter().map(|found| {
        let growth = |before: i64, after: i64, evidence: &Evidence| {
            // What is to be expected if it were as often as before.
            let runs = |side: Proportion| side.denominator.max(1) as f64;
            after as f64 - before as f64 * runs(evidence.after) / runs(evidence.before)
        };
        let clearest = &found.evidence[0];
        let own = signatures.iter().filter(|row| row.app == found.app && row.after > 0);
        let signature = own.max_by(|a, b| {
            growth(a.before, a.after, clearest).total_cmp(&growth(b.before, b.after, clearest))
        });
        let own = codes.iter().filter(|row| row.app == found.app && row.after > 0);
        let code = own.max_by(|a, b| {
            growth(a.before, a.after, clearest).total_cmp(&growth(b.before, b.after, clearest))
        });
        let mut evidence = found.evidence.iter().map(view);
        let clearest = evidence.next()?;
        Some(RegressionView {
            app: found.app.clone(),
            clearest,
            others: evidence.collect(),
            top_signature: signature.map(|row| SignatureReason {
                id: format!("{:016x}", row.signature),
                template: row.template.clone(),
                count: row.after,
                count_before: row.before,
                new: row.before == 0,
            }),
            top_exit_code: code.map(code_reason),
        })
    });
    Regressions {
        as_of,
        baseline_days: BASELINE_DAYS,
        false_discoveries: FALSE_DISCOVERIES,
        tested: findings.tested,
        dispersion: (findings.dispersion * 1000.0).round() / 1000.0,
        regressions: regressions.flatten().collect(),
    }
}

fn view(evidence: &Evidence) -> EvidenceView {
    let (scope, value) = match &evidence.scope {
        Scope::Script => ("script", None),
        Scope::Os(value) => ("os", Some(value.clone())),
        Scope::Pve(value) => ("pve", Some(value.clone())),
    };
    EvidenceView {
        scope,
        value,
        window: evidence.window.as_str(),
        before: Rate::of(evidence.before.numerator, evidence.before.denominator),
        after: Rate::of(evidence.after.numerator, evidence.after.denominator),
        p: evidence.p,
        q: evidence.q,
        first_bad_day: evidence.first_bad_day,
    }
}

fn code_reason(row: &ReasonCode) -> CodeReason {
    let generation = u8::try_from(row.generation).ok().and_then(|number| Generation::try_from(number).ok());
    let meaning = explain(generation.unwrap_or(Generation::NEWEST), row.exit_code.into());
    let told = row.exit_code >= 0;
    CodeReason {
        exit_code: told.then_some(row.exit_code),
        description: if told { meaning.title.into_owned() } else { "No exit code".to_owned() },
        category: meaning.category.as_str(),
        count: row.after,
        count_before: row.before,
        new: row.before == 0,
    }
}
