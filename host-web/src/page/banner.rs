//! What is wrong beside the mesh itself: the worker, the storage, the identity.

use crate::{
    catalogue::fill,
    page::{
        each::when,
        parts,
        state::{App, Trouble},
    },
    protocol::Phase,
};
use sporenet_core::node::snapshot::Severity;
use sycamore::prelude::*;

/// The banner above all views; nothing while nothing is wrong.
pub(crate) fn banner(app: App) -> View {
    let shown = when(
        move || what_is_wrong(app),
        |wrong| {
            let Some((title, text)) = wrong else {
                return View::new();
            };
            let shape = parts::severity_shape(Severity::Warn);
            view! { div(class="banner") { (shape) p { strong { (title) } " " (text) } } }
        },
    );
    view! { div(aria-live="polite") { (shown) } }
}

fn what_is_wrong(app: App) -> Option<(&'static str, String)> {
    let say = app.say;
    if let Some(trouble) = app.state.trouble.get_clone() {
        return Some(match trouble {
            Trouble::NotStarted(why) => (say.not_started, fill(say.not_started_text, &[&why])),
            Trouble::Crashed(why) => (say.crashed, fill(say.crashed_text, &[&why])),
            Trouble::Storage(why) => (say.storage_gone, fill(say.storage_gone_text, &[&why])),
        });
    }
    if let Phase::Fenced { why } = app.state.phase.get_clone() {
        return Some((say.is_fenced, why));
    }
    let volatile = app.state.volatile.get_clone()?;
    Some((say.volatile, fill(say.volatile_text, &[&volatile])))
}
