//! Why a node is not let in yet, and what helps.

use crate::{
    kernel::{address::Address, id::Role},
    node::machine::Node,
    overlay::dialer::Destination,
    wire::{close::CloseReason, invitation::KeyHint},
};
use alloc::{format, string::String};

/// How often a relay has to refuse a newcomer before it is taken at its word. A use of an invite comes
/// free again when the newcomer that took it fails, so a first refusal may be too early; more than a
/// few only make people wait.
const REFUSALS_MIN: u32 = 3;

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
        // What is settled is told, whatever else failed meanwhile.
        let settled = self.final_refusal();
        let is_final = settled.is_some();
        let reason = settled.unwrap_or(reason);
        Some(JoinTrouble {
            code: reason.code().into(),
            text: self.join_advice(reason),
            is_final,
        })
    }

    /// Where relays are that it was told of by a join link or its settings, and has not met.
    pub fn entries(&self) -> impl Iterator<Item = &Address> {
        let destinations = self.links.dialer().destinations();
        destinations.filter_map(|(destination, _)| match destination {
            Destination::Entry(address) => Some(address),
            Destination::Member(_) => None,
        })
    }

    /// Why this newcomer will not be let in with the link that it has, as a sentence that says what to
    /// do; `None` while it may be.
    #[must_use]
    pub fn join_refusal(&self) -> Option<String> {
        let reason = self.final_refusal().filter(|_| !self.is_admitted())?;
        Some(format!(
            "This node can't join with this link: {reason}. Make a link with `sporenet invite` on a \
             relay of the mesh, and start this node again with it."
        ))
    }

    /// Either all relays that the link leads to have refused it for good more than once, or one says
    /// that the invite has expired and this node's own clock agrees.
    fn final_refusal(&self) -> Option<&CloseReason> {
        let ours = match self.admission.credential() {
            Some((KeyHint::Invite(invitation), _)) => invitation.expires_at,
            Some((KeyHint::Isolation { .. }, _)) | None => return None,
        };
        let expired = self.wall_now() >= ours;
        let mut last = None;
        let mut all = true;
        for (_, attempts) in self.links.dialer().destinations() {
            let reason = attempts.last_failure();
            if expired && reason == Some(&CloseReason::InviteExpired) {
                return reason;
            }
            let repeated = attempts.failures() >= REFUSALS_MIN;
            all &= repeated && reason.is_some_and(CloseReason::is_final_for_newcomer);
            last = reason;
        }
        last.filter(|_| all)
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
            CloseReason::Leaving
            | CloseReason::Parking
            | CloseReason::Duplicate
            | CloseReason::Superseded
            | CloseReason::IdentityInUse { .. }
            | CloseReason::SelfDial
            | CloseReason::BadIdentity
            | CloseReason::UnexpectedPeer
            | CloseReason::Protocol
            | CloseReason::Oversized
            | CloseReason::HandshakeTimeout
            | CloseReason::Silent
            | CloseReason::Overload
            | CloseReason::Busy
            | CloseReason::Lost
            | CloseReason::ConnectionRefused
            | CloseReason::Unreachable
            | CloseReason::NotSporenet
            | CloseReason::Unwanted
            | CloseReason::Contested
            | CloseReason::Untrusted => {
                format!("Not let in yet: {reason}. It is tried again.")
            }
        }
    }
}

/// How telling a failure is, the most first: 0 ends a link for good, 1 is a relay's word, 2 silence.
const fn rank(reason: &CloseReason) -> u8 {
    if reason.is_final_for_newcomer() {
        return 0;
    }
    let is_silence = matches!(
        reason,
        CloseReason::HandshakeTimeout
            | CloseReason::Silent
            | CloseReason::Overload
            | CloseReason::Lost
            | CloseReason::ConnectionRefused
            | CloseReason::Unreachable
            | CloseReason::Unwanted
    );
    if is_silence { 2 } else { 1 }
}
