//! Asking for many series of a node, one after the other, so that nobody waits behind them.

use crate::{
    draw::time::Window,
    page::{dom, metrics::known, state::App},
    protocol::{Answer, Request},
};
use sporenet_core::node::snapshot::SeriesPoints;

struct Gathering {
    app: App,
    node: String,
    window: Window,
    points: u32,
    /// The names of what is left to ask, the first last.
    left: Vec<String>,
    got: Vec<SeriesPoints>,
    is_wanted: Box<dyn Fn() -> bool>,
    then: Box<dyn FnOnce(Vec<SeriesPoints>)>,
}

/// Asks for series in a window, each as at most so many points. `then` gets those that were measured, in
/// their order; it is not called if they are wanted no more, or if there is nobody to ask.
pub(super) fn gather(
    app: App,
    node: String,
    (mut series, window, points): (Vec<String>, Window, u32),
    is_wanted: impl Fn() -> bool + 'static,
    then: impl FnOnce(Vec<SeriesPoints>) + 'static,
) {
    series.reverse();
    next(Gathering {
        app,
        node,
        window,
        points,
        left: series,
        got: Vec::new(),
        is_wanted: Box::new(is_wanted),
        then: Box::new(then),
    });
}

fn next(mut gathering: Gathering) {
    if !(gathering.is_wanted)() {
        return;
    }
    let Some(series) = gathering.left.pop() else {
        (gathering.then)(gathering.got);
        return;
    };
    let request = Request::Series {
        node: gathering.node.clone(),
        series,
        from_ms: gathering.window.from,
        to_ms: gathering.window.until,
        points: gathering.points,
    };
    known::ask(gathering.app, request, move |answer| {
        if let Ok(Answer::Series(Some(points))) = answer {
            gathering.got.push(points);
        }
        dom::soon(move || next(gathering));
    });
}
