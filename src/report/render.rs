//! Formats a report as Markdown and as HTML. Both are rendered from the same parts, so their content is equal.
//! Names and templates come from hosts, so they are escaped.

use std::fmt::Write;

use crate::report::{Report, Script, Totals};
use crate::store::read::report::WeekSignature;

/// Format of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Markdown.
    Markdown,
    /// An HTML page.
    Html,
}

/// A part of a report.
enum Part {
    Heading(u8, String),
    Line(String),
    /// Head and rows. The first column is rendered as code.
    Table(Vec<&'static str>, Vec<Vec<String>>),
}

/// The subject line of the report.
#[must_use]
pub fn subject(report: &Report) -> String {
    let rate = report.now.success_rate().map_or_else(|| "no runs".to_owned(), percent);
    format!(
        "Telemetry, {} to {}: {} runs, {rate} succeeded",
        report.week.first, report.week.last, report.now.runs
    )
}

/// The report in one of its formats.
#[must_use]
pub fn render(report: &Report, format: Format) -> String {
    let parts = parts(report);
    match format {
        Format::Markdown => markdown(&parts),
        Format::Html => html(&subject(report), &parts),
    }
}

fn parts(report: &Report) -> Vec<Part> {
    let (now, before) = (report.now, report.before);
    let heading =
        format!("Telemetry of {}: {} to {}", report.repository, report.week.first, report.week.last);
    let total = |name: &str, of: fn(Totals) -> i64| {
        vec![name.to_owned(), of(now).to_string(), of(before).to_string(), change(of(now), of(before))]
    };
    let mut parts = vec![
        Part::Heading(1, heading),
        Part::Line(format!(
            "Of {} runs that succeeded or failed, {} succeeded; in the week before, {} of {}. The rate does not include \
             blocked runs (refused by the script because of the host) and aborted runs. Days are UTC days.",
            now.ended(),
            rate(now),
            rate(before),
            before.ended()
        )),
        Part::Table(
            vec!["", "this week", "week before", "change"],
            vec![
                total("runs", |totals| totals.runs),
                total("succeeded", |totals| totals.success),
                total("failed", |totals| totals.failed),
                total("blocked", |totals| totals.blocked),
                total("aborted", |totals| totals.aborted),
            ],
        ),
    ];
    let lists = [
        ("Regressions", &report.regressed, "No script fails significantly more often than before."),
        ("Worst", &report.worst, "No script with at least 20 ended runs failed."),
        ("Best", &report.best, "No script has at least 20 ended runs."),
        ("New scripts", &report.new_scripts, "No script ran for the first time."),
    ];
    for (title, scripts, nothing) in lists {
        parts.push(Part::Heading(2, title.to_owned()));
        parts.push(if scripts.is_empty() {
            Part::Line(nothing.to_owned())
        } else {
            let head = vec!["script", "success rate", "of runs", "week before", "of runs"];
            Part::Table(head, scripts.iter().map(row).collect())
        });
    }
    let lists = [
        (
            "Failures that came back",
            &report.regressed_signatures,
            "No failure occurred again after it was resolved.",
        ),
        ("New failures", &report.new_signatures, "No failure occurred for the first time."),
    ];
    for (title, signatures, nothing) in lists {
        parts.push(Part::Heading(2, title.to_owned()));
        parts.push(if signatures.is_empty() {
            Part::Line(nothing.to_owned())
        } else {
            let head = vec!["reason", "blame", "runs", "scripts", "signature"];
            Part::Table(head, signatures.iter().map(signature).collect())
        });
    }
    parts
}

fn signature(signature: &WeekSignature) -> Vec<String> {
    let apps = match &signature.apps[..] {
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
        [] => String::new(),
    };
    let WeekSignature { template, blame, runs, signature, .. } = signature;
    vec![template.clone(), blame.clone(), runs.to_string(), apps, format!("{signature:016x}")]
}

fn row(script: &Script) -> Vec<String> {
    let (now, before) = (script.now, script.before);
    vec![script.app.clone(), rate(now), now.ended().to_string(), rate(before), before.ended().to_string()]
}

fn rate(totals: Totals) -> String {
    totals.success_rate().map_or_else(|| "–".to_owned(), percent)
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn change(now: i64, before: i64) -> String {
    if before == 0 {
        return "–".to_owned();
    }
    format!("{:+.1} %", (now - before) as f64 * 100.0 / before as f64)
}

fn markdown(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        // Writing into a String cannot fail.
        let _ = match part {
            Part::Heading(level, text) => writeln!(out, "{} {text}\n", "#".repeat(usize::from(*level))),
            Part::Line(text) => writeln!(out, "{text}\n"),
            Part::Table(head, rows) => {
                let rule = head.iter().map(|_| "---|").collect::<String>();
                let _ = writeln!(out, "| {} |\n|{rule}", head.join(" | "));
                for row in rows {
                    let mut cells = row.iter();
                    let first = cells.next().map(|cell| code(cell)).unwrap_or_default();
                    let rest = cells.fold(String::new(), |line, cell| line + " | " + cell);
                    let _ = writeln!(out, "| {first}{rest} |");
                }
                writeln!(out)
            }
        };
    }
    out
}

/// A text as code in a cell of a Markdown table.
fn code(text: &str) -> String {
    let text = text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ");
    if text.is_empty() { text } else { format!("`{text}`") }
}

fn html(title: &str, parts: &[Part]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head>\n\
         <body style=\"font-family:sans-serif;max-width:60em\">\n",
        escaped(title)
    );
    for part in parts {
        let _ = match part {
            Part::Heading(level, text) => writeln!(out, "<h{level}>{}</h{level}>", escaped(text)),
            Part::Line(text) => writeln!(out, "<p>{}</p>", escaped(text)),
            Part::Table(head, rows) => {
                let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
                    let style = "style=\"text-align:left;padding:0.2em 1em 0.2em 0;vertical-align:top\"";
                    cells.map(|cell| format!("<{tag} {style}>{}</{tag}>", escaped(cell))).collect::<String>()
                };
                let _ = writeln!(out, "<table>\n<tr>{}</tr>", cells("th", &mut head.iter().copied()));
                for row in rows {
                    let _ = writeln!(out, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
                }
                writeln!(out, "</table>")
            }
        };
    }
    out.push_str("</body></html>\n");
    out
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_hosts_are_escaped() {
        assert_eq!(code("a|b`c\nd"), "`a\\|b'c d`");
        assert_eq!(escaped("<script>\"&'"), "&lt;script&gt;&quot;&amp;&#39;");
        assert_eq!([change(3, 0), change(3, 2), change(1, 2)], ["–", "+50.0 %", "-50.0 %"]);
    }
}
