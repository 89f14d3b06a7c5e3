//! The awk scrubber of `api.func` removes at least the secrets that the Rust scrubber removes, from logs and from
//! failed commands, with both awks of Debian. It may remove more.
#![allow(clippy::unwrap_used)]

#[path = "../../protocol/tests/examples/mod.rs"]
mod examples;
mod support;

use std::collections::BTreeMap;
use std::thread;

use serde_json::Value;
use support::scripts::{Transport, curl_transports, run};
use support::{Host, Listener, Mode, events};

/// Lines, each with the texts that must be removed from it.
const PLANTED: &[(&str, &[&str])] = &[
    ("mysql -u root -pMyR00tPw -e 'select 1'", &["MyR00tPw"]),
    ("mysqldump -uroot -p'MyR00t Pw' app", &["MyR00t", "Pw'"]),
    ("mariadb-admin -h db --password=MyR00tPw status", &["MyR00tPw"]),
    ("sshpass -p Wint3r2024 ssh root@h", &["Wint3r2024", "root@h"]),
    ("sshpass -pWint3r2024 ssh backup@fileserver ls", &["Wint3r2024", "backup@", "fileserver"]),
    ("curl -u admin:adm1npw http://x/y", &["adm1npw"]),
    ("curl -fsSLu admin:adm1npw http://x/y", &["adm1npw"]),
    ("curl --user admin:adm1npw http://x", &["adm1npw"]),
    ("curl --user='admin:adm1n pw' http://x", &["adm1n pw"]),
    ("curl --proxy-user \"admin:adm1npw\" http://x", &["adm1npw"]),
    ("redis-cli -a redisPw1 ping", &["redisPw1"]),
    ("redis-cli -h 10.0.0.7 -a redisPw1 ping", &["redisPw1", "10.0.0.7"]),
    ("echo 'root:letmein123' | chpasswd", &["letmein123"]),
    ("pct exec 105 -- bash -c \"echo root:letmein123 | chpasswd\"", &["letmein123"]),
    ("chpasswd <<<\"root:letmein123\"", &["letmein123"]),
    ("echo -e 'letmein123\\nletmein123' | passwd root", &["letmein123"]),
    ("echo letmein123 | sudo -S apt update", &["letmein123"]),
    ("echo letmein123 | docker login --password-stdin", &["letmein123"]),
    ("openssl passwd -6 openpw1", &["openpw1"]),
    ("htpasswd -bc /etc/nginx/.htpasswd admin openpw1", &["openpw1"]),
    ("openssl enc -aes-256-cbc -k keyPw77 -pass pass:openpw1", &["openpw1"]),
    ("useradd -m -p openpw1 bob", &["openpw1"]),
    ("CREATE USER app IDENTIFIED BY 'dbSecret77';", &["dbSecret77"]),
    ("CREATE USER app IDENTIFIED WITH mysql_native_password BY 'dbSecret77'", &["dbSecret77"]),
    ("ALTER USER app WITH PASSWORD 'pgSecret88';", &["pgSecret88"]),
    ("ALTER USER app WITH ENCRYPTED PASSWORD \"pgSecret88\"", &["pgSecret88"]),
    ("SET PASSWORD FOR 'app'@'%' = PASSWORD('dbSecret77')", &["dbSecret77"]),
    ("password=Tr0ub4dor&3", &["Tr0ub4dor", "&3"]),
    ("PGPASSWORD=Pg!pass&word psql", &["Pg!pass", "&word"]),
    ("secret=alpha1,bravo2,charlie3 next", &["alpha1", "bravo2", "charlie3"]),
    ("password=semi;colon9 next", &["semi", "colon9"]),
    ("password=\"never closed, with words", &["never", "words"]),
    ("password='it'\\''s-mine' next", &["it'", "s-mine"]),
    (
        "posting to https://hooks.slack.com/services/T01ABCDEF/B02GHIJKL/abcdefghijklmnop failed",
        &["T01ABCDEF", "B02GHIJKL", "abcdefghijklmnop"],
    ),
    (
        "https://discord.com/api/webhooks/123456789012345678/Ab-cd_efgh: 404",
        &["123456789012345678", "Ab-cd_efgh"],
    ),
    ("https://api.telegram.org/bot123456789:AAHdq/sendMessage", &["123456789", "AAHdq"]),
    ("key SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKcDe", &["SG.", "ngeVfQ", "TwL2iG"]),
    ("license_key: ABCD-EFGH-1234-IJKL", &["ABCD", "EFGH", "1234", "IJKL"]),
    ("LICENCE=ABCD-EFGH-1234-IJKL", &["ABCD", "EFGH"]),
    ("License key ABCD-EFGH-1234-IJKL was refused", &["ABCD", "EFGH"]),
    ("New password is correcthorse", &["correcthorse"]),
    ("New password: correcthorse battery", &["correcthorse", "battery"]),
    ("Enter password for bob: hunter22", &["hunter22"]),
    ("[sudo] password for bob: hunter22", &["hunter22"]),
    ("machine x.org login bob password hunter22", &["hunter22"]),
    ("ssh alice@fileserver", &["alice", "fileserver"]),
    ("scp alice@fileserver:/x /y", &["alice", "fileserver"]),
    ("C:\\Users\\Bob", &["Bob"]),
    ("open C:\\Users\\Bob\\Desktop\\x failed", &["Bob"]),
    ("run 550e8400-e29b-41d4-a716-446655440000 failed", &["550e8400", "446655440000"]),
    ("root:$6$saltsalt$hashhashhashhash/.hash:19000:", &["saltsalt", "hashhash", "$6$"]),
    ("admin $2b$12$abcdefghijklmnopqrstuvwxyzABCDEF", &["$2b$", "abcdefghijkl"]),
    ("hash $y$j9T$saltsaltsalt$hashhashhash", &["$y$", "saltsalt", "hashhash"]),
];

/// Names and forms of name-value pairs, as in the property tests of the scrubber.
const NAMES: [&str; 17] = [
    "password",
    "passwd",
    "DB_PASSWORD",
    "pwd",
    "passphrase",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "access_key",
    "auth_token",
    "GITHUB_TOKEN",
    "psk",
    "private_key",
    "credential",
    "adminPassword",
    "APP_KEY",
];
const FORMS: [&str; 21] = [
    "N=V",
    "N: V",
    "N = V",
    "\"N\":\"V\"",
    "\"N\": \"V\"",
    "\\\"N\\\":\\\"V\\\"",
    "N='V x'",
    "N=\"x V\"",
    "--N V",
    "--N=V",
    "export N='V'",
    "N => V",
    "N: 'V'",
    "N:V",
    "<N>V</N>",
    "?a=b&N=V&c=d",
    "  N: V",
    "N=V|next",
    "['N'] = 'V';",
    "\\\\\\\"N\\\\\\\":\\\\\\\"V\\\\\\\"",
    "N=V\\nnext",
];

/// The words that must be removed from each text.
fn secrets_by_text() -> BTreeMap<String, Vec<String>> {
    let all = [examples::ADDRESSES, examples::NAMES, examples::VALUES, examples::TOKENS].concat();
    let removed = |text: &str, left: &str| {
        let words = text.split(|char: char| !char.is_alphanumeric());
        words.filter(|word| word.len() > 1 && !left.contains(word)).map(str::to_owned).collect()
    };
    let mut texts: BTreeMap<String, Vec<String>> =
        all.into_iter().map(|(text, left)| (text.to_owned(), removed(text, left))).collect();
    for (line, secrets) in PLANTED {
        texts.insert((*line).to_owned(), secrets.iter().map(|secret| (*secret).to_owned()).collect());
    }
    for name in NAMES {
        let lines: Vec<String> =
            FORMS.iter().map(|form| form.replace('V', "zq7PlantedX").replace('N', name)).collect();
        texts.insert(lines.join("\n"), vec!["zq7PlantedX".to_owned()]);
    }
    texts
}

/// The events that arrive when each text is the log and the failed command of a report.
fn sent(transport: Transport, texts: &[String]) -> Vec<Value> {
    let server = Listener::start(Mode::Up);
    let host = Host::new(&server.url()).with(&[("TELEMETRY_BUDGET_MS", "20000")]);
    let mut script = "DISK_SIZE=8".to_owned();
    for (number, text) in texts.iter().enumerate() {
        let log = host.write(&format!("tmp/{number}"), text);
        script += &format!(
            "\nBUILD_LOG={} FAILED_COMMAND=\"$(<{})\"; post_update_to_api failed 1 force",
            log.display(),
            log.display()
        );
    }
    run(&host, transport, &script);
    events(&server)
}

#[test]
fn curl_removes_at_least_what_the_command_removes() {
    let secrets_by_text = secrets_by_text();
    let texts: Vec<String> = secrets_by_text.keys().cloned().collect();
    let threads: Vec<_> = curl_transports()
        .into_iter()
        .map(|transport| {
            let texts = texts.clone();
            (transport, thread::spawn(move || sent(transport, &texts)))
        })
        .collect();
    let mut left = Vec::new();
    for (transport, thread) in threads {
        let events = thread.join().unwrap();
        assert_eq!(events.len(), secrets_by_text.len());
        for (event, (text, secrets)) in events.iter().zip(&secrets_by_text) {
            let log = event["error"].as_str().unwrap().split_once("\n---\n").unwrap().1;
            let command = event["failed_command"].as_str().unwrap();
            for (kind, sent) in [("log", log), ("command", command)] {
                let found: Vec<_> = secrets.iter().filter(|secret| sent.contains(secret.as_str())).collect();
                if !found.is_empty() {
                    left.push(format!("{transport:?}, {kind}: {found:?}\n  of {text}\n  in {sent}"));
                }
            }
        }
    }
    assert!(left.is_empty(), "{} left:\n{}", left.len(), left.join("\n"));
}
