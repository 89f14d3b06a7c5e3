//! Examples of texts that the scrubber removes, and of texts that it keeps.

mod examples;

use telemetry_protocol::scrub::{cut_tail, scrub, scrub_tail, scrub_version};

fn check(cases: &[(&str, &str)]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(text, expected)| scrub(text) != *expected)
        .map(|(text, expected)| format!("   text: {text}\nwanted: {expected}\n   got: {}", scrub(text)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn whole_addresses_are_removed() {
    check(examples::ADDRESSES);
}

#[test]
fn names_of_people_and_hosts_are_removed() {
    check(examples::NAMES);
}

#[test]
fn values_of_secret_names_are_removed() {
    check(examples::VALUES);
}

#[test]
fn tokens_are_removed() {
    check(examples::TOKENS);
    check(&[("https://3f9a7c21b4e8d06f.tunnel.example.com/x", "https://<token>.tunnel.example.com/x")]);
}

#[test]
fn terminal_codes_are_removed() {
    check(&[
        ("\x1b[31m✖\x1b[0m [ERROR] in line \x1b[1;33m42\x1b[0m", "✖ [ERROR] in line 42"),
        ("\\x1b[31mred\\x1b[0m \\u001b[1mb \\033[0m", "red b "),
        ("[31m✖[0m [ERROR] [?25hprogress", "✖ [ERROR] progress"),
        ("a\r\nb\rc\x07", "a\nb\nc"),
        ("gh\x1b[0mp_16C7e42F292c6912E7710c838347Ae178B4a", "<token>"),
        ("\x1b]0;title\x07done", "done"),
    ]);
}

#[test]
fn versions_and_names_are_kept() {
    for text in [
        "Setting up curl (7.88.1-10+deb12u12) ...",
        "node 22.11.0 and 1:9.2p1-2+deb12u3",
        "version 1.2.3.4",
        "foo_1.2.3.4_amd64.deb",
        "apt-get install foo=1.2.3.4-1",
        "Setting up foo (1.2.3.4) ...",
        "pkg==1.2.3.4",
        "v1.2.3.4",
        "https://github.com/a/b/releases/download/1.2.3.4/x.zip",
        "foo-1.2.3.4.tar.gz",
        "E: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease",
        "npm warn deprecated nginx@0.5.28: this package",
        "getty@tty1.service: Failed",
        "git@github.com:owner/repo.git",
        "std::vector a::b::c Foo::Bar dead::be::",
        "0000:00:02.0 VGA [12345.678901] 12:34:56 2024-11-20T14:02:11Z",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "HEAD is now at 1a2b3c4 and commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "/usr/local/lib /etc/rc.local jdk.internal.misc",
        "FATAL: password authentication failed for user \"nextcloud\"",
        "SyntaxError: Unexpected token '<'",
        "unexpected token: EOF",
        "error: no password for bob: skipping it",
        "openssl passwd -6 \"$PASSWORD\"",
        "curl --user-agent a:b https://x.org",
        "password=$DB_PASS token=${TOKEN} secret=$(openssl rand -hex 32)",
        "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz",
        "community-scripts/ProxmoxVE",
        "docker run -p 8080:80 PWD=/opt/app",
        "AbstractAutowireCapableBeanFactory.java:1234",
        "x86_64-linux-gnu libstdc++6-12-dbg_12.2.0-14+deb12u1",
    ] {
        assert_eq!(scrub(text), text);
    }
}

#[test]
fn four_numbers_in_a_version_field_are_kept() {
    assert_eq!(scrub_version("4.0.15.29"), "4.0.15.29");
    assert_eq!(scrub_version("192.168.1.1"), "<ip>");
    assert_eq!(scrub_version("v1.2.3.4 on nas.lan"), "v1.2.3.4 on <host>");
}

#[test]
fn a_long_text_is_cut_at_the_start_of_a_line() {
    assert_eq!(cut_tail("one\ntwo\nthree", 8), "three");
    assert_eq!(cut_tail("äöü", 3), "ü");
    assert_eq!(scrub_tail("a 10.0.0.1\nb", 100), "a <ip>\nb");
}
