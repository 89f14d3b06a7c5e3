//! Whether this host may send reports: the variable `DIAGNOSTICS`, and the line `DIAGNOSTICS=` in
//! `/usr/local/community-scripts/diagnostics`.
//!
//! Either place can give consent and either can refuse it; any value other than `yes` is a refusal, which
//! the other place cannot override. All documented ways to opt out (for one script, in a script's header,
//! for the whole system) use one of the two.

use std::fs;
use std::io;

use crate::storage;
use crate::system::Host;

/// The file that holds the answer to the question the scripts ask on first use.
pub const FILE: &str = "/usr/local/community-scripts/diagnostics";

/// The state of consent, and which place refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// At least one place says `yes`, and neither says anything else.
    Given,
    /// `DIAGNOSTICS` is set to something other than `yes`.
    RefusedByVariable,
    /// The file has another value, or cannot be read.
    RefusedByFile,
    /// Neither place is set.
    NeverGiven,
}

/// Reads the variable and the file. Only the exact word `yes` counts as consent.
#[must_use]
pub fn read(host: &Host) -> Consent {
    let variable = host.raw_variable("DIAGNOSTICS");
    if variable.is_some_and(|answer| answer != "yes") {
        return Consent::RefusedByVariable;
    }
    let mut given = variable.is_some();
    if host.exists(FILE) {
        let Some(content) = host.read(FILE, MAX_BYTES).filter(|content| (content.len() as u64) < MAX_BYTES)
        else {
            return Consent::RefusedByFile;
        };
        for answer in content.lines().filter_map(answer_of) {
            if answer == Answer::Other {
                return Consent::RefusedByFile;
            }
            given = true;
        }
    }
    if given { Consent::Given } else { Consent::NeverGiven }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    Other,
}

/// The answer that a line assigns, ignoring the case of `DIAGNOSTICS` as the scripts do. Any assignment other
/// than `DIAGNOSTICS=yes` or `export DIAGNOSTICS=yes` is a refusal, however it is written. `None` if the line
/// assigns nothing or the assignment is in a comment.
fn answer_of(line: &str) -> Option<Answer> {
    let upper = line.to_ascii_uppercase();
    let code = upper.split('#').next().unwrap_or_default();
    let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let (name, sign) = code.match_indices(NAME).find_map(|(name, _)| {
        let end = name + NAME.len();
        let sign = end + code[end..].find('=')?;
        (!code[..name].ends_with(is_word) && !code[end..sign].contains(is_word)).then_some((name, sign))
    })?;
    let is_blank = |char: char| char.is_ascii_whitespace();
    let alone = matches!(code[..name].trim_matches(is_blank), "" | "EXPORT") && sign == name + NAME.len();
    let yes = alone && line[sign + 1..].trim_end_matches(is_blank) == "yes";
    Some(if yes { Answer::Yes } else { Answer::Other })
}

const NAME: &str = "DIAGNOSTICS";
/// Largest file that is accepted, in bytes; a larger one counts as a refusal.
const MAX_BYTES: u64 = 64 * 1024;

/// Writes the answer to the file and keeps its other lines.
///
/// # Errors
/// Any error from the file system.
pub fn record(host: &Host, yes: bool) -> io::Result<()> {
    let path = host.path(FILE);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<&str> = old.lines().filter(|line| answer_of(line).is_none()).collect();
    lines.push(if yes { "DIAGNOSTICS=yes" } else { "DIAGNOSTICS=no" });
    let content = lines.join("\n") + "\n";
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    storage::replace(&path, content.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_with(file: Option<&str>, variable: Option<&str>) -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        if let Some(content) = file {
            let path = root.path().join(FILE.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let variables: Vec<_> = variable.map(|value| ("DIAGNOSTICS", value)).into_iter().collect();
        let host = Host::new(root.path(), &variables);
        (root, host)
    }

    #[test]
    fn any_value_other_than_yes_is_a_refusal() {
        for answer in ["no", "", "YES", "Yes", "y", "true", "1", " yes", "\"yes\"", "yes please"] {
            let (_root, host) = host_with(None, Some(answer));
            assert_eq!(read(&host), Consent::RefusedByVariable, "{answer:?}");
            let (_root, host) = host_with(Some(&format!("DIAGNOSTICS={answer}\n")), None);
            assert_eq!(read(&host), Consent::RefusedByFile, "{answer:?}");
        }
    }

    #[test]
    fn one_yes_gives_consent_and_one_no_refuses_it() {
        let yes = Some("DIAGNOSTICS=yes\n");
        let no = Some("# comment\nDIAGNOSTICS=no\n");
        for (file, variable, expected) in [
            (None, None, Consent::NeverGiven),
            (Some("# no answer\n"), None, Consent::NeverGiven),
            (yes, None, Consent::Given),
            (None, Some("yes"), Consent::Given),
            (yes, Some("yes"), Consent::Given),
            (yes, Some("no"), Consent::RefusedByVariable),
            (no, Some("yes"), Consent::RefusedByFile),
            (Some("DIAGNOSTICS=yes\nDIAGNOSTICS=no\n"), Some("yes"), Consent::RefusedByFile),
            (Some("diagnostics=yes\n"), None, Consent::Given),
        ] {
            let (_root, host) = host_with(file, variable);
            assert_eq!(read(&host), expected, "{file:?} {variable:?}");
        }
    }

    #[test]
    fn a_handwritten_refusal_is_recognised_in_any_syntax() {
        for line in [
            "DIAGNOSTICS = no",
            "export DIAGNOSTICS=no",
            " DIAGNOSTICS=no",
            "\tdiagnostics=\"no\"",
            "DIAGNOSTICS='no' # not here",
            "declare -x DIAGNOSTICS=no",
            "A=1; DIAGNOSTICS=no",
            ": ${DIAGNOSTICS:=no}",
            "\"DIAGNOSTICS\" = no",
            "DIAGNOSTICS=",
            "DIAGNOSTICS=no DIAGNOSTICS=yes",
            "DIAGNOSTICS=yes\u{a0}",
            "declare -x DIAGNOSTICS=yes",
            "A=1; DIAGNOSTICS=yes",
        ] {
            let (_root, host) = host_with(Some(&format!("DIAGNOSTICS=yes\n{line}\n")), Some("yes"));
            assert_eq!(read(&host), Consent::RefusedByFile, "{line}");
        }
        for line in [
            "# DIAGNOSTICS=no",
            "MY_DIAGNOSTICS=no",
            "DIAGNOSTICS are useful, so a=b",
            "export DIAGNOSTICS=yes",
        ] {
            let (_root, host) = host_with(Some(&format!("DIAGNOSTICS=yes\n{line}\n")), None);
            assert_eq!(read(&host), Consent::Given, "{line}");
        }
    }

    #[test]
    fn recording_an_answer_replaces_the_old_one_and_keeps_other_lines() {
        let (_root, host) = host_with(Some("# why we ask\nDIAGNOSTICS=yes\n"), None);
        record(&host, false).unwrap();
        assert_eq!(host.read(FILE, 1000).unwrap(), "# why we ask\nDIAGNOSTICS=no\n");
        record(&host, true).unwrap();
        assert_eq!(read(&host), Consent::Given);
    }
}
