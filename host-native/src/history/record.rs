//! What history keeps: typed records, each with a key that no other record of this node has.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sporenet_core::{
    kernel::id::NodeId,
    node::{contract::Severity, snapshot::TimelineEntry},
};

/// The largest body of a record, in bytes of JSON. What is larger is dropped and counted.
pub(super) const BODY_BYTES_MAX: usize = 64 << 10;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An entry of the timeline.
    Event,
    /// What somebody did over the API.
    Audit,
    /// A minute of a series.
    Minute,
    /// An hour of a series, made of its minutes.
    Hour,
    /// An alert from its beginning to its end.
    Alert,
    /// An incident from its beginning to its end.
    Incident,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Event,
        Self::Audit,
        Self::Minute,
        Self::Hour,
        Self::Alert,
        Self::Incident,
    ];

    /// Its name in the database and in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Audit => "audit",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Alert => "alert",
            Self::Incident => "incident",
        }
    }

    /// Whether a record may come again with what is new of it; the later one takes the place of the
    /// earlier one.
    pub(super) const fn goes_on(self) -> bool {
        match self {
            Self::Alert | Self::Incident => true,
            Self::Event | Self::Audit | Self::Minute | Self::Hour => false,
        }
    }
}

/// Something that happened, as history keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Record {
    /// An entry of the timeline.
    Event(Event),
    /// What somebody did over the API.
    Audit(Audit),
    /// A minute of a series.
    Minute(RollUp),
    /// An hour of a series.
    Hour(RollUp),
    /// An alert; record it again whenever something about it changes.
    Alert(Alert),
    /// An incident; record it again whenever something about it changes.
    Incident(Incident),
}

/// An entry of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The run of the node that it belongs to.
    pub(crate) instance: u64,
    /// The entry.
    pub(crate) entry: TimelineEntry,
}

/// What somebody did over the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Audit {
    /// The run of the node, and a number in it.
    pub(crate) key: (u64, u64),
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// A stable word for what was asked, such as `forget`.
    pub(crate) action: &'static str,
    /// Who asked: the address of the connection, and what its program calls itself.
    pub(crate) who: String,
    /// The member that it was about, if it was about one.
    pub(crate) node: Option<NodeId>,
    /// What exactly, in plain words; never a secret.
    pub(crate) detail: String,
    /// `done`, or the code of the refusal.
    pub(crate) outcome: &'static str,
}

/// A stretch of a series of this node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RollUp {
    /// Whose.
    pub(crate) node: String,
    /// What was measured.
    pub(crate) series: String,
    /// In which unit.
    pub(crate) unit: String,
    /// When the stretch began, in milliseconds since 1970.
    pub(crate) from_ms: u64,
    /// How many points of the node's own store it is made of.
    pub(crate) points: u64,
    /// The mean of the points.
    pub(crate) mean: f64,
    /// The least sample.
    pub(crate) min: f64,
    /// The greatest sample.
    pub(crate) max: f64,
    /// The last point.
    pub(crate) last: f64,
}

/// An alert from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    /// The episode; no other alert of this node ever has the same, in no run.
    pub(crate) id: String,
    /// The rule that it came from.
    pub(crate) rule: String,
    /// Whom it is about.
    pub(crate) node: Option<NodeId>,
    /// The series that it is about, if it is about one.
    pub(crate) metric: Option<String>,
    /// How serious.
    pub(crate) severity: Severity,
    /// A word such as `firing` or `resolved`.
    pub(crate) state: String,
    /// What is wrong, in plain words.
    pub(crate) text: String,
    /// When it began, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// When it ended, if it has.
    pub(crate) ended_ms: Option<u64>,
    /// Who has seen it, if anybody.
    pub(crate) acknowledged_by: Option<String>,
    /// What they wrote about it.
    pub(crate) note: Option<String>,
}

/// An incident from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// No other incident of this node ever has the same, in no run.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) title: String,
    /// How serious.
    pub(crate) severity: Severity,
    /// A word such as `open` or `closed`.
    pub(crate) state: String,
    /// A stable word for what it comes from; `unknown` where nothing explains it.
    pub(crate) cause: String,
    /// The nodes that it touches.
    pub(crate) nodes: Vec<NodeId>,
    /// The alerts that belong to it.
    pub(crate) alerts: Vec<String>,
    /// When it began, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// When it ended, if it has.
    pub(crate) ended_ms: Option<u64>,
}

/// A record as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) kind: Kind,
    /// With the kind, what no other record of this node has.
    pub(super) key: String,
    pub(super) at_ms: u64,
    pub(super) node: Option<String>,
    pub(super) code: String,
    pub(super) severity: Option<&'static str>,
    /// An object of JSON.
    pub(super) body: String,
}

/// A record as it is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// With its kind, what no other record of its node has.
    pub(crate) key: String,
    /// When it happened or began, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The node that it is about, 64 hexadecimal digits.
    pub(crate) node: Option<String>,
    /// The code of an event, the act of an audit line, the series of a roll-up, the rule of an alert, the
    /// cause of an incident.
    pub(crate) code: String,
    /// `info`, `warn` or `error`, where it has a severity.
    pub(crate) severity: Option<String>,
    /// The rest, by kind.
    #[serde(flatten)]
    pub(crate) body: Map<String, Value>,
}

impl Record {
    /// Its kind.
    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Event(_) => Kind::Event,
            Self::Audit(_) => Kind::Audit,
            Self::Minute(_) => Kind::Minute,
            Self::Hour(_) => Kind::Hour,
            Self::Alert(_) => Kind::Alert,
            Self::Incident(_) => Kind::Incident,
        }
    }

    /// As the database has it; `None` if it is too large.
    pub(super) fn stored(self) -> Option<Stored> {
        let kind = self.kind();
        let stored = match self {
            Self::Event(event) => of_event(event),
            Self::Audit(audit) => of_audit(audit),
            Self::Minute(part) | Self::Hour(part) => of_roll_up(part, kind),
            Self::Alert(alert) => of_alert(alert),
            Self::Incident(incident) => of_incident(incident),
        };
        (stored.body.len() <= BODY_BYTES_MAX).then_some(stored)
    }
}

fn of_event(Event { instance, entry }: Event) -> Stored {
    Stored {
        kind: Kind::Event,
        key: format!("{instance:016x}-{}", entry.id),
        at_ms: entry.wall.as_millis(),
        node: entry.subject.map(|id| id.to_string()),
        code: entry.code,
        severity: Some(word(entry.severity)),
        body: written(&json!({ "text": entry.text })),
    }
}

fn of_audit(audit: Audit) -> Stored {
    let (instance, number) = audit.key;
    Stored {
        kind: Kind::Audit,
        key: format!("{instance:016x}-{number}"),
        at_ms: audit.at_ms,
        node: audit.node.map(|id| id.to_string()),
        code: audit.action.to_owned(),
        severity: None,
        body: written(&json!({
            "who": audit.who,
            "detail": audit.detail,
            "outcome": audit.outcome,
        })),
    }
}

fn of_roll_up(part: RollUp, kind: Kind) -> Stored {
    Stored {
        kind,
        key: format!("{}@{}", part.series, part.from_ms),
        at_ms: part.from_ms,
        node: Some(part.node),
        code: part.series,
        severity: None,
        body: written(&json!({
            "unit": part.unit,
            "points": part.points,
            "mean": rounded(part.mean),
            "min": rounded(part.min),
            "max": rounded(part.max),
            "last": rounded(part.last),
        })),
    }
}

fn of_alert(alert: Alert) -> Stored {
    Stored {
        kind: Kind::Alert,
        key: alert.id,
        at_ms: alert.since_ms,
        node: alert.node.map(|id| id.to_string()),
        code: alert.rule,
        severity: Some(word(alert.severity)),
        body: written(&json!({
            "metric": alert.metric,
            "state": alert.state,
            "text": alert.text,
            "ended_ms": alert.ended_ms,
            "acknowledged_by": alert.acknowledged_by,
            "note": alert.note,
        })),
    }
}

fn of_incident(incident: Incident) -> Stored {
    let nodes = incident.nodes.iter().map(ToString::to_string);
    let nodes: Vec<String> = nodes.collect();
    Stored {
        kind: Kind::Incident,
        key: incident.id,
        at_ms: incident.since_ms,
        node: None,
        code: incident.cause,
        severity: Some(word(incident.severity)),
        body: written(&json!({
            "title": incident.title,
            "state": incident.state,
            "nodes": nodes,
            "alerts": incident.alerts,
            "ended_ms": incident.ended_ms,
        })),
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error => "error",
    }
}

/// JSON that PostgreSQL takes too: its `jsonb` has no character of number 0.
fn written(body: &Value) -> String {
    body.to_string().replace("\\u0000", "\\ufffd")
}

/// Thousandths are enough for percents and milliseconds, and their digits take less room.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
