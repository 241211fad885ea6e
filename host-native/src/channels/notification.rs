//! What is told to people, and what became of it.

use serde::{Deserialize, Serialize};

/// How bad something is.
pub(crate) use sporenet_core::observe::alerts::record::Grade as Severity;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Nobody looks after it.
    Open,
    /// Somebody does.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl State {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// What is told about an incident.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notification {
    /// The same for every attempt to tell the same step of the same incident to the same channel, so
    /// that recipients can drop what comes twice.
    pub(crate) key: String,
    /// The incident's id. What is told of one incident arrives in order.
    pub(crate) incident: String,
    /// The incident in one line.
    pub(crate) title: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Where it stands.
    pub(crate) state: State,
    /// What is behind it, in a sentence.
    pub(crate) cause: String,
    /// The names of the nodes that it is about.
    pub(crate) nodes: Vec<String>,
    /// Its alerts, a line each.
    pub(crate) alerts: Vec<String>,
    /// Since when, in milliseconds since 1970-01-01 UTC.
    pub(crate) since_ms: u64,
    /// The network's name.
    pub(crate) network: String,
    /// The incident in the console.
    pub(crate) link: Option<String>,
}

impl Notification {
    /// A notification that only tries a channel out. `nonce` makes its key new: a recipient that drops
    /// what comes twice must not drop the second test.
    pub(crate) fn test(channel: &str, network: &str, node: &str, now_ms: u64, nonce: &str) -> Self {
        Self {
            key: format!("test-{channel}-{nonce}"),
            incident: format!("sporenet-test-{channel}"),
            title: format!("Test of the channel {channel}"),
            severity: Severity::Low,
            state: State::Open,
            cause: "Somebody ran `sporenet notify test`; nothing is wrong.".to_owned(),
            nodes: vec![node.to_owned()],
            alerts: Vec::new(),
            since_ms: now_ms,
            network: network.to_owned(),
            link: None,
        }
    }
}

/// What became of a notification at one channel.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Delivery {
    /// The notification's key.
    pub(crate) key: String,
    /// The channel's name.
    pub(crate) channel: String,
    /// When it was settled, in milliseconds since 1970-01-01 UTC.
    pub(crate) at_ms: u64,
    /// Whether the recipient took it.
    pub(crate) ok: bool,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// What the recipient that took it said: one line of at most 200 characters, without secrets.
    pub(crate) answer: Option<String>,
    /// Why it was not taken: one line of at most 200 characters, without secrets.
    pub(crate) error: Option<String>,
}
