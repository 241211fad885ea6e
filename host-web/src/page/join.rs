//! How to get in: paste a link, or learn how to get one. And the calm states before and after.

use crate::{
    page::{
        connections, dom,
        each::{each, memo, when},
        parts,
        state::{self, App, State},
    },
    protocol::Failure,
};
use sporenet_core::{membership::join_link::JoinLink, node::snapshot::Severity};
use std::rc::Rc;
use sycamore::{prelude::*, web::events::SubmitEvent};

/// Joins with a link, kept for this tab until the node is let in.
pub(crate) fn join(state: State, link: String) {
    // A text that is no link must not stop a node that runs.
    if let Err(error) = link.parse::<JoinLink>() {
        state::put(state.link_error, Some(Failure::new("bad_link", error)));
        return;
    }
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    if let Some(client) = client {
        state.change(|| {
            state::put(state.link_error, None);
            state::put(state.status, None);
        });
        state::keep_link(&link);
        client.join(link);
    }
}

/// The page without a link and without an identity.
pub(crate) fn panel(app: App) -> View {
    let say = app.say;
    let (mark, form) = (parts::mark(), form(app));
    view! {
        section(class="panel join") {
            div(class="join-mark", aria-hidden="true") { (mark) }
            h1 { (say.join_title) }
            p(class="lead") { (say.join_lead) }
            (form)
            div(class="how") {
                h2 { (say.no_link) }
                ol {
                    li { (say.no_link_ask) pre { code { "sporenet invite" } } }
                    li { (say.no_link_open) pre { code { "http://…/#spore=…" } } }
                }
                p(class="muted") { (say.link_secret) }
            }
        }
    }
}

/// The node runs and asks to be let in: what it meets, and a way to try another link.
pub(crate) fn waiting(app: App) -> View {
    let state = app.state;
    let is_final = move || {
        state
            .joining
            .with(|one| one.as_ref().is_some_and(|one| one.is_final))
    };
    when(is_final, move |is_final| {
        let (mark, reasons, form) = (parts::mark(), reasons(app), form(app));
        if is_final {
            return view! {
                section(class="panel join", aria-labelledby="refused-title") {
                    div(class="join-mark", aria-hidden="true") { (mark) }
                    h1(id="refused-title") { (app.say.refused_title) }
                    ul(class="reasons lead", role="status") { (reasons) }
                    (form)
                }
            };
        }
        let list = connections::list(app);
        view! {
            section(class="panel join", aria-labelledby="waiting-title") {
                div(class="join-mark pulse", aria-hidden="true") { (mark) }
                h1(id="waiting-title") { (app.say.joining_title) }
                ul(class="reasons lead", role="status") { (reasons) }
                (list)
                details { summary { (app.say.other_link) } (form) }
            }
        }
    })
}

/// Why the verdict is what it is.
pub(crate) fn reasons(app: App) -> View {
    let status = app.state.status;
    let reasons = memo(move || {
        status.with(|status| {
            let reasons = status
                .iter()
                .flat_map(|status| status.reasons.iter().enumerate());
            reasons
                .map(|(place, reason)| (place, reason.clone()))
                .collect::<Vec<_>>()
        })
    });
    each(reasons, |reason| view! { li { (reason.get_clone()) } })
}

fn form(app: App) -> View {
    let state = app.state;
    let error = when(
        move || state.link_error.get_clone(),
        |failure| {
            let Some(failure) = failure else {
                return View::new();
            };
            let (shape, text) = (
                parts::severity_shape(Severity::Error),
                sentence(&failure.text),
            );
            view! { (shape) span { (text) } }
        },
    );
    let is_bad = move || state.link_error.with(Option::is_some).to_string();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let link = dom::field("link").trim().to_owned();
        if !link.is_empty() {
            dom::set_field("link", "");
            join(state, link);
        }
    };
    view! {
        form(on:submit=on_submit) {
            label(r#for="link") { (app.say.join_link) }
            div(class="row") {
                input(id="link", r#type="text", autocomplete="off", "spellcheck"="false", autocapitalize="off",
                    placeholder=app.say.link_example, aria-describedby="link-error", aria-invalid=is_bad)
                button(class="button primary", r#type="submit") { (app.say.join) }
            }
            p(id="link-error", class="field-error", role="alert") { (error) }
        }
    }
}

/// A refusal as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// The node wakes up.
pub(crate) fn loading(app: App) -> View {
    let mark = parts::mark();
    view! {
        section(class="panel calm", aria-busy="true") {
            div(class="pulse", aria-hidden="true") { (mark) }
            h1 { (app.say.waking) }
            p(class="muted") { (app.say.waking_text) }
        }
    }
}

/// The node has left.
pub(crate) fn departed(app: App) -> View {
    view! {
        section(class="panel calm") {
            h1 { (app.say.departed) }
            p(class="muted") { (app.say.departed_text) }
            p { a(class="button", href="./") { (app.say.reload) } }
        }
    }
}
