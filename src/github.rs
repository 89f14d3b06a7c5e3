//! Issues on GitHub: what is written into one, and opening it.
//!
//! The masked template of a failure was made on somebody's host. It stands in a fence of code, so that nobody is
//! mentioned and nothing is linked by it.

use std::time::Duration;

use octocrab::Octocrab;
use serde::{Deserialize, Serialize};

use crate::config::outgoing::GitHub;
use crate::store::read::report::SignatureEvidence;

/// How long GitHub may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Scripts that are named.
const NAMED: usize = 20;
/// Days that are shown.
const SHOWN_DAYS: usize = 14;
/// Characters of the failing line in the title.
const TITLE: usize = 100;

/// Title and body of an issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// An issue that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its number in the repository.
    pub number: i64,
    /// Its page.
    #[serde(rename(deserialize = "html_url"))]
    pub url: String,
}

/// GitHub did not open the issue. What it said may repeat what was sent, so it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitHubError {
    /// It said no: the token, the repository, a limit.
    #[error("GitHub refused to open the issue")]
    Refused,
    /// Nobody knows whether it was opened.
    #[error("GitHub did not answer")]
    Silent,
}

/// Writes the issue of a signature.
#[must_use]
pub fn draft(signature: i64, evidence: &SignatureEvidence) -> Draft {
    let line = evidence.template.lines().next().unwrap_or_default().replace('`', "'");
    let line: String = line.chars().take(TITLE).collect();
    let place = match &evidence.scripts[..] {
        [(one, _)] => one.clone(),
        [(one, _), rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => "no script lately".to_owned(),
    };
    let total: i64 = evidence.scripts.iter().map(|(_, runs)| runs).sum();
    let fence = "`".repeat(longest_fence(&evidence.template).max(2) + 1);
    let scripts: String = evidence
        .scripts
        .iter()
        .take(NAMED)
        .map(|(app, runs)| format!("| `{}` | {runs} |\n", app.replace(['`', '|'], "'")))
        .collect();
    let days = &evidence.days[evidence.days.len().saturating_sub(SHOWN_DAYS)..];
    let days: String = days.iter().map(|(day, runs)| format!("| {day} | {runs} |\n")).collect();
    let body = format!(
        "{total} runs of the last 30 days ended badly at this line (variable parts are masked):\n\n\
         {fence}text\n{}\n{fence}\n\n\
         First seen {}. Signature `{signature:016x}`.\n\n\
         | script | runs |\n|---|---|\n{scripts}\n\
         | day (UTC) | runs |\n|---|---|\n{days}",
        evidence.template,
        evidence.first_seen.format("%Y-%m-%d %H:%M UTC")
    );
    Draft { title: format!("{place}: {line}"), body }
}

/// The longest row of backticks.
fn longest_fence(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}

/// Opens an issue.
///
/// # Errors
/// [`GitHubError`].
pub async fn open(github: &GitHub, draft: &Draft) -> Result<Opened, GitHubError> {
    let client = Octocrab::builder()
        .base_uri(github.api_url.as_str())
        .map_err(|_| GitHubError::Refused)?
        .personal_token(github.token.reveal().to_owned())
        .build()
        .map_err(|_| GitHubError::Refused)?;
    let path = format!("/repos/{}/issues", github.repository);
    let opened = tokio::time::timeout(PATIENCE, client.post::<_, Opened>(path, Some(draft))).await;
    match opened {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(octocrab::Error::GitHub { .. })) => Err(GitHubError::Refused),
        Ok(Err(_)) | Err(_) => Err(GitHubError::Silent),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_template_from_a_host_is_only_code() {
        let evidence = SignatureEvidence {
            template: "E: ```@everyone``` see #1".to_owned(),
            first_seen: DateTime::UNIX_EPOCH,
            scripts: vec![("docker".to_owned(), 5), ("jellyfin".to_owned(), 2)],
            days: vec![],
        };
        let draft = draft(-1, &evidence);
        assert_eq!(draft.title, "docker and 1 more: E: '''@everyone''' see #1");
        assert!(draft.body.contains("\n````text\nE: ```@everyone``` see #1\n````\n"), "{}", draft.body);
        assert!(draft.body.contains("7 runs") && draft.body.contains("`ffffffffffffffff`"), "{}", draft.body);
    }
}
