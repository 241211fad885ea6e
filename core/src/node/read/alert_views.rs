//! Alerts, incidents, silences, channels and settings as plain data. Unknown is null. Moments are milliseconds
//! since 1970 UTC.

use crate::{
    kernel::text::Name,
    observe::alerts::{
        Standing,
        record::{Ending, Grade, ToldKey},
    },
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// One time in which something was beyond a rule's threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertView {
    /// Eight hexadecimal digits.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// How serious it is.
    pub severity: Grade,
    /// How it stands.
    pub state: Standing,
    /// The node that it is about, 64 hexadecimal digits.
    pub node: String,
    /// What people call that node.
    pub node_name: String,
    /// Where the path leads, for what is measured of paths.
    pub peer: Option<String>,
    /// What people call that.
    pub peer_name: Option<String>,
    /// What is measured.
    pub metric: String,
    /// The value that decided; null while it is pending.
    pub value: Option<f64>,
    /// The threshold that it crossed; null while it is pending.
    pub threshold: Option<f64>,
    /// What both are counted in; may be empty.
    pub unit: String,
    /// When it began.
    pub since_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Why it ended.
    pub ending: Option<Ending>,
    /// Who acknowledged or resolved it.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged_ms: Option<u64>,
    /// With which words.
    pub note: Option<String>,
    /// Until when nobody is notified of it.
    pub silenced_until_ms: Option<u64>,
    /// The incident that it belongs to.
    pub incident: Option<String>,
    /// All of it in a sentence.
    pub text: String,
}

/// Alerts with one cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentView {
    /// Eight hexadecimal digits.
    pub id: String,
    /// What happened, in a few words.
    pub title: String,
    /// How serious it is.
    pub severity: Grade,
    /// How it stands: `firing` until somebody acknowledges all of it.
    pub state: Standing,
    /// The likeliest cause: a stable word.
    pub cause: String,
    /// The likely causes in words, with their share, the likeliest first.
    pub causes: Vec<CauseView>,
    /// What helps next, in a sentence.
    pub next_step: String,
    /// The nodes that it is about, 64 hexadecimal digits each.
    pub nodes: Vec<String>,
    /// Its alerts, the oldest first.
    pub alerts: Vec<String>,
    /// When it began.
    pub since_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Who acknowledged it last.
    pub acknowledged_by: Option<String>,
    /// With which words.
    pub note: Option<String>,
    /// Who was told, the first first.
    pub notified: Vec<NotifiedView>,
}

/// A cause that may lie behind an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CauseView {
    /// A stable word.
    pub code: String,
    /// In words.
    pub text: String,
    /// How likely, in percent of all that is known.
    pub percent: u8,
}

/// That a channel was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifiedView {
    /// Which channel.
    pub channel: String,
    /// The step of the escalation, from 0; null for the word that it is over.
    pub step: Option<u8>,
    /// By which node.
    pub by: String,
    /// When.
    pub at_ms: u64,
    /// Whether the recipient took it; null while that is open.
    pub ok: Option<bool>,
    /// Why not.
    pub error: Option<String>,
}

/// What nobody is notified of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SilenceView {
    /// Eight hexadecimal digits.
    pub id: String,
    /// What it fits.
    pub fits: String,
    /// Until when.
    pub until_ms: u64,
    /// When it was made.
    pub at_ms: u64,
    /// Who made it.
    pub by: String,
    /// With which words.
    pub note: Option<String>,
}

/// A channel of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Below this it is not used.
    pub min_severity: Grade,
    /// The nodes that have it.
    pub nodes: Vec<String>,
}

/// A setting of the mesh.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingView {
    /// Its name.
    pub key: String,
    /// What it does.
    pub meaning: String,
    /// The value in force, as it is written.
    pub value: String,
    /// What holds while nobody has set it.
    pub default: String,
    /// How many times it was set.
    pub version: u32,
    /// Who set it last.
    pub changed_by: Option<String>,
    /// When.
    pub changed_ms: Option<u64>,
}

/// A setting as it was at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionView {
    /// From 1.
    pub version: u32,
    /// The value; the default where it was set back.
    pub value: String,
    /// Who set it.
    pub by: String,
    /// When.
    pub at_ms: u64,
    /// Why.
    pub note: Option<String>,
    /// Whether it was set at the same time as another, and lost.
    pub lost: bool,
}

/// What a rule would have done to what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DryRun {
    /// The rule, as it is understood.
    pub rule: String,
    /// How many times it would have fired.
    pub fired: u32,
    /// From when on there are measurements.
    pub from_ms: Option<u64>,
    /// The times, the oldest first.
    pub times: Vec<DryAlert>,
}

/// A time in which a rule would have fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DryAlert {
    /// The node.
    pub node: String,
    /// What people call it.
    pub node_name: String,
    /// The series that was beyond the threshold.
    pub series: String,
    /// From when.
    pub since_ms: u64,
    /// Until when; null if it would fire still.
    pub ended_ms: Option<u64>,
    /// Whether the second threshold was crossed.
    pub critical: bool,
}

/// What a channel is to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Comes back in the answer; the same however often it is tried.
    pub key: ToldKey,
    /// The incident, eight hexadecimal digits.
    pub incident: String,
    /// What happened, in a few words.
    pub title: String,
    /// How serious it is.
    pub severity: Grade,
    /// How it stands.
    pub state: Standing,
    /// The likeliest cause, in words.
    pub cause: String,
    /// What people call its nodes.
    pub nodes: Vec<String>,
    /// Its alerts, a sentence each.
    pub alerts: Vec<String>,
    /// When it began, in milliseconds since 1970.
    pub since_ms: u64,
    /// The network's name.
    pub network: Name,
}
