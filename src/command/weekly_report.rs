//! `telemetry-server report`: the weekly report, printed or sent by mail.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use chrono::{Days, NaiveDate, Utc};
use clap::Args;
use sqlx::{Connection, PgConnection};

use crate::config::outgoing::Mail;
use crate::regression::histories::series;
use crate::regression::{HISTORY_DAYS, Window, find};
use crate::report::render::{Format, render, subject};
use crate::report::{Report, mail};
use crate::store::read::report as evidence;
use crate::store::read::report::Week;

#[derive(Args, Clone, PartialEq)]
pub(super) struct ReportArguments {
    /// Report on the seven UTC days that end with this one [default: yesterday]
    #[arg(long, num_args = 0..=1, value_name = "LAST_DAY")]
    week: Option<Option<NaiveDate>>,
    /// Repository whose scripts are reported on
    #[arg(long, default_value = "ProxmoxVE")]
    repository: String,
    /// Format of the printed report; a mail contains both
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Send the report by mail instead of printing it; requires SMTP_URL, REPORT_FROM and REPORT_TO
    #[arg(long)]
    send: bool,
}

impl ReportArguments {
    /// The mail server to send the report to; `None` to print it.
    ///
    /// # Errors
    /// If the report is to be sent and no mail server is configured.
    pub(super) fn destination<'a>(&self, mail: Option<&'a Mail>) -> anyhow::Result<Option<&'a Mail>> {
        match mail {
            None if self.send => {
                anyhow::bail!("no mail server is configured; set SMTP_URL, REPORT_FROM and REPORT_TO")
            }
            mail => Ok(mail.filter(|_| self.send)),
        }
    }
}

/// Prints the report, or sends it to `destination`.
pub(super) async fn report(
    mut connection: PgConnection,
    arguments: ReportArguments,
    destination: Option<&Mail>,
) -> anyhow::Result<ExitCode> {
    let ReportArguments { week, repository, format, .. } = arguments;
    let yesterday = Utc::now().date_naive().pred_opt().context("no day before today")?;
    let week = Week::ending(week.flatten().unwrap_or(yesterday));
    let (scripts, new, regressed) =
        evidence::of_week(&mut connection, week, &repository).await.context("cannot read the week")?;
    let days = evidence::platform_series(
        &mut connection,
        week.last - Days::new(HISTORY_DAYS),
        week.last,
        &repository,
    );
    let days = days.await.context("cannot read the weeks before")?;
    connection.close().await?;
    let regressions = find(&series(&days), week.last, &Window::ALL).regressions;
    let report = Report::of(week, &repository, &scripts, &regressions, new, regressed);
    match destination {
        Some(mail) => {
            let (text, html) = (render(&report, Format::Markdown), render(&report, Format::Html));
            mail::send(mail, &subject(&report), text, html).await?;
            writeln!(std::io::stderr(), "sent to {} recipients", mail.to.len())?;
        }
        None => std::io::stdout().write_all(render(&report, format).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
