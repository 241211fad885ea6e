//! What is measured over time: the names and units of series, and of whom.

use crate::kernel::id::NodeId;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Series {
    /// How busy the processors are that the node may use.
    Cpu,
    /// Memory in use of what the node may use.
    Memory,
    /// What is used of the file system of the data directory.
    Disk,
    /// Bytes received from the network.
    Received,
    /// Bytes sent to the network.
    Sent,
    /// Open file descriptors of those that may be open.
    Descriptors,
    /// How late the event loop was.
    LoopLag,
    /// From the start of a commit until it was durable.
    JournalLatency,
    /// Messages that wait to be sent.
    SendQueue,
    /// The mean round trip to the linked peers.
    Latency,
    /// The share of pings without an answer, over all linked peers.
    Loss,
    /// Linked peers.
    Links,
    /// Members that are alive.
    Alive,
    /// Members that are dead.
    Dead,
    /// Messages of the mesh that came in.
    MessagesIn,
    /// Messages of the mesh that went out.
    MessagesOut,
    /// Writes of this node.
    Writes,
    /// The share of messages and writes that were refused, dropped or found no link.
    ErrorRate,
    /// How unevenly batches are spread over the shards: the variance of their number divided by the mean.
    ShardVariance,
    /// How healthy the node is, as others see it.
    Health,
    /// How far members are spread over the world: the mean distance of their places from the middle.
    Spread,
    /// The median of the round trips of the last minute.
    LatencyP50,
    /// What 99 of 100 round trips of the last minute stay below.
    LatencyP99,
}

impl Series {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 23] = [
        Self::Cpu,
        Self::Memory,
        Self::Disk,
        Self::Received,
        Self::Sent,
        Self::Descriptors,
        Self::LoopLag,
        Self::JournalLatency,
        Self::SendQueue,
        Self::Latency,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::Loss,
        Self::Links,
        Self::Alive,
        Self::Dead,
        Self::MessagesIn,
        Self::MessagesOut,
        Self::Writes,
        Self::ErrorRate,
        Self::ShardVariance,
        Self::Health,
        Self::Spread,
    ];

    /// Its name in the API and in commands.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.named().0
    }

    /// What its values are counted in.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        self.named().1
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.named().2
    }

    /// The series of that name.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|series| series.name() == name)
    }

    const fn named(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Cpu => ("cpu", "%", "processors in use"),
            Self::Memory => ("memory", "%", "memory in use"),
            Self::Disk => ("disk", "%", "file system of the data directory in use"),
            Self::Received => ("received", "B/s", "received from the network"),
            Self::Sent => ("sent", "B/s", "sent to the network"),
            Self::Descriptors => ("descriptors", "%", "file descriptors in use"),
            Self::LoopLag => ("loop_lag", "ms", "how late the event loop was"),
            Self::JournalLatency => ("journal_latency", "ms", "until a commit was durable"),
            Self::SendQueue => ("send_queue", "messages", "waiting to be sent"),
            Self::Latency => ("latency", "ms", "mean round trip to linked peers"),
            Self::LatencyP50 => ("latency_p50", "ms", "median round trip of the last minute"),
            Self::LatencyP99 => ("latency_p99", "ms", "99 of 100 round trips stay below"),
            Self::Loss => ("loss", "%", "pings without an answer"),
            Self::Links => ("links", "peers", "linked peers"),
            Self::Alive => ("alive", "members", "members alive"),
            Self::Dead => ("dead", "members", "members dead"),
            Self::MessagesIn => ("messages_in", "1/s", "messages of the mesh that came in"),
            Self::MessagesOut => ("messages_out", "1/s", "messages of the mesh that went out"),
            Self::Writes => ("writes", "1/s", "writes of this node"),
            Self::ErrorRate => ("error_rate", "%", "messages and writes that failed"),
            Self::ShardVariance => ("shard_variance", "", "unevenness of batches over shards"),
            Self::Health => ("health", "", "how healthy others see it, 0 to 1"),
            Self::Spread => ("spread", "km", "mean distance of members from their middle"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A series of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whose.
    pub node: NodeId,
    /// What.
    pub series: Series,
}

/// A value that is unlike everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusual {
    /// Of what.
    pub series: Series,
    /// The value, in thousandths of the series' unit.
    pub value_milli: i64,
    /// What was expected, in the same.
    pub expected_milli: i64,
    /// How many times as far from that as usual, in thousandths; negative below it, 0 if not known.
    pub deviations_milli: i64,
    /// Whether that is what is usual at this hour; otherwise in general.
    pub at_this_hour: bool,
}
