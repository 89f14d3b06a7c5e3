//! A link to GitHub's form for a new issue, filled in with the evidence of a signature. The maintainer who opens the
//! link decides whether to submit it, so this server needs no access to GitHub.
//!
//! The masked template of a failure comes from a host. It is shown in a code fence, so that it mentions nobody and
//! links to nothing.

use serde::Serialize;

use crate::store::read::report::SignatureEvidence;

/// Longest link in bytes; GitHub refuses URLs of about 8 KiB.
const MAX_LINK_BYTES: usize = 7_500;
/// Longest template in the title, in characters.
const TITLE_CHARS: usize = 100;
/// Longest name of a script, in characters.
const NAME_CHARS: usize = 60;
/// Sizes of the body, largest first: characters of the template, scripts, and days.
const SIZES: [(usize, usize, usize); 4] = [(2_000, 20, 14), (1_000, 10, 14), (400, 5, 7), (100, 3, 3)];

/// A new issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Address of GitHub's form with title and body.
    pub link: String,
}

/// Writes the issue of a signature in `repository` (`owner/name`): as much of the evidence as fits into a link.
#[must_use]
pub fn issue(repository: &str, signature: i64, evidence: &SignatureEvidence) -> Issue {
    let title = title(evidence);
    let mut issue = Issue { title, body: String::new(), link: String::new() };
    for (chars, scripts, days) in SIZES {
        issue.body = body(signature, evidence, chars, scripts, days);
        issue.link = link(repository, &issue.title, &issue.body);
        if issue.link.len() <= MAX_LINK_BYTES {
            break;
        }
    }
    issue
}

fn title(evidence: &SignatureEvidence) -> String {
    let line = evidence.template.lines().next().unwrap_or_default();
    let line = cut(&line.replace('`', "'"), TITLE_CHARS);
    match &evidence.scripts[..] {
        [(one, _)] => format!("{}: {line}", cut(one, NAME_CHARS)),
        [(one, _), rest @ ..] => format!("{} and {} more: {line}", cut(one, NAME_CHARS), rest.len()),
        [] => line,
    }
}

fn body(signature: i64, evidence: &SignatureEvidence, chars: usize, scripts: usize, days: usize) -> String {
    let total: i64 = evidence.scripts.iter().map(|(_, runs)| runs).sum();
    let template = cut(&evidence.template, chars);
    let fence = "`".repeat(longest_fence(&template).max(2) + 1);
    let scripts: String = evidence
        .scripts
        .iter()
        .take(scripts)
        .map(|(app, runs)| {
            format!("| `{}` | {runs} |\n", cut(&app.replace(['`', '|', '\n'], "'"), NAME_CHARS))
        })
        .collect();
    let days = &evidence.days[evidence.days.len().saturating_sub(days)..];
    let days: String = days.iter().map(|(day, runs)| format!("| {day} | {runs} |\n")).collect();
    format!(
        "{total} runs of the last 30 days failed for this reason (variable parts are masked):\n\n\
         {fence}text\n{template}\n{fence}\n\n\
         First seen {}. Signature `{signature:016x}`.\n\n\
         | script | runs |\n|---|---|\n{scripts}\n\
         | day (UTC) | runs |\n|---|---|\n{days}",
        evidence.first_seen.format("%Y-%m-%d %H:%M UTC")
    )
}

fn link(repository: &str, title: &str, body: &str) -> String {
    let form = format!("https://github.com/{repository}/issues/new?");
    let start = form.len();
    let mut query = form_urlencoded::Serializer::for_suffix(form, start);
    query.append_pair("title", title).append_pair("body", body).finish()
}

/// The first characters of a text, with an ellipsis if it is longer.
fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The longest sequence of backticks.
fn longest_fence(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::{DateTime, NaiveDate};

    use super::*;

    fn evidence(template: &str) -> SignatureEvidence {
        SignatureEvidence {
            template: template.to_owned(),
            first_seen: DateTime::UNIX_EPOCH,
            scripts: vec![("docker".to_owned(), 5), ("jellyfin".to_owned(), 2)],
            days: vec![(NaiveDate::MIN, 7)],
        }
    }

    /// The parameters that GitHub reads from a link.
    fn parameters(link: &str) -> HashMap<String, String> {
        let (form, query) = link.split_once('?').expect("a query");
        assert_eq!(form, "https://github.com/owner/name/issues/new");
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[test]
    fn a_template_is_shown_as_code() {
        let issue = issue("owner/name", -1, &evidence("E: ```@everyone``` see #1"));
        assert_eq!(issue.title, "docker and 1 more: E: '''@everyone''' see #1");
        assert!(issue.body.contains("\n````text\nE: ```@everyone``` see #1\n````\n"), "{}", issue.body);
        assert!(issue.body.contains("7 runs") && issue.body.contains("`ffffffffffffffff`"), "{}", issue.body);
    }

    #[test]
    fn the_link_carries_title_and_body_of_any_template() {
        for template in [
            "E: \"quoted\" 'text'",
            "first\nsecond\r\nthird",
            "a&body=other&labels=x#fragment?y=%41+%zz",
            "</script><img src=x>",
            "naïve 文字 \u{1f4a5} \u{202e}",
            "\0\u{7f}\u{1b}[31m",
            "",
        ] {
            let issue = issue("owner/name", 1, &evidence(template));
            let sent = parameters(&issue.link);
            assert_eq!(sent.len(), 2, "{}", issue.link);
            assert_eq!((&sent["title"], &sent["body"]), (&issue.title, &issue.body));
            assert!(issue.body.contains(template), "{}", issue.body);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?=&%+*".contains(&byte);
            assert!(issue.link.bytes().all(is_plain), "{}", issue.link);
        }
    }

    #[test]
    fn a_link_has_a_bounded_length() {
        for char in ['x', '&', '`', '\n', '文', '\u{1f4a5}'] {
            let long: String = std::iter::repeat_n(char, 10_000).collect();
            let mut evidence = evidence(&long);
            evidence.scripts = (0..100).map(|number| (format!("{number}{long}"), 1)).collect();
            evidence.days = std::iter::repeat_n((NaiveDate::MIN, 1), 30).collect();
            let issue = issue("owner/name", 1, &evidence);
            assert!(issue.link.len() <= MAX_LINK_BYTES, "{char:?}: {}", issue.link.len());
            assert_eq!(parameters(&issue.link)["body"], issue.body, "{char:?}");
            assert!(issue.body.contains("100 runs of"), "{}", issue.body);
        }
    }
}
