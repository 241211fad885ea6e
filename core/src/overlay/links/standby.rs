//! Links that peers opened beside the routed one, until they say something there.
//!
//! Who dials proves itself first, so the dialled end takes a link for open before the dialler knows whom it
//! met. A dialler that wanted another member, whose address this node has now, closes the link without a
//! word; who means this node pings at once. So a second link waits, at most one a peer, and the good one
//! stays untouched until then.

use super::{Event, Links};
use crate::{
    kernel::{
        id::{LinkId, NodeId},
        planted::{self, Planted},
    },
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::vec::Vec;

/// A second link of a peer.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Standby {
    link: LinkId,
    identity: PeerIdentity,
}

impl Links {
    /// Whether a link waits beside its peer's routed one.
    #[must_use]
    pub fn is_standby(&self, link: LinkId) -> bool {
        self.standby.values().any(|standby| standby.link == link)
    }

    pub(super) fn stand_by(&mut self, link: LinkId, identity: PeerIdentity) {
        // The newest counts: the peer would not dial again if it used the one before.
        self.close_standby(identity.id, &CloseReason::Duplicate);
        self.standby.insert(identity.id, Standby { link, identity });
    }

    /// The peer uses the new link: it is routed in place of the old one.
    pub(super) fn on_spoke(&mut self, link: LinkId) {
        let waiting = self.standby.values().find(|standby| standby.link == link);
        let Some(Standby { identity, .. }) = waiting.copied() else {
            return;
        };
        self.standby.remove(&identity.id);
        if let Some(old) = self.link_of(identity.id) {
            self.replace(old, link, identity, false);
        }
    }

    /// Routes a link in place of another of the same process.
    pub(super) fn replace(
        &mut self,
        old: LinkId,
        link: LinkId,
        identity: PeerIdentity,
        dialled: bool,
    ) {
        self.by_link.remove(&old);
        // The peer stays up all the time, so nobody is told of a change.
        self.route(link, identity, dialled, None);
        if planted::is(Planted::SupersededKept) {
            return;
        }
        self.outbox.event(Event::Close {
            link: old,
            reason: CloseReason::Duplicate,
        });
    }

    /// The routed link ended; answers whether another of the peer takes its place.
    pub(super) fn take_over(&mut self, peer: NodeId, reason: &CloseReason) -> bool {
        // With any other word the peer, or this node, gives up more than one link.
        let only_the_link = matches!(
            reason,
            CloseReason::Lost | CloseReason::Silent | CloseReason::Duplicate
        );
        if !only_the_link {
            self.close_standby(peer, reason);
            return false;
        }
        let Some(Standby { link, identity }) = self.standby.remove(&peer) else {
            return false;
        };
        self.route(link, identity, false, None);
        true
    }

    /// A link that stood by ended; answers whether it was such a link.
    pub(super) fn end_standby(&mut self, link: LinkId) -> bool {
        let before = self.standby.len();
        self.standby.retain(|_, standby| standby.link != link);
        self.standby.len() < before
    }

    pub(super) fn close_standby(&mut self, peer: NodeId, reason: &CloseReason) {
        if let Some(Standby { link, .. }) = self.standby.remove(&peer) {
            self.outbox.event(Event::Close {
                link,
                reason: reason.clone(),
            });
        }
    }

    pub(super) fn close_standbys(&mut self, reason: &CloseReason) {
        let peers: Vec<NodeId> = self.standby.keys().copied().collect();
        for peer in peers {
            self.close_standby(peer, reason);
        }
    }
}
