//! Finds the exit code of a generation-1 client, which sends only a text.
//!
//! That text is an explanation of the code, or a signal's word, or a failed command. A command
//! may hold any number and any word, so only whole texts are read, never parts of them: better
//! no code than a wrong one.

use std::{collections::HashMap, sync::LazyLock};

use super::catalogue::lines;

pub(super) const DATA: &str = include_str!("../../data/generation1_texts.tsv");

static CODES: LazyLock<HashMap<String, i32>> = LazyLock::new(|| lines(DATA).filter_map(read_line).collect());

/// Longer texts are no explanation (the longest known has 85 bytes), but a command or a log.
const LONGEST: usize = 200;

/// The exit code that the `error` of a generation-1 client stands for. Case, white space,
/// backslashes and a last full stop do not matter. `None` when the text does not tell: empty,
/// "none", "Unknown error", a failed command, a code outside 1 to 255.
#[must_use]
pub fn code_from_text(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let text = fold(text);
    CODES.get(&text).copied().or_else(|| number_in(&text))
}

/// The number in one of the shapes that carry it: "unknown error, exit code: 1", the same with
/// " in create_lxc.sh", "206: (any words) in create_lxc.sh", and the bare "130" of callers that
/// are newer than the client they call.
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

/// One spelling for all that differ in nothing that matters. Backslashes go because clients
/// send them unescaped, so that what is left of them depends on how the body was repaired.
fn fold(text: &str) -> String {
    let text = text.replace('\\', "").to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    text.strip_suffix('.').unwrap_or(&text).trim_end().to_owned()
}

/// The folded text and the code of one line; `None` when a column is wrong.
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
    fn every_text_of_generation_1_stands_for_one_code() {
        let mut codes = BTreeMap::new();
        for line in lines(DATA) {
            let (folded, code) = read_line(line).unwrap_or_else(|| panic!("{line:?} cannot be read"));
            assert_eq!(codes.insert(folded, code), None, "{line:?} stands twice");
            let sent = line.split('\t').next().unwrap_or_default();
            assert_eq!(code_from_text(sent), Some(code), "{line:?}");
        }
    }

    /// What clients of 2025 were seen to send, and what it tells.
    #[test]
    fn every_error_that_a_client_of_generation_1_was_seen_to_send_is_read() {
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
    fn case_space_backslashes_and_a_last_full_stop_do_not_matter() {
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
    fn a_number_elsewhere_is_no_exit_code() {
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
        fn any_text_is_read_or_left_alone(text in any::<String>()) {
            prop_assert!(code_from_text(&text).is_none_or(|code| (1..=255).contains(&code)));
        }

        #[test]
        fn a_command_with_numbers_tells_no_code(word in "[a-z]{2,8}", number in 0..300) {
            let command = format!("{word} {number}");
            prop_assert_eq!(code_from_text(&command), None);
        }
    }
}
