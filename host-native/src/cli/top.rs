//! `top`: the mesh as this node sees it, live in the terminal.

use crate::{
    cli::{
        ClientArgs,
        client::{Client, Method},
        print::{harmless, span},
    },
    exit::{Code, Failure},
};
use clap::Args;
use ratatui::{
    DefaultTerminal, Frame,
    crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Paragraph, Row, Sparkline, Table, TableState},
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{
        Member, NodeHealth, NodeVitals, PathView, SeriesPoints, Status, TimelineEntry, Verdict,
    },
};
use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

/// Between two questions to the node.
const REFRESH: Duration = Duration::from_secs(1);
/// The series of the charts.
const CHARTS: [&str; 4] = ["cpu", "latency", "messages_in", "writes"];

/// `sporenet top`.
#[derive(Args, Debug)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// What is shown below the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    Nodes,
    Paths,
    Events,
}

impl Shown {
    const ALL: [(Self, &'static str); 3] = [
        (Self::Nodes, "1 nodes"),
        (Self::Paths, "2 round trips"),
        (Self::Events, "3 events"),
    ];

    const fn next(self) -> Self {
        match self {
            Self::Nodes => Self::Paths,
            Self::Paths => Self::Events,
            Self::Events => Self::Nodes,
        }
    }
}

/// What the node answered last.
#[derive(Debug, Default)]
struct Seen {
    status: Option<Status>,
    members: Vec<Member>,
    vitals: Vec<NodeVitals>,
    health: Vec<NodeHealth>,
    paths: Vec<PathView>,
    events: Vec<TimelineEntry>,
    charts: Vec<SeriesPoints>,
    /// Why it does not answer now.
    trouble: Option<String>,
}

impl Seen {
    /// Asks for all that is shown. What does not come keeps its last value, and the reason is shown.
    fn refresh(&mut self, client: &Client) {
        self.trouble = self.ask(client).err().map(|failure| failure.to_string());
        self.charts = CHARTS
            .iter()
            .filter_map(|series| {
                let path = format!("/api/v1/metrics/{series}?since_s=120&points=120");
                client.json(Method::Get, &path).ok()
            })
            .collect();
    }

    fn ask(&mut self, client: &Client) -> Result<(), Failure> {
        self.status = Some(client.json(Method::Get, "/api/v1/status")?);
        self.members = client.json(Method::Get, "/api/v1/members")?;
        self.vitals = client.json(Method::Get, "/api/v1/vitals")?;
        self.health = client.json(Method::Get, "/api/v1/health")?;
        self.paths = client.json(Method::Get, "/api/v1/rtt")?;
        let page: serde_json::Value = client.json(Method::Get, "/api/v1/events?format=json")?;
        let entries = page.get("entries").unwrap_or(&page).clone();
        self.events = serde_json::from_value(entries).unwrap_or_default();
        Ok(())
    }
}

/// Shows the mesh until `q`.
pub(crate) fn top(args: &TopArgs) -> Result<(), Failure> {
    let client = Client::find(&args.client, true)?;
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::new(
            Code::Usage,
            "top needs a terminal; for scripts there are `sporenet vitals --json` and `sporenet health all --json`",
        ));
    }
    let terminal = ratatui::try_init().map_err(|error| failed(&error))?;
    let ended = run(terminal, &client);
    ratatui::restore();
    ended.map_err(|error| failed(&error))
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Code::Io, format!("the terminal can't be used: {error}"))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "most keys mean nothing here"
)]
fn run(mut terminal: DefaultTerminal, client: &Client) -> io::Result<()> {
    let mut seen = Seen::default();
    let mut shown = Shown::Nodes;
    let mut selected = TableState::default().with_selected(0);
    let mut due = Instant::now();
    loop {
        if Instant::now() >= due {
            seen.refresh(client);
            due = Instant::now() + REFRESH;
        }
        terminal.draw(|frame| draw(frame, &seen, shown, &mut selected))?;
        if !event::poll(due.saturating_duration_since(Instant::now()))? {
            continue;
        }
        let Event::Key(key) = event::read()? else {
            continue;
        };
        if key.kind != KeyEventKind::Press {
            continue;
        }
        let interrupted =
            key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
        match key.code {
            _ if interrupted => return Ok(()),
            KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
            KeyCode::Char('1') => shown = Shown::Nodes,
            KeyCode::Char('2') => shown = Shown::Paths,
            KeyCode::Char('3') => shown = Shown::Events,
            KeyCode::Tab => shown = shown.next(),
            KeyCode::Down | KeyCode::Char('j') => selected.select_next(),
            KeyCode::Up | KeyCode::Char('k') => selected.select_previous(),
            KeyCode::Home | KeyCode::Char('g') => selected.select_first(),
            KeyCode::End | KeyCode::Char('G') => selected.select_last(),
            _ => {}
        }
    }
}

fn draw(frame: &mut Frame<'_>, seen: &Seen, shown: Shown, selected: &mut TableState) {
    let [head, charts, body, foot] = Layout::vertical([
        Constraint::Length(3),
        Constraint::Length(6),
        Constraint::Min(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(header(seen), head);
    draw_charts(frame, charts, &seen.charts);
    match shown {
        Shown::Nodes => draw_nodes(frame, body, seen, selected),
        Shown::Paths => draw_paths(frame, body, &seen.paths, selected),
        Shown::Events => draw_events(frame, body, &seen.events, selected),
    }
    let tabs = Shown::ALL.iter().map(|(view, name)| {
        let style = if *view == shown {
            Style::new().fg(Color::Black).bg(Color::Cyan)
        } else {
            muted()
        };
        Span::styled(format!(" {name} "), style)
    });
    let keys = Span::styled("  Tab next  ↑↓ j k move  q quit", muted());
    let line: Vec<Span<'_>> = tabs.chain([keys]).collect();
    frame.render_widget(Line::from(line), foot);
}

const fn muted() -> Style {
    Style::new().fg(Color::DarkGray)
}

fn header(seen: &Seen) -> Paragraph<'_> {
    let Some(status) = &seen.status else {
        let text = seen
            .trouble
            .clone()
            .unwrap_or_else(|| "asking the node …".to_owned());
        return Paragraph::new(text);
    };
    let (word, colour) = match status.verdict {
        Verdict::Healthy => ("healthy", Color::Green),
        Verdict::Degraded => ("degraded", Color::Yellow),
        Verdict::Joining | Verdict::Leaving => ("joining or leaving", Color::Yellow),
        Verdict::Isolated => ("isolated", Color::Red),
        Verdict::Fenced => ("fenced", Color::Red),
    };
    let members = &status.members;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let first = Line::from(vec![
        Span::styled("sporenet ", Style::new().fg(Color::Cyan)),
        Span::styled(harmless(&status.name), bold),
        Span::raw(" is "),
        Span::styled(word, Style::new().fg(colour).add_modifier(Modifier::BOLD)),
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
        Some(trouble) => Line::styled(trouble.clone(), Style::new().fg(Color::Red)),
        None => Line::styled(reason.unwrap_or_default(), muted()),
    };
    Paragraph::new(vec![first, second])
}

fn draw_charts(frame: &mut Frame<'_>, area: Rect, charts: &[SeriesPoints]) {
    let places = Layout::horizontal([Constraint::Ratio(1, 4); 4]).split(area);
    for (place, series) in places.iter().zip(charts) {
        let latest = series.points.last().map_or(0.0, |(_, value)| *value);
        let title = format!(
            " {} {latest:.1} {} ",
            series.series.replace('_', " "),
            series.unit
        );
        let width = usize::from(place.width.saturating_sub(2));
        let from = series.points.len().saturating_sub(width);
        // A spark is a whole number: three decimals are kept.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float keeps to the bounds of the integer"
        )]
        let sparks = series
            .points
            .iter()
            .skip(from)
            .map(|(_, value)| (value * 1_000.0) as u64);
        let chart = Sparkline::default()
            .data(sparks)
            .style(Style::new().fg(Color::Cyan))
            .block(
                Block::new()
                    .borders(Borders::ALL)
                    .border_style(muted())
                    .title(title),
            );
        frame.render_widget(chart, *place);
    }
}

fn draw_nodes(frame: &mut Frame<'_>, area: Rect, seen: &Seen, selected: &mut TableState) {
    let unknown = || "unknown".to_owned();
    let rows = seen.members.iter().map(|member| {
        let vitals = seen.vitals.iter().find(|vitals| vitals.id == member.id);
        let health = seen.health.iter().find(|health| health.node == member.id);
        let (word, colour) = match member.state {
            MemberState::Alive => ("● alive", Color::Green),
            MemberState::Suspect => ("▲ suspect", Color::Yellow),
            MemberState::Dead => ("■ dead", Color::Red),
            MemberState::Left => ("○ left", Color::DarkGray),
            MemberState::Parked => ("‖ parked", Color::DarkGray),
        };
        let share = |part: Option<u64>, whole: Option<u64>| {
            let whole = whole.filter(|whole| *whole > 0)?;
            Some(format!("{} %", part?.saturating_mul(100) / whole))
        };
        let score = health.and_then(|health| health.score);
        let tint = match score {
            Some(score) if score > 0.5 => Color::Green,
            Some(score) if score > 0.3 => Color::Yellow,
            Some(_) => Color::Red,
            None => Color::DarkGray,
        };
        let of = |figure: &dyn Fn(&NodeVitals) -> Option<String>| {
            vitals.and_then(figure).unwrap_or_else(unknown)
        };
        Row::new([
            Cell::new(word).style(Style::new().fg(colour)),
            Cell::new(harmless(&member.name)),
            Cell::new(score.map_or_else(unknown, |score| format!("{:.0} %", score * 100.0)))
                .style(Style::new().fg(tint)),
            Cell::new(of(&|one| Some(format!("{} %", one.cpu_permille? / 10)))),
            Cell::new(of(&|one| share(one.memory_used_kib, one.memory_limit_kib))),
            Cell::new(of(&|one| share(one.disk_used_kib, one.disk_total_kib))),
            Cell::new(of(&|one| Some(format!("{} ms", one.loop_lag_ms?)))),
            Cell::new(match member.rtt_ms {
                Some(rtt) => format!("{rtt:.1} ms"),
                None if member.this_node => "this node".to_owned(),
                None => "-".to_owned(),
            }),
            Cell::new(member.reason.as_deref().map(harmless).unwrap_or_default()),
        ])
    });
    let widths = [
        Constraint::Length(10),
        Constraint::Length(18),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Min(10),
    ];
    let heads = [
        "STATE", "NAME", "HEALTH", "CPU", "MEMORY", "DISK", "LAG", "RTT", "WHY",
    ];
    frame.render_stateful_widget(table(rows, &widths, &heads), area, selected);
}

fn draw_paths(frame: &mut Frame<'_>, area: Rect, paths: &[PathView], selected: &mut TableState) {
    let rows = paths.iter().map(|path| {
        let style = if path.loss > 0.02 {
            Style::new().fg(Color::Yellow)
        } else {
            Style::new()
        };
        Row::new([
            harmless(&path.from_name),
            harmless(&path.to_name),
            format!("{:.1} ms", path.rtt_ms),
            format!("{:.1} ms", path.min_ms),
            format!("{:.1} ms", path.jitter_ms),
            format!("{:.1} %", path.loss * 100.0),
            span(path.age_ms / 1_000),
        ])
        .style(style)
    });
    let widths = [
        Constraint::Length(18),
        Constraint::Length(18),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Min(6),
    ];
    let heads = ["FROM", "TO", "RTT", "MIN", "JITTER", "LOSS", "AGE"];
    frame.render_stateful_widget(table(rows, &widths, &heads), area, selected);
}

fn draw_events(
    frame: &mut Frame<'_>,
    area: Rect,
    events: &[TimelineEntry],
    selected: &mut TableState,
) {
    let rows = events.iter().rev().map(|entry| {
        let at = crate::cli::print::moment(entry.wall.as_millis());
        Row::new([at, entry.code.clone(), harmless(&entry.text)])
    });
    let widths = [
        Constraint::Length(21),
        Constraint::Length(18),
        Constraint::Min(20),
    ];
    frame.render_stateful_widget(
        table(rows, &widths, &["AT", "WHAT", "IN WORDS"]),
        area,
        selected,
    );
}

fn table<'a>(
    rows: impl Iterator<Item = Row<'a>>,
    widths: &'a [Constraint],
    heads: &[&'a str],
) -> Table<'a> {
    let head = Row::new(heads.iter().copied().map(Cell::new)).style(muted());
    Table::new(rows, widths)
        .header(head)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::new().borders(Borders::TOP).border_style(muted()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};

    #[test]
    fn every_view_is_drawn_with_nothing_known_and_in_a_small_terminal() {
        for (width, height) in [(120, 40), (20, 8), (1, 1)] {
            for (shown, _) in Shown::ALL {
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                let mut selected = TableState::default();
                let seen = Seen::default();
                terminal
                    .draw(|frame| draw(frame, &seen, shown, &mut selected))
                    .unwrap();
            }
        }
    }
}
