//! Scrubbing any text terminates, is idempotent, leaves text for which a signature can be computed, and removes a
//! secret that is planted where a context announces it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_protocol::scrub::scrub;
use telemetry_protocol::signature::signature;

/// `S` stands for the secret. `protocol/data/secrets.toml` has an example of every kind.
const CONTEXTS: &[&str] = &[
    "password=S",
    "DB_PASSWORD = S",
    "Root Password: S",
    "\"password\": \"S\"",
    "{\\\"api_key\\\":\\\"S\\\"}",
    "password => 'S',",
    "set(\"DB_PASSWORD\", \"S\")",
    "password: str = \"S\"",
    "<password>\n S\n</password>",
    "--password S",
    "The password is S",
    "New password for bob: S",
    "Пароль: S",
    "密码：S",
    "mysql -u root -pS -e x",
    "curl -fsSLu bob:S https://x.org",
    "sshpass -p S ssh x",
    "htpasswd -bc /etc/x admin S",
    "rabbitmqctl add_user x S",
    "openssl passwd -6 S",
    "unzip -P S x.zip",
    "echo 'root:S' | chpasswd",
    "echo S | sudo -S ls",
    "IDENTIFIED BY 'S'",
    "ALTER USER x WITH PASSWORD 'S'",
    "Admin user created: admin / S",
    "https://bob:S@x.org/y",
    "Authorization: Bearer S",
    "machine x.org login bob password S",
    "crudini --set config.ini database password S",
    "- name: DB_PASSWORD\n  value: S",
];

/// A password of letters and digits made of `seed`.
fn secret(seed: u32) -> String {
    let alphabet = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
    let mut rest = seed;
    let mut secret: String = (0..6)
        .map(|_| {
            let letter = alphabet[rest as usize % alphabet.len()];
            rest = rest.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) >> 1;
            char::from(letter)
        })
        .collect();
    secret.push_str(&format!("{}q7", seed % 100));
    secret
}

fuzz_target!(|input: (&str, u32, &str)| {
    let (before, seed, after) = input;
    for text in [before, after] {
        let once = scrub(text).into_owned();
        assert_eq!(scrub(&once), once, "scrubbing twice changes something");
        assert!(once.len() <= 3 * text.len() + 8, "too long");
        assert!(!once.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "a control character is left");
        let _ = signature(Some(&once), Some(text));
    }
    let secret = secret(seed);
    if before.contains(&secret) || after.contains(&secret) {
        return;
    }
    let context = CONTEXTS[seed as usize % CONTEXTS.len()].replace('S', &secret);
    // Lines of their own, because any text may change what a line means.
    let around = |text: &str| text.replace(|c: char| !c.is_alphanumeric() && c != ' ', " ");
    let text = format!("{}\n{context}\n{}", around(before), around(after));
    let scrubbed = scrub(&text);
    assert!(!scrubbed.contains(&secret), "{secret} is left of {context}");
});
