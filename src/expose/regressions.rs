//! Scripts whose failure rate rose, with the evidence.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::expose::execution_view::rfc3339;
use crate::expose::exit_codes;
use crate::expose::numbers::{Rate, hexadecimal};
use crate::expose::reason_view::SharedReason;
use crate::expose::table::lists;
use crate::regression::proportion::Proportion;
use crate::regression::{BASELINE_DAYS, Evidence, FALSE_DISCOVERIES, Findings, Scope};
use crate::store::model::names::{Name, RARE, RARE_SIGNATURE};
use crate::store::read::known::KnownNames;
use crate::store::read::platform_history::{ReasonCode, ReasonSignature};

/// Scripts whose failure rate rose.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Regressions {
    /// The time at which the answer was true.
    #[serde(serialize_with = "rfc3339")]
    pub as_of: DateTime<Utc>,
    /// Length of the period before each window with which it is compared, in days.
    pub baseline_days: u64,
    /// Upper limit of `q`: the expected share of false positives among the reported regressions.
    pub false_discoveries: f64,
    /// Number of comparisons that had enough runs for a test.
    pub tested: usize,
    /// Variance of daily failures relative to pure chance; 1 is pure chance.
    pub dispersion: f64,
    /// Strongest evidence first.
    pub regressions: Vec<RegressionView>,
}

lists!(Regressions: regressions);

/// A script whose failure rate rose.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RegressionView {
    /// Name of the script.
    pub app: String,
    /// The strongest evidence.
    #[serde(flatten)]
    pub clearest: EvidenceView,
    /// Evidence for other parts of the script, strongest first.
    pub others: Vec<EvidenceView>,
    /// The reason of failures that grew most.
    pub top_signature: Option<SignatureReason>,
    /// The exit code that grew most.
    pub top_exit_code: Option<CodeReason>,
}

/// The runs whose failure rate rose, and by how much.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvidenceView {
    /// `script` for all runs, `os` or `pve` for those on one operating system or version of Proxmox VE.
    pub scope: &'static str,
    /// The operating system or the version; `null` for all runs.
    pub value: Option<String>,
    /// `today`, `24h`, `3d` or `7d`.
    pub window: &'static str,
    /// Failed first attempts among successful and failed ones, in the days before the window.
    pub before: Rate,
    /// The same share in the window.
    pub after: Rate,
    /// Probability of such a rise by chance: one-sided p-value of Fisher's exact test.
    pub p: f64,
    /// `p` corrected for the number of comparisons (Benjamini-Hochberg).
    pub q: f64,
    /// Most likely UTC day of the rise.
    pub first_bad_day: NaiveDate,
}

/// A reason of failures that grew.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SignatureReason {
    /// Id of the reason, 16 hexadecimal digits.
    pub id: String,
    /// The failing line with its variable parts masked.
    pub template: Option<String>,
    /// The reason; its `subject` is `null` for a rare signature.
    pub reason: Option<SharedReason>,
    /// Failed runs since the first bad day.
    pub count: i64,
    /// Failed runs in the baseline before that day.
    pub count_before: i64,
    /// Whether there were none in the baseline.
    pub new: bool,
}

/// An exit code that grew.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CodeReason {
    /// 0 to 255; `null` for runs that reported none.
    pub exit_code: Option<i16>,
    /// Meaning of the code.
    pub description: String,
    /// Category of the cause.
    pub category: &'static str,
    /// Failed runs since the first bad day.
    pub count: i64,
    /// Failed runs in the baseline before that day.
    pub count_before: i64,
    /// Whether there were none in the baseline.
    pub new: bool,
}

/// The names that the answer may show.
pub fn names<'a>(
    findings: &'a Findings,
    signatures: &'a [ReasonSignature],
) -> impl Iterator<Item = Name> + use<'a> {
    let scopes = findings.regressions.iter().flat_map(|found| &found.evidence);
    let scopes = scopes.filter_map(|evidence| match scope(evidence) {
        (kind, Some(value)) => Some(Name::new(kind, value)),
        (_, None) => None,
    });
    let apps = findings.regressions.iter().map(|found| Name::new("app", &found.app));
    apps.chain(scopes).chain(signatures.iter().map(|row| Name::signature(row.signature)))
}

/// Builds the answer.
#[must_use]
pub fn regressions(
    as_of: DateTime<Utc>,
    findings: Findings,
    signatures: &[ReasonSignature],
    codes: &[ReasonCode],
    known: &KnownNames,
) -> Regressions {
    let regressions = findings.regressions.into_iter().map(|found| {
        // Observed runs minus those expected at the old frequency.
        let Evidence { before, after, .. } = found.evidence.first()?;
        let runs = |side: &Proportion| side.denominator.max(1) as f64;
        let growth = |was: i64, is: i64| is as f64 - was as f64 * runs(after) / runs(before);
        let signature = signatures
            .iter()
            .filter(|row| row.app == found.app && row.after > 0)
            .max_by(|a, b| growth(a.before, a.after).total_cmp(&growth(b.before, b.after)));
        let code = codes
            .iter()
            .filter(|row| row.app == found.app && row.after > 0)
            .max_by(|a, b| growth(a.before, a.after).total_cmp(&growth(b.before, b.after)));
        let mut evidence = found.evidence.iter().map(|evidence| view(evidence, known));
        let clearest = evidence.next()?;
        Some(RegressionView {
            app: known.shown("app", &found.app).to_owned(),
            clearest,
            others: evidence.collect(),
            top_signature: signature.map(|row| signature_reason(row, known)),
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

fn scope(evidence: &Evidence) -> (&'static str, Option<&str>) {
    match &evidence.scope {
        Scope::Script => ("script", None),
        Scope::Os(value) => ("os", Some(value)),
        Scope::Pve(value) => ("pve", Some(value)),
    }
}

fn signature_reason(row: &ReasonSignature, known: &KnownNames) -> SignatureReason {
    let is_known = known.shows(&Name::signature(row.signature));
    let subject = row.subject.clone().filter(|_| is_known);
    SignatureReason {
        id: hexadecimal(if is_known { row.signature } else { RARE_SIGNATURE }),
        template: if is_known { row.template.clone() } else { Some(RARE.to_owned()) },
        reason: SharedReason::of(row.reason.clone(), subject, row.category.clone(), row.blame.clone()),
        count: row.after,
        count_before: row.before,
        new: row.before == 0,
    }
}

fn view(evidence: &Evidence, known: &KnownNames) -> EvidenceView {
    let (scope, value) = scope(evidence);
    EvidenceView {
        scope,
        value: value.map(|value| known.shown(scope, value).to_owned()),
        window: evidence.window.as_str(),
        before: Rate::of(evidence.before.numerator, evidence.before.denominator),
        after: Rate::of(evidence.after.numerator, evidence.after.denominator),
        p: evidence.p,
        q: evidence.q,
        first_bad_day: evidence.first_bad_day,
    }
}

fn code_reason(row: &ReasonCode) -> CodeReason {
    let (exit_code, description, category) = exit_codes::counted(row.exit_code, row.generation);
    CodeReason {
        exit_code,
        description,
        category: category.as_str(),
        count: row.after,
        count_before: row.before,
        new: row.before == 0,
    }
}
