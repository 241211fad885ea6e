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
        if let Some(peer) = expect.filter(|_| reason == CloseReason::ConnectionRefused) {
            self.outbox.event(Event::DialRefused { peer });
        }
        if reason == CloseReason::SelfDial {
            self.dialer.forget(&destination);
        }
        let expected = matches!(reason, CloseReason::Duplicate | CloseReason::SelfDial);
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
        let wanted = self.dialer.take_changed() && !self.stopped;
        if wanted && self.deadlines.at(&Timer::Save).is_none() {
            let earliest = self.saved_at.map(|at| at + self.config.save_interval);
            let at = earliest.map_or(self.now, |at| at.max(self.now));
            self.deadlines.set(Timer::Save, at);
        }
    }

    pub(super) fn save_backoffs(&mut self) {
        let (wall, read_at) = self.wall;
        let wall = wall.plus(self.now.since(read_at));
        let backoffs = Remembered::write(self.dialer.backoffs(self.now), self.now, wall);
        let request = Persist::put(0, BACKOFFS_KEY, encode(&backoffs));
        self.outbox.event(Event::Persist(request));
    }

    pub(super) fn on_dial_timer(&mut self) {
        let peers = &self.peers;
        let linked_relay = peers.values().any(|peer| peer.identity.role == Role::Relay);
        let worth = |destination: &Destination| match destination {
            Destination::Member(peer) => !peers.contains_key(peer),
            Destination::Entry(_) => !linked_relay,
        };
        let mut started = Vec::new();
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
