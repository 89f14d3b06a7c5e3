//! The form in which administrators decide about a signature.

use maud::{Markup, html};

use crate::page::context::{Context, Visitor};

/// The states that can be set, and what they mean.
const STATES: [(&str, &str); 4] = [
    ("open", "open: somebody has to look at it"),
    ("known", "known: there is an issue"),
    ("resolved", "resolved: another failure is reported as a regression"),
    ("ignored", "ignored: not listed under what to fix first"),
];

/// What is decided now.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// Id of the signature.
    pub id: &'a str,
    /// Its state.
    pub state: &'a str,
    /// Address of the issue.
    pub issue_url: Option<&'a str>,
    /// Remark of maintainers.
    pub note: Option<&'a str>,
}

/// The form; nothing for anybody but administrators. It leads back to the page of the signature with its filter.
#[must_use]
pub fn form(context: &Context, decided: &Decided<'_>) -> Markup {
    let Visitor::Administrator { form_token } = &context.visitor else { return Markup::default() };
    let action = context.address.to(&["failures", decided.id, "state"]);
    // A signature that has regressed was resolved.
    let state = if decided.state == "regressed" { "resolved" } else { decided.state };
    html! {
        details.decide {
            summary { "Set its state, issue or note" }
            form.stacked action=(action.href()) method="post" {
                input type="hidden" name="form_token" value=(form_token);
                fieldset {
                    legend { "State" }
                    @for (value, text) in STATES {
                        label { input type="radio" name="state" value=(value) checked[value == state]; " " (text) }
                    }
                }
                label for="issue_url" { "Address of the issue (public)" }
                input #issue_url type="url" name="issue_url" maxlength="500" value=[decided.issue_url]
                    placeholder="https://github.com/…/issues/1";
                label for="note" { "Note (for maintainers only)" }
                textarea #note name="note" rows="3" maxlength="1000" { (decided.note.unwrap_or_default()) }
                button type="submit" { "Save" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::address::Address;

    #[test]
    fn only_administrators_see_the_form() {
        let decided = Decided {
            id: "00000000000000ff",
            state: "regressed",
            issue_url: None,
            note: Some("</textarea>"),
        };
        let shown = |visitor| {
            let address = Address::read("/failures/00000000000000ff", "days=7", &[]);
            form(&Context { address, visitor }, &decided).into_string()
        };
        assert_eq!(shown(Visitor::Public) + &shown(Visitor::Maintainer), "");
        let html = shown(Visitor::Administrator { form_token: "abc".to_owned() });
        assert!(html.contains(r#"action="/failures/00000000000000ff/state?days=7""#), "{html}");
        assert!(html.contains(r#"value="resolved" checked"#) && html.contains(r#"value="abc""#), "{html}");
        assert!(html.contains("&lt;/textarea&gt;"), "{html}");
    }
}
