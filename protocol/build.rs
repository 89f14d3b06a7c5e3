//! Compiles the rules in `data/reasons` into the program, so that it neither parses TOML nor carries the examples.

#[path = "src/reason/source.rs"]
mod source;

use std::fmt::Write;
use std::path::Path;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=data/reasons");
    println!("cargo::rerun-if-changed=src/reason/source.rs");
    let mut code = String::from("&[\n");
    for (file, rule) in source::read()? {
        let source::Source {
            id,
            pattern,
            rank,
            category,
            blame,
            title,
            hint,
            examples,
            exit_codes,
            command,
            subject,
        } = rule;
        if examples.is_empty() {
            return Err(format!("{file}: {id}: no example"));
        }
        writeln!(
            code,
            "Text {{ id: {id:?}, pattern: {pattern:?}, rank: {rank:?}, category: {category:?}, blame: {blame:?}, \
             title: {title:?}, hint: {hint:?}, exit_codes: &{exit_codes:?}, command: {command:?}, subject: {subject:?} }},"
        )
        .map_err(|error| error.to_string())?;
    }
    code.push(']');
    let folder = std::env::var("OUT_DIR").map_err(|error| error.to_string())?;
    std::fs::write(Path::new(&folder).join("rules.rs"), code).map_err(|error| error.to_string())
}
