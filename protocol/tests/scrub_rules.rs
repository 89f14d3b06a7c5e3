//! The examples of every rule in `data/secrets.toml`.

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
