//! Charts of this node, and the vitals that every node told last.

use crate::{
    catalogue::fill,
    page::{charts, parts, state::App, vitals},
    words,
};
use sycamore::prelude::*;

/// The view.
pub(crate) fn view(app: App) -> View {
    let text = fill(app.say.metrics_text, &[words::here()]);
    let (heading, charts, vitals) = (
        parts::heading(app.say.metrics),
        charts::grid(app, None),
        vitals::table(app),
    );
    view! {
        (heading)
        section(class="panel", aria-labelledby="charts-title") {
            div(class="panel-head") { h2(id="charts-title") { (text) } }
            (charts)
        }
        section(class="panel vitals", aria-labelledby="vitals-title") {
            div(class="panel-head") { h2(id="vitals-title") { (app.say.all_vitals) } }
            (vitals)
        }
    }
}
