//! What the scrubber takes out and what it leaves, one example a line.

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
fn addresses_go_whole() {
    check(&[
        ("inet 192.168.178.42/24 brd", "inet <ip> brd"),
        ("inet 192.x.x.42/24 link", "inet <ip> link"),
        ("connect to 203.0.113.7:8006 failed", "connect to <ip> failed"),
        ("(203.0.113.7)", "(<ip>)"),
        ("from=203.0.113.7,port=22", "from=<ip>,port=22"),
        ("x\\n203.0.113.7\\ty", "x\\n<ip>\\ty"),
        ("203.0.113.7.", "<ip>."),
        ("IP 192.168.1.1.5432 > 10.0.0.2:80", "IP <ip> > <ip>"),
        ("42.178.168.192.in-addr.arpa", "<ip>"),
        ("8.8.8.8-8.8.4.4", "<ip>-<ip>"),
        ("127.0.0.1:5432 0.0.0.0:80", "<loopback> <any-ip>"),
        ("inet6 2001:db8:85a3::8a2e:370:7334/64 scope", "inet6 <ip> scope"),
        ("fe80::be24:11ff:fe3c:9a01%eth0", "<ip>"),
        ("FE80::BE24:11FF:FE3C:9A01", "<ip>"),
        ("[2001:db8::1]:8006", "<ip>"),
        ("https://[2001:db8::1]:8006/x", "https://<ip>/x"),
        ("::ffff:192.168.1.1", "<ip>"),
        ("64:ff9b::192.0.2.33", "<ip>"),
        ("2001:db8:0:0:0:0:2:1:8080", "<ip>"),
        ("2001:db8::1.443", "<ip>"),
        ("addr:2001:db8::1,", "addr:<ip>,"),
        ("inet6:fe80::1", "inet6:<ip>"),
        ("::1", "<loopback>"),
        ("listen on [::]:80", "listen on [::]:80"),
        ("2001:db8:85a3:0:0:8a2e:", "<ip>:"),
        ("bc:24:11:3c:9a:01", "<mac>"),
        ("BC-24-11-3C-9A-01", "<mac>"),
        ("bc24.113c.9a01", "<mac>"),
        ("mac:bc:24:11:3c:9a:01", "mac:<mac>"),
        ("enxbc24113c9a01: link up", "enx<mac>: link up"),
        ("MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", "MD5:<mac>"),
    ]);
}

#[test]
fn names_of_people_and_hosts_go() {
    check(&[
        ("mail: alice.mueller@example-mail.de", "mail: <email>"),
        ("<ALICE@EXAMPLE.ORG>", "<<email>>"),
        ("mailto:müller@example.org", "mailto:<email>"),
        ("alice%40example.org", "<email>"),
        ("cp: '/home/alice/.ssh/id_rsa'", "cp: '/home/<user>/.ssh/id_rsa'"),
        ("/Users/alice/x /root/y", "/Users/<user>/x /root/y"),
        ("C:\\Users\\John Doe\\AppData", "C:\\Users\\<user>\\AppData"),
        ("C:\\\\Users\\\\bob\\\\x", "C:\\\\Users\\\\<user>\\\\x"),
        ("\\/home\\/alice\\/x", "\\/home\\/<user>\\/x"),
        ("~alice/bin", "~<user>/bin"),
        ("Connecting to pve-node7.home.lan:8006", "Connecting to <host>:8006"),
        ("nas.local. and FRITZ.BOX and x.fritz.box", "<host>. and FRITZ.BOX and <host>"),
        ("root@pve-node1:~# ls", "<user>@<host>:~# ls"),
        ("ssh bob@backup 'ls'", "ssh <user>@<host> 'ls'"),
        ("bob@203.0.113.7: Permission denied", "<user>@<ip>: Permission denied"),
        ("hostname=pve1", "hostname=<host>"),
        ("--hostname jelly-alice", "--hostname <host>"),
        ("\"hostname\": \"pve1\"", "\"hostname\": \"<host>\""),
        (
            "sudo: unable to resolve host pve1: Name or service",
            "sudo: unable to resolve host <host>: Name or service",
        ),
        ("CT 105 already exists on node 'pve1'", "CT 105 already exists on node '<host>'"),
        ("could not translate host name \"nas\" to", "could not translate host name \"<host>\" to"),
        ("ssh: Could not resolve hostname box: Name", "ssh: Could not resolve hostname <host>: Name"),
        ("/nodes/pve1/lxc/105", "/nodes/<host>/lxc/105"),
        ("127.0.1.1 alice.example.com alice", "<loopback> <host> <host>"),
        ("Nov 20 14:02:11 pve1 pveproxy[1234]: x", "Nov 20 14:02:11 <host> pveproxy[1234]: x"),
        (
            "2024-11-20T14:02:11.1+01:00 pve1 systemd[1]: x",
            "2024-11-20T14:02:11.1+01:00 <host> systemd[1]: x",
        ),
        ("Linux pve1 6.8.12-4-pve #1 SMP", "Linux <host> 6.8.12-4-pve #1 SMP"),
        ("root@pam!monitor=41d0ed29-d86d-44a7-b313-a32102e02950", "<token>"),
        ("id 41d0ed29-d86d-44a7-b313-a32102e02950", "id <id>"),
    ]);
}

#[test]
fn values_of_secret_names_go() {
    check(&[
        ("DB_USER=root password=hunter2", "DB_USER=root password=<secret>"),
        ("PASSWORD=HUNTER2", "PASSWORD=<secret>"),
        ("PGPASSWORD=x psql", "PGPASSWORD=<secret> psql"),
        ("{\"password\":\"x y\",\"a\":1}", "{\"password\":\"<secret>\",\"a\":1}"),
        ("{\\\"password\\\":\\\"x\\\"}", "{\\\"password\\\":\\\"<secret>\\\"}"),
        ("{\\\\\\\"api_key\\\\\\\":\\\\\\\"x\\\\\\\"}", "{\\\\\\\"api_key\\\\\\\":\\\\\\\"<secret>\\\\\\\"}"),
        ("export X_TOKEN='a b'", "export X_TOKEN='<secret>'"),
        ("db_password: hunter2", "db_password: <secret>"),
        ("--password hunter2 --x", "--password <secret> --x"),
        ("pct create 105 -password hunter2", "pct create 105 -password <secret>"),
        ("mysql -u root -phunter2 -e \"x\"", "mysql -u root -p<secret> -e \"x\""),
        ("mysql -uroot --password=hunter2 -h x", "mysql -uroot --password=<secret> -h x"),
        ("docker login -u alice -p hunter2", "docker login -u alice -p <secret>"),
        ("root:hunter2@192.168.1.1", "<secret>@<ip>"),
        ("url=redis://:s3cr3t@localhost:6379/0", "url=redis://<secret>@localhost:6379/0"),
        ("sshpass -p hunter2 ssh", "sshpass -p <secret> ssh"),
        ("curl -u alice:hunter2 https://x.org", "curl -u alice:<secret> https://x.org"),
        ("IDENTIFIED BY 'hunter2'", "IDENTIFIED BY '<secret>'"),
        ("ALTER USER x WITH PASSWORD 'hunter2'", "ALTER USER x WITH PASSWORD '<secret>'"),
        ("<password>hunter2</password>", "<password><secret></password>"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: <secret>"),
        ("curl -H \"Authorization: Bearer abc\" x", "curl -H \"Authorization: <secret>\" x"),
        ("curl -H 'X-Api-Key: abcd' x", "curl -H 'X-Api-Key: <secret>' x"),
        ("Bearer abc.def.ghi", "Bearer <secret>"),
        ("Cookie: a=b; c=d", "Cookie: <secret>"),
        ("APP_KEY=base64:abc=", "APP_KEY=<secret>"),
        ("apiKey: 'abc'", "apiKey: '<secret>'"),
        ("clientSecret=\"abc\"", "clientSecret=\"<secret>\""),
        ("$config['password'] = 'hunter2';", "$config['password'] = '<secret>';"),
        ("psk=\"my wifi\"", "psk=\"<secret>\""),
        ("echo \"root:hunter2\" | chpasswd", "echo \"root:<secret>\" | chpasswd"),
        ("The password is hunter2", "The password is <secret>"),
        ("'https://user:pw@host/repo.git/': 403", "'https://<secret>@host/repo.git/': 403"),
        ("postgres://u:p#w/d@db:5432/x", "postgres://<secret>@db:5432/x"),
        ("https:\\/\\/u:p@x.org\\/y", "https:\\/\\/<secret>@x.org\\/y"),
        ("https://x.org/y?token=a&b=c#d", "https://x.org/y?<query>"),
        ("GET /y?code=abc HTTP/1.1", "GET /y?<query> HTTP/1.1"),
    ]);
}

#[test]
fn tokens_go() {
    check(&[
        ("GITHUB ghp_16C7e42F292c6912E7710c838347Ae178B4a.", "GITHUB <token>."),
        ("x\\nghp_16C7e42F292c6912E7710c838347Ae178B4a\\n", "x\\n<token>\\n"),
        ("GHP_16C7E42F292C6912E7710C838347AE178B4A", "<token>"),
        ("ghp_16C7e42F292c69\n12E7710c838347Ae178B4a\nnext line", "<token>\nnext line"),
        ("ghp_16C7e42F2|92c6912E7710c838347Ae178B4a|next line", "<token>|next line"),
        ("glpat-abcDEF12345xyz789012", "<token>"),
        ("AKIAIOSFODNN7EXAMPLE", "<token>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N", "<token>"),
        ("123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0", "<token>"),
        ("root:$6$abcdefgh$abcdefghijklmnop./0:19000", "root:<secret>:19000"),
        ("key b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "key <token>"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGc alice@laptop", "ssh-ed25519 <key>"),
        (
            "a\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nQyNTUx\n-----END OPENSSH PRIVATE KEY-----\nb",
            "a\n<key>\nb",
        ),
        ("a|-----BEGIN RSA PRIVATE KEY-----|b3BlbnNzaC1r|QyNTUx|", "a|<key>|"),
        ("QyNTUxAA\nb3Bl\n-----END PRIVATE KEY-----\nb", "<key>\nb"),
        ("VATE KEY-----\nQyNTUxAA\nb3Bl\nand more text", "<key>\nand more text"),
        ("-----BEGIN PRIVATE KEY-----\\nQyNTUxAA\\nb3Bl\\n-----END PRIVATE KEY-----\\n", "<key>\\n"),
    ]);
}

#[test]
fn terminal_codes_go() {
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
fn versions_and_names_stay() {
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
fn a_version_field_keeps_four_numbers() {
    assert_eq!(scrub_version("4.0.15.29"), "4.0.15.29");
    assert_eq!(scrub_version("192.168.1.1"), "<ip>");
    assert_eq!(scrub_version("v1.2.3.4 on nas.lan"), "v1.2.3.4 on <host>");
}

#[test]
fn the_tail_is_cut_at_a_line() {
    assert_eq!(cut_tail("one\ntwo\nthree", 8), "three");
    assert_eq!(cut_tail("äöü", 3), "ü");
    assert_eq!(scrub_tail("a 10.0.0.1\nb", 100), "a <ip>\nb");
}
