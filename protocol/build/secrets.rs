//! The rules in `data/secrets.toml` as constants.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::{env, fs, path::Path};

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    words: BTreeMap<String, Vec<String>>,
    pieces: BTreeMap<String, String>,
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    keywords: Vec<String>,
    pattern: Option<String>,
    name: Option<String>,
    min_length: Option<usize>,
    #[serde(default)]
    domain: bool,
    #[serde(default)]
    glued: bool,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    odd: bool,
    lines: Option<usize>,
    value: Option<String>,
    placeholder: Option<String>,
    #[serde(default)]
    keep: Vec<String>,
    #[serde(default)]
    unless_after: Vec<String>,
    // Read by `tests/scrub_rules.rs`.
    #[allow(dead_code)]
    gone: Vec<(String, String)>,
    #[serde(default)]
    #[allow(dead_code)]
    stay: Vec<String>,
}

impl Rule {
    /// The rule as Rust source.
    fn source(&self, pieces: &BTreeMap<String, String>) -> String {
        let kind = match (&self.pattern, &self.name, self.min_length, self.domain) {
            (Some(pattern), None, None, false) => {
                let pattern = pieces.iter().rev().fold(pattern.clone(), |pattern, (name, piece)| {
                    pattern.replace(&format!("{{{name}}}"), piece)
                });
                let value = camel(self.value.as_deref().unwrap_or("word"));
                format!(
                    "Kind::Pattern {{ pattern: {pattern:?}, lines: {}, value: Value::{value} }}",
                    self.lines.unwrap_or(1)
                )
            }
            (None, Some(name), None, false) => format!("Kind::Name(Name::{})", camel(name)),
            (None, None, Some(min), false) => format!("Kind::Prefix({min})"),
            (None, None, None, true) => "Kind::Domain".to_owned(),
            _ => panic!("{}: a rule has one of `pattern`, `name`, `min_length` and `domain`", self.id),
        };
        let usual = if self.min_length.is_some() { "token" } else { "secret" };
        let placeholder = camel(self.placeholder.as_deref().unwrap_or(usual));
        format!(
            "Rule {{ glued: {}, placeholder: Placeholder::{placeholder}, keep: &{:?}, unless_after: &{:?}, fresh: {}, odd: {}, kind: {kind} }}",
            self.glued, self.keep, self.unless_after, self.fresh, self.odd
        )
    }
}

/// `private_name` as the name of a variant.
fn camel(name: &str) -> String {
    name.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

/// FNV-1a.
fn hash(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(crate) fn compile() {
    println!("cargo::rerun-if-changed=data/secrets.toml");
    println!("cargo::rerun-if-changed=src/scrub");
    println!("cargo::rerun-if-changed=src/scrub.rs");
    let secrets: Secrets = toml::from_str(&fs::read_to_string("data/secrets.toml").unwrap()).unwrap();
    let mut out = String::new();
    let (mut keywords, mut rules) = (Vec::new(), Vec::new());
    for (index, rule) in secrets.rule.iter().enumerate() {
        keywords.extend(rule.keywords.iter().map(|keyword| (keyword, index)));
        rules.push(rule.source(&secrets.pieces));
    }
    writeln!(out, "pub(super) const KEYWORDS: &[(&str, usize)] = &{keywords:?};").unwrap();
    writeln!(out, "pub(super) const RULES: &[Rule] = &[\n{}\n];", rules.join(",\n")).unwrap();
    for (name, words) in &secrets.words {
        writeln!(out, "pub(super) const {}: &[&str] = &{words:?};", name.to_uppercase()).unwrap();
    }
    // The code decides as well, so its source is a part of the fingerprint, without comments and tests.
    let mut sources: Vec<_> = fs::read_dir("src/scrub").unwrap().map(|entry| entry.unwrap().path()).collect();
    sources.push("src/scrub.rs".into());
    sources.sort();
    let fingerprint = sources.iter().fold(hash(0xcbf2_9ce4_8422_2325, out.as_bytes()), |sum, source| {
        let source = fs::read_to_string(source).unwrap();
        let lines = source.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
        lines.filter(|line| !line.starts_with("//")).fold(sum, |sum, line| hash(sum, line.as_bytes()))
    });
    writeln!(out, "pub(super) const FINGERPRINT: u64 = {fingerprint};").unwrap();
    fs::write(Path::new(&env::var("OUT_DIR").unwrap()).join("secrets.rs"), out).unwrap();
}
