//! Tests of the files of rules. Each message names the file, the rule and what is wrong.

use std::collections::HashMap;

use super::rule::{Rank, TEXTS, compile};
use super::source::{FILES, Source, read};
use super::{Blame, Category, Failure, candidates, rule};

/// The rules of all files, with the name of their file.
fn all() -> Vec<(&'static str, Source)> {
    read().unwrap_or_else(|error| panic!("{error}"))
}

/// Fails with all problems at once.
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

/// The problems that `check` finds in the rules.
fn check(check: impl Fn(&Source) -> Vec<String>) {
    let problems = all().into_iter().flat_map(|(file, rule)| {
        check(&rule).into_iter().map(|problem| format!("{file}: {}: {problem}", rule.id)).collect::<Vec<_>>()
    });
    assert_none(&problems.collect::<Vec<_>>());
}

#[test]
fn every_file_of_the_folder_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/reasons");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(FILES.iter().any(|file| *file == name), "{name} is missing in FILES of source.rs");
    }
}

#[test]
fn ids_are_unique_and_well_formed() {
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for (file, rule) in all() {
        let is_kebab = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase())
                && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !part.ends_with('-')
                && !part.contains("--")
        };
        if rule.id.split('.').count() != 2 || !rule.id.split('.').all(is_kebab) {
            problems.push(format!("{file}: {}: the id is not of the form tool.what-is-wrong", rule.id));
        }
        if let Some(other) = seen.insert(rule.id.clone(), file) {
            problems.push(format!("{file}: {}: {other} has a rule with the same id", rule.id));
        }
    }
    assert_none(&problems);
}

#[test]
fn patterns_compile_and_need_a_text() {
    check(|rule| {
        let mut problems = Vec::new();
        for pattern in [Some(&rule.pattern), rule.command.as_ref()].into_iter().flatten() {
            if let Err(error) = compile(pattern) {
                problems.push(error.to_string());
            }
        }
        if let Ok(regex) = compile(&rule.pattern) {
            if super::literal::required(&rule.pattern).is_none() && !rule.pattern.contains('^') {
                problems.push(
                    "the pattern has neither `^` nor a text of 3 characters that each match has".into(),
                );
            }
            let names: Vec<&str> = regex.capture_names().flatten().collect();
            if names.iter().any(|name| *name != "subject") {
                problems.push(format!("the only named group is `subject`, not {names:?}"));
            }
            if rule.subject.is_some() && names.contains(&"subject") {
                problems.push("both a captured and a constant subject".into());
            }
            if regex.is_match("") {
                problems.push("the pattern matches an empty line".into());
            }
        }
        problems
    });
}

#[test]
fn ranks_categories_and_blames_are_known_words() {
    check(|rule| {
        let mut problems = Vec::new();
        if Rank::from_word(&rule.rank).is_none() {
            problems.push(format!("unknown rank {:?}", rule.rank));
        }
        if rule.rank != "noise" && Category::from_word(&rule.category).is_none() {
            problems.push(format!("unknown category {:?}", rule.category));
        }
        if rule.rank != "noise" && Blame::from_word(&rule.blame).is_none() {
            problems.push(format!("unknown blame {:?}", rule.blame));
        }
        problems
    });
}

#[test]
fn every_rule_is_compiled_into_the_program() {
    assert_eq!(all().len(), TEXTS.len());
    check(|source| {
        let compiled = rule(&source.id).filter(|rule| rule.url_of_command == source.url_of_command);
        if compiled.is_none() { vec!["not compiled".into()] } else { vec![] }
    });
}

#[test]
fn titles_and_hints_are_well_formed() {
    let is_upper = |text: &str| text.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    check(|rule| {
        let mut problems = Vec::new();
        if rule.rank == "noise" {
            let is_bare = rule.title.is_empty()
                && rule.hint.is_empty()
                && rule.category.is_empty()
                && rule.blame.is_empty();
            if !is_bare || rule.subject.is_some() {
                problems.push("noise has no title, hint, category, blame and subject".into());
            }
            return problems;
        }
        let title = &rule.title;
        if title.is_empty() || title.ends_with(['.', ':', ' ']) || title.chars().count() > 90 {
            problems.push(format!("the title has 1 to 90 characters and no full stop: {title:?}"));
        }
        // A name such as `npm` or `dpkg` may begin a title.
        let is_name = title.split_whitespace().next().is_some_and(|word| {
            let word = word.trim_end_matches("'s");
            word.contains('.') || rule.id.starts_with(word) || rule.pattern.contains(word)
        });
        if !is_upper(title) && !is_name {
            problems.push(format!("the title does not begin with a capital letter: {title:?}"));
        }
        let hint = &rule.hint;
        let length = hint.chars().count();
        if !is_upper(hint) || !hint.ends_with('.') || !(15..=400).contains(&length) || hint.contains("  ") {
            problems.push(format!("the hint has 15 to 400 characters, a capital and a full stop: {hint:?}"));
        }
        problems
    });
}

#[test]
fn every_rule_has_an_example_that_it_and_no_better_rule_matches() {
    check(|rule| {
        let mut problems = Vec::new();
        for example in &rule.examples {
            let command = rule.command.as_deref().map(|pattern| command_for(rule, pattern));
            let failure = Failure {
                error: example,
                failed_command: command.as_deref(),
                exit_code: rule.exit_codes.first().copied(),
                generation: None,
            };
            let found = candidates(&failure);
            let best = found.first().and_then(|candidate| candidate.rule);
            match (best, rule.rank.as_str()) {
                (None, "noise")
                    if found.is_empty()
                        && compile(&rule.pattern).is_ok_and(|regex| {
                            example.lines().any(|line| {
                                super::line::Line::readings_of(line).any(|text| regex.is_match(text))
                            })
                        }) => {}
                (Some(best), _) if best.id == rule.id => {}
                (Some(other), _) => problems.push(format!(
                    "{} ({}) matches the example better: {example:?}",
                    other.id,
                    other.rank.as_str()
                )),
                (None, _) if found.is_empty() => {
                    problems.push(format!("a noise rule matches the example, or it is empty: {example:?}"));
                }
                (None, _) => problems.push(format!("does not match the example: {example:?}")),
            }
        }
        problems
    });
}

#[test]
fn a_package_that_is_not_found_follows_from_an_unusable_repository() {
    let rule_of = |error: &str| {
        let failure = Failure { error, ..Failure::default() };
        super::diagnose(&failure).and_then(|found| found.rule).map(|rule| rule.id)
    };
    let unsigned = "W: GPG error: https://repo.example.org/app stable InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 963FA27710458545";
    let not_found = "E: Unable to locate package app";
    let cause = rule_of(unsigned);
    assert!(cause.is_some());
    assert_ne!(cause, rule_of(not_found));
    assert_eq!(rule_of(&format!("{unsigned}\n{not_found}")), cause);
}

#[test]
fn an_unknown_line_has_the_kind_of_its_words() {
    let category_of = |error: &str| {
        let failure = Failure { error, ..Failure::default() };
        super::diagnose(&failure).map(|found| found.category)
    };
    for (line, category) in [
        ("frobnicate: failed to write settings.json: permission denied", Category::Permission),
        ("frobnicate: the health check timed out after 120 seconds", Category::Timeout),
        ("frobnicate requires plugin-core >= 4.2, but found 3.9", Category::DependencyVersion),
        ("frobnicate: error: the uplink was reset by peer", Category::Network),
    ] {
        assert_eq!(category_of(line), Some(category), "{line}");
    }
}

/// A command that the condition of a rule accepts: its pattern without the syntax.
fn command_for(rule: &Source, pattern: &str) -> String {
    let first = pattern.split('|').next().unwrap_or_default();
    let plain = first.replace(r"\b", "").replace(r"\s+", " ").replace(r"\s", " ").replace("(?i)", "");
    let plain: String =
        plain.chars().filter(|c| !matches!(c, '^' | '$' | '(' | ')' | '?' | ':' | '\\')).collect();
    assert!(compile(pattern).unwrap().is_match(&plain), "{}: {plain:?} does not match {pattern:?}", rule.id);
    plain
}
