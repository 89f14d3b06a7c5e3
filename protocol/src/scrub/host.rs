//! Names of hosts under domains of private networks, and of services that name somebody's home. Names of
//! public hosts survive.

use super::Placeholder;
use super::chars::{before, byte, ends_with, is_name, is_one_of, is_word, run_end, run_start};
use super::places::{Class, Places};
use super::spans::Spans;

/// Domains of private networks, and of services that name somebody's home.
const PRIVATE_DOMAINS: &[&str] = &[
    ".local",
    ".lan",
    ".home",
    ".internal",
    ".intranet",
    ".localdomain",
    ".home.arpa",
    ".corp",
    ".private",
    ".fritz.box",
    ".fritz.nas",
    ".lab",
    ".homelab",
    ".localnet",
    ".internal.cloudapp.net",
    ".ts.net",
    ".duckdns.org",
    ".dyndns.org",
    ".ddns.net",
    ".myfritz.net",
    ".synology.me",
    ".quickconnect.to",
    ".mooo.com",
    ".dedyn.io",
    ".spdns.de",
    ".hopto.org",
    ".zapto.org",
    ".no-ip.org",
    ".no-ip.com",
    ".myqnapcloud.com",
    ".asuscomm.com",
    ".nip.io",
    ".sslip.io",
    ".selfhost.eu",
    ".ddnss.de",
    ".goip.de",
    ".dynv6.net",
    ".dyn.com",
    ".dynu.net",
    ".freeddns.org",
    ".servebeer.com",
    ".my.id",
    ".domain",
    ".lokal",
];
/// Files and properties whose names end like a domain of a private network.
const NOT_HOSTS: &[&str] = &[
    "rc.local",
    "jail.local",
    "fail2ban.local",
    "env.local",
    "conf.local",
    "user.home",
    "java.home",
    "maven.home",
    "catalina.home",
    "gradle.user.home",
    "path.home",
    "es.path.home",
    "solr.home",
    "catalina.base.home",
    "settings.local",
    "config.local",
    "paths.local",
    "main.local",
    "hosts.local",
    "custom.local",
    "groovy.home",
    "jboss.home",
];
/// Whether `name` lies under a domain of private networks.
pub(super) fn is_private_name(name: &[u8]) -> bool {
    let Some(last) = name.last().filter(|last| last.is_ascii_alphabetic()) else {
        return false;
    };
    let mut candidates = BY_LAST_LETTER[usize::from((last | 0x20) - b'a')];
    while candidates != 0 {
        let domain = PRIVATE_DOMAINS[candidates.trailing_zeros() as usize];
        if name.len() > domain.len() && ends_with(name, domain.as_bytes()) {
            return true;
        }
        candidates &= candidates - 1;
    }
    false
}

/// For each letter the set of private domains that end with it: for most names no other is compared.
const BY_LAST_LETTER: [u64; 26] = {
    let mut sets = [0; 26];
    let mut at = 0;
    while at < PRIVATE_DOMAINS.len() {
        let domain = PRIVATE_DOMAINS[at].as_bytes();
        sets[(domain[domain.len() - 1] - b'a') as usize] |= 1 << at;
        at += 1;
    }
    sets
};

/// Names under private domains.
pub(super) fn find(text: &[u8], places: &Places, spans: &mut Spans) {
    let mut done = 0;
    loop {
        let dot = places.next(Class::Dot, done);
        if dot == text.len() {
            return;
        }
        let mut start = run_start(text, dot, done, is_name);
        let end = run_end(text, dot, is_name);
        done = end.max(dot + 1);
        let end = run_start(text, end, start, |byte| matches!(byte, b'.' | b'-' | b'_'));
        start += text[start..end].iter().take_while(|byte| matches!(byte, b'.' | b'-' | b'_')).count();
        if end <= start + 4 || !is_private_name(&text[start..end]) {
            continue;
        }
        let name = &text[start..end];
        let hidden = before(text, start) == b'.';
        let is_file =
            before(text, start) == b'/' && start > 1 && (is_word(text[start - 2]) || text[start - 2] == b'.');
        let may_be_file = [&b".local"[..], b".home", b".private", b".internal", b".lab", b".domain"];
        if is_one_of(name, NOT_HOSTS)
            || ((hidden || is_file) && may_be_file.iter().any(|domain| ends_with(name, domain)))
            || byte(text, end) == b'('
        {
            continue;
        }
        // `\nnas.lan` is a line break and a name.
        let escape = before(text, start) == b'\\' && matches!(name[0], b'n' | b't' | b'r');
        spans.add(start + usize::from(escape), end, Placeholder::Host);
    }
}
