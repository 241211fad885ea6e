//! `metrics`: what was measured over time, as a table, a chart, JSON or CSV.

use crate::{
    cli::{
        ClientArgs,
        admin::time,
        client::{Client, Method, escaped},
        print::{self, harmless},
    },
    exit::Failure,
};
use clap::Args;
use sporenet_core::node::snapshot::{Outlook, SeriesPoints, SeriesView};
use std::time::Duration;

/// The columns and rows of a chart.
const COLUMNS: usize = 60;
const ROWS: usize = 8;
/// A column's upper part, from empty to full in eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// `sporenet metrics`.
#[derive(Args, Debug)]
pub(crate) struct MetricsArgs {
    /// One series, such as cpu, memory, latency; without it the latest value of each
    series: Option<String>,
    /// Of another node: its name, or the first digits of its identity
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// How far back, such as 10m, 2h or 2d
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    since: Duration,
    #[command(flatten)]
    client: ClientArgs,
    /// What was unusual about it, where it goes, and how often that was right; only of the node itself
    #[arg(long, requires = "series", conflicts_with_all = ["csv", "chart", "node"])]
    outlook: bool,
    /// Print a chart, as without any of these
    #[arg(long, requires = "series", conflicts_with_all = ["json", "csv"])]
    chart: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print lines of `at_ms,value`
    #[arg(long, requires = "series")]
    csv: bool,
}

pub(crate) fn metrics(args: &MetricsArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    let Some(series) = &args.series else {
        return list(args, &client);
    };
    if args.outlook {
        let path = format!("/api/v1/metrics/{}/outlook", escaped(series));
        let outlook: Outlook = client.json(Method::Get, &path)?;
        return if args.json {
            print::json(&outlook)
        } else {
            print::text(&outlook_in_words(&outlook))
        };
    }
    let points_max = if args.json || args.csv { 600 } else { COLUMNS };
    let mut path = format!(
        "/api/v1/metrics/{}?since_s={}&points={points_max}",
        escaped(series),
        args.since.as_secs()
    );
    if let Some(node) = &args.node {
        path.push_str(&format!("&node={}", escaped(node)));
    }
    let points: SeriesPoints = client.json(Method::Get, &path)?;
    if args.json {
        return print::json(&points);
    }
    if args.csv {
        let lines = points
            .points
            .iter()
            .map(|(at, value)| format!("{at},{value}\n"));
        return print::text(&format!(
            "at_ms,{}\n{}",
            points.series,
            lines.collect::<String>()
        ));
    }
    print::text(&chart(&points))
}

fn list(args: &MetricsArgs, client: &Client) -> Result<(), Failure> {
    let mut known: Vec<SeriesView> = client.json(Method::Get, "/api/v1/metrics")?;
    if let Some(node) = &args.node {
        let digits = node.to_ascii_lowercase();
        known.retain(|one| one.node.starts_with(&digits) || one.name.starts_with(node.as_str()));
    }
    if args.json {
        return print::json(&known);
    }
    let rows: Vec<_> = known
        .iter()
        .map(|one| {
            [
                harmless(&one.name),
                one.series.clone(),
                figure(one.value),
                one.unit.clone(),
                print::moment(one.at_ms),
            ]
        })
        .collect();
    print::text(&print::table(
        ["NODE", "SERIES", "VALUE", "UNIT", "AT"],
        &rows,
    ))
}

/// From this strength on ten seconds are told: rarer than one in a thousand.
const ODD: f64 = 0.75;

fn outlook_in_words(outlook: &Outlook) -> String {
    let unit = &outlook.unit;
    let mut out = String::new();
    let odd = outlook
        .unusual
        .iter()
        .filter(|(_, strength)| *strength >= ODD);
    out.push_str(&format!(
        "{}: {} of the last {} times ten seconds were unusual\n",
        outlook.series,
        odd.count(),
        outlook.unusual.len()
    ));
    if outlook.findings.is_empty() {
        out.push_str("nothing was told about it\n");
    }
    for finding in &outlook.findings {
        let followed = match finding.borne_out {
            Some(true) => "an alert followed",
            Some(false) => "no alert followed",
            None => "too new to say whether an alert follows",
        };
        let at = print::moment(finding.at_ms);
        out.push_str(&format!("{at}  {} ({followed})\n", finding.text));
    }
    match (outlook.forecast.first(), outlook.forecast.last()) {
        (Some(first), Some(last)) => out.push_str(&format!(
            "expected: {} {unit} now, {} {unit} in an hour ({} to {})\n",
            figure(first.mean),
            figure(last.mean),
            figure(last.low),
            figure(last.high)
        )),
        _ => out.push_str("expected: unknown until eight minutes were measured\n"),
    }
    if let Some(reaches) = &outlook.reaches {
        out.push_str(&format!("{reaches}\n"));
    }
    for score in &outlook.scores {
        out.push_str(&format!("{}\n", score.text));
    }
    out
}

/// A value with about three digits that count.
fn figure(value: f64) -> String {
    match value.abs() {
        // What is counted has no fraction.
        size if size < 1e15 && value.fract() == 0.0 => format!("{value:.0}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A chart in blocks; a step without samples is a gap.
fn chart(series: &SeriesPoints) -> String {
    let (Some(first), Some(last), Some(low), Some(high)) = (
        series.points.first(),
        series.points.last(),
        series.min,
        series.max,
    ) else {
        return format!("nothing of {} was measured in this time\n", series.series);
    };
    let means = series.points.iter().map(|(_, value)| *value);
    let top = means.fold(0.0_f64, f64::max);
    // A flat series of zeros is a flat line, not a division by zero.
    let top = if top > 0.0 { top } else { 1.0 };
    let column = |at: u64| {
        let steps = at.saturating_sub(first.0) / series.step_ms.max(1);
        usize::try_from(steps).unwrap_or(usize::MAX)
    };
    let mut heights = vec![None; column(last.0).saturating_add(1).min(COLUMNS * 2)];
    for (at, value) in &series.points {
        if let Some(height) = heights.get_mut(column(*at)) {
            *height = Some(value / top);
        }
    }
    let mut out = format!(
        "{} of {} in {}: {} to {}\n",
        series.series,
        series.node.chars().take(8).collect::<String>(),
        if series.unit.is_empty() {
            "numbers"
        } else {
            &series.unit
        },
        figure(low),
        figure(high)
    );
    for row in (0..ROWS).rev() {
        let label = if row == ROWS - 1 {
            figure(top)
        } else {
            String::new()
        };
        out.push_str(&format!("{label:>8} ┤"));
        out.extend(heights.iter().map(|height| block(*height, row)));
        out.push('\n');
    }
    out.push_str(&format!("{:>8} ┼{}\n", "0", "─".repeat(heights.len())));
    out.push_str(&format!(
        "{:>10}{} – {}, a column is {}\n",
        "",
        print::moment(first.0),
        print::moment(last.0),
        print::span(series.step_ms / 1_000)
    ));
    out
}

/// What of a column stands in a row; `height` is 0 to 1, and a gap is a dot on the lowest row.
fn block(height: Option<f64>, row: usize) -> char {
    let Some(height) = height else {
        return if row == 0 { '·' } else { ' ' };
    };
    let rows = height * f64::from(u8::try_from(ROWS).unwrap_or(u8::MAX));
    let above = rows - f64::from(u8::try_from(row).unwrap_or(u8::MAX));
    let eighth = (above * 8.0).round().clamp(0.0, 8.0);
    // What is measured shows, however small it is.
    let least = if row == 0 { 1.0 } else { 0.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is 0 to 8"
    )]
    let index = eighth.max(least) as usize;
    EIGHTHS.get(index).copied().unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(points: Vec<(u64, f64)>) -> SeriesPoints {
        SeriesPoints {
            node: "ab".repeat(32),
            series: "cpu".to_owned(),
            unit: "%".to_owned(),
            step_ms: 1_000,
            min: points.iter().map(|point| point.1).reduce(f64::min),
            max: points.iter().map(|point| point.1).reduce(f64::max),
            points,
        }
    }

    #[test]
    fn a_chart_shows_the_highest_value_in_full_and_a_gap_as_a_dot() {
        let drawn = chart(&series(vec![(0, 50.0), (1_000, 100.0), (3_000, 0.0)]));
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines[1], "     100 ┤ █  ");
        assert_eq!(lines[5], "         ┤██  ");
        assert_eq!(lines[8], "         ┤██·▁");
    }

    #[test]
    fn nothing_measured_is_said() {
        assert!(chart(&series(Vec::new())).contains("nothing of cpu"));
    }

    #[test]
    fn a_flat_series_of_zeros_is_drawn() {
        assert!(chart(&series(vec![(0, 0.0)])).contains('▁'));
    }
}
