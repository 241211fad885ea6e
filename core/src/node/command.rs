//! What a host tells a node and asks of it.

use crate::{
    kernel::{
        bytes::Bytes,
        id::{DialId, LinkId, RequestId, Role, Ticket},
        text::{Key, Namespace},
        time::WallTime,
    },
    replication::write::AckLevel,
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
    },
};
use alloc::vec::Vec;
use core::time::Duration;

/// An input of the node's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub enum Command {
    /// A handshake succeeded.
    LinkUp {
        /// The link, numbered by the host.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerIdentity,
        /// The dial that opened it; `None` if the other side dialled.
        dial: Option<DialId>,
        /// The invite under whose key the handshake ran, if it was not the isolation key.
        invitation: Option<Invitation>,
    },
    /// A link that was up has ended.
    LinkDown {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A dial ended without a link.
    DialFailed {
        /// Which.
        dial: DialId,
        /// Why.
        reason: CloseReason,
    },
    /// An inbound handshake was refused or cut off before a link came up: counted and shown.
    HandshakeRefused {
        /// Why.
        reason: CloseReason,
    },
    /// An inbound handshake wants the key for its hint; answered by [`Event::Key`].
    ///
    /// [`Event::Key`]: crate::node::event::Event::Key
    KeyWanted {
        /// The link, numbered by the host.
        link: LinkId,
        /// What the initiator says it can prove.
        hint: KeyHint,
    },
    /// The wall clock, at start and then about every second.
    WallClock(WallTime),
    /// The operating system or browser says that the network changed: redial at once.
    NetworkChanged,
    /// The store made a batch durable.
    Persisted(Ticket),
    /// The store could not make a batch durable; nothing of it was kept.
    PersistFailed {
        /// Which.
        ticket: Ticket,
        /// Whether space ran out (then it is tried again later) rather than the store broke.
        full: bool,
    },
    /// The journal records that a load asked for; those missing are left out.
    Loaded {
        /// Which load.
        ticket: Ticket,
        /// Sequence and record.
        records: Vec<(u64, Bytes)>,
    },
    /// Write a value; `None` deletes. Answered by a reply.
    Write {
        /// Comes back in the reply.
        request: RequestId,
        /// The namespace.
        namespace: Namespace,
        /// The key.
        key: Key,
        /// The value, at most 256 KiB.
        value: Option<Bytes>,
        /// When to acknowledge.
        level: AckLevel,
    },
    /// Hold a namespace (a relay holds all anyway).
    Open(Namespace),
    /// Stop holding a namespace. What is stored stays until the tab is cleared.
    Close(Namespace),
    /// Issue an invite. Answered by a reply.
    Invite {
        /// Comes back in the reply.
        request: RequestId,
        /// How long it is honoured; at most 30 days.
        ttl: Duration,
        /// How many newcomers it lets in; unlimited if `None`.
        uses_max: Option<u16>,
        /// Only for that role, or for both.
        role: Option<Role>,
    },
    /// The tab is hidden or the machine goes to sleep.
    Park,
    /// The tab is visible again.
    Unpark,
    /// Announce leaving and wind down; ends with [`Event::Departed`].
    ///
    /// [`Event::Departed`]: crate::node::event::Event::Departed
    Leave,
    /// The process is about to stop, but the node remains a member: flush and close the links.
    Stop,
}
