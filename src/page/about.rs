//! `/about`: what is counted and how, what is collected, who sees it, how long it is kept, and how to erase it.

use std::time::Duration;

use maud::{Markup, html};

use crate::page::context::Context;
use crate::page::layout::{Page, document, section};

/// The document with the table of fields, which a test compares with the fields that the server reads.
const PRIVACY: &str = include_str!("../../PRIVACY.md");
/// The heading of the table.
const FIELDS: &str = "\n## What is received\n";

/// The settings that the page names.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Days for which runs are kept; `None` for ever.
    pub retention_days: Option<u32>,
    /// Sessions that make a name public.
    pub rare_sessions: u32,
    /// Age of the last report at which a run without an end counts as unfinished.
    pub unfinished_after: Duration,
}

/// The page.
#[must_use]
pub fn about(context: &Context, data: &About) -> String {
    let hours = data.unfinished_after.as_secs() / 3600;
    let content = html! {
        p.lead {
            "Hosts that opted in report each run of a helper script: that it started, how far it got, how it ended, and why it "
            "failed. These pages show what fails, where and why."
        }
        (section("counted", "What is counted", &html! {
            p {
                "Each number counts runs: one attempt at running one script on one host, however many messages the host sends. A "
                "run belongs to the UTC day of its first report. A person who tries again makes another run, and both belong to "
                "one session."
            }
            p { "Runs whose start never arrived have no script. They are in no total and no rate." }
        }))
        (section("outcomes", "Outcomes", &html! {
            dl.facts {
                dt { "success" } dd { "The script ended without an error." }
                dt { "failed" } dd { "It ended with an error, whoever is to blame." }
                dt { "blocked" } dd { "It refused to start because the host does not meet a requirement. Such runs are no failures of a script." }
                dt { "aborted" } dd { "The user or a shutdown stopped it." }
                dt { "running" } dd { "It has started and not reported an end yet." }
                dt { "unfinished" } dd { "It never reported an end, and nothing at all for " (hours) " hours." }
            }
        }))
        (section("rates", "Rates", &html! {
            p {
                "The success rate is success ÷ (success + failed); the failure rate is failed ÷ (success + failed). Blocked, "
                "aborted and unfinished runs count in neither. A rate stands with both numbers, and below ten runs only the numbers are "
                "shown."
            }
            p { "Durations are as the host measured them. Half of the runs took no longer than the median, and 95 % no longer than p95." }
        }))
        (section("reasons", "Reasons", &html! {
            p {
                "The server reads the end of the log of a failed run, and looks for the line that says why. "
                a href="/reasons" { "Rules" } " know these lines; a line that none knows is shown with its numbers and names masked. "
                "Failures with the same reason about the same thing are counted together, whatever the script. The reason is a "
                "reading of the log, and can be wrong."
            }
        }))
        (section("regressions", "What broke lately", &html! {
            p {
                "Today, alone or with one, three or seven days before, is compared with the 28 days before: for each script, and for "
                "each system and version of Proxmox VE that it runs on. A rise is listed if it is at least ten percentage "
                "points, half as much again and five failures, and too large for chance: Fisher's exact test, with at most 5 % false "
                "alarms among those listed. Only first attempts count, because a retry tends to fail like the attempt before."
            }
        }))
        (section("biases", "What the numbers do not tell", &html! {
            ul {
                li { "Only hosts whose owner opted in report. They need not be like the others." }
                li { "Runs are not users: who tries ten times counts ten times." }
                li { "An installation counts once. Nobody reports whether it is still in use." }
                li { "Reports come without an account, so somebody could invent some." }
                li { "Clients of 2025 sent no exit codes and fewer facts." }
                li { "A run that lost its network may never report its end; it is unfinished, not failed." }
            }
        }))
        (section("collected", "What is collected", &html! {
            p {
                "These fields and no others are read. Texts lose passwords, tokens, addresses, host names and user names on the host "
                "and again here, before they are stored. Ids are stored as keyed hashes. The addresses of hosts are neither stored nor logged."
            }
            (fields())
        }))
        (section("seen", "Who sees what", &html! {
            ul {
                li {
                    "Everybody sees counts, and names that at least " (data.rare_sessions) " sessions share. Other names are counted as "
                    "(rare)."
                }
                li { "Maintainers, who sign in, also see rare names, and the texts and the hardware of single runs." }
                li { "Whoever knows the id of a run sees all that is stored about it, and can erase it." }
            }
            p {
                "Visitors get no cookie. Signing in sets one, which ends after twelve hours. The choice of a light or dark page "
                "stays in the browser."
            }
        }))
        (section("retention", "How long it is kept", &html! {
            p {
                @match data.retention_days {
                    Some(days) => { "A run is deleted " (days) " days after its first report. " },
                    None => "Runs are kept until they are erased. ",
                }
                "Counts by day are kept for ever. They contain no ids and no texts of single runs."
            }
        }))
        (section("erase", "See, erase, opt out", &html! {
            p {
                "With the id of a run, " a href="/my-run" { "you can see and erase it" } ". On the host, "
                code { "telemetry runs" } " prints the ids and " code { "telemetry forget" } " erases all its runs."
            }
            p {
                "Erasing deletes the run and everything that no other run has: counts, names, texts. For 30 days only the hash of the id "
                "and the time are kept, so that a late report does not restore it. Backups are up to the operator."
            }
            p {
                "To send nothing, set " code { "DIAGNOSTICS=no" } " in " code { "/usr/local/community-scripts/diagnostics" } "."
            }
        }))
    };
    document(context, &Page { title: "About these numbers", as_of: None, filter: None, content })
}

/// The table of fields.
fn fields() -> Markup {
    html! {
        details {
            summary { "All fields" }
            div.scroll tabindex="0" role="region" aria-label="All fields" {
                table {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "Purpose" } th scope="col" { "Stored" } th scope="col" { "Published" } } }
                    tbody {
                        @for [field, purpose, stored, published] in rows() {
                            tr {
                                th scope="row" { code { (field.replace('`', "")) } }
                                td { (purpose.replace('`', "")) }
                                td { (stored.replace('`', "")) }
                                td { (published) }
                            }
                        }
                    }
                }
            }
            p.note { "“Shared” values are public once enough sessions have them." }
        }
    }
}

fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    let (_, received) = PRIVACY.split_once(FIELDS).unwrap_or_default();
    let (received, _) = received.split_once("\n## ").unwrap_or((received, ""));
    received.lines().filter_map(|line| {
        let cells: Vec<_> =
            line.strip_prefix("| `")?.trim_end_matches('|').split('|').map(str::trim).collect();
        cells.try_into().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_document_is_listed() {
        let listed: Vec<_> =
            rows().flat_map(|[field, ..]| field.split(", ")).map(|name| name.trim_matches('`')).collect();
        assert_eq!(listed.len(), telemetry_protocol::wire::FIELDS.len());
        assert!(listed.iter().all(|name| telemetry_protocol::wire::FIELDS.contains(name)), "{listed:?}");
    }
}
