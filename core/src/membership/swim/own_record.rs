//! This node's own record: incarnations, refutation, parking, leaving.
//!
//! No incarnation is announced before it is durable: a node that crashed after announcing one it did
//! not store would come back with one that others already hold against it, or with one that a copy
//! uses. Incarnations are therefore reserved in blocks, ahead of need.

use super::{Event, INCARNATION_KEY, Identity, MEMBERS_KEY, Message, Swim, Timer};
use crate::{
    kernel::{
        address::Address,
        crypto::{Signed, Verified, encode},
        id::{Incarnation, InstanceId, NodeId, Role},
        persist::{Persist, PersistFailed, Persisted},
        planted::{self, Planted},
        time::Time,
    },
    membership::{
        dissemination::Rumour,
        member::{ADDRESSES_MAX, Accusation, MemberRecord, MemberState, Standing},
        why::Why,
    },
};
use alloc::{vec, vec::Vec};
use core::time::Duration;

/// What stands between this node and its next word about itself.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Ownership {
    /// What the next signature will say of its presence.
    standing: Standing,
    /// Every incarnation up to this one is durable and may be announced.
    durable: Incarnation,
    /// Up to this one the store was asked; above `durable` while the answer is awaited.
    reserved: Incarnation,
    /// The incarnation it wants to take as soon as that is durable.
    raise_to: Option<Incarnation>,
    /// When it refuted last, for the least pause between two refutations.
    refuted_at: Option<Time>,
    foreign: Option<Foreign>,
    /// It has said goodbye: it speaks no more.
    left: bool,
}

/// Another process met with this node's identity.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Foreign {
    instance: InstanceId,
    /// Its highest incarnation.
    incarnation: Incarnation,
    /// How often this node went above it.
    overtaken: u8,
}

/// How often a foreign record of this identity is overtaken before another process is assumed. Members may
/// remember several records of an earlier run of this node, one for each of its refutations. A process that
/// still runs answers each time, within a round of gossip or two.
const OVERTAKEN_MAX: u8 = 4;

/// The pause before a reservation that failed is asked for again. A full store may have room soon, and a
/// suspect has seconds to refute.
const RESERVATION_PAUSE: Duration = Duration::from_secs(1);

impl Ownership {
    pub(super) const fn new() -> Self {
        Self {
            standing: Standing::Present,
            durable: Incarnation(0),
            reserved: Incarnation(0),
            raise_to: None,
            refuted_at: None,
            foreign: None,
            left: false,
        }
    }
}

/// A tab accepts no links, a relay announces a bounded number of places.
pub(super) fn trim_addresses(identity: &mut Identity) {
    let max = match identity.role {
        Role::Relay => ADDRESSES_MAX,
        Role::Tab => 0,
    };
    identity.addresses.truncate(max);
}

pub(super) fn sign(
    identity: &Identity,
    incarnation: Incarnation,
    standing: Standing,
) -> Verified<MemberRecord> {
    let record = MemberRecord {
        id: identity.keypair.id(),
        incarnation,
        instance: identity.instance,
        role: identity.role,
        name: identity.name.clone(),
        zone: identity.zone.clone(),
        location: identity.location,
        addresses: identity.addresses.clone(),
        standing,
    };
    Verified::seal(record, &identity.keypair, identity.network)
}

impl Swim {
    /// Whether this node has said goodbye.
    pub(super) const fn has_left(&self) -> bool {
        self.ownership.left
    }

    /// Whether this node may speak for itself: its incarnation is durable.
    pub(crate) fn may_announce(&self) -> bool {
        self.own.incarnation <= self.ownership.durable
    }

    /// Up to where incarnations are durable, and up to where that was asked for.
    pub(super) const fn reservations(&self) -> (Incarnation, Incarnation) {
        (self.ownership.durable, self.ownership.reserved)
    }

    /// Asks for the next block of incarnations when the reserved ones run low.
    pub(super) fn reserve_incarnations(&mut self) {
        let wanted = self.ownership.raise_to.unwrap_or_default();
        // A refutation that waits for the store needs its incarnation covered too.
        let top = self.own.incarnation.max(wanted);
        let margin = u64::from(self.config.incarnation_margin);
        if !self.has_left()
            && top.0.saturating_add(margin) > self.ownership.reserved.0
            // At the end of all incarnations there is no block left to ask for.
            && self.ownership.reserved.0 < u64::MAX
        {
            // An empty block would ask for the same bound for ever.
            let block = u64::from(self.config.incarnation_block).max(1);
            let bound = Incarnation(top.0.saturating_add(block));
            self.ownership.reserved = bound;
            // The bound itself is the token: the answer says up to where incarnations are durable.
            let request = Persist::put(bound.0, INCARNATION_KEY, encode(&bound));
            self.outbox.event(Event::Persist(request));
        }
    }

    /// A reservation is durable. The stored members carry token 0: nothing waits for them.
    pub(super) fn on_persisted(&mut self, done: Persisted) {
        if done.token == 0 {
            return;
        }
        let bound = Incarnation(done.token);
        let could_announce = self.may_announce();
        // An answer to an earlier, smaller reservation takes nothing back.
        self.ownership.durable = self.ownership.durable.max(bound);
        // The record signed at the start has waited for this.
        if !could_announce && self.may_announce() {
            self.announce();
        }
        self.try_raise();
    }

    /// The store was full or failed: without asking again this node could never refute any more.
    pub(super) fn on_persist_failed(&mut self, failed: PersistFailed) {
        if failed.token == 0 {
            return;
        }
        // Back to what is certain, so that the next request asks for all of it again. The present
        // incarnation is in use even if it is not durable yet.
        self.ownership.reserved = self.ownership.durable.max(self.own.incarnation);
        self.deadlines
            .set(Timer::Reserve, self.now + RESERVATION_PAUSE);
    }

    /// Takes a higher incarnation, at least `at_least`, once it is durable.
    fn raise(&mut self, at_least: Incarnation) {
        let wanted = self.ownership.raise_to.unwrap_or_default();
        // At an equal incarnation others keep the record that they know (`roster::freshness`), so
        // every new statement needs one of its own.
        let target = wanted.max(at_least).max(self.own.incarnation.next());
        self.ownership.raise_to = Some(target);
        self.try_raise();
    }

    fn try_raise(&mut self) {
        // What is not durable yet stays wanted; the store's answer leads here again.
        if let Some(target) = self.ownership.raise_to
            && target <= self.ownership.durable
            && !self.has_left()
        {
            self.ownership.raise_to = None;
            self.restate(target);
            self.announce();
        }
        self.reserve_incarnations();
    }

    /// Signs the own record anew and puts it in the table.
    fn restate(&mut self, incarnation: Incarnation) {
        self.own = sign(&self.identity, incarnation, self.ownership.standing);
        self.roster.update(self.own.clone());
        let state = match self.own.standing {
            Standing::Present => MemberState::Alive,
            Standing::Parked => MemberState::Parked,
            Standing::Left => MemberState::Left,
        };
        self.set_state(self.me, state, Why::ThisNode);
    }

    /// Tells everyone this node's word about itself.
    pub(super) fn announce(&mut self) {
        if self.may_announce() && !self.has_left() {
            let record = self.own.to_signed();
            self.rumours.push(Rumour::Record(record), None);
        }
    }

    /// Someone says that this node does not answer: it raises its incarnation.
    ///
    /// Source: SWIM, section 4.2; Lifeguard, section IV-A (having to refute is a sign of slowness).
    pub(super) fn on_accused(&mut self, from: NodeId, accusation: Signed<Accusation>) {
        // One refutation answers all accusations of an incarnation: while one is under way, further
        // accusations ask for nothing more.
        let pending = planted::is(Planted::NeverRefutes)
            || self.ownership.raise_to.is_some()
            || self.deadlines.at(&Timer::Refute).is_some()
            || self.has_left();
        // A lower incarnation is refuted already. Nobody can know a higher one.
        if pending || accusation.claims().incarnation != self.own.incarnation {
            self.count_stale();
            return;
        }
        if self.verify(Some(from), accusation).is_none() {
            return;
        }
        self.health.worsen(1);
        let since = self.ownership.refuted_at;
        // A liar that accuses every new incarnation gets one refutation in an interval out of this
        // node, and not one incarnation for each message.
        match since.map(|at| at + self.config.refute_interval) {
            Some(next) if next > self.now => self.deadlines.set(Timer::Refute, next),
            Some(_) | None => self.on_refute(),
        }
    }

    pub(super) fn on_refute(&mut self) {
        self.stats.refutations = self.stats.refutations.saturating_add(1);
        self.ownership.refuted_at = Some(self.now);
        self.raise(self.own.incarnation.next());
    }

    /// A record of this node's identity that this process did not sign.
    ///
    /// It may be from a life that the store has forgotten (a restored backup): it is overtaken. If it
    /// rises after that again and again, another process lives.
    pub(super) fn on_own_record(&mut self, from: Option<NodeId>, record: Signed<MemberRecord>) {
        let claims = record.claims();
        let (instance, incarnation) = (claims.instance, claims.incarnation);
        let known = self.ownership.foreign.clone();
        let known = known.filter(|known| known.instance == instance);
        let is_news = known
            .as_ref()
            .is_none_or(|known| incarnation > known.incarnation);
        // The first two cases are echoes of what this process said, and records that its own
        // already override. The third is a record that was answered before, told by one more peer.
        if instance == self.identity.instance
            || incarnation < self.own.incarnation
            || !is_news
            || self.has_left()
        {
            self.count_stale();
            return;
        }
        if self.verify(from, record).is_none() {
            return;
        }
        // For another instance the count starts anew: it is per foreign process.
        let overtaken = known.map_or(0, |known| known.overtaken);
        self.ownership.foreign = Some(Foreign {
            instance,
            incarnation,
            overtaken: overtaken.saturating_add(1),
        });
        // Above it, the record of an earlier life is overridden for good. A living process raises
        // its own in turn, and after a few times that is proof enough.
        if overtaken < OVERTAKEN_MAX {
            self.raise(incarnation.next());
        } else {
            self.outbox.event(Event::Conflict { member: self.me });
        }
    }

    /// Parks or returns.
    pub(super) fn set_standing(&mut self, standing: Standing) {
        if self.has_left() || self.ownership.standing == standing {
            return;
        }
        self.ownership.standing = standing;
        self.raise(self.own.incarnation.next());
    }

    /// Announces other addresses.
    pub(super) fn set_addresses(&mut self, addresses: Vec<Address>) {
        let before = core::mem::replace(&mut self.identity.addresses, addresses);
        trim_addresses(&mut self.identity);
        if self.identity.addresses != before && !self.has_left() {
            self.raise(self.own.incarnation.next());
        }
    }

    /// Stores the members' records for the next start.
    pub(super) fn persist_roster(&mut self) {
        let records = encode(&self.records_to_persist());
        // Token 0: nothing waits for it. Should it fail, the next change stores the whole table
        // again.
        let request = Persist::put(0, MEMBERS_KEY, records);
        self.outbox.event(Event::Persist(request));
        self.outbox.event(Event::RosterChanged);
    }

    /// Says goodbye to every linked peer; gone after a moment.
    ///
    /// Where no higher incarnation is durable, goodbye is said at the present one: at one incarnation
    /// `Left` overrides all else.
    pub(super) fn leave(&mut self) {
        if self.has_left() {
            return;
        }
        self.ownership.standing = Standing::Left;
        let next = self.own.incarnation.next();
        if next <= self.ownership.durable {
            self.restate(next);
        } else {
            self.restate(self.own.incarnation);
        }
        // Not even goodbye is said at an incarnation that is not durable: the next run could be
        // given the same one, and others would take it for the one that left.
        if self.may_announce() {
            let rumours = vec![Rumour::Record(self.own.to_signed())];
            let peers: Vec<NodeId> = self.peers.iter().collect();
            for peer in peers {
                let rumours = rumours.clone();
                self.outbox.send(peer, Message::Gossip { rumours });
            }
        }
        // From here on nothing is announced, taken in or accused; all timers go, so that none wakes
        // a machine that only waits to be dropped.
        self.ownership.left = true;
        self.probes.clear();
        self.watches.clear();
        self.helping.clear();
        self.deadlines = crate::kernel::deadlines::Deadlines::new();
        // Whoever comes back has to know whom to dial.
        self.persist_roster();
        if self.peers.is_empty() {
            self.outbox.event(Event::Departed);
        } else {
            let at = self.now + self.config.leave_delay;
            self.deadlines.set(Timer::Depart, at);
        }
    }
}
