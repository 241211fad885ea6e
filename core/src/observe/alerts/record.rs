//! What nodes write down for each other in reserved namespaces, and under which keys.
//!
//! | namespace | key | record | written by |
//! |---|---|---|---|
//! | `sys.watch` | `alert/ID` | [`Alert`] | who judges it |
//! | | `act/TARGET` | [`Act`] | anyone |
//! | | `silence/ID` | [`Silence`] | anyone |
//! | | `told/INCIDENT/STEP/CHANNEL` | [`Told`] | who notifies |
//! | | `channels/NODE` | [`Channels`] | that node |
//! | `sys.settings` | a setting's name | [`Setting`] | anyone |
//!
//! A record that does not decode, or is beyond its bounds, changes nothing and is counted.

use super::{
    rule::{Level, Metric},
    settings::Value,
};
use crate::kernel::{
    bytes::Bytes,
    crypto::{Hash, decode_exactly, encode},
    id::NodeId,
    text::{Key, Name, Text},
};
use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The namespace of alerts and of what people and nodes did about them.
pub const WATCH: &str = "sys.watch";
/// The namespace of the mesh's settings.
pub const SETTINGS: &str = "sys.settings";
/// What reserved namespaces begin with.
pub const RESERVED: &str = "sys.";

/// A note that a person leaves.
pub type Note = Text<256>;

/// The most bytes of a record.
pub(super) const RECORD_BYTES_MAX: usize = 16 * 1_024;
/// The most versions of a setting that are kept, the present one included.
pub const VERSIONS_MAX: usize = 16;
/// The most alerts that one act covers.
pub const COVERED_MAX: usize = 256;
/// The most channels of a node.
pub const CHANNELS_MAX: usize = 16;

/// What an alert or an incident is called: eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id([u8; 4]);

impl Id {
    /// That of what these parts name.
    #[must_use]
    pub fn of(purpose: &str, parts: &[&[u8]]) -> Self {
        let [a, b, c, d, ..] = *Hash::of(purpose, parts).as_bytes();
        Self([a, b, c, d])
    }

    /// Its bytes.
    pub(super) const fn bytes(self) -> [u8; 4] {
        self.0
    }

    /// As a number.
    pub(super) const fn number(self) -> u64 {
        u32::from_be_bytes(self.0) as u64
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(written: &str) -> Result<Self, ()> {
        let fits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if written.len() != 8 || !written.bytes().all(fits) {
            return Err(());
        }
        let number = u32::from_str_radix(written, 16).map_err(|_| ())?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// What an alert is about: a rule, a node, and the other end of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct About {
    /// The rule's name.
    pub rule: Text<32>,
    /// The node.
    pub node: NodeId,
    /// Where the path leads, for metrics of paths.
    pub peer: Option<NodeId>,
}

impl About {
    /// The same for the same on every node.
    #[must_use]
    pub fn id(&self) -> Id {
        let peer: &[u8] = match &self.peer {
            Some(peer) => peer.as_bytes(),
            None => &[],
        };
        let parts = [self.rule.as_bytes(), self.node.as_bytes(), peer];
        Id::of("sporenet 2026 alert", &parts)
    }
}

/// How serious an alert or incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Worth a look.
    Low,
    /// Wants a look today.
    Medium,
    /// Wants somebody now.
    High,
    /// The mesh is hurt.
    Critical,
}

impl Grade {
    /// All, the mildest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// From impact and confidence in percent.
    #[must_use]
    pub const fn of(impact: u32, confidence: u32) -> Self {
        match impact.saturating_mul(confidence) / 100 {
            0..25 => Self::Low,
            25..50 => Self::Medium,
            50..75 => Self::High,
            75.. => Self::Critical,
        }
    }

    /// `low`, `medium`, `high` or `critical`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The grade of that name.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grade| grade.name() == name)
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One time in which something was beyond its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", from = "Form")]
pub struct Alert {
    /// What it is about.
    pub about: About,
    /// What is measured.
    pub metric: Metric,
    /// Which of several values decided, for metrics that take the worst of several.
    pub of: Option<Metric>,
    /// How bad it was at worst.
    pub level: Level,
    /// How serious it is.
    pub grade: Grade,
    /// The value that decided, in thousandths.
    pub value_milli: i64,
    /// The threshold that it crossed, in thousandths.
    pub threshold_milli: i64,
    /// When it began to fire, by the wall clock in milliseconds.
    pub since_ms: u64,
    /// When it ended; `None` while it fires.
    pub ended_ms: Option<u64>,
    /// Why it ended; says nothing while it fires.
    pub ending: Ending,
    /// When the one before it ended, 0 if there was none: acts after that are about this one.
    pub calm_since_ms: u64,
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The value has come back, or is not measured any more.
    ByItself,
    /// A person ended it.
    ByHand,
    /// Its node is dead, so nobody knows the value. It fires anew if the node comes back with it.
    NodeDown,
}

impl Alert {
    /// How it ends at a moment by the wall clock in milliseconds.
    pub(super) fn ended(&self, at_ms: u64, ending: Ending) -> Self {
        // What decided gives way to who is down: see `Form`.
        let (metric, of) = match ending {
            Ending::ByItself | Ending::ByHand => (self.metric, self.of),
            Ending::NodeDown => (self.of.unwrap_or(self.metric), None),
        };
        Self {
            metric,
            of,
            // Never before it began, also where clocks differ.
            ended_ms: Some(at_ms.max(self.since_ms)),
            ending,
            ..self.clone()
        }
    }
}

/// The serial form of an alert. Nodes that don't know of [`Ending::NodeDown`] read it too, as the end of an
/// alert by itself: what decided is then that the node is unreachable.
#[derive(Serialize, Deserialize)]
struct Form {
    about: About,
    metric: Metric,
    of: Option<Metric>,
    level: Level,
    grade: Grade,
    value_milli: i64,
    threshold_milli: i64,
    since_ms: u64,
    ended_ms: Option<u64>,
    by_hand: bool,
    calm_since_ms: u64,
}

impl From<Alert> for Form {
    fn from(alert: Alert) -> Self {
        let of = match alert.ending {
            Ending::ByItself | Ending::ByHand => alert.of,
            Ending::NodeDown => Some(Metric::Unreachable),
        };
        Self {
            about: alert.about,
            metric: alert.metric,
            of,
            level: alert.level,
            grade: alert.grade,
            value_milli: alert.value_milli,
            threshold_milli: alert.threshold_milli,
            since_ms: alert.since_ms,
            ended_ms: alert.ended_ms,
            by_hand: alert.ending == Ending::ByHand,
            calm_since_ms: alert.calm_since_ms,
        }
    }
}

impl From<Form> for Alert {
    fn from(form: Form) -> Self {
        let (of, ending) = match form.of {
            of if form.by_hand => (of, Ending::ByHand),
            Some(Metric::Unreachable) => (None, Ending::NodeDown),
            of => (of, Ending::ByItself),
        };
        Self {
            about: form.about,
            metric: form.metric,
            of,
            level: form.level,
            grade: form.grade,
            value_milli: form.value_milli,
            threshold_milli: form.threshold_milli,
            since_ms: form.since_ms,
            ended_ms: form.ended_ms,
            ending,
            calm_since_ms: form.calm_since_ms,
        }
    }
}

/// What a person did about an alert or an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What was done.
    pub deed: Deed,
    /// When, by the wall clock in milliseconds.
    pub at_ms: u64,
    /// With which words.
    pub note: Option<Note>,
    /// The alerts that it was about, at most [`COVERED_MAX`].
    pub alerts: Vec<Id>,
}

/// See [`Act`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Somebody looks after it.
    Acknowledged,
    /// It is taken for over until the value has been fine once.
    Resolved,
}

/// Nobody is notified of what fits, until it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Which alerts: `*`, or words that are each a rule, a node's name or identity, or a grade.
    pub fits: Text<128>,
    /// Until when, by the wall clock in milliseconds.
    pub until_ms: u64,
    /// When it was made.
    pub at_ms: u64,
    /// With which words.
    pub note: Option<Note>,
}

/// That a channel was told of an incident, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When, by the wall clock in milliseconds.
    pub at_ms: u64,
    /// How it stands.
    pub outcome: Outcome,
    /// The alerts that it was about, at most [`COVERED_MAX`].
    pub alerts: Vec<Id>,
}

/// See [`Told`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A node is about to.
    Claimed,
    /// The recipient took it.
    Sent,
    /// It did not; why.
    Failed(Text<200>),
}

/// The channels over which a node can notify. No secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channels(pub Vec<Channel>);

/// See [`Channels`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// What it is called; relays with a channel of one name stand in for each other.
    pub name: Name,
    /// Of what kind: `email`, `webhook`.
    pub kind: Text<16>,
    /// Below this it is not used.
    pub grade_min: Grade,
}

/// A setting of the mesh and what it was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The newest first, at least one, at most [`VERSIONS_MAX`].
    pub versions: Vec<Version>,
}

/// A setting as it was at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// From 1.
    pub number: u32,
    /// `None` for the default.
    pub value: Option<Value>,
    /// Who changed it.
    pub by: NodeId,
    /// When, by the wall clock in milliseconds.
    pub at_ms: u64,
    /// Why.
    pub note: Option<Note>,
}

/// A record, by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// Of an alert.
    Alert(Id, Alert),
    /// Of an alert or incident.
    Act(Id, Act),
    /// A silence.
    Silence(Id, Silence),
    /// Of an incident, in a step of escalation, by a channel.
    Told(ToldKey, Told),
    /// Of a node.
    Channels(NodeId, Channels),
    /// Of a setting.
    Setting(String, Setting),
}

/// Who was told what: the place of a [`Told`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ToldKey {
    /// The incident.
    pub incident: Id,
    /// The step of the escalation, from 0; [`ToldKey::ENDED`] for the word that it is over.
    pub step: u8,
    /// The channel.
    pub channel: Name,
}

impl ToldKey {
    /// The step of the word that an incident is over.
    pub const ENDED: u8 = u8::MAX;
}

/// What a key names, before its value is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// See [`Record::Alert`].
    Alert(Id),
    /// See [`Record::Act`].
    Act(Id),
    /// See [`Record::Silence`].
    Silence(Id),
    /// See [`Record::Told`].
    Told(ToldKey),
    /// See [`Record::Channels`].
    Channels(NodeId),
    /// See [`Record::Setting`].
    Setting(String),
}

impl Place {
    /// The namespace in which it is.
    #[must_use]
    pub const fn namespace(&self) -> &'static str {
        match self {
            Self::Setting(_) => SETTINGS,
            Self::Alert(_)
            | Self::Act(_)
            | Self::Silence(_)
            | Self::Told(_)
            | Self::Channels(_) => WATCH,
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Key {
        let written = match self {
            Self::Alert(id) => format!("alert/{id}"),
            Self::Act(id) => format!("act/{id}"),
            Self::Silence(id) => format!("silence/{id}"),
            Self::Told(told) => format!("told/{}/{}/{}", told.incident, told.step, told.channel),
            Self::Channels(node) => format!("channels/{node}"),
            Self::Setting(name) => name.clone(),
        };
        Key::clean(&written)
    }

    /// What a key of a reserved namespace names.
    #[must_use]
    pub fn of(namespace: &str, key: &str) -> Option<Self> {
        if namespace == SETTINGS {
            return Some(Self::Setting(key.into()));
        }
        if namespace != WATCH {
            return None;
        }
        let (kind, rest) = key.split_once('/')?;
        match kind {
            "alert" => Some(Self::Alert(rest.parse().ok()?)),
            "act" => Some(Self::Act(rest.parse().ok()?)),
            "silence" => Some(Self::Silence(rest.parse().ok()?)),
            "channels" => Some(Self::Channels(rest.parse().ok()?)),
            "told" => {
                let mut parts = rest.splitn(3, '/');
                Some(Self::Told(ToldKey {
                    incident: parts.next()?.parse().ok()?,
                    step: parts.next()?.parse().ok()?,
                    channel: Name::new(parts.next()?).ok()?,
                }))
            }
            _ => None,
        }
    }
}

/// A record's bytes. The first says which version of the form it is.
pub(super) fn to_bytes<T: Serialize>(record: &T) -> Bytes {
    encode(&(1_u8, record)).into()
}

fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    if bytes.len() > RECORD_BYTES_MAX {
        return None;
    }
    let (version, record): (u8, T) = decode_exactly(bytes).ok()?;
    (version == 1).then_some(record)
}

impl Record {
    /// The bytes that stand at its place.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Alert(_, alert) => to_bytes(alert),
            Self::Act(_, act) => to_bytes(act),
            Self::Silence(_, silence) => to_bytes(silence),
            Self::Told(_, told) => to_bytes(told),
            Self::Channels(_, channels) => to_bytes(channels),
            Self::Setting(_, setting) => to_bytes(setting),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Alert(id, _) => Place::Alert(*id),
            Self::Act(id, _) => Place::Act(*id),
            Self::Silence(id, _) => Place::Silence(*id),
            Self::Told(key, _) => Place::Told(key.clone()),
            Self::Channels(node, _) => Place::Channels(*node),
            Self::Setting(name, _) => Place::Setting(name.clone()),
        }
    }

    /// What stands at a place; `None` if it can't be.
    #[must_use]
    pub fn read(place: Place, bytes: &[u8]) -> Option<Self> {
        match place {
            Place::Alert(id) => {
                let alert: Alert = from_bytes(bytes)?;
                // Under another key it could stand in for an alert that it is not.
                (alert.about.id() == id).then_some(Self::Alert(id, alert))
            }
            Place::Act(id) => {
                let act: Act = from_bytes(bytes)?;
                (act.alerts.len() <= COVERED_MAX).then_some(Self::Act(id, act))
            }
            Place::Silence(id) => Some(Self::Silence(id, from_bytes(bytes)?)),
            Place::Told(key) => {
                let told: Told = from_bytes(bytes)?;
                (told.alerts.len() <= COVERED_MAX).then_some(Self::Told(key, told))
            }
            Place::Channels(node) => {
                let channels: Channels = from_bytes(bytes)?;
                (channels.0.len() <= CHANNELS_MAX).then_some(Self::Channels(node, channels))
            }
            Place::Setting(name) => {
                let setting: Setting = from_bytes(bytes)?;
                let fits = |version: &Version| match &version.value {
                    Some(value) => value.fits(&name).is_ok(),
                    None => true,
                };
                let many = setting.versions.len();
                let good = (1..=VERSIONS_MAX).contains(&many) && setting.versions.iter().all(fits);
                good.then_some(Self::Setting(name, setting))
            }
        }
    }
}
