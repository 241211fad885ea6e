//! Why a node is not let in yet, and what helps.

use crate::{kernel::id::Role, node::machine::Node, wire::close::CloseReason};
use alloc::{format, string::String};

/// Why a node that asks to be let in is not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct JoinTrouble {
    /// A stable word, such as `invite_expired`.
    pub code: String,
    /// What happened and what to do, in one sentence.
    pub text: String,
    /// Whether trying again with the same link can't succeed.
    pub is_final: bool,
}

impl Node {
    /// Why this node is not let in; `None` if it is in, or nothing has failed yet.
    #[must_use]
    pub fn join_trouble(&self) -> Option<JoinTrouble> {
        if self.is_admitted() {
            return None;
        }
        let destinations = self.links.dialer().destinations();
        let failures = destinations.filter_map(|(_, attempts)| attempts.last_failure());
        // A relay that answered says more than one that did not.
        let reason = failures.min_by_key(|reason| rank(reason))?;
        let code = reason.code().into();
        let text = self.join_advice(reason);
        let is_final = rank(reason) == 0;
        Some(JoinTrouble {
            code,
            text,
            is_final,
        })
    }

    fn join_advice(&self, reason: &CloseReason) -> String {
        match reason {
            CloseReason::InviteExpired => {
                "This link has expired: ask for a new one with `sporenet invite`.".into()
            }
            CloseReason::InviteUsed => {
                "This link has been used up: ask for a new one with `sporenet invite`.".into()
            }
            CloseReason::InviteRole => {
                let kind = if self.config.role == Role::Tab { "tab" } else { "relay" };
                format!(
                    "This link lets in another kind of node: ask for one with \
                     `sporenet invite --role {kind}`."
                )
            }
            CloseReason::WrongNetwork => {
                "This link belongs to another network than the relay: ask for a new one with \
                 `sporenet invite` on the relay that you want to join."
                    .into()
            }
            CloseReason::WrongKey | CloseReason::WrongEpoch => {
                "This link is not valid here, it may be cut or of a network that was founded anew: \
                 ask for a new one with `sporenet invite`."
                    .into()
            }
            CloseReason::InviteElsewhere { issuer } => format!(
                "Only the relay {} that made this link can honour it, and it does not answer: start \
                 it, or ask for a new link with `sporenet invite` on another relay.",
                issuer.short()
            ),
            CloseReason::VersionMismatch { .. } => format!(
                "Not let in: {reason}; update the older of the two, then try again."
            ),
            CloseReason::ConnectionRefused | CloseReason::Unreachable
                if self.config.role == Role::Tab =>
            {
                "No relay takes a connection: check that one runs and can be reached from here, and \
                 that a proxy on the way passes WebSockets on. It is tried again."
                    .into()
            }
            other => format!("Not let in yet: {other}. It is tried again."),
        }
    }
}

/// How telling a failure is, the most first: 0 ends a link for good, 1 is a relay's word, 2 silence.
const fn rank(reason: &CloseReason) -> u8 {
    match reason {
        CloseReason::InviteExpired
        | CloseReason::InviteUsed
        | CloseReason::InviteRole
        | CloseReason::WrongNetwork
        | CloseReason::WrongKey
        | CloseReason::WrongEpoch => 0,
        CloseReason::InviteElsewhere { .. }
        | CloseReason::VersionMismatch { .. }
        | CloseReason::Leaving
        | CloseReason::Parking
        | CloseReason::Duplicate
        | CloseReason::Superseded
        | CloseReason::IdentityInUse { .. }
        | CloseReason::SelfDial
        | CloseReason::BadIdentity
        | CloseReason::UnexpectedPeer
        | CloseReason::Protocol
        | CloseReason::Oversized
        | CloseReason::Busy
        | CloseReason::NotSporenet
        | CloseReason::Contested => 1,
        CloseReason::HandshakeTimeout
        | CloseReason::Silent
        | CloseReason::Overload
        | CloseReason::Lost
        | CloseReason::ConnectionRefused
        | CloseReason::Unreachable
        | CloseReason::Unwanted => 2,
    }
}
