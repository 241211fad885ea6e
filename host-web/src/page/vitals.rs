//! How the nodes are: what this node measured over the last minutes, what each node told last, and the
//! round trips between them.

use crate::{
    page::{
        state::State,
        view::{Slot, View, view},
    },
    words,
};
use sporenet_core::node::snapshot::{NodeVitals, PathView, SeriesPoints};
use std::fmt::Write as _;

/// The width and height of a chart's picture, in its own units.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 48.0;
/// The most nodes that the matrix of round trips shows.
const MATRIX_MAX: usize = 12;

pub(crate) fn panel(state: &State) -> View {
    let charts: Vec<_> = state
        .charts
        .iter()
        .map(|series| (series.series.clone(), chart(series)))
        .collect();
    let rows: Vec<_> = state
        .vitals
        .iter()
        .map(|vitals| (vitals.id.clone(), row(state, vitals)))
        .collect();
    view!(
        "<section class='panel vitals' aria-labelledby='vitals-title'>\
           <div class='panel-head'><h2 id='vitals-title'>Vitals</h2>\
             <p class='muted'>{}, the last 10 minutes</p></div>\
           <div class='charts'>{}</div>\
           <div class='table-wrap'>\
             <table class='cards'>\
               <thead><tr>\
                 <th scope='col'>Node</th>\
                 <th scope='col' class='number'>Health</th>\
                 <th scope='col' class='number'>CPU</th>\
                 <th scope='col' class='number'>Memory</th>\
                 <th scope='col' class='number'>Disk</th>\
                 <th scope='col' class='number'>In</th>\
                 <th scope='col' class='number'>Out</th>\
                 <th scope='col' class='number'>Loop lag</th>\
                 <th scope='col' class='number'>Journal</th>\
                 <th scope='col' class='number'>Told</th>\
               </tr></thead>\
               <tbody>{}</tbody>\
             </table>\
           </div>\
           {}\
         </section>",
        words::here(),
        charts,
        rows,
        matrix(state),
    )
}

/// A node's health in one figure, with what it consists of as its title.
fn health(state: &State, id: &str) -> View {
    let known = state.health.iter().find(|health| health.node == id);
    let Some((health, score)) = known.and_then(|health| Some((health, health.score?))) else {
        return view!("<span class='muted'>unknown</span>");
    };
    let terms = health.terms.iter().map(|term| match term.value {
        Some(value) => format!("{} {:.0} %", term.name, value * 100.0),
        None => format!("{} unknown", term.name),
    });
    let class = if health.healthy == Some(true) {
        "health good"
    } else {
        "health bad"
    };
    view!(
        "<span class='{}' title='{}'>{}</span>",
        class,
        terms.collect::<Vec<_>>().join(", "),
        format!("{:.0} %", score * 100.0),
    )
}

fn row(state: &State, vitals: &NodeVitals) -> View {
    let memory = match vitals.memory_used_kib {
        Some(_) => percent(vitals.memory_used_kib, vitals.memory_limit_kib),
        None => percent(vitals.heap_used_kib, vitals.heap_limit_kib),
    };
    let disk = match vitals.disk_used_kib {
        Some(_) => percent(vitals.disk_used_kib, vitals.disk_total_kib),
        None => percent(vitals.storage_used_kib, vitals.storage_quota_kib),
    };
    let millis = |value: Option<u64>| value.map(|value| format!("{value} ms"));
    let rate = |value: Option<u64>| value.map(|value| format!("{}/s", words::bytes(value)));
    view!(
        "<tr>\
           <th scope='row'>{}</th>\
           <td data-label='Health' class='number'>{}</td>\
           <td data-label='CPU' class='number'>{}</td>\
           <td data-label='Memory' class='number'>{}</td>\
           <td data-label='Disk' class='number'>{}</td>\
           <td data-label='In' class='number'>{}</td>\
           <td data-label='Out' class='number'>{}</td>\
           <td data-label='Loop lag' class='number'>{}</td>\
           <td data-label='Journal' class='number'>{}</td>\
           <td data-label='Told' class='number'>{}</td>\
         </tr>",
        vitals.name.to_string(),
        health(state, &vitals.id),
        known(vitals.cpu_permille.map(tenths)),
        known(memory),
        known(disk),
        known(rate(vitals.network_rx)),
        known(rate(vitals.network_tx)),
        known(millis(vitals.loop_lag_ms)),
        known(millis(vitals.journal_latency_ms)),
        known(vitals.age_ms.map(words::ago)),
    )
}

/// What was never measured is unknown, never zero.
fn known(text: Option<String>) -> Slot {
    match text {
        Some(text) => Slot::Text(text),
        None => Slot::View(view!("<span class='muted'>unknown</span>")),
    }
}

fn tenths(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn percent(part: Option<u64>, whole: Option<u64>) -> Option<String> {
    let whole = whole.filter(|whole| *whole > 0)?;
    Some(tenths(part?.saturating_mul(1_000) / whole))
}

/// One series as a line; a step without a sample is a gap.
fn chart(series: &SeriesPoints) -> View {
    let latest = series.points.last().map(|(_, value)| *value);
    view!(
        "<figure class='chart'>\
           <figcaption><span>{}</span><b>{}</b></figcaption>\
           <svg viewBox='0 0 240 48' preserveAspectRatio='none' role='img' aria-label='{}'>\
             <path d='{}'/></svg>\
         </figure>",
        series.series.replace('_', " "),
        latest.map_or_else(|| "unknown".into(), |value| with_unit(value, &series.unit)),
        span_in_words(series),
        line(series),
    )
}

fn span_in_words(series: &SeriesPoints) -> String {
    match (series.min, series.max) {
        (Some(min), Some(max)) => format!(
            "{}: between {} and {}",
            series.series,
            with_unit(min, &series.unit),
            with_unit(max, &series.unit)
        ),
        _ => format!("{}: nothing was measured", series.series),
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

/// Who reaches whom in which time: a row for who pings, a column for who answers.
fn matrix(state: &State) -> Option<View> {
    let paths = &state.paths;
    let mut nodes: Vec<(&str, String)> = Vec::new();
    for path in paths {
        for (id, name) in [
            (path.from.as_str(), path.from_name.to_string()),
            (path.to.as_str(), path.to_name.to_string()),
        ] {
            if nodes.iter().all(|(known, _)| *known != id) {
                nodes.push((id, name));
            }
        }
    }
    if nodes.is_empty() {
        return None;
    }
    nodes.sort_by(|a, b| a.1.cmp(&b.1).then(a.0.cmp(b.0)));
    let left_out = nodes.len().saturating_sub(MATRIX_MAX);
    nodes.truncate(MATRIX_MAX);
    let columns: Vec<_> = nodes
        .iter()
        .map(|(id, name)| {
            let heading = view!("<th scope='col' class='number'>{}</th>", name.as_str());
            ((*id).to_owned(), heading)
        })
        .collect();
    let rows: Vec<_> = nodes
        .iter()
        .map(|(from, name)| {
            let cells: Vec<_> = nodes
                .iter()
                .map(|(to, _)| ((*to).to_owned(), cell(paths, from, to)))
                .collect();
            let row = view!("<tr><th scope='row'>{}</th>{}</tr>", name.as_str(), cells);
            ((*from).to_owned(), row)
        })
        .collect();
    let more = (left_out > 0).then(|| {
        let text = words::count(u64::try_from(left_out).unwrap_or(0), "node is", "nodes are");
        view!("<p class='muted small'>{} left out</p>", text)
    });
    Some(view!(
        "<h3>Round trips</h3><p class='muted small'>Rows ping, columns answer.</p>\
         <div class='table-wrap'><table class='matrix'>\
           <thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table></div>{}",
        columns,
        rows,
        more,
    ))
}

fn cell(paths: &[PathView], from: &str, to: &str) -> View {
    if from == to {
        return view!("<td class='number muted'>–</td>");
    }
    let path = paths.iter().find(|path| path.from == from && path.to == to);
    let Some(path) = path else {
        return view!("<td class='number muted' title='not linked, or not told'>·</td>");
    };
    let lossy = path.loss > 0.02;
    let title = format!(
        "at least {:.1} ms, jitter {:.1} ms, loss {:.1} %, {}",
        path.min_ms,
        path.jitter_ms,
        path.loss * 100.0,
        words::ago(path.age_ms)
    );
    let text = if lossy {
        format!("{:.1} ms, {:.0} % lost", path.rtt_ms, path.loss * 100.0)
    } else {
        format!("{:.1} ms", path.rtt_ms)
    };
    let class = if lossy { "number bad" } else { "number" };
    view!("<td class='{}' title='{}'>{}</td>", class, title, text)
}
