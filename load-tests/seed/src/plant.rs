//! A planted failure, for testing whether the server finds it.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use telemetry_server::ingest::execution::Execution;

/// From some day on, a share of the executions of one script fails for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Plant {
    /// The script.
    pub app: String,
    /// The only operating system that is affected; `None` for all.
    pub os: Option<String>,
    /// Prefix of the versions of Proxmox VE that are affected; `None` for all.
    pub pve: Option<String>,
    /// Days before today on which the failures begin; 0 is today.
    pub from: u32,
    /// Share of the matching executions that fail, above 0 and at most 1.
    pub rate: f64,
    /// Their exit code.
    pub exit_code: i32,
    /// Their log tail.
    pub error: String,
}

impl Plant {
    /// Whether an execution with these properties is among those that may fail.
    #[must_use]
    pub fn hits(&self, app: &str, os: &str, pve: &str, days_ago: i64) -> bool {
        self.app == app
            && self.os.as_deref().is_none_or(|own| own == os)
            && self.pve.as_deref().is_none_or(|own| pve.starts_with(own))
            && days_ago <= i64::from(self.from)
    }

    /// Whether this execution failed as planted. `until` is the end of the plan.
    #[must_use]
    pub fn has_hit(&self, run: &Execution, until: DateTime<Utc>) -> bool {
        let facts = &run.facts;
        let [app, os, pve] = [&facts.app, &facts.os_type, &facts.pve_version]
            .map(|fact| fact.get().map_or("", |text| text.as_str()));
        let days_ago = (until.date_naive() - run.first_seen.date_naive()).num_days();
        self.hits(app, os, pve, days_ago) && run.exit_code() == Some(self.exit_code)
    }
}

impl FromStr for Plant {
    type Err = String;

    /// Reads `app=NAME[,os=NAME][,pve=VERSION][,from=DAYS_AGO][,rate=SHARE][,exit_code=CODE],error=TEXT`.
    /// `TEXT` extends to the end and may contain commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut plant = Self {
            app: String::new(),
            os: None,
            pve: None,
            from: 0,
            rate: 0.5,
            exit_code: 1,
            error: "planted failure".to_owned(),
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (name, behind) =
                rest.split_once('=').ok_or_else(|| format!("`{rest}` is not of the form name=value"))?;
            let end = if name == "error" { behind.len() } else { behind.find(',').unwrap_or(behind.len()) };
            let value = &behind[..end];
            let bad = |what: &str| format!("`{name}` must be {what}, not `{value}`");
            match name {
                "app" => plant.app = value.to_owned(),
                "os" => plant.os = Some(value.to_owned()),
                "pve" => plant.pve = Some(value.to_owned()),
                "from" => plant.from = value.parse().map_err(|_| bad("a number of days"))?,
                "rate" => {
                    let rate = value.parse().ok().filter(|rate| *rate > 0.0 && *rate <= 1.0);
                    plant.rate = rate.ok_or_else(|| bad("above 0 and at most 1"))?;
                }
                "exit_code" => {
                    plant.exit_code = value.parse::<u8>().map_err(|_| bad("a number from 0 to 255"))?.into();
                }
                "error" => plant.error = value.to_owned(),
                _ => {
                    return Err(format!(
                        "unknown key `{name}`; the keys are app, os, pve, from, rate, exit_code, error"
                    ));
                }
            }
            rest = behind[end..].strip_prefix(',').unwrap_or_default();
        }
        if plant.app.is_empty() { Err("`app` is missing".to_owned()) } else { Ok(plant) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plant_is_parsed_and_its_text_may_contain_commas() {
        let plant: Plant = "app=docker,os=alpine,from=3,rate=0.4,error=a, b=c".parse().expect("a plant");
        assert_eq!(
            (plant.app.as_str(), plant.os.as_deref(), plant.error.as_str()),
            ("docker", Some("alpine"), "a, b=c")
        );
        assert!(plant.hits("docker", "alpine", "9.0.3", 3));
        assert!(!plant.hits("docker", "debian", "9.0.3", 3));
        assert!(!plant.hits("docker", "alpine", "9.0.3", 4));
    }

    #[test]
    fn an_invalid_plant_is_an_error() {
        for text in [
            "",
            "docker",
            "app=x,rate=2",
            "app=x,from=soon",
            "app=x,color=red",
            "os=alpine",
            "app=x,exit_code=256",
        ] {
            assert!(text.parse::<Plant>().is_err(), "{text}");
        }
    }
}
