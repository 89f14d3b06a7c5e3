//! Scrubbing any text terminates, is idempotent, leaves text for which a signature can be computed, and removes a
//! secret that is planted where a context announces it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use telemetry_protocol::scrub::scrub;
use telemetry_protocol::reason::{Failure, signature};

/// `%s` stands for the secret. `protocol/data/secrets.toml` has an example of every kind.
const CONTEXTS: &[&str] = &[
    "password=%s",
    "DB_PASSWORD = %s",
    "Root Password: %s",
    "\"password\": \"%s\"",
    "{\\\"api_key\\\":\\\"%s\\\"}",
    "password => '%s',",
    "set(\"DB_PASSWORD\", \"%s\")",
    "password: str = \"%s\"",
    "<password>\n %s\n</password>",
    "--password %s",
    "The password is %s",
    "New password for bob: %s",
    "Пароль: %s",
    "密码：%s",
    "mysql -u root -p%s -e x",
    "curl -fsSLu bob:%s https://x.org",
    "sshpass -p %s ssh x",
    "htpasswd -bc /etc/x admin %s",
    "rabbitmqctl add_user x %s",
    "openssl passwd -6 %s",
    "unzip -P %s x.zip",
    "echo 'root:%s' | chpasswd",
    "echo %s | sudo -S ls",
    "IDENTIFIED BY '%s'",
    "ALTER USER x WITH PASSWORD '%s'",
    "Admin user created: admin / %s",
    "https://bob:%s@x.org/y",
    "Authorization: Bearer %s",
    "machine x.org login bob password %s",
    "crudini --set config.ini database password %s",
    "- name: DB_PASSWORD\n  value: %s",
    "INSERT INTO users VALUES (1, 'bob', '%s');",
    "sed -i 's|changeme|%s|' x",
    "password_hash('%s', PASSWORD_BCRYPT)",
    "whiptail --passwordbox \"Root\" 8 58 %s",
    "AUTH default %s",
    "Enter password:\n%s\n",
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
        let _ = signature(&Failure { error: &once, failed_command: Some(text), ..Failure::default() });
    }
    let secret = secret(seed);
    if before.contains(&secret) || after.contains(&secret) {
        return;
    }
    let context = CONTEXTS[seed as usize % CONTEXTS.len()].replace("%s", &secret);
    // Lines of their own, because any text may change what a line means.
    let around = |text: &str| text.replace(|c: char| !c.is_alphanumeric() && c != ' ', " ");
    let text = format!("{}\n{context}\n{}", around(before), around(after));
    let scrubbed = scrub(&text);
    assert!(!scrubbed.contains(&secret), "{secret} is left of {context}");
});
