//! What stands around an `@`: e-mail addresses, `user:password@host`, `user@host` of ssh and of prompts,
//! API tokens of Proxmox VE (`user@realm!name=value`). Versions of packages (`pkg@1.2.3`), instances of
//! units (`getty@tty1.service`) and public git remotes (`git@github.com`) survive.

use super::Placeholder;
use super::chars::{before, byte, is_name, is_one_of, is_word, run_end, run_start, stands_at, word_before};
use super::data::{COMMON_USERS, GIT_HOSTS, REALMS, REMOTE_COMMANDS, UNIT_TYPES};
use super::spans::Spans;

/// Longest part before the `@`, in bytes.
const MAX_LOCAL: usize = 128;

pub(super) fn find(text: &[u8], spans: &mut Spans) {
    let mut done = 0;
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b'@', b'%', b'\\', &text[at.min(text.len())..]) {
        at += found;
        let sign_end = match text[at] {
            b'@' => at + 1,
            b'%' if stands_at(text, at, b"%40") => at + 3,
            b'\\' if stands_at(text, at, b"\\u0040") => at + 6,
            _ => {
                at += 1;
                continue;
            }
        };
        let floor = done.max(at.saturating_sub(MAX_LOCAL));
        let start = run_start(text, at, floor, is_local);
        let start =
            start + text[start..at].iter().take_while(|byte| matches!(**byte, b'-' | b'.' | b'=')).count();
        // What begins in the middle of a character is none.
        let start =
            if start == floor && start > 0 { run_end(text, start, |byte| byte >= 0x80) } else { start };
        let domain = run_end(text, sign_end, is_name);
        let domain = run_start(text, domain, sign_end, |byte| matches!(byte, b'.' | b'-' | b'_'));
        let place = Place { text, start, sign: at, domain_start: sign_end, domain_end: domain };
        done = place.read(spans).unwrap_or(sign_end);
        at = done.max(sign_end);
    }
}

fn is_local(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'+' | b'%' | b'=' | b'~' | b'#' | b'&' | b'*' | b'^')
}

struct Place<'t> {
    text: &'t [u8],
    start: usize,
    sign: usize,
    domain_start: usize,
    domain_end: usize,
}

impl Place<'_> {
    /// Adds what is found; the end of what needs no second look.
    fn read(&self, spans: &mut Spans) -> Option<usize> {
        let Self { text, start, sign, domain_start, domain_end } = *self;
        if self.is_in_url() {
            return None;
        }
        if start == sign && before(text, start) == b'>' {
            // Behind a placeholder.
            return None;
        }
        let (local, domain) = (&text[start..sign], &text[domain_start..domain_end]);
        if domain.is_empty() {
            // The address behind it is removed by its own rule.
            if !local.is_empty() && matches!(byte(text, domain_start), b'[' | b'<') {
                spans.add(self.chain_start(), sign, Placeholder::User);
            }
            return None;
        }
        if byte(text, domain_end) == b'!' && !local.is_empty() {
            let end = run_end(text, domain_end, |byte| is_name(byte) || matches!(byte, b'!' | b'=' | b':'));
            spans.add(start, end, Placeholder::Token);
            return Some(end);
        }
        let last_dot = domain.iter().rposition(|byte| *byte == b'.');
        let top = last_dot.map(|dot| &domain[dot + 1..]).filter(|top| !top.is_empty());
        let is_version =
            domain[0].is_ascii_digit() && domain.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        if is_version {
            return self.read_numbers(spans);
        }
        if is_release(domain) {
            return None;
        }
        match top {
            Some(top) if top.len() >= 2 && !top.iter().any(u8::is_ascii_digit) => {
                if is_one_of(top, UNIT_TYPES) {
                    return None;
                }
                if local.eq_ignore_ascii_case(b"git") && is_one_of(domain, GIT_HOSTS) {
                    return Some(domain_end);
                }
                self.add_password(spans);
                spans.add(start, domain_end, Placeholder::Email);
                Some(domain_end)
            }
            _ if local.is_empty() => None,
            _ => self.read_single_label(local, domain, spans),
        }
    }

    /// Whether this is the end of the credentials of a URL, which have a rule of their own.
    fn is_in_url(&self) -> bool {
        let floor = self.sign.saturating_sub(MAX_LOCAL);
        let is_part = |byte: u8| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'@' | b'/' | b'"' | b'\'' | b'<' | b'>')
        };
        let start = run_start(self.text, self.sign, floor, is_part);
        let slashes = &self.text[start.saturating_sub(3)..start];
        slashes.ends_with(b"://") || slashes.ends_with(b"/\\/")
    }

    /// Beginning of `a@b@c` before the sign. It goes at once: part by part would take as many rounds as there are
    /// parts. Reads nothing twice, because no two chains overlap.
    fn chain_start(&self) -> usize {
        let mut start = self.start;
        loop {
            let sign = match before(self.text, start) {
                b'@' => start - 1,
                b'0' if start >= 6 && stands_at(self.text, start - 6, b"\\u0040") => start - 6,
                // The rest of the sign was taken for a part of the name.
                b'\\' if stands_at(self.text, start, b"u0040") => start - 1,
                _ => return start,
            };
            let part = run_start(self.text, sign, 0, is_local);
            if part == sign {
                return start;
            }
            start = part;
        }
    }

    /// `user@192.168.1.2`, but `package@1.2.3`.
    fn read_numbers(&self, spans: &mut Spans) -> Option<usize> {
        let groups =
            self.text[self.domain_start..self.domain_end].iter().filter(|byte| **byte == b'.').count() + 1;
        if groups == 4 && self.start < self.sign {
            self.add_password(spans);
            spans.add(self.start, self.sign, Placeholder::User);
        }
        None
    }

    fn read_single_label(&self, local: &[u8], domain: &[u8], spans: &mut Spans) -> Option<usize> {
        let Self { text, start, sign, domain_start, domain_end } = *self;
        let next = byte(text, domain_end);
        let after = byte(text, domain_end + 1);
        let is_prompt = next == b':' && matches!(after, b'~' | b'/' | b' ' | b'.' | b'#' | b'$')
            || matches!(next, b'#' | b'$') && !is_word(after)
            || next == b' ' && matches!(after, b'~' | b'/')
            || (next == b'\'' && after == b's')
            || next == b' ' && self.is_prompt_with_folder();
        let is_realm = is_one_of(domain, REALMS) && !is_prompt;
        if is_realm {
            if matches!(domain, b"pam" | b"pve" | b"pbs")
                && !is_one_of(local, &["root"])
                && before(text, start) != b'/'
            {
                spans.add(start, sign, Placeholder::User);
            }
            return None;
        }
        let is_credentials = self.add_password(spans);
        if !(is_prompt || is_credentials || is_one_of(local, COMMON_USERS) || self.follows_remote_command()) {
            return None;
        }
        spans.add(start, sign, Placeholder::User);
        if !is_one_of(domain, &["localhost"]) {
            spans.add(domain_start, domain_end, Placeholder::Host);
        }
        Some(domain_end)
    }

    /// `[root@host folder]# `, `me@host folder% `
    fn is_prompt_with_folder(&self) -> bool {
        let Self { text, start, domain_end, .. } = *self;
        let end = run_end(text, domain_end + 1, |byte| is_name(byte) || matches!(byte, b'/' | b'~'));
        let line = matches!(before(text, start), 0 | b'\n');
        let bracket = before(text, start) == b'[' && byte(text, end) == b']';
        let sign = end + usize::from(bracket);
        (line || bracket) && matches!(byte(text, sign), b'%' | b'#' | b'$') && byte(text, sign + 1) == b' '
    }

    /// `name:password@`: the password is what was taken for a user.
    fn add_password(&self, spans: &mut Spans) -> bool {
        let Self { text, start, sign, .. } = *self;
        if before(text, start) != b':' || start == sign || start < 2 {
            return false;
        }
        let name = run_start(text, start - 1, start.saturating_sub(64), is_name);
        if name + 1 == start
            || is_one_of(&text[name..start - 1], &["mailto", "npm", "file", "link", "git", "to", "from"])
        {
            return false;
        }
        if text[name..start - 1].iter().all(u8::is_ascii_digit) {
            return false;
        }
        let name = if byte(text, name) >= 0x80 { run_end(text, name, |byte| byte >= 0x80) } else { name };
        spans.add(name, sign, Placeholder::Secret);
        true
    }

    fn follows_remote_command(&self) -> bool {
        let mut at = self.start;
        (0..4).any(|_| {
            let (word, start) = word_before(self.text, at);
            at = start;
            is_one_of(word, REMOTE_COMMANDS)
        })
    }
}

/// `4.17.21-rc.1` or `v2`.
fn is_release(domain: &[u8]) -> bool {
    let number = domain.strip_prefix(b"v").unwrap_or(domain);
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && (digits == number.len() || number[digits] == b'.') && {
        let rest = &number[number.len().min(digits + 1)..];
        rest.is_empty() || rest[0].is_ascii_digit() || rest[0] == b'x'
    }
}
