//! What changed in the window: the series that moved farthest, by their own usual spread.

use crate::{
    catalogue::fill,
    draw::{
        change::{self, Change, Ranking},
        time::Window,
        unit::Unit,
    },
    page::{
        dom,
        each::{memo, when},
        metrics::{board::Board, chart_id, gather, name, series_of},
        state::{App, put},
    },
};
use core::cell::Cell;
use sporenet_core::node::snapshot::SeriesPoints;
use std::rc::Rc;
use sycamore::prelude::*;

/// While the time is followed, series are compared so often.
const AGAIN_MS: u64 = 20_000;
/// The points of both times together.
const POINTS: u32 = 240;
/// The most that are listed.
const SHOWN_MAX: usize = 8;

/// What came of comparing.
#[derive(Clone, Debug, PartialEq)]
enum Compared {
    NotYet,
    /// Nothing was measured before the window.
    Unknown,
    Known(Vec<Told>),
}

/// A series that changed: its name in the store, and in words how.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    series: String,
    name: String,
    is_up: bool,
    how: String,
    values: String,
}

/// The panel beside the charts.
pub(super) fn panel(board: &Rc<Board>, node: ReadSignal<String>) -> View {
    let (app, say) = (board.app, board.app.say.charts());
    let compared = create_signal(Compared::NotYet);
    let window = board.window;
    // While the time is followed, the window moves each second.
    let about = memo(move || {
        let window = window.get();
        let range = super::chosen_range(app.state);
        let beat = match range.fixed {
            Some(_) => 0,
            None => window.until / AGAIN_MS,
        };
        (node.get_clone(), range, beat)
    });
    let series_known = memo(move || app.state.metrics.list.with(Vec::is_empty));
    let asked = Rc::new(Cell::new(0_u32));
    let latest = Rc::clone(&asked);
    create_effect(move || {
        let (node, _, _) = about.get_clone();
        series_known.track();
        let window = window.get_untracked();
        let number = asked.get().wrapping_add(1);
        asked.set(number);
        let asked = Rc::clone(&asked);
        dom::soon(move || compare(app, node, window, compared, move || asked.get() == number));
    });
    on_cleanup(move || latest.set(0));
    let shown = when(
        move || compared.get_clone(),
        move |compared| match compared {
            Compared::NotYet => view! { p(class="empty") { (say.comparing) } },
            Compared::Unknown => view! { p(class="empty") { (say.not_comparable) } },
            Compared::Known(told) if told.is_empty() => {
                view! { p(class="empty") { (say.nothing_changed) } }
            }
            Compared::Known(told) => {
                let items: Vec<View> = told.into_iter().map(item).collect();
                view! { ol(class="changes") { (items) } }
            }
        },
    );
    view! {
        section(class="panel changed", aria-labelledby="changed-title") {
            div(class="panel-head") { h2(id="changed-title") { (say.changed) } }
            p(class="muted small") { (say.changed_text) }
            (shown)
        }
    }
}

fn compare(
    app: App,
    node: String,
    window: Window,
    compared: Signal<Compared>,
    is_wanted: impl Fn() -> bool + 'static,
) {
    if node.is_empty() {
        return;
    }
    let both = Window {
        from: change::before(window).from,
        ..window
    };
    let series = series_of(app.state, &node);
    let wanted = (series, both, POINTS);
    gather::gather(app, node, wanted, is_wanted, move |got| {
        let told = rank(app, &got, window);
        app.state.change(|| put(compared, told));
    });
}

fn rank(app: App, got: &[SeriesPoints], window: Window) -> Compared {
    let unit = |one: &SeriesPoints| Unit::called(&one.unit);
    let series: Vec<_> = got
        .iter()
        .map(|one| (unit(one), one.points.as_slice()))
        .collect();
    let Ranking { compared, changes } = change::ranked(&series, window);
    if compared == 0 {
        return Compared::Unknown;
    }
    let told = changes.iter().take(SHOWN_MAX).filter_map(|change| {
        let of = got.get(change.place)?;
        Some(tell(app, change, of, unit(of)))
    });
    Compared::Known(told.collect())
}

fn tell(app: App, change: &Change, of: &SeriesPoints, unit: Unit) -> Told {
    let say = app.say.charts();
    let (before, now) = (unit.tell(change.before), unit.tell(change.now));
    let how = match change.times() {
        Some(times) => fill(say.times, &[&in_digits(times)]),
        None => fill(say.was_before, &[&now, &before]),
    };
    Told {
        series: of.series.clone(),
        name: name(app, &of.series),
        is_up: change.strength > 0.0,
        how,
        values: format!("{before} → {now}"),
    }
}

/// A ratio with two digits that count.
fn in_digits(times: f64) -> String {
    let digits = match times {
        large if large >= 10.0 => 0,
        usual if usual >= 1.0 => 1,
        _ => 2,
    };
    format!("{times:.digits$}")
}

fn item(told: Told) -> View {
    let id = chart_id(&told.series);
    let (arrow, class) = if told.is_up {
        ("▲", "change-arrow up")
    } else {
        ("▼", "change-arrow down")
    };
    view! {
        li {
            button(class="change", r#type="button", on:click=move |_| {
                dom::reveal(&id);
                dom::focus(&id);
            }) {
                span(class=class, aria-hidden="true") { (arrow) }
                b { (told.name) }
                span(class="change-how") { (told.how) }
                span(class="muted") { (told.values) }
            }
        }
    }
}
