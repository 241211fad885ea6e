//! Why a link ends, in a form both sides can show.

use crate::kernel::id::{Incarnation, NodeId};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Why a link was refused or closed. The side that decides sends it to the other, as far as the
/// other's authentication allows, so that both can say the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CloseReason {
    /// The node leaves the mesh.
    Leaving,
    /// The tab is hidden or sleeps; it will be back.
    Parking,
    /// Another link between the same two processes is kept.
    Duplicate,
    /// A newer run of the same node took over.
    Superseded,
    /// The other side belongs to another network.
    WrongNetwork,
    /// The same network, but not its isolation key (or a changed invite).
    WrongKey,
    /// The isolation key's epoch is not accepted here.
    WrongEpoch,
    /// No protocol version in common.
    VersionMismatch {
        /// The oldest version that the other side speaks, seen from whoever is told.
        min: u16,
        /// The newest.
        max: u16,
    },
    /// The invite's lifetime is over.
    InviteExpired,
    /// The invite has been used as often as it may be.
    InviteUsed,
    /// The invite is for another role.
    InviteRole,
    /// Only the relay that issued this limited invite can honour it.
    InviteElsewhere {
        /// That relay.
        issuer: NodeId,
    },
    /// Another process with this identity runs, at this incarnation: a copied data directory.
    IdentityInUse {
        /// The incarnation of the one that runs.
        incarnation: Incarnation,
    },
    /// The two ends are the same node.
    SelfDial,
    /// The proof of identity does not hold.
    BadIdentity,
    /// The dialled address is another node's.
    UnexpectedPeer,
    /// The other side broke the protocol.
    Protocol,
    /// A message was larger than its limit.
    Oversized,
    /// The handshake took too long.
    HandshakeTimeout,
    /// Nothing was heard for too long.
    Silent,
    /// The send queue was full for too long.
    Overload,
    /// No room for more links.
    Busy,
    /// Local only: the connection ended or failed without a word.
    Lost,
    /// Local only: nothing listens at the address.
    ConnectionRefused,
    /// Local only: the address can't be reached or resolved.
    Unreachable,
    /// Local only: what answered does not speak this protocol.
    NotSporenet,
    /// Local only: no longer wanted.
    Unwanted,
    /// Another process showed the same identity before and may still live: it is being asked.
    Contested,
    /// Local only: the certificate of a TLS address is not trusted, or TLS failed otherwise.
    Untrusted,
}

impl CloseReason {
    /// A stable word for logs, metrics and scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Leaving => "leaving",
            Self::Parking => "parking",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::WrongNetwork => "wrong_network",
            Self::WrongKey => "wrong_key",
            Self::WrongEpoch => "wrong_epoch",
            Self::VersionMismatch { .. } => "version_mismatch",
            Self::InviteExpired => "invite_expired",
            Self::InviteUsed => "invite_used",
            Self::InviteRole => "invite_role",
            Self::InviteElsewhere { .. } => "invite_elsewhere",
            Self::IdentityInUse { .. } => "identity_in_use",
            Self::SelfDial => "self_dial",
            Self::BadIdentity => "bad_identity",
            Self::UnexpectedPeer => "unexpected_peer",
            Self::Protocol => "protocol",
            Self::Oversized => "oversized",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Silent => "silent",
            Self::Overload => "overload",
            Self::Busy => "busy",
            Self::Lost => "lost",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::NotSporenet => "not_sporenet",
            Self::Unwanted => "unwanted",
            Self::Contested => "contested",
            Self::Untrusted => "untrusted",
        }
    }

    /// Whether who asks to be let in is told no for good: the same link will not do at a later time
    /// either. Busy, elsewhere or unreachable are not.
    #[must_use]
    pub const fn is_final_for_newcomer(&self) -> bool {
        matches!(
            self,
            Self::InviteExpired
                | Self::InviteUsed
                | Self::InviteRole
                | Self::WrongKey
                | Self::WrongEpoch
                | Self::WrongNetwork
                | Self::VersionMismatch { .. }
        )
    }

    /// Whether an operator should see it as a security event.
    #[must_use]
    pub const fn is_security(&self) -> bool {
        // What points at an attack, a wrong key or invite, a copied data directory or mixed
        // versions. Everything else is daily life.
        matches!(
            self,
            Self::WrongNetwork
                | Self::WrongKey
                | Self::WrongEpoch
                | Self::InviteExpired
                | Self::InviteUsed
                | Self::InviteRole
                | Self::InviteElsewhere { .. }
                | Self::IdentityInUse { .. }
                | Self::BadIdentity
                | Self::UnexpectedPeer
                | Self::Protocol
                | Self::Oversized
                | Self::VersionMismatch { .. }
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaving => f.write_str("the node leaves the mesh"),
            Self::Parking => f.write_str("the tab is hidden or sleeps"),
            Self::Duplicate => f.write_str("another link between the same two nodes is kept"),
            Self::Superseded => f.write_str("a newer run of the same node took over"),
            Self::WrongNetwork => f.write_str("the two nodes belong to different networks"),
            Self::WrongKey => f.write_str("the isolation key or the invite is not valid here"),
            Self::WrongEpoch => f.write_str("the isolation key is of an epoch not accepted here"),
            Self::VersionMismatch { min, max } => {
                write!(
                    f,
                    "no common protocol version; the other side speaks {min} to {max}"
                )
            }
            Self::InviteExpired => f.write_str("the invite has expired; ask for a new one"),
            Self::InviteUsed => f.write_str("the invite has been used up; ask for a new one"),
            Self::InviteRole => f.write_str("the invite is for another kind of node"),
            Self::InviteElsewhere { issuer } => {
                write!(
                    f,
                    "only the relay {} can honour this invite",
                    issuer.short()
                )
            }
            Self::IdentityInUse { incarnation } => write!(
                f,
                "another process runs with this identity (incarnation {incarnation}); \
                 a data directory must not be copied"
            ),
            Self::SelfDial => f.write_str("this address leads back to this node"),
            Self::BadIdentity => f.write_str("the proof of identity does not hold"),
            Self::UnexpectedPeer => f.write_str("another node than expected answered"),
            Self::Protocol => f.write_str("the other side broke the protocol"),
            Self::Oversized => f.write_str("a message was larger than its limit"),
            Self::HandshakeTimeout => f.write_str("the handshake took too long"),
            Self::Silent => f.write_str("nothing was heard for too long"),
            Self::Overload => f.write_str("the send queue was full for too long"),
            Self::Busy => f.write_str("there is no room for more links"),
            Self::Lost => f.write_str("the connection ended without a word"),
            Self::ConnectionRefused => f.write_str("nothing listens at the address"),
            Self::Unreachable => f.write_str("the address can't be reached"),
            Self::NotSporenet => f.write_str("what answered does not speak this protocol"),
            Self::Unwanted => f.write_str("the link is no longer wanted"),
            Self::Contested => f.write_str(
                "another process showed this identity a moment ago; \
                 it is being asked whether it still runs",
            ),
            Self::Untrusted => f.write_str(
                "TLS failed or the certificate is not trusted; name its authority with --tls-ca",
            ),
        }
    }
}
