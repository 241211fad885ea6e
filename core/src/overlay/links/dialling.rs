//! Whom to dial and when, what becomes of each dial, and backoffs that are stored.

use super::{BACKOFFS_KEY, Event, Links, Timer};
use crate::{
    kernel::{
        address::Address,
        crypto::encode,
        id::{DialId, NodeId, Role},
        persist::Persist,
        time::Duration,
    },
    overlay::{
        dialer::{COURTESY, Destination},
        remembered::Remembered,
    },
    wire::close::CloseReason,
};
use alloc::vec::Vec;

impl Links {
    pub(super) fn on_dial_failed(&mut self, dial: DialId, reason: CloseReason) {
        // The handshake failed because the other end proved our own identity
        // (`wire::session::handshake`): no hearsay, so nobody is named who told it.
        if let CloseReason::IdentityInUse { .. } = reason {
            self.outbox.event(Event::IdentityConflict {
                identity: self.id,
                reason: reason.clone(),
                told_by: None,
            });
        }
        self.fail_dial(dial, reason);
    }

    /// A dial led to no link that could be used.
    pub(super) fn fail_dial(&mut self, dial: DialId, reason: CloseReason) {
        self.stats.dials_failed = self.stats.dials_failed.saturating_add(1);
        let failed = self.dialer.failed(self.now, dial, &reason, &mut self.rng);
        let Some((destination, address, news)) = failed else {
            return;
        };
        let expect = match &destination {
            Destination::Member(peer) => Some(*peer),
            Destination::Entry(_) => None,
        };
        // Nothing listens where the member was. Membership weighs that: alone it proves nothing.
        if let Some(peer) = expect.filter(|_| reason == CloseReason::ConnectionRefused) {
            self.outbox.event(Event::DialRefused { peer });
        }
        // Somebody else has the address now. Membership says whether the member is sought there again.
        if let Some(peer) = expect.filter(|_| reason == CloseReason::UnexpectedPeer) {
            let address = address.clone();
            self.outbox.event(Event::Elsewhere { peer, address });
        }
        if reason == CloseReason::SelfDial {
            self.dialer.forget(&destination);
        }
        // Both are the course of things when two nodes dial each other or one dials all it knows:
        // no operator needs to read of them. Who has no link yet, or looks for another node, was
        // led astray.
        let is_lost = self.peers.is_empty() || expect.is_some();
        let expected =
            reason == CloseReason::Duplicate || (reason == CloseReason::SelfDial && !is_lost);
        if news && !expected {
            self.outbox.event(Event::DialFailed {
                address,
                expect,
                reason,
            });
        }
    }

    pub(super) fn on_targets(&mut self, targets: Vec<(NodeId, Vec<Address>)>) {
        self.targets = targets
            .into_iter()
            .filter(|(peer, _)| *peer != self.id)
            .collect();
        let wanted = &self.targets;
        self.dialer.retain_members(|peer| wanted.contains_key(peer));
        self.want_targets();
    }

    pub(super) fn want_targets(&mut self) {
        for (peer, addresses) in &self.targets {
            // Neighbours learn of each other at about the same time. The larger identity waits a
            // little, so that they rarely open two links of which one is closed again.
            let courtesy = match self.role {
                Role::Relay if self.id > *peer => self.rng.jitter(COURTESY / 2, 500),
                Role::Relay | Role::Tab => Duration::ZERO,
            };
            let at = self.now + courtesy;
            self.dialer
                .want(Destination::Member(*peer), addresses, at, false);
        }
        self.schedule_dial();
    }

    /// A member is worth dialling while it has no link; an entry while nobody has.
    #[must_use]
    pub fn wants(&self, destination: &Destination) -> bool {
        match destination {
            Destination::Member(peer) => !self.peers.contains_key(peer),
            // Entries are a way into the mesh: any linked relay knows the others better.
            Destination::Entry(_) => !self
                .peers
                .values()
                .any(|peer| peer.identity.role == Role::Relay),
        }
    }

    pub(super) fn schedule_dial(&mut self) {
        self.schedule_save();
        let next = self.dialer.next_at(self.now, |d| self.wants(d));
        match next.filter(|_| !self.stopped) {
            Some(at) => self.deadlines.set(Timer::Dial, at),
            None => {
                self.deadlines.clear(&Timer::Dial);
            }
        }
    }

    pub(super) fn schedule_save(&mut self) {
        // Asked first, since asking clears the mark.
        let wanted = self.dialer.take_changed() && !self.stopped;
        // One save takes all changes until then.
        if wanted && self.deadlines.at(&Timer::Save).is_none() {
            // The first save is at once, the next ones keep their distance, so that failing dials
            // do not wear the store.
            let earliest = self.saved_at.map(|at| at + self.config.save_interval);
            let at = earliest.map_or(self.now, |at| at.max(self.now));
            self.deadlines.set(Timer::Save, at);
        }
    }

    pub(super) fn save_backoffs(&mut self) {
        let (wall, read_at) = self.wall;
        // The wall clock is read about every second; in between this node's own clock goes on from
        // there.
        let wall = wall.plus(self.now.since(read_at));
        let backoffs = Remembered::write(self.dialer.backoffs(self.now), self.now, wall);
        let request = Persist::put(0, BACKOFFS_KEY, encode(&backoffs));
        self.outbox.event(Event::Persist(request));
    }

    pub(super) fn on_dial_timer(&mut self) {
        let peers = &self.peers;
        let linked_relay = peers.values().any(|peer| peer.identity.role == Role::Relay);
        // The same as `wants`, with the search for a linked relay done once.
        let worth = |destination: &Destination| match destination {
            Destination::Member(peer) => !peers.contains_key(peer),
            Destination::Entry(_) => !linked_relay,
        };
        let mut started = Vec::new();
        // Ends when nothing is due or the budget is spent: each round takes a token.
        while let Some(dial) = self.dialer.start(self.now, worth) {
            started.push(dial);
        }
        for dial in started {
            self.stats.dials = self.stats.dials.saturating_add(1);
            self.outbox.event(Event::Dial {
                dial: dial.dial,
                address: dial.address,
                expect: dial.expect,
            });
        }
        self.schedule_dial();
    }
}
