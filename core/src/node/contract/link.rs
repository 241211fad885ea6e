//! What a host tells of links, and what it is asked to do about them.

use crate::{
    kernel::{
        address::Address,
        crypto::Secret,
        id::{DialId, LinkId, NodeId},
    },
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
    },
};

/// Something happened to a link. Links are numbered by the host.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum LinkInput {
    /// A handshake succeeded.
    Up {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerIdentity,
        /// The dial that opened it; `None` if the other side dialled.
        dial: Option<DialId>,
        /// The invite under whose key the handshake ran, if it was not the isolation key.
        invitation: Option<Invitation>,
    },
    /// A link that was up has ended.
    Down {
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
    /// The answer to [`LinkOutput::Probe`].
    Probed {
        /// Which.
        dial: DialId,
        /// Why no connection opened; `None` if one did.
        failed: Option<CloseReason>,
    },
    /// An inbound handshake was refused or cut off before a link came up: counted and shown.
    HandshakeRefused {
        /// Why.
        reason: CloseReason,
    },
    /// An inbound handshake wants the key for its hint; answered by [`LinkOutput::Key`].
    KeyWanted {
        /// The link.
        link: LinkId,
        /// What the initiator says it can prove.
        hint: KeyHint,
    },
}

/// A link to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Comes back in the answer.
    pub dial: DialId,
    /// Where to.
    pub address: Address,
    /// Who must answer there, if known.
    pub expect: Option<NodeId>,
    /// Which key to offer.
    pub hint: KeyHint,
    /// That key.
    pub key: Secret,
}

/// Something is to be done about a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// Open a link; answer with [`LinkInput::Up`] or [`LinkInput::DialFailed`].
    Dial(Dial),
    /// Open a connection and close it again, without a word; answer with [`LinkInput::Probed`].
    Probe {
        /// Comes back in the answer. Numbered apart from dials.
        dial: DialId,
        /// Where to.
        address: Address,
    },
    /// The answer to [`LinkInput::KeyWanted`].
    Key {
        /// The link that asked.
        link: LinkId,
        /// The key, or why there is none.
        key: Result<Secret, CloseReason>,
    },
    /// Tell the other side why, send what is queued, and close.
    Close {
        /// Which link, or handshake in progress.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
}
