//! Links coming and going, whom to be linked to, and whom to try.

use super::{Event, Message, Swim, Timer, probe::Watch};
use crate::{
    kernel::{
        address::Address,
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    membership::{
        dissemination::Rumour,
        member::{Evidence, MemberState},
        roster::Member,
        why::Why,
    },
};
use alloc::{collections::BTreeSet, vec, vec::Vec};

/// How many relays are tried at once. One at a time would make a living relay wait until every
/// relay before it that is gone for good was tried.
const TRIES_AT_ONCE: usize = 3;

impl Swim {
    pub(super) fn on_peer_up(&mut self, peer: NodeId, role: Role) {
        let links_max = usize::try_from(self.config.links_max).unwrap_or(usize::MAX);
        if peer == self.me || self.has_left() {
            return;
        }
        if self.peers.len() >= links_max && !self.peers.contains(peer) {
            self.stats.links_refused = self.stats.links_refused.saturating_add(1);
            return;
        }
        self.peers.insert(peer, role, self.now);
        // A link is the best evidence of life: what was lost before proves no crash any more.
        self.lost.remove(&peer);
        self.cancel_probe(peer);
        // From now on it is pinged on its link, where it waited for `unlinked_grace` before.
        if self.watches.contains_key(&peer) {
            self.schedule_probe(peer);
        }
        if self.avoided.remove(&peer) {
            self.deadlines.clear(&Timer::Forgive(peer));
        }
        // A tab prefers homes that are linked. A relay's neighbours follow from the rings alone.
        self.neighbours_dirty |= !self.is_relay();
        self.meet(peer);
        if self.may_announce() {
            // Each side introduces itself: leases, accusations and probes need the record first.
            let rumours = vec![Rumour::Record(self.own.to_signed())];
            self.outbox.send(peer, Message::Gossip { rumours });
        }
        self.schedule_comparison(peer);
        match role {
            Role::Tab => self.hold(peer),
            // It may be back from a split in which it was taken for dead: only if it hears of that
            // can it refute.
            Role::Relay => self.tell_if_accused(peer),
        }
    }

    /// A remembered member is met in this run.
    fn meet(&mut self, peer: NodeId) {
        let Some(member) = self.roster.get(&peer) else {
            return;
        };
        // From now on it is known from this run, which `find_dead` and a reader of the table rely
        // on.
        if *member.why() == Why::Remembered {
            let incarnation = member.record().incarnation;
            let (state, why) = (member.state(), Why::Joined { incarnation });
            self.roster.set_state(peer, state, why, self.now);
        }
    }

    pub(super) fn on_peer_down(&mut self, peer: NodeId, abrupt: bool) {
        // Its link was never counted: refused beyond `links_max`.
        let Some(role) = self.peers.remove(peer) else {
            return;
        };
        self.deadlines.clear(&Timer::Compare(peer));
        if self.has_left() {
            return;
        }
        self.cancel_probe(peer);
        if let Some(watch) = self.watches.get_mut(&peer) {
            // The wait for a link starts here, at its shortest: it was linked, so it can be
            // reached.
            watch.unlinked_at = self.now;
            watch.wrongs = 0;
            self.schedule_probe(peer);
        }
        match role {
            Role::Tab => self.release(peer),
            Role::Relay => self.on_relay_lost(peer, abrupt),
        }
    }

    fn on_relay_lost(&mut self, peer: NodeId, abrupt: bool) {
        if abrupt && self.roster.get(&peer).is_some() {
            // Noted for `on_dial_refused`: loss and refusal together are evidence, neither is
            // alone.
            self.lost.insert(peer, self.now);
            self.probe_lost(peer);
        }
        if abrupt && planted::is(Planted::LostLinkIsVerdict) {
            self.accuse(peer, Evidence::Crash);
            self.on_suspicion_end(peer);
        }
        self.reconsider(peer);
        self.neighbours_dirty |= !self.is_relay();
        self.avoid(peer);
        if !self.peers.has_relay() {
            let at = self.now + self.config.try_interval_isolated;
            // The try that is planned may be half a minute away, too long for a node that is all
            // alone.
            self.deadlines.set_earlier(Timer::Try, at);
        }
    }

    /// A refused redial proves a crash if the link was lost abruptly moments ago. The loss is no longer
    /// noted if a helper reached the member since then.
    pub(super) fn on_dial_refused(&mut self, peer: NodeId) {
        if self.has_left() || self.peers.contains(peer) {
            return;
        }
        self.avoid(peer);
        let memory = self.config.crash_memory;
        let lost_at = self.lost.get(&peer).copied();
        // A refusal long after the loss may come from a firewall or from a program that took the
        // port.
        if lost_at.is_some_and(|at| self.now.since(at) <= memory) {
            self.lost.remove(&peer);
            self.accuse(peer, Evidence::Crash);
        }
    }

    /// Another node has an address of a member. A dead member is not tried there again until it says
    /// something of itself; one that takes part may share the address, and is dialled as before.
    pub(super) fn on_elsewhere(&mut self, peer: NodeId, address: &Address) {
        self.avoid(peer);
        if let Some(member) = self.roster.get_mut(&peer) {
            member.vacate(address);
        }
    }

    /// Recomputes whom this node should be linked to, and tells the owner if that changed.
    pub(super) fn refresh_neighbours(&mut self) {
        let neighbours: Vec<(NodeId, Vec<Address>)> = if self.is_relay() {
            let ring = self.roster.rings().neighbours(self.me).into_iter();
            ring.filter_map(|id| {
                let member = self.roster.get(&id)?;
                Some((id, member.record().addresses.clone()))
            })
            .collect()
        } else {
            self.choose_homes()
        };
        // Addresses are compared too: the owner has to hear where a neighbour moved.
        if neighbours == self.neighbours {
            return;
        }
        let before: BTreeSet<NodeId> = self.neighbours.iter().map(|(id, _)| *id).collect();
        let after: BTreeSet<NodeId> = neighbours.iter().map(|(id, _)| *id).collect();
        // A probe in flight ends without a verdict: who is no neighbour is others' to observe.
        for gone in before.difference(&after) {
            self.watches.remove(gone);
            self.cancel_probe(*gone);
            self.deadlines.clear(&Timer::Probe(*gone));
            self.deadlines.clear(&Timer::Patience(*gone));
        }
        for new in after.difference(&before) {
            self.watch(*new);
        }
        self.neighbours.clone_from(&neighbours);
        self.outbox.event(Event::Neighbours(neighbours));
    }

    /// A relay observes its neighbours; a tab waits for a link to its homes.
    fn watch(&mut self, neighbour: NodeId) {
        if self.is_relay() {
            let watch = Watch {
                unlinked_at: self.now,
                wrongs: 0,
            };
            self.watches.insert(neighbour, watch);
            self.schedule_probe(neighbour);
        } else {
            let at = self.now + self.config.home_patience;
            self.deadlines.set(Timer::Patience(neighbour), at);
        }
    }

    pub(super) fn schedule_try(&mut self) {
        // An isolated node has nothing else to do, and everything to gain from the next try.
        let interval = if self.peers.has_relay() {
            self.config.try_interval
        } else {
            self.config.try_interval_isolated
        };
        let at = self.now + self.rng.jitter(interval, 250);
        self.deadlines.set(Timer::Try, at);
    }

    /// Tries the next remembered relays that are not linked, round robin, for ever: so a split of any
    /// age heals when one remembered address still answers. Every relay begins after itself, so that
    /// all together soon tried everyone.
    pub(super) fn on_try(&mut self) {
        let mut first = None;
        for _ in 0..TRIES_AT_ONCE {
            // Round robin came back to the first one: there are fewer than three to try.
            let Some(member) = self.next_try().filter(|next| first != Some(*next)) else {
                break;
            };
            first = first.or(Some(member));
            self.try_after = Some(member);
            self.try_member(member);
        }
        self.schedule_try();
    }

    /// Tries to be linked to a member for a moment.
    pub(super) fn try_member(&mut self, member: NodeId) {
        if let Some(known) = self.roster.get(&member) {
            let addresses = known.addresses_to_try();
            self.outbox.event(Event::Try { member, addresses });
        }
    }

    fn next_try(&self) -> Option<NodeId> {
        let isolated = !self.peers.has_relay();
        let counts = self.roster.counts();
        if !isolated && counts.dead == 0 && counts.parked == 0 {
            // No relay is dead or parked, so the whole table need not be searched.
            return None;
        }
        let worth_it = |(id, member): &(&NodeId, &Member)| {
            let asleep = match member.state() {
                MemberState::Dead if planted::is(Planted::DeadForgotten) => false,
                MemberState::Dead | MemberState::Parked => true,
                // A node that nobody is linked to can't tell who lives: it tries everyone who has
                // not left.
                MemberState::Alive | MemberState::Suspect => isolated,
                MemberState::Left => false,
            };
            asleep
                // A tab with a home leaves the healing of splits to relays.
                && (self.is_relay() || isolated)
                && member.is_relay()
                && **id != self.me
                && !member.addresses_to_try().is_empty()
                && !self.peers.contains(**id)
                // Neighbours are dialled anyway (`Event::Neighbours`).
                && !self.watches.contains_key(*id)
        };
        let later = self.roster.after(self.try_after);
        // Past the last identity the search goes on at the first.
        let (member, _) = later.chain(self.roster.iter()).find(worth_it)?;
        Some(*member)
    }
}
