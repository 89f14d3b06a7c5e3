//! Picks the line that says why.

use std::borrow::Cow;
use std::cmp::Reverse;

use super::catalogue::CATALOGUE;
use super::category::{Blame, Category};
use super::line::{Line, Report, handled_command, is_handler, is_spinner, is_step};
use super::rule::{Rank, Rule};
use super::score::{CONVINCING, plain_category, score, vague_category};
use super::{Diagnosis, Failure, mask};
use crate::scrub::cut_tail;
use crate::{Generation, exit_code};

/// How much of the end of the error text is read, in bytes.
const MAX_ERROR_BYTES: usize = 16 * 1024;
/// How much of the failed command is read, in bytes.
const MAX_COMMAND_BYTES: usize = 2 * 1024;
/// Longest text that is made of several lines, in bytes.
const MAX_JOINED_BYTES: usize = 1024;
/// Most lines that are joined.
const MAX_JOINED_LINES: usize = 4;
/// Shortest line that a tool or a terminal may have wrapped, in characters.
const SHORTEST_WRAPPED: usize = 50;

/// How much a line says, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// A line without any word of an error; the last one counts.
    Any,
    /// The error handler's line, which names only the command.
    Handler,
    /// General words, but not many.
    Vague,
    Echo,
    Symptom,
    /// General words that are convincing.
    Convincing,
    Cause,
    /// A cause for which the command or the exit code speaks as well.
    ConfirmedCause,
}

/// A line that can be the reason.
#[derive(Clone, Debug)]
pub struct Candidate<'t> {
    /// The line, with lines joined that a tool has wrapped.
    pub line: Cow<'t, str>,
    /// The rule that knows the line.
    pub rule: Option<&'static Rule>,
    /// What the general words of the line count, if no rule knows it.
    pub score: i32,
    weight: Weight,
    /// The part of the line that the rule matches.
    reading: Cow<'t, str>,
    at: usize,
}

/// Finds the reason of a failure.
pub(super) fn pick(failure: &Failure<'_>) -> Option<Diagnosis> {
    let (report, context) = read(failure);
    // What the exit code says counts where the log says nothing.
    let category = context.exit_code.map_or(Category::Unknown, |code| {
        Category::of_exit_code(failure.generation.unwrap_or(Generation::NEWEST), code)
    });
    let ranked = rank(&report, context);
    // A line that no rule knows is of the kind of the line that passes it on: a compiler's message of the build.
    let passed_on = ranked.iter().find_map(|candidate| candidate.rule);
    if let Some(best) = ranked.into_iter().next() {
        let is_known = best.rule.is_some();
        let is_silent = !is_known && best.weight <= Weight::Handler;
        let before = &report.lines[..best.at];
        let mut diagnosis = diagnosis(best, context);
        if is_silent {
            diagnosis.subject = subject_of_silent(&diagnosis.line, before, context.command);
        }
        // The handler's line repeats the meaning of the exit code.
        let text = if is_handler(&diagnosis.line) {
            handled_command(&diagnosis.line).unwrap_or_default()
        } else {
            &diagnosis.line
        };
        if !is_known && let Some(category) = plain_category(text) {
            diagnosis.category = category;
        } else if let Some(rule) = passed_on.filter(|_| !is_known) {
            (diagnosis.category, diagnosis.blame) = (rule.category, rule.blame);
        } else if !is_known {
            diagnosis.category = vague_category(text).unwrap_or(category);
        }
        return Some(diagnosis);
    }
    let line = match (report.explanation, context.command) {
        (Some(explanation), "") => explanation.to_owned(),
        (Some(explanation), command) => format!("{explanation}: {command}"),
        (None, "") => {
            let code = context.exit_code?;
            exit_code::explain(failure.generation.unwrap_or(Generation::NEWEST), code).title.into_owned()
        }
        (None, command) => command.to_owned(),
    };
    Some(Diagnosis { rule: None, line, subject: None, category, blame: Blame::Unknown })
}

/// What a failure without a message is about: the step if the handler's line names only the scripts' own functions,
/// the command if the line does not name it.
fn subject_of_silent(line: &str, before: &[Line<'_>], command: &str) -> Option<String> {
    let subject = match handled_command(line) {
        Some(handled) if ["\"$@\"", "return", "exit"].iter().any(|own| handled.starts_with(own)) => {
            let step = before.iter().rev().find(|line| is_step(line.text, line.message()));
            mask::mask(step?.message())
        }
        Some(_) => return None,
        None => mask::command(command),
    };
    Some(subject).filter(|subject| !subject.is_empty())
}

/// Every line that can be the reason, the best first, for people who write rules.
#[must_use]
pub fn candidates<'t>(failure: &Failure<'t>) -> Vec<Candidate<'t>> {
    let (report, context) = read(failure);
    rank(&report, context)
}

/// What is known besides the log.
#[derive(Clone, Copy)]
struct Context<'t> {
    exit_code: Option<i32>,
    command: &'t str,
}

fn read<'t>(failure: &Failure<'t>) -> (Report<'t>, Context<'t>) {
    let report = Report::read(cut_tail(failure.error, MAX_ERROR_BYTES));
    let command = failure.failed_command.map(str::trim).filter(|command| !command.is_empty());
    let command = head(command.or(report.command).unwrap_or_default(), MAX_COMMAND_BYTES);
    let exit_code = failure.exit_code.or(report.exit_code);
    (report, Context { exit_code, command })
}

/// All candidates, the best first.
fn rank<'t>(report: &Report<'t>, context: Context<'t>) -> Vec<Candidate<'t>> {
    let mut found = Vec::new();
    for (at, line) in report.lines.iter().enumerate() {
        let single = candidate(at, line, context);
        let joined = joined_candidate(at, &report.lines[at..], single.as_ref(), context);
        found.extend(joined.or(single));
    }
    found.sort_by_key(|candidate| Reverse((candidate.weight, order(candidate))));
    prefer_first_of_kind(&mut found);
    prefer_unusable_repository(&mut found);
    found
}

/// A package that is not found follows from a repository that could not be used: its cause is the best.
fn prefer_unusable_repository(found: &mut [Candidate<'_>]) {
    let category = |candidate: &Candidate<'_>| candidate.rule.map(|rule| rule.category);
    let Some(best) = found.first().filter(|best| category(best) == Some(Category::PackageNotFound)) else {
        return;
    };
    let (at, weight) = (best.at, best.weight.min(Weight::Cause));
    let is_cause = |other: &Candidate<'_>| {
        other.at < at
            && other.weight >= weight
            && matches!(
                category(other),
                Some(Category::Tls | Category::Network | Category::RepositoryUnsigned)
            )
    };
    if let Some(cause) = found.iter().position(is_cause) {
        found[..=cause].rotate_right(1);
    }
}

/// If the rule of the best candidate knows several lines, the first of them with a subject is the best, or else the
/// first: the others follow from it or repeat it.
fn prefer_first_of_kind(found: &mut [Candidate<'_>]) {
    let Some(best) = found.first() else { return };
    let Some(rule) = best.rule else { return };
    let kind =
        found.iter().enumerate().filter(|(_, other)| other.weight == best.weight && other.rule == best.rule);
    let first =
        kind.min_by_key(|(_, candidate)| (rule.subject_in(&candidate.reading).is_none(), candidate.at));
    if let Some((first, _)) = first {
        found[..=first].rotate_right(1);
    }
}

/// The candidate that a line is together with those that continue it: only if a better rule matches than for the
/// line alone, and the match begins in it and needs more than one line.
fn joined_candidate<'t>(
    at: usize,
    lines: &[Line<'t>],
    single: Option<&Candidate<'t>>,
    context: Context<'_>,
) -> Option<Candidate<'t>> {
    let known_rank = single?.rule.map_or(Rank::Noise, |rule| rule.rank);
    let text = joined(lines).filter(|_| known_rank > Rank::Cause)?;
    let (rule, _) = best_rule(std::iter::once(&*text), context)?;
    let regex = rule.regex()?;
    // Alone, a line may match without its subject.
    let subject = rule.subject_in(&text);
    let is_in_one_line = lines.iter().take(MAX_JOINED_LINES).any(|line| {
        line.readings()
            .any(|text| regex.is_match(text) && rule.subject_in(text).is_some() == subject.is_some())
    });
    let begins_in_first = regex.find(&text)?.start() < lines.first()?.message().len();
    (rule.rank < known_rank && begins_in_first && !is_in_one_line).then(|| Candidate {
        line: Cow::Owned(text.clone()),
        rule: Some(rule),
        score: 0,
        weight: weight(rule),
        reading: Cow::Owned(text),
        at,
    })
}

/// Which of two candidates of the same weight comes first: the greater.
fn order(candidate: &Candidate<'_>) -> (i32, Reverse<usize>, usize) {
    let surroundings = candidate.rule.is_some_and(|rule| rule.category.is_of_the_surroundings());
    if surroundings {
        return (i32::MAX, Reverse(candidate.at), 0);
    }
    // What passes a failure on follows it more and more distantly.
    if candidate.weight == Weight::Echo {
        return (0, Reverse(candidate.at), 0);
    }
    (candidate.score, Reverse(0), candidate.at)
}

/// The candidate that one line is; `None` if it is noise.
fn candidate<'t>(at: usize, line: &Line<'t>, context: Context<'_>) -> Option<Candidate<'t>> {
    let known = best_rule(line.readings(), context);
    let message = line.message();
    let (rule, weight, score, reading) = match known {
        Some((rule, _)) if rule.rank == Rank::Noise => return None,
        Some((rule, reading)) => (Some(rule), weight(rule), 0, reading),
        None if is_handler(message) => (None, Weight::Handler, 0, message),
        None => {
            let score = score(message) - if line.is_below_error() { 3 } else { 0 };
            let weight = match score {
                CONVINCING.. => Weight::Convincing,
                1.. => Weight::Vague,
                _ => Weight::Any,
            };
            let is_progress = is_spinner(line.text.trim_start()) && weight == Weight::Any;
            (None, weight, if is_progress { -1 } else { score.max(0) }, message)
        }
    };
    Some(Candidate {
        line: Cow::Borrowed(line.text.trim()),
        rule,
        score,
        weight,
        reading: Cow::Borrowed(reading),
        at,
    })
}

const fn weight(rule: &Rule) -> Weight {
    match rule.rank {
        Rank::Cause if rule.has_condition() => Weight::ConfirmedCause,
        Rank::Cause => Weight::Cause,
        Rank::Symptom => Weight::Symptom,
        Rank::Echo | Rank::Noise => Weight::Echo,
    }
}

/// The first rule in the order of preference that matches one of the readings of a line, and this reading.
fn best_rule<'t>(
    readings: impl Iterator<Item = &'t str>,
    context: Context<'_>,
) -> Option<(&'static Rule, &'t str)> {
    let readings: Vec<&str> = readings.collect();
    let whole = readings.last()?;
    CATALOGUE.candidates(whole).into_iter().find_map(|rule| {
        if !rule.applies(context.exit_code, context.command) {
            return None;
        }
        let regex = rule.regex()?;
        let reading = readings.iter().find(|reading| regex.is_match(reading))?;
        Some((rule, *reading))
    })
}

/// The first line together with those that continue it; `None` if none does.
fn joined(lines: &[Line<'_>]) -> Option<String> {
    let (first, rest) = lines.split_first()?;
    let mut text = first.message().to_owned();
    for line in rest.iter().take(MAX_JOINED_LINES - 1) {
        let message = line.message();
        let is_open = text.ends_with([':', ',', '-', '(']);
        let may_be_wrapped = text.chars().count() >= SHORTEST_WRAPPED && !text.ends_with(['.', '!', '?']);
        let continues = line.is_indented() || message.starts_with(|c: char| c.is_lowercase() || c == '(');
        if !continues || !(is_open || may_be_wrapped) || text.len() + message.len() > MAX_JOINED_BYTES {
            break;
        }
        text.push(' ');
        text.push_str(message);
    }
    (text.len() > first.message().len()).then_some(text)
}

fn diagnosis(candidate: Candidate<'_>, context: Context<'_>) -> Diagnosis {
    let line = candidate.line.into_owned();
    let Some(rule) = candidate.rule else {
        return Diagnosis {
            rule: None,
            line,
            subject: None,
            category: Category::Unknown,
            blame: Blame::Unknown,
        };
    };
    let url = || url_in(context.command).filter(|_| rule.url_of_command);
    let subject = rule.subject_in(&candidate.reading).or_else(url).map(|subject| mask::subject(&subject));
    let subject = subject.filter(|subject| !subject.is_empty());
    Diagnosis { rule: Some(rule), line, subject, category: rule.category, blame: rule.blame }
}

/// The first address in a command, without its scheme and query.
fn url_in(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("://")?;
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '?' | '#' | '<' | ')'));
    let url = &rest[..end.unwrap_or(rest.len())];
    (url.len() > 3).then(|| url.to_owned())
}

fn head(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
