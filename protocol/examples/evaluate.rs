//! Measures the reasons against labelled logs and prints the figures by tool:
//! `cargo run -p telemetry-protocol --example evaluate -- FILE [--wrong]`
//!
//! A line of the file is a JSON object: `id`, `exit_code`, `command`, `explanation`, `log`, `reason` (accepted lines),
//! `category`, `group` (same cause), `secrets` (must be scrubbed) and `public` (must survive).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdout};
use std::process::ExitCode;

use labelled::{Outcome, Pairs, compare, judge, read};

#[path = "../tests/labelled/mod.rs"]
mod labelled;

#[derive(Default)]
struct Figures {
    logs: usize,
    reasons: usize,
    categories: usize,
    known: usize,
}

fn main() -> ExitCode {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let mut out = stdout().lock();
    let [file] = &files[..] else {
        let _ = writeln!(out, "usage: evaluate FILE [--wrong]");
        return ExitCode::FAILURE;
    };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let _ = writeln!(out, "{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut outcomes = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match read(line) {
            Ok(labelled) => outcomes.push(judge(labelled)),
            Err(error) => {
                let _ = writeln!(out, "{file}:{}: {error}", number + 1);
                return ExitCode::FAILURE;
            }
        }
    }
    let _ = report(&outcomes, &mut out);
    if flags.iter().any(|flag| flag == "--wrong") {
        let _ = list_wrong(&outcomes, &mut out);
    }
    ExitCode::SUCCESS
}

fn percent(part: usize, whole: usize) -> String {
    let tenths = (part * 2000 + whole) / (whole * 2).max(1);
    format!("{}.{} % ({part} of {whole})", tenths / 10, tenths % 10)
}

fn report(outcomes: &[Outcome], out: &mut impl Write) -> std::io::Result<()> {
    let mut tools: BTreeMap<&str, Figures> = BTreeMap::new();
    let mut total = Figures::default();
    for outcome in outcomes {
        let tool = outcome.labelled.group.split('-').next().unwrap_or_default();
        for figures in [tools.entry(tool).or_default(), &mut total] {
            figures.logs += 1;
            figures.reasons += usize::from(outcome.reason_is_right);
            figures.categories += usize::from(outcome.category_is_right);
            figures.known += usize::from(outcome.diagnosis.as_ref().is_some_and(|one| one.rule.is_some()));
        }
    }
    writeln!(out, "{:<20} {:>5} {:>7} {:>9} {:>6}", "tool", "logs", "reason", "category", "rule")?;
    for (tool, figures) in &tools {
        let Figures { logs, reasons, categories, known } = figures;
        writeln!(out, "{tool:<20} {logs:>5} {reasons:>7} {categories:>9} {known:>6}")?;
    }
    let Pairs { pairs, same, mixed } = compare(outcomes);
    let lost = |list: fn(&Outcome) -> &Vec<String>| outcomes.iter().map(|one| list(one).len()).sum::<usize>();
    writeln!(out, "\nreason right     {}", percent(total.reasons, total.logs))?;
    writeln!(out, "category right   {}", percent(total.categories, total.logs))?;
    writeln!(out, "rule found       {}", percent(total.known, total.logs))?;
    writeln!(out, "pairs shared     {}", percent(same, pairs))?;
    writeln!(out, "signatures mixed {mixed}")?;
    writeln!(out, "secrets left     {}", lost(|one| &one.secrets_left))?;
    writeln!(out, "public lost      {}", lost(|one| &one.public_lost))
}

fn list_wrong(outcomes: &[Outcome], out: &mut impl Write) -> std::io::Result<()> {
    for outcome in outcomes {
        let Outcome { labelled, diagnosis, .. } = outcome;
        let picked = diagnosis.as_ref().map_or("", |one| one.line.as_str());
        let rule = diagnosis.as_ref().and_then(|one| one.rule).map_or("-", |rule| rule.id);
        if !outcome.reason_is_right {
            writeln!(out, "\n{} {}: reason ({rule})\n  picked   {picked}", labelled.id, labelled.group)?;
            for reason in &labelled.reason {
                writeln!(out, "  expected {}", reason.trim())?;
            }
        }
        if !outcome.category_is_right {
            let category = diagnosis.as_ref().map_or("none", |one| one.category.as_str());
            let (id, group, expected) = (&labelled.id, &labelled.group, &labelled.category);
            writeln!(
                out,
                "\n{id} {group}: category {category} instead of {expected} ({rule})\n  picked   {picked}"
            )?;
        }
        for (kind, list) in [("secret left", &outcome.secrets_left), ("public lost", &outcome.public_lost)] {
            for text in list {
                writeln!(out, "\n{} {}: {kind}: {text}", labelled.id, labelled.group)?;
            }
        }
    }
    let mut templates: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for outcome in outcomes {
        let Some(signature) = &outcome.signature else { continue };
        let name = format!("{} ({})", signature.template, signature.rule.unwrap_or("-"));
        *templates.entry(&outcome.labelled.group).or_default().entry(name.clone()).or_default() += 1;
        groups.entry(name).or_default().insert(&outcome.labelled.group);
    }
    for (group, templates) in templates.iter().filter(|(_, templates)| templates.len() > 1) {
        writeln!(out, "\n{group}: {} signatures", templates.len())?;
        for (template, count) in templates {
            writeln!(out, "  {count} × {template}")?;
        }
    }
    for (template, groups) in groups.iter().filter(|(_, groups)| groups.len() > 1) {
        writeln!(out, "\n{} groups share {template}", groups.len())?;
        for group in groups {
            writeln!(out, "  {group}")?;
        }
    }
    Ok(())
}
