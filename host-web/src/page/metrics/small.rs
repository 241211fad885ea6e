//! The charts of the overview and of a node's page.

use crate::{
    draw::range::Range,
    page::{
        each::{memo, when},
        metrics::{
            LATENCY, LATENCY_P50, LATENCY_P99, LOWEST_HEALTH,
            board::Board,
            figure::figure,
            known::HEALTH_STEP_MS,
            name,
            plot::{Line, Plot},
            plot_of,
        },
        state::App,
    },
    route::{Place, Route},
};
use std::rc::Rc;
use sycamore::prelude::*;

/// What the overview shows: what snapshots carry.
const OVERVIEW_MS: u64 = 600_000;
/// What a node's page shows.
const NODE_MS: u64 = 3_600_000;
/// The series of a node's page.
const VITALS: [&str; 8] = [
    "cpu",
    "memory",
    "disk",
    "received",
    "sent",
    "loop_lag",
    "journal_latency",
    LATENCY,
];

fn follows(last_ms: u64) -> ReadSignal<Range> {
    *create_signal(Range {
        last_ms,
        fixed: None,
    })
}

/// Throughput, latency and the lowest health over the last ten minutes.
pub(crate) fn overview(app: App) -> View {
    let board = Board::of(app, follows(OVERVIEW_MS), create_signal(None), false);
    let lines = |series: &[&str]| {
        let lines = series.iter();
        lines
            .map(|series| Line::new(series, name(app, series), None))
            .collect::<Vec<_>>()
    };
    let say = app.say.charts();
    let quantiles = vec![
        Line::new(LATENCY_P50, say.p50.into(), None),
        Line::new(LATENCY_P99, say.p99.into(), None),
    ];
    let plots = [
        Plot::new(say.messages.into(), lines(&["messages_in", "messages_out"])),
        Plot::new(name(app, LATENCY), quantiles),
        Plot::new(name(app, LOWEST_HEALTH), lines(&[LOWEST_HEALTH])),
    ];
    let (given, taker) = (plots.clone(), Rc::clone(&board));
    create_effect(move || {
        let charts = app.state.charts.get_clone();
        let lowest = app.state.metrics.lowest.get_clone();
        for line in given.iter().flat_map(|plot| &plot.lines) {
            if line.series == LOWEST_HEALTH {
                line.take(Some((lowest.clone(), HEALTH_STEP_MS)));
                continue;
            }
            let own = charts.iter().find(|one| one.series == line.series);
            line.take(own.map(|own| (own.points.clone(), own.step_ms)));
        }
        taker.renew();
    });
    let of_a_minute = view! { p(class="muted small") { (say.of_a_minute) } };
    let mut below = [View::new(), of_a_minute, View::new()].into_iter();
    let charts: Vec<View> = plots
        .iter()
        .enumerate()
        .map(|(place, plot)| {
            let below = below.next().unwrap_or_default();
            figure(&board, plot, format!("overview-chart-{place}"), below)
        })
        .collect();
    view! { div(class="plots small") { (charts) } }
}

/// The vitals of a node over the last hour. A replay has nobody to ask.
pub(crate) fn of_node(app: App, id: String) -> View {
    if app.state.is_replay() {
        return View::new();
    }
    let say = app.say.charts();
    let board = Board::of(app, follows(NODE_MS), create_signal(None), false);
    let whose = id.clone();
    super::follow_list(app);
    let measured = memo(move || {
        app.state.metrics.list.with(|list| {
            let own = list.iter().filter(|one| one.node == whose);
            let names: Vec<&str> = own.map(|one| one.series.as_str()).collect();
            let there = VITALS.into_iter().filter(|series| names.contains(series));
            there.collect::<Vec<_>>()
        })
    });
    let href = Route::to(Place::Metrics).with(super::NODE, &id).href();
    let charts = when(
        move || measured.get_clone(),
        move |series| {
            if series.is_empty() {
                return view! { p(class="empty") { (app.say.no_vitals) } };
            }
            let charts: Vec<View> = series
                .into_iter()
                .map(|series| {
                    let plot = plot_of(app, &id, series);
                    figure(&board, &plot, format!("vital-{series}"), View::new())
                })
                .collect();
            view! { div(class="plots small") { (charts) } }
        },
    );
    view! {
        section(class="panel whole", aria-labelledby="vitals-hour-title") {
            div(class="panel-head") {
                h2(id="vitals-hour-title") { (say.vitals_hour) }
                a(href=href) { (say.all_series) }
            }
            (charts)
        }
    }
}
