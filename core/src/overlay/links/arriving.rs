//! Links under an invite's key, until one side has let the other in.
//!
//! Such a link carries admission and nothing else. It becomes a link like any other when the member at one
//! end lets the newcomer at the other in; if that takes too long, it is closed, and a newcomer dials again.

use super::{Event, Links, Timer};
use crate::{
    kernel::id::{DialId, LinkId, NodeId},
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::vec::Vec;

/// A link under an invite's key.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Arrival {
    identity: PeerIdentity,
    /// The dial that opened it, if this node is the newcomer. It counts as running until the end.
    dial: Option<DialId>,
}

impl Links {
    /// Whether it has this link, as a peer's or as one under an invite.
    #[must_use]
    pub fn holds(&self, link: LinkId) -> bool {
        self.by_link.contains_key(&link) || self.is_arriving(link) || self.is_standby(link)
    }

    /// Whether a link waits until one side lets the other in.
    #[must_use]
    pub fn is_arriving(&self, link: LinkId) -> bool {
        self.arriving.contains_key(&link)
    }

    /// The link of a peer that waits to be let in.
    #[must_use]
    pub fn arriving_link(&self, peer: NodeId) -> Option<LinkId> {
        let mut links = self.arriving.iter();
        let (link, _) = links.find(|(_, arrival)| arrival.identity.id == peer)?;
        Some(*link)
    }

    /// Whether a peer may let this node in: it was dialled under the invite.
    #[must_use]
    pub fn may_welcome(&self, peer: NodeId) -> bool {
        let mut arrivals = self.arriving.values();
        arrivals.any(|arrival| arrival.identity.id == peer && arrival.dial.is_some())
    }

    pub(super) fn on_arrived(
        &mut self,
        link: LinkId,
        identity: PeerIdentity,
        dial: Option<DialId>,
    ) {
        if self.holds(link) {
            return;
        }
        // Another entry let this node in meanwhile: nobody has to let it in any more.
        let is_member = dial.is_some() && self.joined;
        // A link to itself, or after a stop, is refused like any other.
        if is_member || identity.id == self.id || self.stopped {
            self.on_up(link, identity, dial);
            return;
        }
        // Bounded apart from the peers' links: a crowd of newcomers takes no place from members.
        let arriving = u32::try_from(self.arriving.len()).unwrap_or(u32::MAX);
        if arriving >= self.config.arriving_max {
            self.stats.refused = self.stats.refused.saturating_add(1);
            let reason = CloseReason::Busy;
            self.outbox.event(Event::Close {
                link,
                reason: reason.clone(),
            });
            if let Some(dial) = dial {
                // It never was an arrival, so nobody else answers the dial.
                self.fail_dial(dial, reason);
            }
            return;
        }
        self.arriving.insert(link, Arrival { identity, dial });
        let end = self.now + self.config.arrival_patience;
        self.deadlines.set(Timer::Arrival(link), end);
    }

    /// The peer was let in: from now on its link is like any other.
    pub(super) fn on_admitted(&mut self, link: LinkId) {
        if let Some(arrival) = self.take_arrival(link) {
            self.on_up(link, arrival.identity, arrival.dial);
        }
    }

    /// This node was let in: every relay that it dialled for that is a peer from now on.
    pub(super) fn on_joined(&mut self) {
        self.joined = true;
        // Who dialled it under the same invite is a newcomer too: admission turns that one away.
        let dialled = self
            .arriving
            .iter()
            .filter(|(_, arrival)| arrival.dial.is_some());
        let links: Vec<LinkId> = dialled.map(|(link, _)| *link).collect();
        for link in links {
            self.on_admitted(link);
        }
    }

    fn take_arrival(&mut self, link: LinkId) -> Option<Arrival> {
        self.deadlines.clear(&Timer::Arrival(link));
        self.arriving.remove(&link)
    }

    /// A link ended before anybody was let in; answers whether it was such a link.
    pub(super) fn end_arrival(&mut self, link: LinkId, reason: &CloseReason) -> bool {
        let Some(arrival) = self.take_arrival(link) else {
            return false;
        };
        if let CloseReason::IdentityInUse { .. } = reason {
            // The peer says so of us, and may lie: hearsay, as on any other link.
            self.outbox.event(Event::IdentityConflict {
                identity: self.id,
                reason: reason.clone(),
                told_by: Some(arrival.identity.id),
            });
        }
        // The dial counted as running all this time; only now it has failed.
        if let Some(dial) = arrival.dial {
            self.fail_dial(dial, reason.clone());
        }
        true
    }

    /// Nobody was let in for so long: the member is gone, or its store is stuck.
    pub(super) fn on_arrival_timeout(&mut self, link: LinkId) {
        self.stats.silent = self.stats.silent.saturating_add(1);
        self.close_arrival(link, CloseReason::Silent);
    }

    pub(super) fn close_arrivals(&mut self, reason: &CloseReason) {
        let links: Vec<LinkId> = self.arriving.keys().copied().collect();
        for link in links {
            self.close_arrival(link, reason.clone());
        }
    }

    fn close_arrival(&mut self, link: LinkId, reason: CloseReason) {
        self.end_arrival(link, &reason);
        self.outbox.event(Event::Close { link, reason });
    }
}
