//! Text generated from the exit-code catalogue and the rules of reasons: two functions in `client/api.func`,
//! `docs/EXIT_CODES.md` and `docs/REASONS.md`. `make catalogue` writes them; a test fails when they are stale.

use std::fmt::Write;

use telemetry_protocol::Generation;
use telemetry_protocol::exit_code::{self, Category, Entry};
use telemetry_protocol::reason;

/// The line before the generated part of the script; [`END`] follows it.
pub const BEGIN: &str = "# --- generated from the catalogue of exit codes by `make catalogue`: begin";
/// The line after the generated part of the script.
pub const END: &str = "# --- generated from the catalogue of exit codes by `make catalogue`: end";

/// `script` with its generated part replaced; `None` if the [`BEGIN`] or [`END`] line is missing.
#[must_use]
pub fn renew_script(script: &str) -> Option<String> {
    let (before, rest) = script.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", functions()))
}

fn functions() -> String {
    let mut text = String::from("explain_exit_code() {\n  case \"${1:-}\" in\n");
    for code in 0..=255 {
        let title = exit_code::explain(Generation::NEWEST, code).title;
        if title != UNKNOWN {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {code}) echo {} ;;", quoted(&title));
        }
    }
    let _ = write!(
        text,
        "  *) echo \"{UNKNOWN}\" ;;\n  esac\n}}\n\ncategorize_error() {{\n  case \"${{1:-}}\" in\n"
    );
    for category in Category::ALL.into_iter().filter(|category| *category != Category::Unknown) {
        let codes: Vec<String> = (0..=255)
            .filter(|code| exit_code::explain(Generation::NEWEST, *code).category == category)
            .map(|code| code.to_string())
            .collect();
        if !codes.is_empty() {
            let _ = writeln!(text, "  {}) echo \"{}\" ;;", codes.join(" | "), category.as_str());
        }
    }
    text += "  *) echo \"unknown\" ;;\n  esac\n}\n";
    text
}

const UNKNOWN: &str = "Unknown error";

/// `text` as a single-quoted bash word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The content of `docs/EXIT_CODES.md`: all exit codes of all generations.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(
        "# Exit codes\n\n<!-- Generated from protocol/data/exit_codes.tsv by `make catalogue`; do not edit. -->\n\n\
         The meaning of each exit code of a script, and how to fix its cause. This table is for current clients;\n\
         the second table lists codes whose meaning differed in older ones. Unlisted codes are unknown errors,\n\
         except that 129 to 159 are named after their signal. `telemetry explain CODE` prints an entry on a host.\n\n\
         With a *blocked* code the script refused to start because of the host. It does not count as a failure of\n\
         the script.\n\n\
         | code | meaning | category | blocked | what to do |\n|---:|---|---|---|---|\n",
    );
    for entry in exit_code::entries(Generation::NEWEST) {
        let blocked = if entry.fault == exit_code::Fault::Environment { "yes" } else { "" };
        let category = entry.category.as_str();
        let _ = writeln!(
            text,
            "| {} | {} | {category} | {blocked} | {} |",
            entry.code,
            cell(entry.title),
            cell(entry.recovery)
        );
    }
    text += "\n## Different meanings in older clients\n\n\
             | code | generation | meaning | category | what to do |\n|---:|---:|---|---|---|\n";
    for code in 0..=255 {
        for generation in [Generation::One, Generation::Two] {
            let newest = exit_code::entry(Generation::NEWEST, code);
            let older = exit_code::entry(generation, code).filter(|older| differs(older, newest));
            if let Some(entry) = older {
                let (number, category) = (generation.number(), entry.category.as_str());
                let _ = writeln!(
                    text,
                    "| {code} | {number} | {} | {category} | {} |",
                    cell(entry.title),
                    cell(entry.recovery)
                );
            }
        }
    }
    text
}

/// The content of `docs/REASONS.md`: all rules, by the tool whose lines they know.
#[must_use]
pub fn reasons_page() -> String {
    let mut text = String::from(
        "# Reasons\n\n<!-- Generated from protocol/data/reasons/*.toml by `make catalogue`; do not edit. -->\n\n\
         The reasons of failures that the server and `telemetry explain --log FILE` know. *Rank* tells how much a line\n\
         says: a *cause* says why, a *symptom* says what failed, an *echo* only passes a failure on. A cause is\n\
         preferred to a symptom, and a symptom to an echo. *Blame* is the side that has to act.\n\
         [CONTRIBUTING.md](../CONTRIBUTING.md#add-a-reason) explains how to add one.\n",
    );
    let mut rules: Vec<_> = reason::rules().collect();
    rules.sort_by_key(|rule| (rule.tool(), rule.id));
    let mut tool = "";
    for rule in rules {
        if rule.tool() != tool {
            tool = rule.tool();
            let _ = write!(
                text,
                "\n## {tool}\n\n| id | reason | rank | category | blame | what to do |\n|---|---|---|---|---|---|\n"
            );
        }
        let (rank, category, blame) = (rule.rank.as_str(), rule.category.as_str(), rule.blame.as_str());
        let (title, hint) = (cell(rule.title), cell(rule.hint));
        let _ = writeln!(text, "| `{}` | {title} | {rank} | {category} | {blame} | {hint} |", rule.id);
    }
    text
}

fn differs(older: &Entry, newest: Option<&Entry>) -> bool {
    newest.is_none_or(|newest| (newest.title, newest.category) != (older.title, older.category))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_generated_part_is_replaced() {
        let script = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = renew_script(&script).unwrap();
        assert!(new.starts_with("before\n") && new.ends_with("\nafter\n") && !new.contains("\nold\n"));
        assert_eq!(renew_script(&new).as_deref(), Some(new.as_str()));
        assert_eq!(renew_script("no marks"), None);
    }

    #[test]
    fn quotes_in_a_title_are_escaped_for_bash() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
