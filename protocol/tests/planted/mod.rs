//! Reads the table of planted secrets and the clean lines. The tests of the host client use them too.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

const PLACEHOLDERS: [&str; 11] = [
    "<secret>",
    "<token>",
    "<key>",
    "<user>",
    "<host>",
    "<email>",
    "<ip>",
    "<mac>",
    "<id>",
    "<loopback>",
    "<any-ip>",
];
/// Shorter words are not looked for, because they occur by chance.
const MIN_WORD_CHARS: usize = 3;

/// A text with planted secrets.
pub struct Planted {
    /// Section and name in the table, for example `command.htpasswd`.
    pub kind: String,
    /// The text without its marks.
    pub text: String,
    /// The words that must be removed.
    pub secrets: Vec<String>,
    /// What must stay.
    pub kept: Vec<String>,
}

impl Planted {
    /// What is wrong with the scrubbed text; `None` if nothing is.
    pub fn fault(&self, scrubbed: &str) -> Option<String> {
        let without = PLACEHOLDERS.iter().fold(scrubbed.to_owned(), |text, name| text.replace(name, " "));
        let left: Vec<_> = self.secrets.iter().filter(|secret| without.contains(secret.as_str())).collect();
        let lost: Vec<_> = self.kept.iter().filter(|kept| !scrubbed.contains(kept.as_str())).collect();
        let wrong = !(left.is_empty() && lost.is_empty());
        wrong.then(|| {
            format!("{}: left {left:?}, lost {lost:?}\n  of {}\n  in {scrubbed}", self.kind, self.text)
        })
    }
}

/// The texts of the table. `PLANTED_SECRETS` names another file.
pub fn secrets() -> Vec<Planted> {
    let table: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        toml::from_str(&read("PLANTED_SECRETS", "planted_secrets.toml")).expect("a table of texts by kind");
    let kinds = table.into_iter().flat_map(|(section, kinds)| {
        kinds.into_iter().map(move |(name, texts)| (format!("{section}.{name}"), texts))
    });
    kinds.flat_map(|(kind, texts)| texts.into_iter().map(move |text| planted(&kind, &text))).collect()
}

/// The lines without secrets. `CLEAN_OUTPUT` names another file.
pub fn clean_lines() -> Vec<String> {
    read("CLEAN_OUTPUT", "clean_output.txt").lines().map(str::to_owned).collect()
}

fn read(variable: &str, name: &str) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/data").join(name);
    let path = env::var_os(variable).map_or(own, PathBuf::from);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn planted(kind: &str, text: &str) -> Planted {
    let marked = |open, close| {
        let parts = text.split(open).skip(1);
        parts.map(move |part| part.split_once(close).expect("marks come in pairs").0).collect::<Vec<&str>>()
    };
    let words = marked('⟦', '⟧').into_iter().flat_map(str::split_whitespace);
    let secrets: Vec<String> =
        words.filter(|word| word.chars().count() >= MIN_WORD_CHARS).map(str::to_owned).collect();
    let kept = marked('⟪', '⟫').into_iter().map(str::to_owned).collect();
    assert!(!secrets.is_empty(), "no secret is marked in {text}");
    Planted { kind: kind.to_owned(), text: text.replace(['⟦', '⟧', '⟪', '⟫'], ""), secrets, kept }
}

/// A report of the faults: how many texts of each kind are at fault, then each of them.
pub fn report(planted: &[Planted], faults: &[(&Planted, String)]) -> String {
    let count = |kind: &str| planted.iter().filter(|text| text.kind == kind).count();
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for (text, _) in faults {
        *by_kind.entry(&text.kind).or_default() += 1;
    }
    let kinds: Vec<_> =
        by_kind.iter().map(|(kind, faults)| format!("{faults} of {} {kind}", count(kind))).collect();
    let each: Vec<_> = faults.iter().map(|(_, fault)| fault.as_str()).collect();
    format!("{} of {}\n{}\n\n{}", faults.len(), planted.len(), kinds.join("\n"), each.join("\n"))
}
