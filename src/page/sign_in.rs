//! `/sign-in`: the form for the token of a maintainer.

use maud::html;

use crate::page::context::{Context, Visitor};
use crate::page::layout::{Page, document};

/// What the page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// The form.
    Form,
    /// The form, after a wrong token.
    Wrong,
    /// The server has no tokens.
    Impossible,
}

/// The page.
#[must_use]
pub fn sign_in(context: &Context, data: &SignIn) -> String {
    let content = html! {
        @match &context.visitor {
            Visitor::Public => {
                p.lead { "For maintainers. Everything else on these pages is public." }
                @if *data == SignIn::Impossible {
                    p {
                        "Nobody can sign in yet: the operator of this server has set neither " code { "READ_TOKEN" } " nor "
                        code { "ADMIN_TOKEN" } "."
                    }
                } @else {
                    form.stacked action="/sign-in" method="post" {
                        @if *data == SignIn::Wrong { p.error role="alert" #wrong { "This token is not right." } }
                        label for="token" { "Token" }
                        input #token type="password" name="token" required autocomplete="current-password"
                            aria-describedby=[(*data == SignIn::Wrong).then_some("wrong")];
                        button type="submit" { "Sign in" }
                    }
                    p.note {
                        "The token is sent once. A cookie then keeps you signed in for twelve hours, or until you sign out or "
                        "the token changes."
                    }
                }
            },
            Visitor::Maintainer => p.lead { "You are signed in. You see the texts of single runs, and names that few runs have." },
            Visitor::Administrator { .. } => {
                p.lead { "You are signed in as administrator." }
                p { "You see the texts of single runs and rare names, and you can set the state of a failure on its page." }
            },
        }
    };
    document(context, &Page { title: "Sign in", as_of: None, filter: None, content })
}
