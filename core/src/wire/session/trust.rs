//! Whose word on the end of a link counts for how much.
//!
//! A refusal in the clear can be forged by anyone on the path, and one inside the cipher by anyone
//! who holds the key. So a reason that makes a node draw conclusions about identities (stop because
//! its identity runs elsewhere, give up an address as its own) is neither sent nor believed before
//! the sender has proved its identity.

use crate::wire::close::CloseReason;

/// What the other side must have proved for a reason of its to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Nothing.
    Anyone,
    /// That it holds the key of the handshake.
    KeyHolder,
    /// Its identity.
    Peer,
    /// A reason that only this node itself can know; it never travels.
    Nobody,
}

impl Trust {
    /// What it takes to believe `reason`.
    pub(super) const fn needed_for(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Leaving
            | CloseReason::Parking
            | CloseReason::WrongNetwork
            | CloseReason::WrongKey
            | CloseReason::WrongEpoch
            | CloseReason::VersionMismatch { .. }
            | CloseReason::InviteExpired
            | CloseReason::InviteUsed
            | CloseReason::InviteRole
            | CloseReason::InviteElsewhere { .. }
            | CloseReason::Protocol
            | CloseReason::Oversized
            | CloseReason::HandshakeTimeout
            | CloseReason::Overload
            | CloseReason::Busy => Self::Anyone,
            CloseReason::BadIdentity => Self::KeyHolder,
            CloseReason::Duplicate
            | CloseReason::Superseded
            | CloseReason::IdentityInUse { .. }
            | CloseReason::SelfDial
            | CloseReason::UnexpectedPeer
            | CloseReason::Silent
            | CloseReason::Contested => Self::Peer,
            CloseReason::Lost
            | CloseReason::ConnectionRefused
            | CloseReason::Unreachable
            | CloseReason::NotSporenet
            | CloseReason::Unwanted
            | CloseReason::Untrusted => Self::Nobody,
        }
    }

    /// Whether one who proved this much is believed when it says `reason`.
    pub(super) fn covers(self, reason: &CloseReason) -> bool {
        // The order of the variants is the order of what was proved.
        Self::needed_for(reason) <= self
    }

    /// The reason that one who proved this much gave; saying more is a breach of the protocol.
    pub(crate) fn believed(self, reason: CloseReason) -> CloseReason {
        if self.covers(&reason) {
            reason
        } else {
            CloseReason::Protocol
        }
    }
}

/// Whether the link ends in good order, so that what was queued before is still sent.
pub(super) const fn is_orderly(reason: &CloseReason) -> bool {
    matches!(
        reason,
        CloseReason::Leaving
            | CloseReason::Parking
            | CloseReason::Duplicate
            // What leaves first is the record that the other process signed (docs/wire.md, "Proof
            // of identity").
            | CloseReason::IdentityInUse { .. }
    )
}
