//! Finds the exit code in the error text of generation-1 clients, which send no code.
//!
//! The text is an explanation of the code, the name of a signal, or a failed command. A command may
//! contain any number and any word, so only whole texts are matched: no code is better than a wrong one.

use std::{collections::HashMap, sync::LazyLock};

use super::catalogue::lines;

pub(super) const DATA: &str = include_str!("../../data/generation1_texts.tsv");

static CODES: LazyLock<HashMap<String, i32>> = LazyLock::new(|| lines(DATA).filter_map(read_line).collect());

/// Longest text that is looked up, in bytes. The longest known explanation has 85; longer texts are
/// commands or logs.
const LONGEST: usize = 200;

/// The exit code for the `error` of a generation-1 client. Ignores case, whitespace, backslashes and a
/// final full stop. `None` if the text contains no code (it is empty, "none", "Unknown error" or a failed
/// command) or the code is not within 1 to 255.
#[must_use]
pub fn code_from_text(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let text = fold(text);
    CODES.get(&text).copied().or_else(|| number_in(&text))
}

/// The number in one of these forms: "unknown error, exit code: 1", the same with " in create_lxc.sh",
/// "206: (any words) in create_lxc.sh", and the bare "130" of scripts that are newer than their client.
fn number_in(text: &str) -> Option<i32> {
    let (text, from_create) = match text.strip_suffix(" in create_lxc.sh") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let number = match text.strip_prefix("unknown error, exit code:") {
        Some(number) => number.trim_start(),
        None if from_create => text.split_once(": ")?.0,
        None => text,
    };
    let bare = (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|code| bare && (1..=255).contains(code))
}

/// Normalises a text for the lookup. Backslashes are removed because clients send them unescaped, so
/// their number depends on how the body was repaired.
fn fold(text: &str) -> String {
    let text = text.replace('\\', "").to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    text.strip_suffix('.').unwrap_or(&text).trim_end().to_owned()
}

/// The normalised text and the code of a line; `None` if a column is invalid.
pub(super) fn read_line(line: &str) -> Option<(String, i32)> {
    let (text, code) = line.split_once('\t')?;
    let code = code.parse().ok().filter(|code| (1..=255).contains(code))?;
    (!text.is_empty() && text.len() <= LONGEST).then(|| (fold(text), code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_text_of_generation_1_has_one_code() {
        let mut codes = BTreeMap::new();
        for line in lines(DATA) {
            let (folded, code) = read_line(line).unwrap_or_else(|| panic!("{line:?} cannot be read"));
            assert_eq!(codes.insert(folded, code), None, "{line:?} occurs twice");
            let sent = line.split('\t').next().unwrap_or_default();
            assert_eq!(code_from_text(sent), Some(code), "{line:?}");
        }
    }

    /// Error texts that clients of 2025 sent, and their codes.
    #[test]
    fn every_error_sent_by_a_generation_1_client_is_understood() {
        for (error, code) in [
            ("Custom: CTID already in use (check 'pct list' and /etc/pve/lxc/)", Some(206)),
            ("100: Unexpected error in create_lxc.sh", Some(100)),
            ("206: CTID already in use in create_lxc.sh", Some(206)),
            ("209: Container creation failed, but template is intact in create_lxc.sh", Some(209)),
            ("APT: Package manager error (broken packages / dependency problems)", Some(100)),
            ("Command not found", Some(127)),
            ("Custom: Container creation failed (check logs for pct create output)", Some(209)),
            ("DPKG: Fatal internal error", Some(255)),
            ("General error / Operation not permitted", Some(1)),
            ("INTERRUPTED", Some(130)),
            ("SIG INTERUPT", Some(130)),
            ("TERMINATED", Some(143)),
            ("Killed (SIGKILL / Out of memory?)", Some(137)),
            ("PostgreSQL: Connection failed (server not running / wrong socket)", Some(231)),
            ("Unknown error, exit code: 1", Some(1)),
            ("Unknown error, exit code: 1 in create_lxc.sh", Some(1)),
            ("Unknown error, exit code: 28 in create_lxc.sh", Some(28)),
            ("Unknown error, exit code: 129 in create_lxc.sh", Some(129)),
            ("Unknown error, exit code: 241", Some(241)),
            ("create_lxc.sh ID already in use", Some(206)),
            ("none", None),
            ("", None),
            ("Unknown error", None),
            ("unknown error", None),
            ("No error message", None),
            (
                "RELEASE=$(curl -fsSL https://api.github.com/repos/a/b/releases/latest | grep \"tag_name\")",
                None,
            ),
            ("apt-get install -y libguestfs-tools", None),
            ("curl -f#SL -o \"$(basename \"$URL\")\" \"$URL\"", None),
            (
                "mysql -u root -e \"CREATE DATABASE \\`app\\`; GRANT ALL ON app.* TO 'app'@'192.0.2.42'\"",
                None,
            ),
            ("qm importdisk $VMID ${FILE} $STORAGE ${DISK_IMPORT:-} 1>&/dev/null", None),
            ("sed -i -e \"s|^#\\(listen\\)_addr.*|\\1 = '\\*'|\" /etc/app\\_x.conf", None),
            ("wget -q --show-progress $URL", None),
        ] {
            assert_eq!(code_from_text(error), code, "{error:?}");
        }
    }

    #[test]
    fn case_whitespace_backslashes_and_a_final_full_stop_are_ignored() {
        for (error, code) in [
            ("  command  NOT found.\n", 127),
            ("Custom: Password contains unescaped special characters (-, /, , *, etc.)", 207),
            ("Custom: Password contains unescaped special characters (-, /, \\, *, etc.)", 207),
            ("unknown error,  exit code:137", 137),
            ("interrupted", 130),
            ("130", 130),
        ] {
            assert_eq!(code_from_text(error), Some(code), "{error:?}");
        }
    }

    #[test]
    fn a_number_elsewhere_is_not_an_exit_code() {
        for error in [
            "0",
            "256",
            "1000",
            "+1",
            "curl -m 100",
            "exit 100",
            "line 100: foo",
            "100: foo",
            "137 in create_lxc.sh",
            "sleep 5: 100 in create_lxc.sh",
            "Unknown error, exit code: 0",
            "Unknown error, exit code: 300",
            "Unknown error, exit code: 1 and 2",
            "echo Unknown error, exit code: 1",
            "bash: foo: Command not found",
            "[ERROR] in line 46: exit code 137: while executing command apt-get",
        ] {
            assert_eq!(code_from_text(error), None, "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_a_valid_code_or_none(text in any::<String>()) {
            prop_assert!(code_from_text(&text).is_none_or(|code| (1..=255).contains(&code)));
        }

        #[test]
        fn a_command_with_numbers_gives_no_code(word in "[a-z]{2,8}", number in 0..300) {
            let command = format!("{word} {number}");
            prop_assert_eq!(code_from_text(&command), None);
        }
    }
}
