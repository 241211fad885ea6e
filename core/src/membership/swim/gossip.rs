//! Taking rumours in, and telling them.

use super::{Message, Offence, Swim, Timer};
use crate::{
    kernel::{
        crypto::{Signed, Verified},
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    membership::{
        dissemination::{Rumour, told_max},
        member::{ADDRESSES_MAX, MemberRecord, MemberState, Standing},
        roster::{Freshness, freshness},
        why::Why,
    },
};
use alloc::vec::Vec;

/// The most rumours of one message that are looked at: more than fit into its bytes.
const RUMOURS_MAX: usize = 256;

impl Swim {
    /// Whether this node is a relay.
    pub(super) const fn is_relay(&self) -> bool {
        match self.identity.role {
            Role::Relay => true,
            Role::Tab => false,
        }
    }

    pub(super) const fn count_stale(&mut self) {
        self.stats.rumours_stale = self.stats.rumours_stale.saturating_add(1);
    }

    /// Takes rumours: records first, since leases and accusations are about members.
    pub(super) fn on_rumours(&mut self, from: NodeId, mut rumours: Vec<Rumour>) {
        // What is cut off is no loss: comparing tables repairs it.
        rumours.truncate(RUMOURS_MAX);
        let count = u64::try_from(rumours.len()).unwrap_or(u64::MAX);
        self.stats.rumours = self.stats.rumours.saturating_add(count);
        let mut rest = Vec::new();
        for rumour in rumours {
            match rumour {
                Rumour::Record(record) => self.on_record(Some(from), record),
                Rumour::Accusation(_) | Rumour::Lease(_) => rest.push(rumour),
            }
        }
        for rumour in rest {
            match rumour {
                Rumour::Accusation(accusation) => self.on_accusation(from, accusation),
                Rumour::Lease(lease) => self.on_lease(from, lease),
                Rumour::Record(_) => {}
            }
        }
    }

    /// Takes a member's word about itself.
    pub(super) fn on_record(&mut self, from: Option<NodeId>, record: Signed<MemberRecord>) {
        let claims = record.claims();
        // Before the signature: honest nodes refuse such a record too, so whoever passes it on is
        // to blame.
        let addresses_max = match claims.role {
            Role::Relay => ADDRESSES_MAX,
            Role::Tab => 0,
        };
        if claims.addresses.len() > addresses_max {
            if let Some(from) = from {
                self.offend(from, Offence::Malformed);
            }
            return;
        }
        // Nobody else decides about this node's own record.
        if claims.id == self.me {
            self.on_own_record(from, record);
            return;
        }
        let known = self.roster.get(&claims.id).map(|member| member.record());
        // Most rumours say nothing new. Only what would change the table is worth checking a
        // signature, which takes some 35 µs.
        match known.map_or(Freshness::Newer, |known| freshness(known, claims)) {
            Freshness::Stale => self.count_stale(),
            Freshness::Copied => self.on_copy(from, record),
            Freshness::Newer => {
                if let Some(record) = self.verify(from, record) {
                    self.take_record(record, from);
                }
            }
        }
    }

    /// Two processes show one identity: the record that was known first stays, and the owner is told, at most
    /// once a minute.
    fn on_copy(&mut self, from: Option<NodeId>, record: Signed<MemberRecord>) {
        let id = record.claims().id;
        let told = self.roster.get(&id).and_then(|member| member.conflict_at);
        // Before the signature is checked: two processes that both gossip would cost a check for
        // every rumour.
        if told.is_some_and(|at| self.now.since(at).as_secs() < 60) {
            self.count_stale();
            return;
        }
        if self.verify(from, record).is_none() {
            return;
        }
        if let Some(member) = self.roster.get_mut(&id) {
            member.conflict_at = Some(self.now);
        }
        self.outbox.event(super::Event::Conflict { member: id });
    }

    fn take_record(&mut self, record: Verified<MemberRecord>, from: Option<NodeId>) {
        let id = record.id;
        let signed = record.to_signed();
        let taken = match self.roster.get(&id) {
            Some(_) => {
                self.replace_record(record);
                true
            }
            None => self.add_member(record, from.is_none()),
        };
        if !taken {
            return;
        }
        // Records out of a store or a spore are old news: they are not told on.
        if from.is_some() {
            self.rumours.push(Rumour::Record(signed), from);
        }
        self.roster_dirty = true;
        self.neighbours_dirty = true;
        self.on_tab_record(id);
    }

    fn add_member(&mut self, record: Verified<MemberRecord>, remembered: bool) -> bool {
        let id = record.id;
        let (state, why) = match (record.standing, record.role) {
            (Standing::Left, Role::Relay | Role::Tab) => (MemberState::Left, Why::SaidGoodbye),
            (Standing::Parked, Role::Relay | Role::Tab) => (MemberState::Parked, Why::SaidParked),
            // A tab is alive by a lease alone, which comes with or after its record.
            (Standing::Present, Role::Tab) => (MemberState::Parked, Why::Unattached),
            (Standing::Present, Role::Relay) if remembered => (MemberState::Alive, Why::Remembered),
            (Standing::Present, Role::Relay) => {
                let incarnation = record.incarnation;
                (MemberState::Alive, Why::Joined { incarnation })
            }
        };
        let added = self.roster.insert(record, state, why, self.now);
        if added {
            self.note_change(id, None, false);
            self.update_tabs_of(id);
        }
        added
    }

    fn replace_record(&mut self, record: Verified<MemberRecord>) {
        let id = record.id;
        let Some(known) = self.roster.get(&id) else {
            return;
        };
        let before = known.state();
        let restarted = known.record().instance != record.instance;
        let (incarnation, standing) = (record.incarnation, record.standing);
        if restarted {
            // The old process has gone, so its accusers were right: nobody is counted as wrong.
            if let Some(member) = self.roster.get_mut(&id) {
                member.suspicion = None;
            }
        } else if !planted::is(Planted::SuspicionSticks) {
            self.forgive_and_count(id);
        }
        // Accusations name the incarnation that is replaced here: neither the window nor the
        // rumours of them mean anything any more.
        self.end_window(id);
        self.rumours.forget_accusations(id);
        self.roster.update(record);
        let returned = matches!(before, MemberState::Left | MemberState::Parked);
        let refuted = matches!(before, MemberState::Suspect | MemberState::Dead);
        let (state, why) = match standing {
            Standing::Left => (MemberState::Left, Why::SaidGoodbye),
            Standing::Parked => (MemberState::Parked, Why::SaidParked),
            // Its state follows from leases (`update_tab`), which the caller looks at next.
            Standing::Present if self.is_tab(id) => return,
            Standing::Present if restarted => (MemberState::Alive, Why::Restarted { incarnation }),
            Standing::Present if refuted => (MemberState::Alive, Why::Refuted { incarnation }),
            Standing::Present if returned => (MemberState::Alive, Why::Returned { incarnation }),
            Standing::Present => return,
        };
        // Alive as before, but another process: a change to tell, though the state stays.
        if restarted && before == MemberState::Alive && state == before {
            self.note_change(id, Some(before), true);
        }
        self.set_state(id, state, why);
    }

    pub(super) fn is_tab(&self, id: NodeId) -> bool {
        self.roster
            .get(&id)
            .is_some_and(|member| !member.is_relay())
    }

    /// Records out of a store or a spore: pointers, believed until something newer is heard.
    pub(super) fn learn(&mut self, records: Vec<Signed<MemberRecord>>) {
        let max = usize::try_from(self.config.members_max).unwrap_or(usize::MAX);
        for record in records.into_iter().take(max) {
            self.on_record(None, record);
        }
    }

    /// Rumours to go with a message to `to`.
    pub(super) fn piggyback(&mut self, to: NodeId) -> Vec<Rumour> {
        let bytes_max = usize::try_from(self.config.piggyback_bytes_max).unwrap_or(usize::MAX);
        let times = self.told_max();
        self.rumours.take(to, bytes_max, times)
    }

    fn told_max(&self) -> u32 {
        told_max(self.config.retransmit_factor, self.roster.rings().len())
    }

    /// Tells fresh rumours to the linked relays (a random part of them where they are many) and to
    /// every linked tab, which has nobody else to hear them from.
    pub(super) fn on_flush(&mut self) {
        let (mut relays, tabs) = (self.peers.list(Role::Relay), self.peers.list(Role::Tab));
        // Beyond the fanout a random part is drawn, as in epidemics: whom this draw leaves out,
        // others tell.
        let fanout = usize::from(self.config.gossip_fanout);
        if relays.len() > fanout {
            self.rng.shuffle(&mut relays);
            relays.truncate(fanout);
        }
        if planted::is(Planted::OutsideAddress) {
            let place = relays.as_ptr().addr() >> 4;
            let turn = place.checked_rem(relays.len()).unwrap_or(0);
            relays.rotate_left(turn);
        }
        let bytes_max = usize::try_from(self.config.gossip_bytes_max).unwrap_or(usize::MAX);
        // Only relays count towards λ·log₂(n), since n counts relays (`told_max`).
        let times = u32::try_from(relays.len()).unwrap_or(u32::MAX);
        let told_max = self.told_max();
        let fresh = self.rumours.take_fresh(bytes_max, times, told_max);
        for peer in relays.into_iter().chain(tabs) {
            // Nothing goes back to whom it came from.
            let for_peer = fresh.iter().filter(|(_, source)| *source != Some(peer));
            let rumours: Vec<Rumour> = for_peer.map(|(rumour, _)| rumour.clone()).collect();
            if !rumours.is_empty() {
                self.outbox.send(peer, Message::Gossip { rumours });
            }
        }
        if self.rumours.has_fresh() {
            // More than one message holds: the rest goes in the next round.
            let at = self.now + self.config.gossip_delay;
            self.deadlines.set(Timer::Flush, at);
        }
    }
}
