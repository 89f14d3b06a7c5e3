//! Mail for the weekly report, and the repository of issues. No setting is required.

use clap::Args;

use super::heading::{ISSUES, MAIL};
use super::protection::Secret;
use super::set;

/// The variables as text.
#[derive(Args, Clone, Debug, Default)]
pub struct OutgoingVariables {
    /// Mail server for the weekly report, as smtps://user:password@host (TLS),
    /// smtp://user:password@host:587?tls=required (STARTTLS) or smtp://localhost:25; unset: none
    #[arg(long, env = "SMTP_URL", hide_env_values = true, global = true, help_heading = MAIL)]
    pub smtp_url: Option<Secret>,
    /// Sender of the weekly report, like Telemetry <telemetry@example.org>
    #[arg(long, env = "REPORT_FROM", hide_env_values = true, global = true, help_heading = MAIL)]
    pub report_from: Option<String>,
    /// Recipients of the weekly report, separated by commas
    #[arg(long, env = "REPORT_TO", hide_env_values = true, global = true, help_heading = MAIL)]
    pub report_to: Option<String>,
    /// Repository on GitHub for links to new issues, as owner/name [default: community-scripts/ProxmoxVE]
    #[arg(long, env = "GITHUB_REPOSITORY", hide_env_values = true, global = true, help_heading = ISSUES)]
    pub github_repository: Option<String>,
}

/// The checked values.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// `SMTP_URL`, `REPORT_FROM`, `REPORT_TO`: all or none.
    pub mail: Option<Mail>,
    /// `GITHUB_REPOSITORY`, as `owner/name`.
    pub issue_repository: String,
}

/// The mail server and the addresses of a mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Address of the mail server, with user and password.
    pub url: Secret,
    /// The sender.
    pub from: lettre::message::Mailbox,
    /// The recipients; at least one.
    pub to: Vec<lettre::message::Mailbox>,
}

impl OutgoingVariables {
    /// Checks the variables and adds a sentence to `wrong` for each invalid one.
    pub(super) fn check(self, wrong: &mut Vec<String>) -> Outgoing {
        let smtp_url = self.smtp_url.filter(|url| !url.is_blank());
        let mail = match (smtp_url, set(self.report_from), set(self.report_to)) {
            (None, _, _) => None,
            (Some(url), Some(from), Some(to)) => {
                let from =
                    from.parse().inspect_err(|_| wrong.push("REPORT_FROM must be a mail address".to_owned()));
                let to: Result<Vec<_>, _> = to.split(',').map(|to| to.trim().parse()).collect();
                let to = to.inspect_err(|_| {
                    wrong.push("REPORT_TO must be mail addresses, separated by commas".to_owned());
                });
                if !url.reveal().starts_with("smtp") {
                    wrong.push("SMTP_URL must begin with smtp:// or smtps://".to_owned());
                }
                from.ok().zip(to.ok()).map(|(from, to)| Mail { url, from, to })
            }
            (Some(_), _, _) => {
                wrong.push("SMTP_URL requires REPORT_FROM and REPORT_TO".to_owned());
                None
            }
        };
        let issue_repository =
            set(self.github_repository).unwrap_or_else(|| "community-scripts/ProxmoxVE".to_owned());
        let is_name = |part: &str| {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part.bytes().all(is_allowed)
        };
        if !issue_repository.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name)) {
            wrong.push("GITHUB_REPOSITORY must be like owner/name".to_owned());
        }
        Outgoing { mail, issue_repository }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn invalid_variables_are_named_without_their_secrets() {
        let mut wrong = Vec::new();
        let variables = OutgoingVariables {
            smtp_url: "http://user:hunter2@mail".parse().ok(),
            report_from: text("nobody"),
            report_to: text("a@example.org, b"),
            github_repository: text("a/b/../c"),
        };
        assert!(!format!("{variables:?}").contains("hunter2"));
        let outgoing = variables.check(&mut wrong);
        assert!(outgoing.mail.is_none());
        let names: Vec<_> = wrong.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();
        assert_eq!(names, ["REPORT_FROM", "REPORT_TO", "SMTP_URL", "GITHUB_REPOSITORY"]);
        assert!(!wrong.join(" ").contains("hunter2"));
    }

    #[test]
    fn every_variable_is_optional() {
        let mut wrong = Vec::new();
        let outgoing = OutgoingVariables::default().check(&mut wrong);
        assert!(outgoing.mail.is_none() && wrong.is_empty());
        assert_eq!(outgoing.issue_repository, "community-scripts/ProxmoxVE");
    }
}
