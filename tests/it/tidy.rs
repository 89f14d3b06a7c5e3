//! The house rules, as tests. `the_workspace_is_tidy` reads the sources of every crate of the
//! workspace and reports each breach with file, line and rule; the other tests show what each rule
//! reports and what it lets pass.
//!
//! Sources are scanned, not parsed: comments and literals are blanked, the rest is split into
//! words, and paths are read from those. That is enough for code that rustfmt has been over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Longest file in `src/`, `protocol/src/` and `client/src/`, in lines, tests included.
const MAX_LINES: usize = 400;
const LIMITED_FOLDERS: [&str; 3] = ["src/", "protocol/src/", "client/src/"];
const VAGUE_NAMES: [&str; 5] = ["utils", "util", "helpers", "helper", "common"];
const UNFINISHED_MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];

/// Path below the root of the workspace, and content.
type Tree = BTreeMap<String, String>;
/// `["ingest", "decode"]` for `crate::ingest::decode`.
type ModulePath = Vec<String>;

#[test]
fn the_workspace_is_tidy() {
    let breaches = check(&read_workspace(Path::new(env!("CARGO_MANIFEST_DIR"))));
    assert!(breaches.is_empty(), "{} breaches of house rules:\n{}", breaches.len(), breaches.join("\n"));
}

/// Every `Cargo.toml` and Rust source of the workspace; nothing else is opened.
fn read_workspace(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut members = vec![String::new()];
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the workspace has a manifest");
    members.extend(members_of(&manifest).into_iter().map(|member| format!("{member}/")));
    for member in members {
        for file in ["Cargo.toml", "build.rs"] {
            if let Ok(content) = fs::read_to_string(root.join(&member).join(file)) {
                tree.insert(format!("{member}{file}"), content);
            }
        }
        for folder in ["src", "tests", "benches", "examples"] {
            read_folder(root, &format!("{member}{folder}"), &mut tree);
        }
    }
    tree
}

fn read_folder(root: &Path, folder: &str, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("a folder of sources can be listed");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read_folder(root, &path, tree);
        } else if path.ends_with(".rs") {
            tree.insert(path, fs::read_to_string(entry.path()).expect("a source file is UTF-8"));
        }
    }
}

fn members_of(manifest: &str) -> Vec<String> {
    let list = manifest.split_once("members = [").and_then(|(_, rest)| rest.split_once(']'));
    let list = list.map_or("", |(list, _)| list);
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

// --- the rules -----------------------------------------------------------------------------------

/// All breaches as `file:line: rule: what is wrong`, by file.
fn check(tree: &Tree) -> Vec<String> {
    let mut breaches = Vec::new();
    for (path, content) in tree {
        if path.ends_with("Cargo.toml") {
            check_manifest(path, content, &mut breaches);
        } else {
            check_file(path, content, &mut breaches);
        }
    }
    check_module_order(tree, &mut breaches);
    breaches.dedup();
    breaches
}

fn check_manifest(path: &str, content: &str, breaches: &mut Vec<String>) {
    let mut table = "";
    let inherits = content.lines().map(str::trim).any(|line| {
        if line.starts_with('[') {
            table = line;
        }
        let line = line.replace(' ', "");
        (table == "[lints]" && line == "workspace=true")
            || (table.is_empty() && line == "lints.workspace=true")
    });
    if !inherits {
        breaches.push(format!("{path}:1: lints: the crate does not set `[lints] workspace = true`"));
    }
}

fn check_file(path: &str, content: &str, breaches: &mut Vec<String>) {
    if !content.starts_with("//!") {
        breaches.push(format!("{path}:1: header: the file does not begin with a `//!` header"));
    }
    let lines = content.lines().count();
    if lines > MAX_LINES && LIMITED_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        breaches.push(format!("{path}:{lines}: length: {lines} lines, more than {MAX_LINES}"));
    }
    let in_tests = path.split('/').any(|part| part == "tests");
    if !in_tests && path.split('/').any(|part| VAGUE_NAMES.contains(&part.trim_end_matches(".rs"))) {
        breaches.push(format!("{path}:1: names: a module's name says what it is for"));
    }
    let code = blank_comments_and_literals(content);
    for pair in words(&code).windows(2) {
        let (word, next) = (pair[0], pair[1]);
        if next.text == "!" && UNFINISHED_MACROS.contains(&word.text) {
            breaches.push(format!("{path}:{}: unfinished: `{}!` is left in the code", word.line, word.text));
        }
        if !in_tests && word.text == "mod" && VAGUE_NAMES.contains(&next.text) {
            breaches.push(format!("{path}:{}: names: a module's name says what it is for", word.line));
        }
    }
}

/// The server's modules are listed in dependency order, and each imports only what is listed above it:
/// among the modules of the crate, and among the modules of each folder. Test modules are exempt.
fn check_module_order(tree: &Tree, breaches: &mut Vec<String>) {
    let sources: Vec<Source> = tree
        .iter()
        .filter_map(|(path, content)| Some((path, module_of(path)?, content)))
        .map(|(path, module, content)| Source::scan(path, module, content))
        .collect();
    let mut order = Order::default();
    for source in &sources {
        for (parent, child) in &source.children {
            order.children.entry(parent.clone()).or_default().push(child.clone());
        }
    }
    for source in &sources {
        for reference in &source.references {
            if let (Some(name), Some(path)) = (&reference.name, order.absolute(reference)) {
                order.aliases.entry((reference.module.clone(), name.clone())).or_insert(path);
            }
        }
    }
    for source in sources.iter().filter(|source| order.is_listed(&source.module)) {
        for reference in &source.references {
            if let Some((user, used)) = order.breach(reference) {
                breaches.push(format!(
                    "{}:{}: module order: `{user}` uses `{used}`, which is listed below it",
                    source.path, reference.line
                ));
            }
        }
    }
}

/// The module of a file of the library in `src/`; `None` for binaries and for other crates.
fn module_of(path: &str) -> Option<ModulePath> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    if path == "main" || path.starts_with("bin/") {
        return None;
    }
    let path = path.strip_suffix("/mod").unwrap_or(path);
    Some(path.split('/').filter(|part| *part != "lib").map(str::to_owned).collect())
}

/// What is listed where, and which names stand for something that is defined elsewhere.
#[derive(Default)]
struct Order {
    /// The modules that a module lists, in its order.
    children: BTreeMap<ModulePath, Vec<String>>,
    /// (module, name) of every import, and the absolute path behind it.
    aliases: BTreeMap<(ModulePath, String), ModulePath>,
}

impl Order {
    fn position(&self, parent: &[String], child: &str) -> Option<usize> {
        self.children.get(parent)?.iter().position(|listed| listed == child)
    }

    fn is_listed(&self, module: &[String]) -> bool {
        (0..module.len()).all(|depth| self.position(&module[..depth], &module[depth]).is_some())
    }

    /// The path from the root of the crate; `None` for one that leads to another crate.
    fn absolute(&self, reference: &Reference) -> Option<ModulePath> {
        let (mut path, rest) = match reference.path.first()?.as_str() {
            "crate" => (Vec::new(), &reference.path[1..]),
            "self" => (reference.module.clone(), &reference.path[1..]),
            "super" => (reference.module.clone(), &reference.path[..]),
            child => {
                self.position(&reference.module, child)?;
                (reference.module.clone(), &reference.path[..])
            }
        };
        for part in rest {
            if part == "super" {
                path.pop();
            } else if part != "self" {
                path.push(part.clone());
            }
        }
        Some(path)
    }

    /// The path with the first name that was only re-exported replaced by what is behind it.
    fn follow(&self, path: &[String]) -> Option<ModulePath> {
        let depth = (0..path.len()).find(|&depth| self.position(&path[..depth], &path[depth]).is_none())?;
        let mut target = self.aliases.get(&(path[..depth].to_vec(), path[depth].clone()))?.clone();
        target.extend_from_slice(&path[depth + 1..]);
        Some(target)
    }

    /// The user and the used module, if the latter is listed below the former.
    fn breach(&self, reference: &Reference) -> Option<(String, String)> {
        let mut path = self.absolute(reference)?;
        // A re-export can lead to another one; sixteen steps end a circle.
        for _ in 0..16 {
            let user = &reference.module;
            let depth = user.iter().zip(&path).take_while(|(user, used)| user == used).count();
            if let (Some(own), Some(other)) = (user.get(depth), path.get(depth)) {
                let (own, other) = (self.position(&user[..depth], own), self.position(&user[..depth], other));
                if own.zip(other).is_some_and(|(own, other)| own < other) {
                    return Some((user[..=depth].join("::"), path[..=depth].join("::")));
                }
            }
            path = self.follow(&path)?;
        }
        None
    }
}

// --- the scanner ---------------------------------------------------------------------------------

/// What one file lists and uses, outside of its test modules.
struct Source {
    path: String,
    module: ModulePath,
    children: Vec<(ModulePath, String)>,
    references: Vec<Reference>,
}

/// A path as it was written, in a `use` or in the code.
struct Reference {
    line: usize,
    /// The module in which it stands.
    module: ModulePath,
    path: Vec<String>,
    /// The name under which a `use` makes it known.
    name: Option<String>,
}

impl Source {
    fn scan(path: &str, module: ModulePath, content: &str) -> Self {
        let code = blank_comments_and_literals(content);
        let words = without_test_modules(words(&code));
        let text = |at: usize| words.get(at).map_or("", |word| word.text);
        let mut source = Self { path: path.to_owned(), module, children: Vec::new(), references: Vec::new() };
        let mut inside = source.module.clone();
        let mut inline_modules = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < words.len() {
            match text(at) {
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if inline_modules.last() == Some(&depth) {
                        inline_modules.pop();
                        inside.pop();
                    }
                }
                "mod" if matches!(text(at + 2), "{" | ";") => {
                    let name = text(at + 1).to_owned();
                    source.children.push((inside.clone(), name.clone()));
                    if text(at + 2) == "{" {
                        inline_modules.push(depth);
                        inside.push(name);
                    }
                    at += 1;
                }
                "use" => {
                    at = source.take_tree(&words, at + 1, &[], &inside, true);
                    continue;
                }
                "crate" | "self" | "super" if text(at + 1) == "::" => {
                    at = source.take_tree(&words, at, &[], &inside, false);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        source
    }

    /// Reads `a::b`, or in a `use` also `a::{b, c::d as e}`, and returns the position behind it.
    fn take_tree(
        &mut self,
        words: &[Word],
        mut at: usize,
        prefix: &[String],
        module: &[String],
        is_use: bool,
    ) -> usize {
        let text = |at: usize| words.get(at).map_or("", |word| word.text);
        let mut path = prefix.to_vec();
        let line = words.get(at).map_or(0, |word| word.line);
        while text(at) == "*" || text(at).starts_with(is_word_char) {
            path.push(text(at).to_owned());
            at += 1;
            if text(at) != "::" {
                break;
            }
            at += 1;
        }
        if is_use && text(at) == "{" {
            at += 1;
            while !matches!(text(at), "}" | "") {
                let behind = self.take_tree(words, at, &path, module, true);
                // Behind a path of the group stands a comma, or what belongs to no path.
                at = behind + usize::from(text(behind) != "}");
            }
            return at + 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if is_use && text(at) == "as" {
            name = Some(text(at + 1).to_owned());
            at += 2;
        }
        self.references.push(Reference {
            line,
            module: module.to_vec(),
            path,
            name: name.filter(|_| is_use),
        });
        at
    }
}

/// A word, `::`, or any other single character, with its line.
#[derive(Clone, Copy)]
struct Word<'a> {
    line: usize,
    text: &'a str,
}

fn is_word_char(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

fn words(code: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    for (line, mut rest) in code.lines().enumerate() {
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else { break };
            let length = if is_word_char(first) {
                rest.find(|char| !is_word_char(char)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            words.push(Word { line: line + 1, text: &rest[..length] });
            rest = &rest[length..];
        }
    }
    words
}

/// Drops `#[cfg(test)] mod name;` and `#[cfg(test)] mod name { … }`, other attributes between.
fn without_test_modules(words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let text = |at: usize| words.get(at).map_or("", |word| word.text);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if MARK.iter().enumerate().all(|(offset, mark)| text(at + offset) == *mark) {
            let mut item = at + MARK.len();
            while text(item) == "#" {
                item = behind_brackets(&words, item + 1);
            }
            if text(item) == "mod" {
                at = if text(item + 2) == "{" { behind_brackets(&words, item + 2) } else { item + 3 };
                continue;
            }
        }
        kept.push(words[at]);
        at += 1;
    }
    kept
}

/// The position behind the bracket that closes the one at `at`.
fn behind_brackets(words: &[Word], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(word) = words.get(at) {
        at += 1;
        match word.text {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The source with spaces for every comment and every string and character literal; lines stay.
fn blank_comments_and_literals(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        if let Some(length) = comment_or_literal(rest, previous) {
            code.extend(rest[..length].chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
            previous = ' ';
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            previous = first;
        }
    }
    code
}

/// Length of the comment or literal that `rest` begins with.
fn comment_or_literal(rest: &str, previous: char) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if let Some(literal) = rest.strip_prefix('"') {
        return Some(1 + quoted(literal, '"'));
    }
    if let Some(literal) = rest.strip_prefix('\'') {
        let char = literal.chars().next()?;
        let is_char = char == '\\' || literal[char.len_utf8()..].starts_with('\'');
        return is_char.then(|| 1 + quoted(literal, '\''));
    }
    if is_word_char(previous) {
        return None;
    }
    let raw = rest.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let text = raw[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest.len() - text.len() + text.find(&end).map_or(text.len(), |at| at + end.len()))
}

/// Length up to and with the closing quote; a backslash protects what follows it.
fn quoted(text: &str, quote: char) -> usize {
    let mut protected = false;
    for (at, char) in text.char_indices() {
        if char == quote && !protected {
            return at + 1;
        }
        protected = char == '\\' && !protected;
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

// --- what the rules report and what they let pass ------------------------------------------------

/// Breaches of a crate with modules `config`, `ingest` (`raw`, `decode`, `validate`) and `http`,
/// in which `file` is added or replaced.
fn breaches_with(file: &str, content: &str) -> Vec<String> {
    let mut tree: Tree = [
        ("Cargo.toml", "[package]\nname = \"x\"\n[lints]\nworkspace = true\n"),
        (
            "src/lib.rs",
            "//! x\npub mod config;\npub(crate) mod ingest;\npub mod http;\npub use http::Route;\n",
        ),
        ("src/main.rs", "//! x\nfn main() {}\n"),
        ("src/config.rs", "//! x\n"),
        ("src/ingest/mod.rs", "//! x\nmod raw;\nmod decode;\nmod validate;\npub use validate::Clean;\n"),
        ("src/ingest/decode.rs", "//! x\n"),
        ("src/ingest/validate.rs", "//! x\n"),
        ("src/http/mod.rs", "//! x\n"),
    ]
    .map(|(path, content)| (path.to_owned(), content.to_owned()))
    .into();
    assert_eq!(check(&tree), [""; 0], "the sample itself is tidy");
    tree.insert(file.to_owned(), content.to_owned());
    check(&tree)
}

/// That `code` in line 2 of `file` is reported with the file, the line, and `expected`.
fn assert_reported(file: &str, code: &str, expected: &str) {
    let breaches = breaches_with(file, &format!("//! x\n{code}\n"));
    let [breach] = &breaches[..] else { panic!("{code}: one breach expected, found {breaches:?}") };
    assert!(breach.starts_with(&format!("{file}:2: ")) && breach.contains(expected), "{code}: {breach}");
}

fn assert_passes(file: &str, code: &str) {
    assert_eq!(breaches_with(file, &format!("//! x\n{code}\n")), [""; 0], "{code}");
}

#[test]
fn an_import_of_a_module_listed_below_is_reported() {
    for code in [
        "use crate::http;",
        "use crate::http::Answer;",
        "pub use crate::http::Answer;",
        "use crate::{http::Answer, config::Config};",
        "use crate::{config::{Config, Limits}, http::{self, Answer as Reply}};",
        "use crate::http::*;",
        "use super::super::http::Answer;",
        "fn f() -> crate::http::Answer { x }",
        "fn f() { x('\"', crate::http::answer::<u8>('\"')) }",
        "fn f<'a>(x: &'a crate::http::Answer) {}",
        "fn f() { let _ = r#\"\"#; crate::http::f() }",
        "use crate::Route;",
    ] {
        assert_reported("src/ingest/decode.rs", code, "`ingest` uses `http`");
    }
}

#[test]
fn an_import_of_a_sibling_listed_below_is_reported() {
    for code in [
        "use super::validate::Clean;",
        "use crate::ingest::validate;",
        "use crate::ingest::{raw::Raw, validate::Clean};",
        "fn f() { super::validate::validate() }",
        "use super::Clean;",
        "use crate::ingest::Clean;",
        "mod inner { use super::super::validate::Clean; }",
    ] {
        assert_reported("src/ingest/decode.rs", code, "`ingest::decode` uses `ingest::validate`");
    }
}

#[test]
fn imports_from_above_and_from_the_module_itself_pass() {
    for code in [
        "use crate::config::Config;",
        "use crate::{config::Config, ingest::raw::Raw};",
        "use super::raw::{self, Raw};",
        "use super::Shared;",
        "use self::inner::Thing; mod inner { pub struct Thing; }",
        "pub(crate) fn f() {}",
        "use http::Request; use std::fmt;",
        "fn f(x: u8) { other::crate_http::f(); x.http() }",
        "mod inner { use super::validate; }",
    ] {
        assert_passes("src/ingest/decode.rs", code);
    }
    assert_passes("src/ingest/mod.rs", "mod raw; mod decode; mod validate; use validate::Clean;");
    assert_passes("src/http/mod.rs", "use crate::ingest::Clean; use crate::{config, ingest};");
    assert_passes("src/main.rs", "use telemetry_server::http; fn main() {}");
}

#[test]
fn comments_literals_and_test_modules_are_not_code() {
    for code in [
        "// use crate::http;\n/// [`crate::http`]\n/* crate::http /* nested */ crate::http */",
        "const A: &str = \"crate::http \\\" crate::http\";",
        "const A: &str = r#\"crate::http \" crate::http\"#; const B: &[u8] = br\"crate::http\";",
        "#[cfg(test)]\nmod tests { use crate::http; fn f() { if x { crate::http::f() } } }",
        "#[cfg(test)]\n#[allow(unused)]\nmod tests;",
        "const A: &str = \"todo!() dbg!(1)\"; // todo!()",
    ] {
        assert_passes("src/ingest/decode.rs", code);
    }
    let after_tests = "#[cfg(test)] mod tests { fn f() { } } use crate::http;";
    assert_reported("src/ingest/decode.rs", after_tests, "module order");
}

#[test]
fn the_line_of_a_path_inside_a_group_is_its_own() {
    let breaches = breaches_with("src/config.rs", "//! x\nuse crate::{\n    config::A,\n    http::B,\n};\n");
    assert_eq!(breaches, ["src/config.rs:4: module order: `config` uses `http`, which is listed below it"]);
}

#[test]
fn a_long_file_is_reported_in_the_limited_folders_only() {
    let lines = |count: usize| format!("//! x\n{}", "// y\n".repeat(count - 1));
    assert_eq!(breaches_with("src/config.rs", &lines(400)), [""; 0]);
    assert_eq!(
        breaches_with("src/config.rs", &lines(401)),
        ["src/config.rs:401: length: 401 lines, more than 400"]
    );
    assert_eq!(breaches_with("client/src/lib.rs", &lines(401)).len(), 1);
    assert_eq!(breaches_with("tests/api.rs", &lines(401)), [""; 0]);
}

#[test]
fn a_file_without_a_header_is_reported() {
    let expected = ["tests/api.rs:1: header: the file does not begin with a `//!` header"];
    assert_eq!(breaches_with("tests/api.rs", "// x\n"), expected);
    assert_eq!(breaches_with("tests/api.rs", "\n//! x\n"), expected);
}

#[test]
fn a_vague_module_name_is_reported_outside_tests() {
    assert_reported("src/config.rs", "mod helpers { }", "names");
    assert_eq!(breaches_with("src/http/utils.rs", "//! x\n").len(), 1);
    assert_eq!(breaches_with("src/common/mod.rs", "//! x\n").len(), 1);
    assert_eq!(breaches_with("tests/common/mod.rs", "//! x\nmod helpers;\n"), [""; 0]);
}

#[test]
fn an_unfinished_macro_is_reported_even_in_a_test_module() {
    assert_reported("src/config.rs", "fn f() { todo!() }", "`todo!`");
    assert_reported("src/config.rs", "fn f() { unimplemented!(\"x\") }", "`unimplemented!`");
    assert_reported("src/config.rs", "#[cfg(test)] mod tests { fn f() { dbg!(1); } }", "`dbg!`");
}

#[test]
fn a_crate_that_does_not_inherit_the_lints_is_reported() {
    let expected = ["client/Cargo.toml:1: lints: the crate does not set `[lints] workspace = true`"];
    assert_eq!(breaches_with("client/Cargo.toml", "[package]\nedition.workspace = true\n"), expected);
    assert_eq!(breaches_with("client/Cargo.toml", "[lints.rust]\n[x]\nworkspace = true\n"), expected);
    assert_eq!(breaches_with("client/Cargo.toml", "[lints]\nworkspace = true\n"), [""; 0]);
}

#[test]
fn members_are_read_from_the_manifest() {
    assert_eq!(members_of("[workspace]\nmembers = [\"a\",\n  \"b/c\"]\nx = [\"d\"]\n"), ["a", "b/c"]);
}
