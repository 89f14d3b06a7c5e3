//! The signature of a failure, which groups runs that failed for the same reason.

use sha2::{Digest, Sha256};

use super::category::{Blame, Category};
use super::line::{Line, handled_command};
use super::{Diagnosis, Failure, diagnose, mask};

/// Prefix of the hashed text. Must change with the masks, so that old and new signatures differ.
const DOMAIN: &str = "telemetry signature 2";
/// Longest template, in characters.
const MAX_TEMPLATE_CHARS: usize = 200;

/// The signature shared by runs that failed for the same reason. With the rules of one version, everything else is a
/// function of the id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The first 64 bits of a hash of the rest, displayed as 16 hexadecimal digits.
    pub id: i64,
    /// The title of the rule and its subject, or the line with `#` for numbers and `*` for other variable parts. At
    /// most 200 characters.
    pub template: String,
    /// The id of the rule; `None` if no rule knows the line.
    pub rule: Option<&'static str>,
    /// What kind of failure it is.
    pub category: Category,
    /// The side that has to act.
    pub blame: Blame,
}

/// The signature of a failure; `None` if nothing is known about it.
#[must_use]
pub fn signature(failure: &Failure<'_>) -> Option<Signature> {
    diagnose(failure).map(|diagnosis| Signature::of(&diagnosis)).filter(|one| !one.template.is_empty())
}

impl Signature {
    pub(super) fn of(diagnosis: &Diagnosis) -> Self {
        let template = match (diagnosis.rule, &diagnosis.subject) {
            (Some(rule), Some(subject)) => format!("{}: {subject}", rule.title),
            (Some(rule), None) => rule.title.to_owned(),
            (None, subject) => {
                let message = match handled_command(&diagnosis.line) {
                    Some(_) => "Failed without a message".to_owned(),
                    None => mask::line(Line::message_of(&diagnosis.line)),
                };
                let handled = handled_command(&diagnosis.line).map(mask::command);
                match subject.as_ref().or(handled.as_ref()) {
                    Some(subject) => format!("{message}: {subject}"),
                    None => message,
                }
            }
        };
        let end = template.char_indices().nth(MAX_TEMPLATE_CHARS).map_or(template.len(), |(end, _)| end);
        let template = template[..end].trim_end().to_owned();
        let rule = diagnosis.rule.map(|rule| rule.id);
        let (category, blame) = (diagnosis.category, diagnosis.blame);
        // A rule may change its words without becoming another reason.
        let hashed = match rule {
            Some(rule) => [DOMAIN, rule, diagnosis.subject.as_deref().unwrap_or_default()].join("\n"),
            None => [DOMAIN, "", category.as_str(), blame.as_str(), &template].join("\n"),
        };
        let id = Sha256::digest(hashed).iter().take(8).fold(0, |id, byte| id << 8 | i64::from(*byte));
        Self { id, template, rule, category, blame }
    }
}
