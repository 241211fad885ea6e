//! Charts of what this node measured over the last minutes.

use crate::{
    catalogue::fill,
    page::{
        each::{each, memo, text, when},
        state::App,
    },
};
use sporenet_core::node::snapshot::SeriesPoints;
use std::fmt::Write as _;
use sycamore::prelude::*;

/// The width and height of a chart's picture, in its own units.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;

/// Charts side by side: all, or those of some series.
pub(crate) fn grid(app: App, only: Option<&'static [&'static str]>) -> View {
    let charts = memo(move || {
        app.state.charts.with(|charts| {
            let wanted = charts
                .iter()
                .filter(|series| only.is_none_or(|only| only.contains(&series.series.as_str())));
            wanted
                .map(|series| (series.series.clone(), series.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || charts.with(Vec::is_empty),
        move |is_empty| {
            if is_empty {
                return view! { p(class="empty") { (app.say.no_charts) } };
            }
            let charts = each(charts, move |series| chart(app, series));
            view! { div(class="charts") { (charts) } }
        },
    )
}

/// One series as a line; a step without a sample is a gap.
fn chart(app: App, series: ReadSignal<SeriesPoints>) -> View {
    let name = series.with_untracked(|series| series.series.replace('_', " "));
    let latest = text(move || {
        series.with(|series| match series.points.last() {
            Some((_, value)) => with_unit(*value, &series.unit),
            None => app.say.unknown.into(),
        })
    });
    let said = memo(move || series.with(|series| in_words(app, series)));
    let line = memo(move || series.with(line));
    view! {
        figure(class="chart") {
            figcaption { span { (name) } b { (latest) } }
            svg(viewBox="0 0 240 48", preserveAspectRatio="none", "role"="img", aria-label=said) {
                path(d=line)
            }
        }
    }
}

fn in_words(app: App, series: &SeriesPoints) -> String {
    match (series.min, series.max) {
        (Some(min), Some(max)) => fill(
            app.say.between,
            &[
                &series.series,
                &with_unit(min, &series.unit),
                &with_unit(max, &series.unit),
            ],
        ),
        _ => fill(app.say.not_measured, &[&series.series]),
    }
}

fn with_unit(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size < 10.0 => 2,
        size => usize::from(size < 100.0),
    };
    format!("{value:.digits$} {unit}").trim_end().into()
}

/// The path of a chart's line, from the bottom at zero to the top at the largest value.
fn line(series: &SeriesPoints) -> String {
    let (Some((first, _)), Some((last, _))) = (series.points.first(), series.points.last()) else {
        return String::new();
    };
    let span = as_float(last.saturating_sub(*first)).max(1.0);
    let values = series.points.iter().map(|(_, value)| *value);
    let top = values.fold(0.0, f64::max);
    let top = if top > 0.0 { top } else { 1.0 };
    let mut path = String::new();
    let mut before = None;
    for (at, value) in &series.points {
        let is_next = before.is_some_and(|before| at.saturating_sub(before) <= series.step_ms);
        let x = WIDTH * as_float(at.saturating_sub(*first)) / span;
        let y = HEIGHT - 2.0 - (HEIGHT - 4.0) * value.max(0.0) / top;
        let pen = if is_next { 'L' } else { 'M' };
        // A point alone is a short line, so that it shows.
        let end = if is_next { "" } else { "h1" };
        let _ = write!(path, "{pen}{x:.1} {y:.1}{end}");
        before = Some(*at);
    }
    path
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
const fn as_float(number: u64) -> f64 {
    number as f64
}
