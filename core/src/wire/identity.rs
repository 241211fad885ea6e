//! Who is at the other end of an authenticated link.

use crate::kernel::id::{Incarnation, InstanceId, NodeId, Role};
use serde::{Deserialize, Serialize};

/// What the peer proved (its identity) and said (the rest) in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerIdentity {
    /// The peer's proven identity.
    pub id: NodeId,
    /// Its incarnation when the link opened.
    pub incarnation: Incarnation,
    /// Its process: tells two processes with one identity apart.
    pub instance: InstanceId,
    /// Relay or tab.
    pub role: Role,
    /// The protocol version that both sides settled on.
    pub version: u16,
    /// The feature bits that both sides have.
    pub features: u64,
}
