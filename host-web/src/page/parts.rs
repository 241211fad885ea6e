//! Small parts that several views share: the mark, icons, and one shape per state.

use crate::{
    page::{
        each::{text, when},
        state::App,
    },
    route::Section,
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{Severity, Verdict},
    observe::alerts::record::Grade,
};
use sycamore::prelude::*;

/// The shape of a state, in the colour that its class gives.
pub(crate) fn state_shape(state: MemberState) -> View {
    let (class, path) = match state {
        MemberState::Alive => (
            "shape alive",
            "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11z",
        ),
        MemberState::Suspect => ("shape suspect", "M8 1.8 15 14H1z"),
        MemberState::Dead => ("shape dead", "M2.5 2.5h11v11h-11z"),
        MemberState::Parked => ("shape parked", "M3 2.5h3.6v11H3zM9.4 2.5H13v11H9.4z"),
        MemberState::Left => (
            "shape left",
            "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2zm0 2.2a3.8 3.8 0 1 1 0 7.6a3.8 3.8 0 1 1 0-7.6z",
        ),
    };
    shape(class, path)
}

/// The shape of a severity.
pub(crate) fn severity_shape(severity: Severity) -> View {
    let (class, path) = match severity {
        Severity::Info => ("shape info", "M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3z"),
        Severity::Warn => ("shape warn", "M8 1.8 15 14H1z"),
        Severity::Error => ("shape error", "M2.5 2.5h11v11h-11z"),
    };
    shape(class, path)
}

/// The shape of an incident's severity: the graver, the more corners.
pub(crate) fn grade_shape(grade: Grade) -> View {
    let (class, path) = match grade {
        Grade::Low => ("shape low", "M8 3a5 5 0 1 0 0 10A5 5 0 1 0 8 3z"),
        Grade::Medium => ("shape medium", "M8 1.8 15 14H1z"),
        Grade::High => ("shape high", "M8 1 15 8 8 15 1 8z"),
        Grade::Critical => (
            "shape critical",
            "M5 1h6l4 4v6l-4 4H5l-4-4V5zM7 4v5h2V4zm0 6.2v2h2v-2z",
        ),
    };
    shape(class, path)
}

/// The shape of a verdict, large.
pub(crate) fn verdict_shape(verdict: Option<Verdict>) -> View {
    let (class, path) = match verdict {
        Some(Verdict::Healthy) => (
            "shape alive",
            "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1zm3.4 4.6L7.2 10.6 4.6 8l-1 1 3.7 3.6 5.2-6.1z",
        ),
        Some(Verdict::Degraded) => (
            "shape suspect",
            "M8 1 15.5 14.5H.5zM7.2 6v4h1.6V6zm0 5v1.6h1.6V11z",
        ),
        Some(Verdict::Isolated) => ("shape dead", "M2 2h12v12H2zm3 5v2h6V7z"),
        Some(Verdict::Fenced) => (
            "shape dead",
            "M2 2h12v12H2zm2.4 3.4L7 8l-2.6 2.6 1 1L8 9l2.6 2.6 1-1L9 8l2.6-2.6-1-1L8 7 5.4 4.4z",
        ),
        Some(Verdict::Joining) | None => (
            "shape waiting",
            "M8 1a7 7 0 1 0 7 7h-2.2A4.8 4.8 0 1 1 8 3.2z",
        ),
        Some(Verdict::Leaving) => (
            "shape left",
            "M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1zm-.8 3.5h1.6V8l2.8 2.8-1.1 1.1-3.3-3.2z",
        ),
    };
    shape(class, path)
}

fn shape(class: &'static str, path: &'static str) -> View {
    view! {
        svg(class=class, viewBox="0 0 16 16", aria-hidden="true") {
            path(d=path, fill-rule="evenodd")
        }
    }
}

/// The icon of an entry of the rail.
pub(crate) fn icon(section: Section) -> View {
    let path = match section {
        Section::Overview => "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
        Section::Alerts => "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4M12 5V3",
        Section::Nodes => {
            "M12 3l7.8 4.5v9L12 21l-7.8-4.5v-9zM12 9.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5z"
        }
        Section::Topology => {
            "M7.6 7.3 11 15M16.4 7.3 13 15M8.5 6h7M8.5 6a2.5 2.5 0 1 1-5 0a2.5 2.5 0 1 1 5 0z\
             M20.5 6a2.5 2.5 0 1 1-5 0a2.5 2.5 0 1 1 5 0zM14.5 17.5a2.5 2.5 0 1 1-5 0a2.5 2.5 0 1 1 5 0z"
        }
        Section::Metrics => "M4 4v16h16M7.5 15.5l4-6 3.5 3.5L20 6",
        Section::Data => {
            "M4.5 6c0-1.7 3.4-3 7.5-3s7.5 1.3 7.5 3-3.4 3-7.5 3-7.5-1.3-7.5-3zM4.5 6v12c0 1.7 3.4 3 7.5 3\
             s7.5-1.3 7.5-3V6M4.5 12c0 1.7 3.4 3 7.5 3s7.5-1.3 7.5-3"
        }
        Section::Recordings => {
            "M12 3.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 1 0 0-17zM12 8.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 1 0 0-7z"
        }
        Section::Connections => {
            "M9 15l6-6M10.5 6.5 12 5a4.6 4.6 0 0 1 6.5 6.5L17 13M13.5 17.5 12 19a4.6 4.6 0 0 1-6.5-6.5L7 11"
        }
        Section::Settings => "M4 7h8M18 7h2M4 17h3M13 17h7M15 4.5v5M10 14.5v5",
    };
    view! {
        svg(class="icon", viewBox="0 0 24 24", aria-hidden="true") { path(d=path) }
    }
}

/// The mark: a spore with three hyphae.
pub(crate) fn mark() -> View {
    view! {
        svg(class="mark", viewBox="0 0 48 48", aria-hidden="true") {
            path(class="mark-hypha", d="M24 24C17 21 13 16 12 7M24 24c8-1 13-5 16-11M24 24c-2 8-7 13-14 15M24 24c5 5 8 10 8 17M24 24c7 1 12 4 17 7M24 24c-8 1-14 0-19-4")
            path(class="mark-cell", d="M24 13.5 33.1 18.75V29.25L24 34.5 14.9 29.25V18.75z")
            circle(class="mark-core", cx="24", cy="24", r="4.2")
            circle(class="mark-tip", cx="12", cy="7", r="2.2")
            circle(class="mark-tip", cx="40", cy="13", r="2.2")
            circle(class="mark-tip", cx="10", cy="39", r="2.2")
            circle(class="mark-tip", cx="32", cy="41", r="2.2")
        }
    }
}

/// Text where there is any, and otherwise the word for what nobody knows.
pub(crate) fn known(app: App, make: impl FnMut() -> Option<String> + 'static) -> View {
    when(make, move |known| match known {
        Some(known) => view! { (known) },
        None => view! { span(class="muted") { (app.say.unknown) } },
    })
}

/// A name with its value in a list of facts.
pub(crate) fn fact(name: &'static str, value: impl FnMut() -> String + 'static) -> View {
    let value = text(value);
    view! {
        div { dt { (name) } dd { (value) } }
    }
}

/// The heading of a view.
pub(crate) fn heading(title: &'static str) -> View {
    view! { h1(class="view-title") { (title) } }
}
