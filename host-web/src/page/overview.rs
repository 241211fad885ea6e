//! The verdict in plain words with its reasons and the next step; four counters.

use crate::{
    page::{
        parts,
        state::{State, Trouble},
        view::{View, view},
    },
    protocol::Phase,
    words,
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{Severity, Status},
};

pub(crate) fn panel(state: &State) -> View {
    let status = state.status.as_ref();
    let verdict = status.map(|status| status.verdict);
    let words = verdict.map(|verdict| {
        let (word, headline, next) = words::verdict(verdict);
        view!(
            "<p class='eyebrow'>{}</p><h1 id='verdict-title'>{}</h1><p class='next'>{}</p>",
            word,
            headline,
            next
        )
    });
    let counts = status.map(|status| status.members).unwrap_or_default();
    view!(
        "<section class='panel verdict' aria-labelledby='verdict-title'>\
           <div class='verdict-shape'>{}</div>\
           <div class='verdict-words' role='status'>{}<ul class='reasons'>{}</ul></div>\
           {}\
         </section>\
         <section class='counters' aria-label='Members by state'>{}</section>",
        parts::verdict_shape(verdict),
        words,
        reasons(status),
        numbers(status),
        vec![
            counter(MemberState::Alive, "answering", counts.alive),
            counter(
                MemberState::Suspect,
                "not answering, may refute",
                counts.suspect
            ),
            counter(MemberState::Parked, "away, will be back", counts.parked),
            counter(MemberState::Dead, "gone, still probed", counts.dead),
        ],
    )
}

/// Why the verdict is what it is.
pub(crate) fn reasons(status: Option<&Status>) -> Vec<View> {
    let reasons = status.map_or([].as_slice(), |status| &status.reasons);
    reasons
        .iter()
        .map(|reason| view!("<li>{}</li>", reason.as_str()))
        .collect()
}

fn numbers(status: Option<&Status>) -> View {
    let number = |of: fn(&Status) -> String| status.map_or_else(|| "–".into(), of);
    view!(
        "<dl class='numbers'>\
           <div><dt>keys here</dt><dd>{}</dd></div>\
           <div><dt>batches</dt><dd>{}</dd></div>\
           <div><dt>up for</dt><dd>{}</dd></div>\
           <div><dt>incarnation</dt><dd>{}</dd></div>\
           <div><dt>clock</dt><dd>{}</dd></div>\
         </dl>",
        number(|status| status.kv.keys.to_string()),
        number(|status| status.kv.batches.to_string()),
        number(|status| words::span(status.uptime_s.saturating_mul(1_000))),
        number(|status| status.incarnation.to_string()),
        number(|status| status.clock_ahead_ms.map_or_else(|| "–".into(), clock)),
    )
}

/// How far this clock is from those of its peers.
fn clock(ahead_ms: i64) -> String {
    match ahead_ms {
        -999..=999 => "agrees".into(),
        1_000.. => format!("{} ahead", words::span(ahead_ms.unsigned_abs())),
        ..=-1_000 => format!("{} behind", words::span(ahead_ms.unsigned_abs())),
    }
}

fn counter(state: MemberState, hint: &str, count: u32) -> View {
    let word = words::state(state);
    let quiet = if count == 0 { " quiet" } else { "" };
    view!(
        "<div class='{}'>\
           <p class='counter-word'>{}{}</p>\
           <p class='counter-number'>{}</p>\
           <p class='counter-hint'>{}</p>\
         </div>",
        format!("counter {word}{quiet}"),
        parts::state_shape(state),
        word,
        count.to_string(),
        hint,
    )
}

/// What is wrong beside the mesh itself: the worker, the storage, the identity.
pub(crate) fn trouble(state: &State) -> View {
    let banner = what_is_wrong(state).map(|(title, text)| {
        view!(
            "<div class='banner'>{}<p><strong>{}</strong> {}</p></div>",
            parts::severity_shape(Severity::Warn),
            title,
            text,
        )
    });
    view!("<div aria-live='polite'>{}</div>", banner)
}

fn what_is_wrong(state: &State) -> Option<(&'static str, String)> {
    if let Some(trouble) = &state.trouble {
        return Some(match trouble {
            Trouble::NotStarted(why) => (
                "The node does not start",
                format!(
                    "It is tried again. Check that the relay still runs and can be reached, then reload this page. The browser said: {why}"
                ),
            ),
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
    if let Phase::Fenced { why } = &state.phase {
        return Some(("This identity is fenced", why.clone()));
    }
    let volatile = state.volatile.as_ref()?;
    Some((
        "This tab keeps nothing after it is closed",
        format!("Its identity and data live in memory only: {volatile}."),
    ))
}
