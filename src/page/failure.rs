//! `/failures/{id}`: one reason of failures, from what it is to where it occurs.

mod evidence;

use chrono::NaiveDate;
use maud::{Markup, html};
use telemetry_protocol::Generation;
use telemetry_protocol::reason::Blame;

use crate::expose::execution_view::ExecutionView;
use crate::expose::exit_codes;
use crate::expose::signatures::OneSignature;
use crate::issue::Issue;
use crate::page::address::Address;
use crate::page::chart::stacked::{Counts, stacked};
use crate::page::context::Context;
use crate::page::layout::{Page, document, section};
use crate::page::number::{count, counted, day, moment};
use crate::page::reason;
use crate::page::triage::{self, Decided};

/// Scripts that the answer names at most.
const MOST_SCRIPTS: usize = 100;

/// What the page shows.
#[derive(Debug)]
pub struct Failure {
    /// The reason and its counts.
    pub signature: OneSignature,
    /// A prefilled issue; `None` if the reason is not known any more.
    pub issue: Option<Issue>,
    /// First and last day of the period.
    pub days: (NaiveDate, NaiveDate),
}

/// The page of one reason.
#[must_use]
pub fn failure(context: &Context, data: &Failure) -> String {
    let address = &context.address;
    let Failure { signature, .. } = data;
    let by_day: Counts = signature.days.iter().map(|day| (day.date, vec![day.failed])).collect();
    let api = address.to(&["api", "signatures", &signature.id]);
    let content = html! {
        (what(signature, address))
        (issue(data))
        (decide(context, signature))
        @if signature.count == 0 {
            p.empty { "No run failed for this reason in this period. Choose a longer one above." }
        } @else {
            (section("when", "Since when", &html! {
                p { (since(signature)) }
                (stacked("Failed runs by UTC day", &[("failed", "failed")], &by_day, data.days, signature.as_of, address))
            }))
            (section("scripts", "Scripts", &evidence::scripts(signature, address, &api)))
            (section("differs", "What differs", &evidence::differs(signature, &api)))
            (section("runs", "Newest runs", &evidence::runs(signature, context, &api)))
        }
    };
    let title = match signature.template.as_str() {
        "" => "The log does not say why",
        "(rare)" => "A failure that few runs have",
        template => template,
    };
    document(context, &Page { title, as_of: Some(signature.as_of), filter: Some(Vec::new()), content })
}

/// The reason in words, what to do, and the exit codes.
fn what(signature: &OneSignature, address: &Address) -> Markup {
    let shared = signature.reason.as_ref();
    let rule = shared.and_then(|reason| reason.id.as_deref());
    let subject = shared.and_then(|reason| reason.subject.as_deref());
    let category = shared.map_or("unknown", |reason| &reason.category);
    let blame = Blame::from_word(&signature.blame).unwrap_or_default();
    html! {
        p.lead {
            (counted(signature.count, "run", "runs")) " of "
            @if signature.apps.len() >= MOST_SCRIPTS { "at least " }
            (counted(signature.apps.len() as i64, "script", "scripts"))
            " failed for this reason in this period. "
            (reason::state(Some(&signature.state), None))
        }
        dl.facts {
            @if let Some(hint) = shared.and_then(|reason| reason.hint) { dt { "What to do" } dd { (hint) } }
            dt { "To be fixed by" } dd { (reason::blame(Some(&signature.blame))) " " (blame.explanation()) }
            @if let Some(subject) = subject { dt { "About" } dd { code { bdi { (subject) } } } }
            dt { "Kind" }
            dd {
                a href=(address.to(&["failures"]).with(&[("category", category)]).href()) { (category.replace('_', " ")) }
                @if let Some(rule) = rule {
                    " · " a href=(address.to(&["reasons", rule]).href()) { code { (rule) } }
                }
            }
            @if rule.is_none() && !signature.template.is_empty() {
                dt { "Line of the log" } dd { code { bdi { (signature.template) } } }
            }
            @if !signature.exit_codes.is_empty() {
                dt { "Exit code" }
                dd { ul.plain { @for code in &signature.exit_codes { li { (exit_code(code.exit_code, code.count, address)) } } } }
            }
        }
    }
}

fn exit_code(code: Option<i32>, runs: i64, address: &Address) -> Markup {
    let known = code.and_then(|code| u8::try_from(code).ok());
    html! {
        @match known {
            Some(code) => {
                a href=(address.to(&["exit-codes", &code.to_string()]).href()) { (code) }
                " – " (exit_codes::one(Generation::NEWEST, code).title)
            },
            None => "none reported",
        }
        " (" (counted(runs, "run", "runs")) ")"
    }
}

fn since(signature: &OneSignature) -> Markup {
    let (first, last) = (signature.days.first(), signature.days.last());
    html! {
        @match first.filter(|first| first.date < signature.created.date_naive()) {
            // Runs that are imported were seen first long after their day.
            Some(first) => { "First in this period on " (day(first.date)) },
            None => { "First seen " (moment(signature.created)) },
        }
        @if let Some(last) = last { ", last on " (day(last.date)) }
        "."
        @if signature.sessions > 0 {
            " " (count(signature.sessions)) " installations were affected, retries counted once."
        }
    }
}

/// The known issue, or the link to open one.
fn issue(data: &Failure) -> Markup {
    let signature = &data.signature;
    html! {
        p.actions {
            @if let Some(known) = &signature.issue_url {
                a.button href=(known) rel="noreferrer" { "Open the known issue" }
            } @else if let Some(issue) = &data.issue {
                a.button href=(issue.link) rel="noreferrer" { "Open an issue on GitHub" }
                " " span.note { "The form is filled in with the last 30 days of all repositories; nothing is sent before you submit it." }
            }
        }
        @if let Some(note) = &signature.note { p.note { "Note of maintainers: " bdi { (note) } } }
    }
}

/// The form for administrators.
fn decide(context: &Context, signature: &OneSignature) -> Markup {
    let decided = Decided {
        id: &signature.id,
        state: &signature.state,
        issue_url: signature.issue_url.as_deref(),
        note: signature.note.as_deref(),
    };
    triage::form(context, &decided)
}

/// The line of the script on GitHub at which a run failed; `None` if the run did not tell its revision.
#[must_use]
pub fn source_line(run: &ExecutionView) -> Option<String> {
    let is_plain = |text: &&String| {
        !text.starts_with(['.', '/'])
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let (line, app) = (run.failed_line?, run.app.as_ref().filter(is_plain)?);
    let revision = run.runtime_ref.as_ref().filter(is_plain)?;
    let repository = match (run.repo_source.as_deref(), run.repo_slug.as_deref()) {
        (_, Some(slug))
            if slug.split('/').map(str::to_owned).all(|part| !part.is_empty() && is_plain(&&part)) =>
        {
            slug
        }
        (None | Some("ProxmoxVE"), None) => "community-scripts/ProxmoxVE",
        (Some("ProxmoxVED"), None) => "community-scripts/ProxmoxVED",
        _ => return None,
    };
    let file = match run.kind.as_deref()? {
        "lxc" => format!("install/{app}-install.sh"),
        "vm" => format!("vm/{app}-vm.sh"),
        _ => return None,
    };
    Some(format!("https://github.com/{repository}/blob/{revision}/{file}#L{line}"))
}
