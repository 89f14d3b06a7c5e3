//! Names of users in the paths of their homes: `/home/x`, `/Users/x`, `C:\Users\x`, `~x/`, mail boxes and
//! crontabs, also with escaped slashes. `/root` says nothing about anybody.

use super::Placeholder;
use super::chars::{before, begins_word, byte, is_name, is_one_of, is_word, run_end, run_start, stands_at};
use super::places::{Class, Places};
use super::spans::Spans;

/// Names that tools and images give.
const SERVICE_NAMES: &[&str] = &["linuxbrew", "node", "runner", "lost+found", "user", "default"];
const FOLDERS: &[&[u8]] =
    &[b"home", b"users", b"crontabs", b"spool/mail", b"var/mail", b"accountsservice/users"];

pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut at = 0;
    loop {
        at = places.next(Class::Slash, at);
        if at == text.len() {
            return;
        }
        at = match text[at] {
            b'/' | b'\\' => read_path(text, at, spans),
            b'%' if stands_at(text, at, b"%2f") => read_path(text, at, spans),
            b'~' => {
                read_tilde(text, at, spans);
                at + 1
            }
            _ => at + 1,
        };
    }
}

/// End of the slashes at `at`, in any encoding.
fn slashes_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    loop {
        end = match byte(text, end) {
            b'/' | b'\\' => end + 1,
            b'%' if stands_at(text, end, b"%2f") || stands_at(text, end, b"%5c") => end + 3,
            _ => return end,
        };
    }
}

/// Reads a path from the slashes at `at`; returns where to go on.
fn read_path(text: &[u8], at: usize, spans: &mut Spans) -> usize {
    let start = slashes_end(text, at);
    if !matches!(byte(text, start) | 0x20, b'h' | b'u' | b'c' | b's' | b'v' | b'a') {
        return start;
    }
    let Some(folder) = FOLDERS.iter().find(|folder| stands_at(text, start, folder)) else {
        return start;
    };
    let folder_end = start + folder.len();
    let name = slashes_end(text, folder_end);
    if name == folder_end {
        return folder_end;
    }
    // `/users/` in lower case is what interfaces of the web have.
    let windows = text[at..name].contains(&b'\\') && !text[at..name].contains(&b'/');
    if *folder == b"users" && text[start] == b'u' && !windows {
        return folder_end;
    }
    let end = name_end(text, name, windows);
    let found = &text[name..end];
    let everybody = *folder == b"users" && is_one_of(found, &["public", "shared"]);
    if !everybody && !is_one_of(found, SERVICE_NAMES) {
        spans.add(name, end, Placeholder::User);
    }
    end.max(folder_end)
}

fn name_end(text: &[u8], start: usize, windows: bool) -> usize {
    let is_part = |byte: u8| is_name(byte) || matches!(byte, b'@' | b'+');
    let end = run_end(text, start, is_part);
    if windows && byte(text, end) == b' ' {
        // `C:\Users\John Doe\AppData`
        let spaced = run_end(text, end, |byte| is_part(byte) || byte == b' ');
        if spaced - start <= 48 && byte(text, spaced) == b'\\' {
            return spaced;
        }
    }
    // The end of a sentence.
    run_start(text, end, start, |byte| byte == b'.')
}

/// `~alice/`, but not the `~` of a version.
fn read_tilde(text: &[u8], at: usize, spans: &mut Spans) {
    let end = run_end(text, at + 1, |byte| is_word(byte) || matches!(byte, b'_' | b'-'));
    let letter = byte(text, at + 1).is_ascii_alphabetic() || byte(text, at + 1) >= 0x80;
    let at_start = begins_word(text, at) && !matches!(before(text, at), b'~' | b'.' | b'-' | b')' | b'$');
    if letter && at_start && byte(text, end) == b'/' && &text[at + 1..end] != b"root" {
        spans.add(at + 1, end, Placeholder::User);
    }
}
