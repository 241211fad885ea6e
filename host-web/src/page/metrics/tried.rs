//! A rule that is tried out, over history: its series, its thresholds, and when it would have fired.

use crate::{
    catalogue::fill,
    draw::{
        chart::trial::{Judged, Trial},
        range::{self, Range},
    },
    page::{
        metrics::{
            board::Board,
            figure::figure,
            name, own,
            plot::{Line, Plot},
        },
        state::{App, as_u64},
    },
    words,
};
use sporenet_core::node::alert_views::DryRun;
use sycamore::prelude::*;

/// The place of the chart on the page; one rule is tried at a time.
const CHART: &str = "tried-chart";

/// Whose series it is, with its name if the rule judges several: `cellar · Disk`.
pub(crate) fn whose(app: App, node: &str, series: &str, is_of_several: bool) -> String {
    if is_of_several {
        format!("{node} · {}", name(app, series))
    } else {
        node.into()
    }
}

/// The chart of a dry run that has just ended; nothing if there is nothing to draw.
pub(crate) fn tried(app: App, run: &DryRun) -> View {
    let (say, now) = (app.say.charts(), app.state.now_ms.get_untracked());
    let Some(trial) = Trial::of(run, now, &own(app.state)) else {
        return View::new();
    };
    let window = range::at_least(trial.window);
    let range = create_signal(Range {
        last_ms: window.span(),
        fixed: Some(window),
    });
    let board = Board::of(app, *range, create_signal(None), false);
    board.ask_singly();
    let lines = trial.lines.iter();
    let lines: Vec<Line> = lines
        .map(|judged| line(app, judged, trial.is_of_several))
        .collect();
    let title = match &*trial.lines {
        // A chart does not name its only series.
        [only] => format!("{} · {}", name(app, &only.series), called(app, only)),
        [first, ..] if !trial.is_of_several => name(app, &first.series),
        _ => say.resources.into(),
    };
    let left_out = match trial.left_out {
        0 => String::new(),
        left_out => fill(say.tried_left_out, &[&as_u64(left_out).to_string()]),
    };
    let shaded = if run.times.is_empty() {
        say.tried_own
    } else {
        say.tried_shaded
    };
    let below = view! { p(class="muted small") { (say.tried_lines) " " (shaded) " " (left_out) } };
    let plot = Plot::tried(title, lines, trial.thresholds, trial.fired);
    figure(&board, &plot, CHART.into(), below)
}

/// What the node is called whose series it is.
fn called(app: App, judged: &Judged) -> &str {
    match &judged.node_name {
        Some(name) if judged.node != own(app.state) => name,
        Some(_) | None => words::here(),
    }
}

fn line(app: App, judged: &Judged, is_of_several: bool) -> Line {
    let name = whose(app, called(app, judged), &judged.series, is_of_several);
    Line::new(&judged.series, name, Some(judged.node.clone()))
}
