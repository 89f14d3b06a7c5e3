//! Masks the parts of a line that vary between hosts: numbers, versions, times, sizes, hexadecimal words,
//! placeholders of the scrubber, names of temporary files. Names of packages, units, files and mirrors stay,
//! because they identify what failed. Error numbers stay too.

use crate::scrub::Placeholder;

/// A number after one of these words is an error number.
const ERROR_NUMBER_PREFIXES: &[&str] = &[
    "error", "errno", "code", "status", "exit", "http", "curl", "signal", "err", "sqlstate", "returned",
    "exited",
];
/// Longest error number, in digits.
const MAX_ERROR_DIGITS: usize = 5;

/// Masks `line`.
pub(super) fn mask(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        mask_word(word, &mut out);
    }
    let out = out.replace("npm ERR!", "npm error");
    let out = merge_masks(&out);
    let out = without_syslog_prefix(&out);
    let kept = out.trim_start_matches(|c: char| {
        !c.is_alphanumeric() && !matches!(c, '$' | '/' | '.' | '"' | '\'' | '`' | '-')
    });
    kept.trim_end().to_owned()
}

/// Masks a message, without words that only say that it is an error.
pub(super) fn line(message: &str) -> String {
    const LEVELS: [&str; 5] = ["error: ", "internal error: ", "fatal: ", "err: ", "error "];
    let mut rest = message;
    while let Some(level) = LEVELS
        .iter()
        .find(|level| rest.get(..level.len()).is_some_and(|start| start.eq_ignore_ascii_case(level)))
    {
        rest = rest[level.len()..].trim_start();
    }
    let masked = mask(if rest.len() < 8 { message } else { rest });
    let masked = masked.trim_end_matches(['*', ' ']);
    // Whether a key looks like a secret decides how it is masked.
    masked.strip_suffix(" #").filter(|rest| rest.ends_with("key")).unwrap_or(masked).to_owned()
}

/// Masks the subject of a rule, without quotes and punctuation around it.
pub(super) fn subject(subject: &str) -> String {
    // The id of a public key is the same on every host.
    if subject.len() == 16 && subject.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')) {
        return subject.to_owned();
    }
    let quotes =
        |c: char| matches!(c, '\'' | '"' | '`' | '‘' | '’' | '“' | '”' | '«' | '»' | ',' | ';' | ':');
    command(subject.trim().trim_matches(quotes).trim_end_matches('.')).trim_matches(quotes).to_owned()
}

/// Masks a command, without the scripts' `$STD` and without redirections at its end.
pub(super) fn command(command: &str) -> String {
    const REDIRECTIONS: [&str; 8] = [
        "&>/dev/null",
        "&> /dev/null",
        ">/dev/null",
        "> /dev/null",
        "2>&1",
        "2>/dev/null",
        "2> /dev/null",
        "$?",
    ];
    let mut rest = command.trim();
    rest = rest.strip_prefix("$STD ").unwrap_or(rest).trim_start();
    while let Some(before) = REDIRECTIONS.iter().find_map(|end| rest.strip_suffix(end)) {
        rest = before.trim_end();
    }
    mask(rest)
}

/// Removes the masked date and host of a syslog line.
fn without_syslog_prefix(line: &str) -> &str {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let rest = line.get(3..).filter(|_| months.iter().any(|month| line.starts_with(month)));
    rest.and_then(|rest| rest.strip_prefix(" # # ")).unwrap_or(line)
}

fn mask_word(word: &str, out: &mut String) {
    let mut rest = word;
    let mut versioned = false;
    let mut temporary = false;
    while let Some(first) = rest.chars().next() {
        if let Some(placeholder) =
            Placeholder::ALL.iter().find(|placeholder| rest.starts_with(placeholder.as_str()))
        {
            out.push('*');
            rest = &rest[placeholder.as_str().len()..];
            continue;
        }
        if first.is_alphanumeric() {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            let (part, after) = rest.split_at(end);
            let consumed = mask_part(part, after, temporary, &mut versioned, out);
            rest = &rest[consumed..];
            continue;
        }
        let before = out.len();
        out.push(first);
        rest = &rest[first.len_utf8()..];
        if first == '/' {
            let path = &out[..before];
            temporary = path.ends_with("/tmp") || (temporary && !path.ends_with('*'));
        } else if !matches!(first, '.' | '-' | '_') {
            temporary = false;
        }
    }
}

/// Appends a masked sequence of letters and digits. Returns how many bytes of it and the following text were
/// consumed.
fn mask_part(part: &str, after: &str, temporary: bool, versioned: &mut bool, out: &mut String) -> usize {
    let digits = part.bytes().take_while(u8::is_ascii_digit).count();
    let has_letters = part.bytes().any(|byte| byte.is_ascii_alphabetic());
    if temporary && is_random_name(part) {
        out.push('*');
        return part.len();
    }
    if is_hexadecimal(part) {
        out.push('#');
        return part.len();
    }
    let dotted = after.starts_with('.') && after[1..].starts_with(|c: char| c.is_ascii_digit() || c == 'x');
    let number = part.strip_prefix(['v', 'V']).unwrap_or_default();
    if dotted && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        out.push_str("v#");
        return part.len() + version_rest(after);
    }
    if digits == 0 {
        out.push_str(part);
        return part.len();
    }
    if digits == part.len() && !dotted && keeps_number(part, after, *versioned, out) {
        out.push_str(part);
        return part.len();
    }
    if digits < part.len()
        && !dotted
        && has_letters
        && !is_unit(&part[digits..])
        && !*versioned
        && !is_version_tail(out)
    {
        // A name such as `2to3` or `7zip`.
        out.push_str(part);
        return part.len();
    }
    *versioned |= dotted;
    out.push('#');
    part.len() + version_rest(after)
}

/// Whether a number is an error number or part of a package name (`openjdk-17-jre`, `postgresql-16`).
fn keeps_number(part: &str, after: &str, versioned: bool, out: &str) -> bool {
    let before = out.trim_end_matches([' ', '(', ':', '=', '[', '#', '/', '.', '*']);
    let word_start = before.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len();
    let word = &before[word_start..];
    let near = out.len() - before.len() <= 3 && !out.ends_with(['/', '.', '#']);
    if near
        && part.len() <= MAX_ERROR_DIGITS
        && ERROR_NUMBER_PREFIXES.iter().any(|name| word.eq_ignore_ascii_case(name))
    {
        return true;
    }
    let in_name = out.strip_suffix('-').is_some_and(|name| name.ends_with(|c: char| c.is_ascii_alphabetic()));
    in_name && part.len() <= 2 && !versioned && !after.starts_with([':', '.', '_'])
}

/// Whether these letters are a unit, as in `10ms`, `24MB`, `3s`.
fn is_unit(letters: &str) -> bool {
    matches!(
        letters,
        "s" | "ms"
            | "us"
            | "ns"
            | "m"
            | "min"
            | "h"
            | "d"
            | "B"
            | "b"
            | "k"
            | "K"
            | "M"
            | "G"
            | "T"
            | "kB"
            | "KB"
            | "MB"
            | "GB"
            | "TB"
            | "KiB"
            | "MiB"
            | "GiB"
            | "TiB"
            | "Z"
    )
}

/// Whether `out` ends within a version, such as `#:` or `#-`.
fn is_version_tail(out: &str) -> bool {
    out.ends_with("#-") || out.ends_with("#:") || out.ends_with("#+") || out.ends_with("#~")
}

/// Length of the text after a number that belongs to it: `.88.1-10+deb12u12`, `:34:56`, `.x.x`.
fn version_rest(after: &str) -> usize {
    let bytes = after.as_bytes();
    let mut end = 0;
    while end < bytes.len() {
        let next = bytes.get(end + 1).copied().unwrap_or(b' ');
        end += match bytes[end] {
            b'.' | b'-' | b':' | b',' if next.is_ascii_digit() || (bytes[end] == b'.' && next == b'x') => 2,
            b'+' | b'~' if next.is_ascii_alphanumeric() => 2,
            byte if byte.is_ascii_alphanumeric() && end > 0 => 1,
            b'%' => 1,
            _ => break,
        };
    }
    end
}

/// Whether a word is hexadecimal: `0x7f1c`, or seven or more digits and letters.
fn is_hexadecimal(part: &str) -> bool {
    let bytes = part.as_bytes();
    let body = part.strip_prefix("0x").unwrap_or(part).as_bytes();
    let hex = body.iter().all(u8::is_ascii_hexdigit);
    (part.starts_with("0x") && hex)
        || (bytes.len() >= 7
            && hex
            && bytes.iter().any(u8::is_ascii_digit)
            && bytes.iter().any(u8::is_ascii_alphabetic))
}

/// Whether part of a file name looks random, as generated by `mktemp`.
fn is_random_name(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let upper = part.bytes().skip(1).filter(u8::is_ascii_uppercase).count();
    let lower = part.bytes().filter(u8::is_ascii_lowercase).count();
    (part.len() >= 5 && ((digits > 0 && digits < part.len()) || (upper > 0 && lower > 0)))
        || (part.len() > 3 && part.starts_with("tmp"))
}

/// Merges adjacent masks.
fn merge_masks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '#' || c == '*' {
            let kept = out.trim_end_matches([':', '-', '.', ',', '/', '+', 'T']);
            if out.len() - kept.len() <= 2
                && kept.ends_with(['#', '*'])
                && (c == '#' || kept.len() == out.len())
            {
                let length = kept.len();
                out.truncate(length);
                continue;
            }
        }
        out.push(c);
    }
    out
}
