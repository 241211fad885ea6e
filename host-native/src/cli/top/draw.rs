//! All of it in a frame: header, charts, one view, and what keys do.

use super::{
    rows,
    screen::{Mode, Screen, Shown},
    seen::Seen,
};
use crate::cli::{
    alerts::{standing, told_of},
    print::{harmless, moment, span},
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Paragraph, Row, Sparkline, Table, Wrap},
};
use sporenet_core::{
    node::{
        alert_views::IncidentView,
        snapshot::{SeriesPoints, Verdict},
    },
    observe::alerts::record::Grade,
};

/// What keys do, for `?`.
const KEYS: [(&str, &str); 13] = [
    (
        "1 2 3 4, Tab",
        "the views: nodes, round trips, events, incidents",
    ),
    (":", "a view by its name, such as :inc; :q ends"),
    ("j k, arrows", "down and up"),
    ("g G, Home End", "first and last"),
    (
        "/",
        "only rows that contain a text; Enter keeps it, Esc drops it",
    ),
    ("Enter", "all that is known of the selected incident"),
    ("Esc", "back to the list; then drops the filter"),
    ("a", "acknowledge the incident: you look after it"),
    ("r", "resolve it: you take it for over"),
    ("s", "silence it for two hours: nobody is notified of it"),
    ("y", "yes; any other key is no"),
    ("?", "this list; any key closes it"),
    ("q, Ctrl-C", "the end"),
];

/// Draws what is known.
pub(super) fn draw(frame: &mut Frame<'_>, seen: &Seen, screen: &mut Screen) {
    let [head, charts, body, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(6),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(seen), head);
    draw_charts(frame, charts, seen);
    let open = screen.open.as_deref().and_then(|id| seen.incident(id));
    if screen.mode == Mode::Help {
        frame.render_widget(help(), body);
    } else if let Some(incident) = open {
        draw_incident(frame, body, seen, incident, &mut screen.scrolled);
    } else {
        draw_table(frame, body, seen, screen);
    }
    frame.render_widget(footer(screen), foot);
}

pub(super) const fn muted() -> Style {
    Style::new().fg(Color::DarkGray)
}

const fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

/// How a severity looks.
pub(super) const fn grade(grade: Grade) -> Style {
    match grade {
        Grade::Low => Style::new().fg(Color::Cyan),
        Grade::Medium => Style::new().fg(Color::Yellow),
        Grade::High => Style::new().fg(Color::Red),
        Grade::Critical => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

fn header(seen: &Seen) -> Paragraph<'_> {
    let Some(status) = &seen.now.status else {
        let trouble = seen.trouble.as_ref().map(|(text, _)| text.clone());
        return Paragraph::new(trouble.unwrap_or_else(|| "asking the node …".to_owned()));
    };
    let (word, colour) = match status.verdict {
        Verdict::Healthy => ("healthy", Color::Green),
        Verdict::Degraded => ("degraded", Color::Yellow),
        Verdict::Joining | Verdict::Leaving => ("joining or leaving", Color::Yellow),
        Verdict::Isolated => ("isolated", Color::Red),
        Verdict::Fenced => ("fenced", Color::Red),
    };
    let members = &status.members;
    let (many, worst) = seen.open_incidents();
    let incidents = match many {
        0 => "no incident".to_owned(),
        1 => "1 incident".to_owned(),
        many => format!("{many} incidents"),
    };
    let first = Line::from(vec![
        Span::styled("sporenet ", Style::new().fg(Color::Cyan)),
        Span::styled(harmless(&status.name), bold()),
        Span::raw(" is "),
        Span::styled(word, bold().fg(colour)),
        Span::raw("   "),
        Span::styled(incidents, worst.map_or_else(muted, grade)),
        Span::raw(format!(
            "   {} alive  {} suspect  {} dead  {} parked   {} keys   up {}",
            members.alive,
            members.suspect,
            members.dead,
            members.parked,
            status.kv.keys,
            span(status.uptime_s)
        )),
    ]);
    let reason = status.reasons.first().map(|reason| harmless(reason));
    let second = match &seen.trouble {
        Some((text, since)) => Line::styled(
            format!(
                "No answer for {}; what is shown is older. {}",
                span(since.elapsed().as_secs()),
                harmless(text)
            ),
            Style::new().fg(Color::Red),
        ),
        None => Line::styled(reason.unwrap_or_default(), muted()),
    };
    Paragraph::new(vec![first, second])
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, seen: &Seen) {
    let places = Layout::horizontal([Constraint::Ratio(1, 5); 5]).split(area);
    let lowest = seen.lowest.iter().copied();
    let title = match seen.lowest.back() {
        Some(score) => format!(
            " lowest health {:.0} % {} ",
            score * 100.0,
            harmless(&seen.lowest_name)
        ),
        None => " lowest health unknown ".to_owned(),
    };
    if let Some(place) = places.first() {
        draw_chart(frame, *place, title, lowest, Some(1.0));
    }
    for (place, series) in places.iter().skip(1).zip(&seen.now.charts) {
        let values = series.points.iter().map(|(_, value)| *value);
        draw_chart(frame, *place, title_of(series), values, None);
    }
}

fn title_of(series: &SeriesPoints) -> String {
    let latest = series.points.last().map_or_else(
        || "unknown".to_owned(),
        |(_, value)| format!("{value:.1} {}", series.unit),
    );
    format!(" {} {latest} ", series.series.replace('_', " "))
}

/// The newest values that fit, up to a largest one where there is one.
fn draw_chart(
    frame: &mut Frame<'_>,
    place: Rect,
    title: String,
    values: impl ExactSizeIterator<Item = f64>,
    largest: Option<f64>,
) {
    let width = usize::from(place.width.saturating_sub(2));
    let from = values.len().saturating_sub(width);
    // A spark is a whole number: three decimals are kept.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float keeps to the bounds of the integer"
    )]
    let spark = |value: f64| (value * 1_000.0) as u64;
    let block = Block::new().borders(Borders::ALL);
    let mut chart = Sparkline::default()
        .data(values.skip(from).map(spark))
        .style(Style::new().fg(Color::Cyan))
        .block(block.border_style(muted()).title(title));
    if let Some(largest) = largest {
        chart = chart.max(spark(largest));
    }
    frame.render_widget(chart, place);
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, seen: &Seen, screen: &mut Screen) {
    let rows = rows::of(seen, screen.shown, &screen.filter);
    if rows.is_empty() && seen.now.status.is_some() {
        let nothing = match screen.shown {
            _ if !screen.filter.is_empty() => "Nothing contains that.",
            Shown::Incidents => "No incident is known.",
            Shown::Paths => "No path is measured yet.",
            Shown::Nodes | Shown::Events => "Nothing yet.",
        };
        frame.render_widget(Paragraph::new(nothing).block(line_above()), area);
        return;
    }
    let rows = rows.into_iter().map(|row| {
        let cells = row.cells.into_iter();
        Row::new(cells.map(|(text, style)| Cell::new(text).style(style)))
    });
    let (heads, widths) = rows::columns(screen.shown);
    let head = Row::new(heads.iter().copied().map(Cell::new)).style(muted());
    let table = Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(line_above());
    frame.render_stateful_widget(table, area, &mut screen.selected);
}

fn line_above() -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(muted())
}

fn draw_incident(
    frame: &mut Frame<'_>,
    area: Rect,
    seen: &Seen,
    incident: &IncidentView,
    scrolled: &mut u16,
) {
    let lines = told(seen, incident);
    let many = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    *scrolled = (*scrolled).min(many.saturating_sub(1));
    let text = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .scroll((*scrolled, 0))
        .block(line_above());
    frame.render_widget(text, area);
}

/// All that is known of an incident, line by line.
fn told(seen: &Seen, incident: &IncidentView) -> Vec<Line<'static>> {
    let head = |word: &'static str| Line::styled(word, muted());
    let ended = incident
        .ended_ms
        .map_or_else(String::new, |at| format!(", ended {}", moment(at)));
    let mut lines = vec![
        Line::styled(harmless(&incident.title), bold()),
        Line::from(vec![
            Span::styled(incident.severity.name(), grade(incident.severity)),
            Span::raw(format!(
                ", {}, since {}{ended}   {}",
                standing(incident.state),
                moment(incident.since_ms),
                incident.id
            )),
        ]),
        Line::default(),
        head("Probable cause"),
    ];
    let causes = incident.causes.iter();
    lines.extend(
        causes.map(|cause| Line::raw(format!("{:>3} %  {}", cause.percent, harmless(&cause.text)))),
    );
    lines.extend([
        Line::default(),
        head("Next step"),
        Line::raw(harmless(&incident.next_step)),
        Line::default(),
        head("Nodes"),
    ]);
    let nodes = incident.nodes.iter().map(|node| harmless(&seen.name(node)));
    lines.push(Line::raw(nodes.collect::<Vec<_>>().join(", ")));
    lines.extend([Line::default(), head("Alerts")]);
    let own = seen.now.alerts.iter();
    let own = own.filter(|alert| incident.alerts.contains(&alert.id));
    lines.extend(own.map(|alert| {
        let state = standing(alert.state);
        Line::raw(format!(
            "{}  {state:<12}  {}",
            alert.id,
            harmless(&alert.text)
        ))
    }));
    lines.extend([Line::default(), head("Acknowledged")]);
    let by = incident.acknowledged_by.as_deref();
    lines.push(Line::raw(match (by, incident.note.as_deref()) {
        (None, _) => "by nobody".to_owned(),
        (Some(by), None) => format!("by {}", harmless(by)),
        (Some(by), Some(note)) => format!("by {}: {}", harmless(by), harmless(note)),
    }));
    lines.extend([Line::default(), head("Notified")]);
    if incident.notified.is_empty() {
        lines.push(Line::raw("nobody"));
    }
    lines.extend(incident.notified.iter().map(|one| Line::raw(told_of(one))));
    lines
}

fn help() -> Paragraph<'static> {
    let lines = KEYS.map(|(keys, what)| {
        Line::from(vec![
            Span::styled(format!("{keys:<15}"), Style::new().fg(Color::Cyan)),
            Span::raw(what),
        ])
    });
    Paragraph::new(lines.to_vec()).block(line_above().title(" keys "))
}

fn footer(screen: &Screen) -> Line<'static> {
    let warning = Style::new().fg(Color::Black).bg(Color::Yellow);
    match (&screen.mode, &screen.said) {
        (Mode::Filter, _) => return Line::raw(format!("/{}█", harmless(&screen.filter))),
        (Mode::Jump(typed), _) => return Line::raw(format!(":{}█", harmless(typed))),
        (Mode::Confirm(_, question), _) => return Line::styled(question.clone(), warning),
        (Mode::Help, _) => return Line::styled("any key closes this list", muted()),
        (Mode::Browse, Some(Ok(done))) => return Line::raw(harmless(done)),
        (Mode::Browse, Some(Err(why))) => {
            return Line::styled(harmless(why), Style::new().fg(Color::Red));
        }
        (Mode::Browse, None) => {}
    }
    let tabs = Shown::ALL.into_iter().map(|(view, key, name)| {
        let style = if view == screen.shown {
            Style::new().fg(Color::Black).bg(Color::Cyan)
        } else {
            muted()
        };
        Span::styled(format!(" {key} {name} "), style)
    });
    let filter = match screen.filter.as_str() {
        "" => String::new(),
        filter => format!("  /{}", harmless(filter)),
    };
    let hint = match screen.shown {
        Shown::Incidents => "  a acknowledge  r resolve  s silence  Enter details  ? keys  q quit",
        Shown::Nodes | Shown::Paths | Shown::Events => "  / filter  ? keys  q quit",
    };
    let rest = [Span::raw(filter), Span::styled(hint, muted())];
    Line::from(tabs.chain(rest).collect::<Vec<_>>())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
