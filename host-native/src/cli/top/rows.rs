//! The rows of the tables.

use super::{
    draw::{grade, muted},
    screen::Shown,
    seen::Seen,
};
use crate::cli::{
    alerts::standing,
    print::{harmless, moment, span},
};
use ratatui::{
    layout::Constraint,
    style::{Color, Style},
};
use sporenet_core::{
    membership::member::MemberState,
    node::snapshot::{Member, NodeVitals, PathView},
};

/// The most incidents that are listed: the open ones come first.
const INCIDENTS_MAX: usize = 500;

/// A row: what its cells say and how they look.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) cells: Vec<(String, Style)>,
    /// The incident that it is about.
    pub(super) id: Option<String>,
}

impl Row {
    fn plain<const N: usize>(cells: [String; N], style: Style) -> Self {
        let cells = cells.into_iter().map(|cell| (cell, style)).collect();
        Self { cells, id: None }
    }

    fn contains(&self, filter: &str) -> bool {
        let mut cells = self.cells.iter();
        cells.any(|(cell, _)| cell.to_lowercase().contains(filter))
    }
}

/// The rows of a view that contain the filter, in capital or small letters.
pub(super) fn of(seen: &Seen, shown: Shown, filter: &str) -> Vec<Row> {
    let filter = filter.to_lowercase();
    let mut rows = match shown {
        Shown::Nodes => seen.now.members.iter().map(|one| node(seen, one)).collect(),
        Shown::Paths => seen.now.paths.iter().map(path).collect(),
        Shown::Events => events(seen),
        Shown::Incidents => incidents(seen),
    };
    rows.retain(|row| row.contains(&filter));
    rows
}

/// The headings of a view, and how wide each column is.
pub(super) const fn columns(shown: Shown) -> (&'static [&'static str], &'static [Constraint]) {
    use Constraint::{Length, Min};
    match shown {
        Shown::Nodes => (
            &[
                "STATE", "NAME", "HEALTH", "CPU", "MEMORY", "DISK", "LAG", "RTT", "WHY",
            ],
            &[
                Length(10),
                Length(18),
                Length(8),
                Length(8),
                Length(8),
                Length(8),
                Length(8),
                Length(10),
                Min(10),
            ],
        ),
        Shown::Paths => (
            &["FROM", "TO", "RTT", "MIN", "JITTER", "LOSS", "AGE"],
            &[
                Length(18),
                Length(18),
                Length(10),
                Length(10),
                Length(10),
                Length(8),
                Min(6),
            ],
        ),
        Shown::Events => (
            &["AT", "WHAT", "IN WORDS"],
            &[Length(21), Length(18), Min(20)],
        ),
        Shown::Incidents => (
            &[
                "ID", "SEVERITY", "STATE", "SINCE", "CAUSE", "NODES", "BY", "WHAT",
            ],
            &[
                Length(8),
                Length(8),
                Length(12),
                Length(20),
                Length(20),
                Length(18),
                Length(14),
                Min(20),
            ],
        ),
    }
}

fn node(seen: &Seen, member: &Member) -> Row {
    let unknown = || "unknown".to_owned();
    let now = &seen.now;
    let vitals = now.vitals.iter().find(|vitals| vitals.id == member.id);
    let health = now.health.iter().find(|health| health.node == member.id);
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
        let known = vitals.and_then(figure);
        (known.unwrap_or_else(unknown), Style::new())
    };
    let rtt = match member.rtt_ms {
        Some(rtt) => format!("{rtt:.1} ms"),
        None if member.this_node => "this node".to_owned(),
        None => "-".to_owned(),
    };
    let why = member.reason.as_deref().map(harmless).unwrap_or_default();
    let health = score.map_or_else(unknown, |score| format!("{:.0} %", score * 100.0));
    let cells = vec![
        (word.to_owned(), Style::new().fg(colour)),
        (harmless(&member.name), Style::new()),
        (health, Style::new().fg(tint)),
        of(&|one| Some(format!("{} %", one.cpu_permille? / 10))),
        of(&|one| share(one.memory_used_kib, one.memory_limit_kib)),
        of(&|one| share(one.disk_used_kib, one.disk_total_kib)),
        of(&|one| Some(format!("{} ms", one.loop_lag_ms?))),
        (rtt, Style::new()),
        (why, Style::new()),
    ];
    Row { cells, id: None }
}

fn path(path: &PathView) -> Row {
    let style = if path.loss > 0.02 {
        Style::new().fg(Color::Yellow)
    } else {
        Style::new()
    };
    let cells = [
        harmless(&path.from_name),
        harmless(&path.to_name),
        format!("{:.1} ms", path.rtt_ms),
        format!("{:.1} ms", path.min_ms),
        format!("{:.1} ms", path.jitter_ms),
        format!("{:.1} %", path.loss * 100.0),
        span(path.age_ms / 1_000),
    ];
    Row::plain(cells, style)
}

fn events(seen: &Seen) -> Vec<Row> {
    let newest = seen.now.events.iter().rev();
    newest
        .map(|entry| {
            let at = moment(entry.wall.as_millis());
            let cells = [at, entry.code.clone(), harmless(&entry.text)];
            Row::plain(cells, Style::new())
        })
        .collect()
}

fn incidents(seen: &Seen) -> Vec<Row> {
    let listed = seen.incidents().into_iter().take(INCIDENTS_MAX);
    listed
        .map(|incident| {
            let usual = if incident.ended_ms.is_some() {
                muted()
            } else {
                Style::new()
            };
            let severity = if incident.ended_ms.is_some() {
                usual
            } else {
                grade(incident.severity)
            };
            let cause = incident.causes.first().map_or_else(
                || "unknown".to_owned(),
                |first| format!("{} {} %", first.code, first.percent),
            );
            let nodes: Vec<String> = incident
                .nodes
                .iter()
                .map(|node| harmless(&seen.name(node)))
                .collect();
            let by = incident.acknowledged_by.as_deref().unwrap_or("-");
            let cells = [
                (incident.id.clone(), usual),
                (incident.severity.name().to_owned(), severity),
                (standing(incident.state).to_owned(), usual),
                (moment(incident.since_ms), usual),
                (cause, usual),
                (nodes.join(", "), usual),
                (harmless(by), usual),
                (harmless(&incident.title), usual),
            ];
            Row {
                cells: cells.into(),
                id: Some(incident.id.clone()),
            }
        })
        .collect()
}
