//! How to get in: paste a link, or learn how to get one.

use crate::page::{
    connections,
    live::{derived, listed, shown},
    parts,
    state::Console,
};
use sycamore::prelude::*;

pub(crate) fn panel(console: Console) -> View {
    let (mark, form) = (parts::mark(), form(console));
    view! {
        section(class="panel join") {
            div(class="join-mark", aria-hidden="true") { (mark) }
            h1 { "Join the mesh" }
            p(class="lead") {
                "This tab becomes a node of its own: it stores what it opens, works offline, and heals with \
                 the rest. All it needs is a join link."
            }
            (form)
            div(class="how") {
                h2 { "No link yet?" }
                ol {
                    li { "On a machine that runs a relay, ask it for one:" pre { code { "sporenet invite" } } }
                    li { "Open the printed " code { "http://…/#spore=…" } " link in a browser, or paste it above." }
                }
                p(class="muted") {
                    "A link is a secret with a lifetime, one hour unless asked otherwise. It is read from the \
                     address once and erased there; it never goes to a server."
                }
            }
        }
    }
}

/// The node runs and asks to be let in: what it meets, and a way to try another link.
pub(crate) fn waiting(console: Console) -> View {
    let reasons = derived(move || {
        console.status.with(|status| {
            status
                .as_ref()
                .map(|status| status.reasons.clone())
                .unwrap_or_default()
        })
    });
    let reasons = listed(reasons, |reason| view! { li { (reason) } });
    let (mark, form, links) = (parts::mark(), form(console), connections::list(console));
    view! {
        section(class="panel join", aria-labelledby="waiting-title") {
            div(class="join-mark pulse", aria-hidden="true") { (mark) }
            h1(id="waiting-title") { "Waiting to be let in" }
            ul(class="reasons lead", role="status") { (reasons) }
            (links)
            details {
                summary { "Use another link" }
                (form)
            }
        }
    }
}

fn form(console: Console) -> View {
    let link = create_signal(String::new());
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let text = link.get_clone().trim().to_owned();
        if !text.is_empty() {
            link.set(String::new());
            console.join(text);
        }
    };
    let refused = derived(move || console.link_error.get_clone());
    let invalid = derived(move || refused.with(Option::is_some).to_string());
    let error = shown(refused, |failure| {
        let shape = parts::severity_shape(sporenet_core::node::snapshot::Severity::Error);
        let text = sentence(&failure.text);
        view! { (shape) (text) }
    });
    view! {
        form(on:submit=submit) {
            label(r#for="link") { "Join link" }
            div(class="row") {
                input(id="link", r#type="text", autocomplete="off", "spellcheck"="false",
                    autocapitalize="off", placeholder="spore:…  or  http://…/#spore=…",
                    aria-describedby="link-error", aria-invalid=invalid, bind:value=link)
                button(class="button primary", r#type="submit") { "Join" }
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
