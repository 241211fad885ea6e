//! A tour of four steps for someone who is here for the first time. It never stands in the way.

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::when,
        state::{App, State},
    },
};
use sycamore::prelude::*;

/// Where it is kept that the tour was seen.
const KEPT: &str = "sporenet.tour";

/// Shows the tour, unless it was seen before.
pub(crate) fn start(state: State) {
    if dom::chosen(KEPT).is_none() {
        state.tour.set(Some(0));
    }
}

/// Shows it again.
pub(crate) fn again(state: State) {
    dom::choose(KEPT, None);
    state.tour.set(Some(0));
}

fn end(state: State) {
    dom::choose(KEPT, Some("seen"));
    state.tour.set(None);
}

/// The card with the step that is due; nothing when the tour is over.
pub(crate) fn card(app: App) -> View {
    let state = app.state;
    when(
        move || state.tour.get(),
        move |step| {
            let say = app.say;
            let steps = [say.tour_1, say.tour_2, say.tour_3, say.tour_4];
            let Some((step, text)) = step.and_then(|step| Some((step, *steps.get(step)?))) else {
                return View::new();
            };
            let next = step.saturating_add(1);
            let number = fill(
                say.tour_step,
                &[&next.to_string(), &steps.len().to_string()],
            );
            let is_last = next >= steps.len();
            let word = if is_last {
                say.tour_done
            } else {
                say.tour_next
            };
            let go_on = move |_| {
                if is_last {
                    end(state);
                } else {
                    state.tour.set(Some(next));
                }
            };
            view! {
                aside(id="tour", class="tour", aria-label=say.tour) {
                    p(class="eyebrow") { (say.tour) " · " (number) }
                    p { (text) }
                    div(class="row") {
                        button(class="button small primary", r#type="button", on:click=go_on) { (word) }
                        button(class="button small", r#type="button", on:click=move |_| end(state)) { (say.close) }
                    }
                }
            }
        },
    )
}
