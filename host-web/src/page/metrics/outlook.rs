//! What is unusual about this node's series, and where they go. Nodes know it of themselves only.

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::{memo, when},
        metrics::{board::Board, known, own, plot::Plot},
        parts,
        state::{App, as_u64, put},
    },
    protocol::{Answer, Request},
};
use core::cell::Cell;
use sporenet_core::node::snapshot::{Finding, Outlook, Score, Severity};
use std::rc::Rc;
use sycamore::prelude::*;

/// It is asked for so often.
const AGAIN_MS: u64 = 10_000;
/// The most findings that are listed, the newest.
const FINDINGS_MAX: usize = 20;
/// What the address says where the forecast is not shown.
pub(super) const FORECAST: &str = "forecast";
pub(super) const OFF: &str = "off";
/// The future is at most so much of what is shown of the past.
const AHEAD_PART: u64 = 4;

/// Asks for the charts in sight, one after the other, while the view shows this node.
pub(super) fn follow(board: &Rc<Board>, node: ReadSignal<String>) {
    let app = board.app;
    let about = memo(move || {
        let node = node.get_clone();
        let is_own = !node.is_empty() && node == own(app.state);
        (is_own.then_some(node), app.state.now_ms.get() / AGAIN_MS)
    });
    let round = Rc::new(Cell::new(0_u32));
    let (ended, asking) = (Rc::clone(&round), Rc::clone(board));
    create_effect(move || {
        asking.seen.track();
        let (node, _) = about.get_clone();
        let number = round.get().wrapping_add(1);
        round.set(number);
        let Some(node) = node else {
            put(asking.reach_ms, 0);
            return;
        };
        let (board, round) = (Rc::clone(&asking), Rc::clone(&round));
        // The answer may be there at once, which no effect may set signals under.
        dom::soon(move || {
            let left = board.plots_in_sight();
            let is_wanted = move || round.get() == number;
            next(board, node, left, Rc::new(is_wanted));
        });
    });
    on_cleanup(move || ended.set(0));
    look_ahead(board);
}

/// Lets the window reach into the future as far as there is a forecast, if that is wanted.
fn look_ahead(board: &Rc<Board>) {
    let (state, board) = (board.app.state, Rc::clone(board));
    create_effect(move || {
        let is_wanted = state.route.with(|route| route.chosen(FORECAST) != OFF);
        let (reach, range) = (board.reach_ms.get(), super::chosen_range(state));
        let ahead = reach.min(range.last_ms / AHEAD_PART);
        put(board.ahead_ms, if is_wanted { ahead } else { 0 });
    });
}

fn next(board: Rc<Board>, node: String, mut left: Vec<Rc<Plot>>, is_wanted: Rc<dyn Fn() -> bool>) {
    if !is_wanted() {
        return;
    }
    let Some(plot) = left.pop() else {
        let reach = board.forecast_ms();
        board.app.state.change(|| put(board.reach_ms, reach));
        return;
    };
    let series = plot.lines.first().map(|line| line.series.clone());
    let request = Request::Outlook {
        node: node.clone(),
        series: series.unwrap_or_default(),
    };
    known::ask(board.app, request, move |answer| {
        if is_wanted()
            && let Ok(Answer::Outlook(outlook)) = answer
        {
            plot.take_outlook(outlook.map(|outlook| *outlook));
            board.ask_frame();
        }
        dom::soon(move || next(board, node, left, is_wanted));
    });
}

/// What is told below a chart.
pub(super) fn words(app: App, plot: &Plot) -> View {
    let outlook = plot.outlook;
    when(
        move || outlook.get_clone(),
        move |outlook| match outlook {
            None => View::new(),
            Some(outlook) => told(app, outlook),
        },
    )
}

fn told(app: App, outlook: Outlook) -> View {
    let say = app.say.charts();
    let reaches = match outlook.reaches {
        None => View::new(),
        Some(reaches) => {
            let shape = parts::severity_shape(Severity::Warn);
            view! { p(class="reaches") { (shape) (reaches) } }
        }
    };
    if outlook.findings.is_empty() {
        return reaches;
    }
    let count = fill(say.findings, &[&as_u64(outlook.findings.len()).to_string()]);
    let newest = outlook.findings.into_iter().rev().take(FINDINGS_MAX);
    let findings: Vec<View> = newest.map(|one| finding(app, one)).collect();
    let scores: Vec<View> = outlook.scores.into_iter().map(score).collect();
    view! {
        (reaches)
        details(class="twin findings") {
            summary { (count) }
            ul { (findings) }
            (scores)
        }
    }
}

fn finding(app: App, finding: Finding) -> View {
    let say = app.say.charts();
    let moment = dom::moment(finding.at_ms);
    let iso = dom::iso(finding.at_ms);
    let borne_out = match finding.borne_out {
        Some(true) => say.borne_out,
        Some(false) => say.not_borne_out,
        None => "",
    };
    view! {
        li {
            span { (finding.text) }
            span(class="muted") { time(datetime=iso) { (moment) } " " (borne_out) }
        }
    }
}

fn score(score: Score) -> View {
    view! { p(class="muted small") { (score.text) } }
}
