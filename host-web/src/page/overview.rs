//! The verdict in plain words with its reasons and the next step; four counters.

use crate::{
    page::{
        live::{derived, listed, live, shown},
        parts,
        state::{Console, Trouble},
    },
    protocol::Phase,
    words,
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{MemberCounts, Verdict},
};
use sycamore::prelude::*;

pub(crate) fn panel(console: Console) -> View {
    let verdict = derived(move || {
        console
            .status
            .with(|status| status.as_ref().map(|status| status.verdict))
    });
    let reasons = derived(move || {
        console.status.with(|status| {
            status
                .as_ref()
                .map(|status| status.reasons.clone())
                .unwrap_or_default()
        })
    });
    let shape = live(move || parts::verdict_shape(verdict.get()));
    let words = shown(verdict, words_of);
    let reasons = listed(reasons, |reason| view! { li { (reason) } });
    let numbers = numbers(console);
    let counters = [
        counter(console, MemberState::Alive, "answering", |counts| {
            counts.alive
        }),
        counter(
            console,
            MemberState::Suspect,
            "not answering, may refute",
            |counts| counts.suspect,
        ),
        counter(
            console,
            MemberState::Parked,
            "away, will be back",
            |counts| counts.parked,
        ),
        counter(console, MemberState::Dead, "gone, still probed", |counts| {
            counts.dead
        }),
    ];
    let counters = View::from(Vec::from(counters));
    view! {
        section(class="panel verdict", aria-labelledby="verdict-title") {
            div(class="verdict-shape") { (shape) }
            div(class="verdict-words", role="status") {
                (words)
                ul(class="reasons") { (reasons) }
            }
            (numbers)
        }
        section(class="counters", aria-label="Members by state") { (counters) }
    }
}

fn words_of(verdict: Verdict) -> View {
    let (word, headline, next) = words::verdict(verdict);
    view! {
        p(class="eyebrow") { (word) }
        h1(id="verdict-title") { (headline) }
        p(class="next") { (next) }
    }
}

fn numbers(console: Console) -> View {
    let number = move |of: fn(&sporenet_core::node::snapshot::Status) -> String| {
        derived(move || {
            console
                .status
                .with(|status| status.as_ref().map_or_else(|| "–".into(), of))
        })
    };
    let keys = number(|status| status.kv.keys.to_string());
    let batches = number(|status| status.kv.batches.to_string());
    let uptime = number(|status| words::span(status.uptime_s.saturating_mul(1_000)));
    let incarnation = number(|status| status.incarnation.to_string());
    view! {
        dl(class="numbers") {
            div { dt { "keys here" } dd { (keys) } }
            div { dt { "batches" } dd { (batches) } }
            div { dt { "up for" } dd { (uptime) } }
            div { dt { "incarnation" } dd { (incarnation) } }
        }
    }
}

fn counter(
    console: Console,
    state: MemberState,
    hint: &'static str,
    of: fn(&MemberCounts) -> u32,
) -> View {
    let count = derived(move || {
        console
            .status
            .with(|status| status.as_ref().map_or(0, |status| of(&status.members)))
    });
    let word = words::state(state);
    let shape = parts::state_shape(state);
    let class = derived(move || {
        let quiet = if count.get() == 0 { " quiet" } else { "" };
        format!("counter {word}{quiet}")
    });
    view! {
        div(class=class) {
            p(class="counter-word") { (shape) (word) }
            p(class="counter-number") { (count) }
            p(class="counter-hint") { (hint) }
        }
    }
}

/// What is wrong beside the mesh itself: the worker, the storage, the identity.
pub(crate) fn trouble(console: Console) -> View {
    let text = derived(move || {
        if let Some(trouble) = console.trouble.get_clone() {
            return Some(match trouble {
                Trouble::Crashed(why) => (
                    "The node stopped and is starting again",
                    format!(
                        "Nothing that was acknowledged is lost: it recovers from this browser's storage. The browser said: {why}"
                    ),
                ),
                Trouble::Storage(why) => (
                    "This tab's storage is gone",
                    format!(
                        "What was not yet copied to a relay may be lost ({why}). Reload the page to start anew."
                    ),
                ),
            });
        }
        if let Phase::Fenced { why } = console.phase.get_clone() {
            return Some(("This identity is fenced", why));
        }
        let volatile = console.volatile.get_clone()?;
        Some((
            "This tab keeps nothing after it is closed",
            format!("Its identity and data live in memory only: {volatile}."),
        ))
    });
    let banner = shown(text, |(title, text)| {
        let shape = parts::severity_shape(sporenet_core::node::snapshot::Severity::Warn);
        view! {
            div(class="banner") {
                (shape)
                p { strong { (title) } " " (text) }
            }
        }
    });
    view! {
        div(aria-live="polite") { (banner) }
    }
}
