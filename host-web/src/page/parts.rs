//! Small parts that several views share: the mark, and one shape per state.

use crate::page::view::{View, view};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{Severity, Verdict},
};

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
    view!(
        "<svg class='{}' viewBox='0 0 16 16' aria-hidden='true'><path d='{}' fill-rule='evenodd'/></svg>",
        class,
        path
    )
}

/// The mark: a spore with three hyphae.
pub(crate) fn mark() -> View {
    view!(
        "<svg class='mark' viewBox='0 0 48 48' aria-hidden='true'>\
           <path class='mark-hypha' d='M24 24C17 21 13 16 12 7M24 24c8-1 13-5 16-11M24 24c-2 8-7 13-14 15\
            M24 24c5 5 8 10 8 17M24 24c7 1 12 4 17 7M24 24c-8 1-14 0-19-4'/>\
           <path class='mark-cell' d='M24 13.5 33.1 18.75V29.25L24 34.5 14.9 29.25V18.75z'/>\
           <circle class='mark-core' cx='24' cy='24' r='4.2'/>\
           <circle class='mark-tip' cx='12' cy='7' r='2.2'/>\
           <circle class='mark-tip' cx='40' cy='13' r='2.2'/>\
           <circle class='mark-tip' cx='10' cy='39' r='2.2'/>\
           <circle class='mark-tip' cx='32' cy='41' r='2.2'/>\
         </svg>"
    )
}
