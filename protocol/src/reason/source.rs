//! The files of rules as they are written. The build script reads them and compiles what the program needs, which is
//! everything but the examples; the tests read them as well.

use serde::Deserialize;

/// The files in `data/reasons`. Of rules with the same rank, the one of the earlier file wins, and in a file the
/// earlier one. So databases and containers come before the languages of their clients, and what any program can say
/// (a full disk) comes last.
pub(crate) const FILES: &[&str] = &[
    "noise.toml",
    "databases.toml",
    "containers.toml",
    "proxmox.toml",
    "apt.toml",
    "packages.toml",
    "network.toml",
    "javascript.toml",
    "python.toml",
    "compilers.toml",
    "php_ruby.toml",
    "jvm_dotnet.toml",
    "services.toml",
    "archives.toml",
    "kernel.toml",
    "shell.toml",
    "scripts.toml",
];

/// One rule. CONTRIBUTING.md explains the fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) id: String,
    pub(crate) pattern: String,
    pub(crate) rank: String,
    #[serde(default)]
    pub(crate) category: String,
    #[serde(default)]
    pub(crate) blame: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) hint: String,
    pub(crate) examples: Vec<String>,
    #[serde(default)]
    pub(crate) exit_codes: Vec<i32>,
    pub(crate) command: Option<String>,
    pub(crate) subject: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Source>,
}

/// Reads all rules, each with the name of its file. An error names the file and the line.
pub(crate) fn read() -> Result<Vec<(&'static str, Source)>, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/reasons");
    let mut rules = Vec::new();
    for name in FILES {
        let text = std::fs::read_to_string(format!("{folder}/{name}"))
            .map_err(|error| format!("{name}: {error}"))?;
        let file: File = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        rules.extend(file.rule.into_iter().map(|rule| (*name, rule)));
    }
    Ok(rules)
}
