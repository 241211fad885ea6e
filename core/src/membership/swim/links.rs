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

/// How many relays are tried at once. With one, a living relay waits until all that are gone for good
/// were tried before it.
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
        self.lost.remove(&peer);
        self.cancel_probe(peer);
        if self.watches.contains_key(&peer) {
            self.schedule_probe(peer);
        }
        if self.avoided.remove(&peer) {
            self.deadlines.clear(&Timer::Forgive(peer));
        }
        self.neighbours_dirty |= !self.is_relay();
        self.meet(peer);
        if self.may_announce() {
            let rumours = vec![Rumour::Record(self.own.to_signed())];
            self.outbox.send(peer, Message::Gossip { rumours });
        }
        self.schedule_comparison(peer);
        match role {
            Role::Tab => self.hold(peer),
            Role::Relay => self.tell_if_accused(peer),
        }
    }

    /// A remembered member is met in this run.
    fn meet(&mut self, peer: NodeId) {
        let Some(member) = self.roster.get(&peer) else {
            return;
        };
        if *member.why() == Why::Remembered {
            let incarnation = member.record().incarnation;
            let (state, why) = (member.state(), Why::Joined { incarnation });
            self.roster.set_state(peer, state, why, self.now);
        }
    }

    pub(super) fn on_peer_down(&mut self, peer: NodeId, abrupt: bool) {
        let Some(role) = self.peers.remove(peer) else {
            return;
        };
        self.deadlines.clear(&Timer::Compare(peer));
        if self.has_left() {
            return;
        }
        self.cancel_probe(peer);
        if let Some(watch) = self.watches.get_mut(&peer) {
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
        if lost_at.is_some_and(|at| self.now.since(at) <= memory) {
            self.lost.remove(&peer);
            self.accuse(peer, Evidence::Crash);
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
        if neighbours == self.neighbours {
            return;
        }
        let before: BTreeSet<NodeId> = self.neighbours.iter().map(|(id, _)| *id).collect();
        let after: BTreeSet<NodeId> = neighbours.iter().map(|(id, _)| *id).collect();
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
            let addresses = known.record().addresses.clone();
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
                MemberState::Alive | MemberState::Suspect => isolated,
                MemberState::Left => false,
            };
            asleep
                && (self.is_relay() || isolated)
                && member.is_relay()
                && **id != self.me
                && !member.record().addresses.is_empty()
                && !self.peers.contains(**id)
                && !self.watches.contains_key(*id)
        };
        let later = self.roster.after(self.try_after);
        let (member, _) = later.chain(self.roster.iter()).find(worth_it)?;
        Some(*member)
    }
}
