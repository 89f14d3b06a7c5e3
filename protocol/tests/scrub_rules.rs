//! The examples of every rule in `data/secrets.toml`, as they are and with random secrets in them.

use proptest::prelude::*;
use serde::Deserialize;
use telemetry_protocol::scrub::scrub;

#[derive(Deserialize)]
struct Secrets {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    id: String,
    gone: Vec<(String, String)>,
    #[serde(default)]
    stay: Vec<String>,
}

/// In examples this stands for any password.
const ANY: &str = "hunter2";

fn rules() -> Vec<Rule> {
    let secrets: Secrets = toml::from_str(include_str!("../data/secrets.toml")).expect("TOML");
    secrets.rule
}

#[test]
fn every_example_comes_out_as_its_rule_says() {
    let mut wrong = Vec::new();
    for rule in rules() {
        assert!(!rule.gone.is_empty(), "{} has no example", rule.id);
        let stay = rule.stay.into_iter().map(|text| (text.clone(), text));
        for (text, left) in rule.gone.into_iter().chain(stay) {
            let scrubbed = scrub(&text);
            if scrubbed != left {
                wrong.push(format!("{}\n   text: {text}\nwanted: {left}\n   got: {scrubbed}", rule.id));
            }
            let twice = scrub(&scrubbed);
            if twice != scrubbed {
                wrong.push(format!("{}\n   once: {scrubbed}\n  twice: {twice}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_secret_in_any_example_is_gone(
        secret in "[A-Za-z][A-Za-z0-9!%+^*_]{6,18}[0-9][a-z]",
        before in prop::sample::select(vec!["", "exit_code=1 | at line 3: ", "\u{1f510} ", "x\n", "  + "]),
        after in prop::sample::select(vec!["", "\n400 too many arguments", " 2>&1", "\r\nnext"]),
    ) {
        for rule in rules() {
            for (text, _) in rule.gone.iter().filter(|(text, _)| text.contains(ANY)) {
                let text = format!("{before}{}{after}", text.replace(ANY, &secret));
                let scrubbed = scrub(&text);
                prop_assert!(!scrubbed.contains(&secret), "{}: {secret}\nin {text}\nas {scrubbed}", rule.id);
                let again = scrub(&scrubbed);
                prop_assert!(again == scrubbed, "{}: {text}\nonce {scrubbed}\ntwice {again}", rule.id);
            }
        }
    }
}
