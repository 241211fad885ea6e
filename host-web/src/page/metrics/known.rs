//! What the page knows of series besides snapshots. It lives as long as the page.

use crate::{
    draw::column::Sample,
    page::{
        dom,
        state::{App, State, put},
    },
    protocol::{Answer, Failure, Request},
};
use sporenet_core::node::snapshot::{NodeHealth, SeriesView};
use sycamore::prelude::*;

/// Between two points of the lowest health, and how many are kept: ten minutes.
pub(super) const HEALTH_STEP_MS: u64 = 5_000;
const HEALTH_MAX: usize = 121;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    /// Which series there are, as the worker last told.
    pub(super) list: Signal<Vec<SeriesView>>,
    /// The moment that all charts of the view show.
    pub(super) cursor: Signal<Option<u64>>,
    /// Counts how often a key moved the cursor: what is there then is read aloud.
    pub(super) by_key: Signal<u32>,
    /// Counts the changes of the browser's colours.
    pub(super) look: Signal<u32>,
    /// The lowest health of all nodes over time, in percent.
    pub(super) lowest: Signal<Vec<Sample>>,
}

impl Metrics {
    /// Must be called in the scope in which the whole page lives.
    pub(crate) fn new() -> Self {
        let look = create_signal(0_u32);
        for query in ["(prefers-contrast: more)", "(forced-colors: active)"] {
            dom::watch_media(query, move |_| {
                look.set(look.get_untracked().wrapping_add(1))
            });
        }
        Self {
            list: create_signal(Vec::new()),
            cursor: create_signal(None),
            by_key: create_signal(0),
            look,
            lowest: create_signal(Vec::new()),
        }
    }

    /// Takes how healthy all are now.
    pub(crate) fn take_health(self, now: u64, health: &[NodeHealth]) {
        let scores = health.iter().filter_map(|one| one.score);
        let Some(lowest) = scores.reduce(f64::min) else {
            return;
        };
        let at = now / HEALTH_STEP_MS * HEALTH_STEP_MS;
        let mut points = self.lowest.get_clone_untracked();
        // A replay may go back.
        points.retain(|(time, _)| *time < at);
        let surplus = points.len().saturating_sub(HEALTH_MAX - 1);
        points.drain(..surplus);
        points.push((at, lowest * 100.0));
        put(self.lowest, points);
    }
}

/// Asks the worker, if there is one; `then` may change signals.
pub(super) fn ask(
    app: App,
    request: Request,
    then: impl FnOnce(Result<Answer, Failure>) + 'static,
) -> bool {
    let State { client, .. } = app.state;
    let client = client.get_clone_untracked();
    let is_there = client.is_some();
    if let Some(client) = client {
        client.ask(request, move |answer| app.state.change(|| then(answer)));
    }
    is_there
}

/// Asks which series there are.
pub(super) fn ask_list(app: App) {
    let list = app.state.metrics.list;
    ask(app, Request::SeriesList, move |answer| {
        if let Ok(Answer::SeriesList(series)) = answer {
            put(list, series);
        }
    });
}
