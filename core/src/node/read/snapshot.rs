//! What a console, an API or a person reads: plain views, made on request.
//!
//! They serialise to the JSON that `docs/api.md` documents. Unknown is `None`, never a guess.

use crate::{
    kernel::{
        address::Address,
        bytes::Bytes,
        id::{NodeId, Role},
        text::{Key, Name, Zone},
        time::{Time, WallTime},
    },
    membership::member::MemberState,
};
pub use crate::{
    node::contract::Severity,
    replication::typed::{Content, FieldView, Kind, PartsPage},
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// How the node is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that should be there is there.
    Healthy,
    /// It works, but something wants attention.
    Degraded,
    /// It has peers and reaches none of them.
    Isolated,
    /// Its identity runs elsewhere; it takes no writes.
    Fenced,
    /// It has not been let in yet, or was just now and does not know the members.
    Joining,
    /// It is leaving.
    Leaving,
}

/// How many members are in which state, this node included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberCounts {
    /// Alive.
    pub alive: u32,
    /// Suspect.
    pub suspect: u32,
    /// Dead.
    pub dead: u32,
    /// Left.
    pub left: u32,
    /// Parked.
    pub parked: u32,
}

/// How much data there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvCounts {
    /// Keys with a value.
    pub keys: u64,
    /// Batches in the log.
    pub batches: u64,
}

/// The node in one view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The node, 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// The network, 64 hexadecimal digits.
    pub network: String,
    /// The program's version.
    pub version: String,
    /// Relay or tab.
    pub role: Role,
    /// Its incarnation.
    pub incarnation: u64,
    /// How it is.
    pub verdict: Verdict,
    /// Why, in plain words, most important first.
    pub reasons: Vec<String>,
    /// `normal`, `read-only`, `fenced`, `joining` or `leaving`.
    pub mode: String,
    /// Members by state.
    pub members: MemberCounts,
    /// Data.
    pub kv: KvCounts,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// How far this node's clock is ahead of those of its peers (behind, if negative); `None` where
    /// there is none to compare with.
    pub clock_ahead_ms: Option<i64>,
}

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceView {
    /// −90 to 90.
    pub latitude: f64,
    /// −180 to 180.
    pub longitude: f64,
    /// Whether it is only guessed.
    pub estimated: bool,
}

/// One member as this node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The member, 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// Relay or tab.
    pub role: Role,
    /// What it is believed to be.
    pub state: MemberState,
    /// Its incarnation.
    pub incarnation: u64,
    /// Its zone, if it declared one.
    pub zone: Option<Zone>,
    /// Where it stands: as it declared, or guessed from its time zone.
    pub place: Option<PlaceView>,
    /// Where it accepts links.
    pub addresses: Vec<Address>,
    /// Smoothed round-trip time of the direct link.
    pub rtt_ms: Option<f64>,
    /// How long ago it was heard on the direct link.
    pub last_heard_ms: Option<u64>,
    /// Why it is in that state, in plain words.
    pub reason: Option<String>,
    /// How long it has been in that state.
    pub since_ms: u64,
    /// A tab's home relays.
    pub homes: Vec<String>,
    /// Whether this is the node that answers.
    pub this_node: bool,
    /// Whether there is a direct link to it.
    pub linked: bool,
}

/// How a node is, as it last told. What it has never measured, or has not told, is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeVitals {
    /// The node, 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// Relay or tab.
    pub role: Role,
    /// How old that is; null if it has told nothing.
    pub age_ms: Option<u64>,
    /// How busy the processors are that it may use, in thousandths.
    pub cpu_permille: Option<u64>,
    /// Memory in use of what it may use.
    pub memory_used_kib: Option<u64>,
    /// Memory that it may use.
    pub memory_limit_kib: Option<u64>,
    /// What is used of its data directory's file system.
    pub disk_used_kib: Option<u64>,
    /// The size of that file system.
    pub disk_total_kib: Option<u64>,
    /// Bytes received from the network in a second.
    pub network_rx: Option<u64>,
    /// Bytes sent to the network in a second.
    pub network_tx: Option<u64>,
    /// Open file descriptors.
    pub descriptors_used: Option<u64>,
    /// How many may be open.
    pub descriptors_limit: Option<u64>,
    /// How late its event loop was.
    pub loop_lag_ms: Option<u64>,
    /// From the start of a commit until it was durable.
    pub journal_latency_ms: Option<u64>,
    /// Messages that wait to be sent.
    pub send_queue: Option<u64>,
    /// Whether a tab is visible.
    pub visible: Option<bool>,
    /// What a tab uses of the storage that the browser grants it.
    pub storage_used_kib: Option<u64>,
    /// How much the browser grants it.
    pub storage_quota_kib: Option<u64>,
    /// What a tab uses of its heap.
    pub heap_used_kib: Option<u64>,
    /// How large the heap may become.
    pub heap_limit_kib: Option<u64>,
    /// Over which transports other relays reach it; empty until they tried.
    pub transports: Vec<TransportView>,
}

/// Whether others reach a node over a transport.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportView {
    /// `tcp`, `ws` or `wss`.
    pub transport: String,
    /// Whether a connection opened at each address of it that other relays tried last.
    pub reached: bool,
}

/// A series of a node, with its latest value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesView {
    /// Whose, 64 hexadecimal digits.
    pub node: String,
    /// What people call it.
    pub name: String,
    /// What is measured.
    pub series: String,
    /// What its values are counted in.
    pub unit: String,
    /// When it was measured, in milliseconds since 1970.
    pub at_ms: u64,
    /// The latest value.
    pub value: f64,
}

/// A part of a series, as a chart shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoints {
    /// Whose, 64 hexadecimal digits.
    pub node: String,
    /// What is measured.
    pub series: String,
    /// What its values are counted in.
    pub unit: String,
    /// The time that a point stands for, in milliseconds.
    pub step_ms: u64,
    /// When each begins, in milliseconds since 1970, and the mean of its samples. A step without samples
    /// is left out: its value is unknown.
    pub points: Vec<(u64, f64)>,
    /// The smallest sample; `None` if there is none.
    pub min: Option<f64>,
    /// The largest sample; `None` if there is none.
    pub max: Option<f64>,
}

/// What is unusual about a series of the node that answers, and where it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Whose, 64 hexadecimal digits.
    pub node: String,
    /// What is measured.
    pub series: String,
    /// What its values are counted in.
    pub unit: String,
    /// How unusual each ten seconds of the last two hours were: when they began, in milliseconds since 1970,
    /// and from 0 to 1.
    pub unusual: Vec<(u64, f64)>,
    /// What was told about it, the oldest first.
    pub findings: Vec<Finding>,
    /// What is expected in the next hour; empty while too little is known.
    pub forecast: Vec<Expected>,
    /// When something is used up, such as "disk full in about 3 h"; null if that is not in sight.
    pub reaches: Option<String>,
    /// How often findings and forecasts were right.
    pub scores: Vec<Score>,
}

/// Something unusual that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What, in a sentence.
    pub text: String,
    /// Whether an alert about the node followed within 15 minutes; null until that is known.
    pub borne_out: Option<bool>,
}

/// What a series is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The expected value.
    pub mean: f64,
    /// Nine of ten values lie between this
    pub low: f64,
    /// and this.
    pub high: f64,
}

/// How often something that was told was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// `findings`, of all series of the node, or `forecasts`, of this one.
    pub what: String,
    /// How often.
    pub right: u32,
    /// How often not.
    pub wrong: u32,
    /// Both in a sentence.
    pub text: String,
}

/// How healthy a node is, from what others observe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeHealth {
    /// The node, 64 hexadecimal digits.
    pub node: String,
    /// What people call it.
    pub name: String,
    /// From 0, ill, to 1, well; null where nobody measured enough.
    pub score: Option<f64>,
    /// Whether it takes part, was heard of within five minutes and scores above 0.5; null without a score.
    pub healthy: Option<bool>,
    /// What the score consists of.
    pub terms: Vec<HealthTerm>,
}

/// One term of a health score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthTerm {
    /// `network`, `uptime`, `resources` (by its own word) or `trust`.
    pub name: String,
    /// Its share of the score where all terms are known.
    pub weight: f64,
    /// From 0, bad, to 1, good; null if nobody measured it.
    pub value: Option<f64>,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// How old the oldest part of it is; null if there is none.
    pub age_ms: Option<u64>,
    /// How many nodes measured it; 0 for a node's own word.
    pub observers: u32,
}

/// A path from a node to a linked peer, as that node's pings show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathView {
    /// Who pings, 64 hexadecimal digits.
    pub from: String,
    /// Who answers.
    pub to: String,
    /// The name of who pings.
    pub from_name: Name,
    /// The name of who answers.
    pub to_name: Name,
    /// The smoothed round-trip time.
    pub rtt_ms: f64,
    /// The shortest since the link came up.
    pub min_ms: f64,
    /// How far single round trips are from the smoothed one, smoothed as well.
    pub jitter_ms: f64,
    /// The share of the last minute's pings that had no answer when the next one went out, 0 to 1.
    pub loss: f64,
    /// How suspicious the silence of who answers is, as φ of an accrual failure detector: one that is well is
    /// as silent once in 10^φ times. Only of paths of the node that tells this; null until it heard enough.
    pub phi: Option<f64>,
    /// How old that is.
    pub age_ms: u64,
}

/// One edge of the mesh as far as this node knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Edge {
    /// One end, 64 hexadecimal digits.
    pub a: String,
    /// The other end.
    pub b: String,
    /// Whether this node holds the link itself; otherwise it is inferred from the rings or a lease.
    pub own: bool,
}

/// What the node does about a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Where to.
    pub address: Address,
    /// Who answers there, if known, 64 hexadecimal digits.
    pub peer: Option<String>,
    /// In plain words: `linked`, `dialling`, `waiting 4 s after: nothing listens at the address`.
    pub doing: String,
    /// Time until the next attempt, if one is waiting.
    pub retry_in_ms: Option<u64>,
    /// Attempts that failed in a row.
    pub failures: u32,
}

/// Something that happened, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Consecutive within a run, from 1.
    pub id: u64,
    /// When, since the node's start.
    pub at: Time,
    /// When, by the wall clock.
    pub wall: WallTime,
    /// How serious.
    pub severity: Severity,
    /// A stable word, such as `member_dead` or `link_refused`.
    pub code: String,
    /// Whom it is about.
    pub subject: Option<NodeId>,
    /// What happened and why, in plain words.
    pub text: String,
}

/// A value with what a person may want to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value, or a typed value as text; `None` if it was deleted.
    pub value: Option<Bytes>,
    /// Who wrote it; of a typed value the newest write to any of its parts.
    pub author: NodeId,
    /// When, by its writer's hybrid logical clock.
    pub written_at: WallTime,
    /// Concurrent writes that lost, newest first, kept for people.
    pub conflicts: Vec<Conflict>,
    /// What the key holds. Of a typed value everything that is read at once; `value` is its text then.
    pub content: Content,
    /// What else it holds, if several kinds were begun at once.
    pub also: Vec<Kind>,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntriesPage {
    /// Live keys in order with what is at them. May be empty though more follow.
    pub entries: Vec<Entry>,
    /// Where the next page begins: after this key. `None` on the last page.
    pub next: Option<Key>,
}

/// A concurrent write that lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What it said; `None` if it was a deletion.
    pub value: Option<Bytes>,
    /// Who wrote it.
    pub author: NodeId,
    /// When.
    pub written_at: WallTime,
}
