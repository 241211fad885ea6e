//! Vouching for tabs, and, in a tab, choosing homes.

use super::{Swim, Timer};
use crate::{
    kernel::{
        address::Address,
        crypto::{Signed, Verified},
        id::{NodeId, Role},
    },
    membership::{
        dissemination::Rumour,
        member::{Lease, MemberState, Standing},
        presence::affinity,
        roster::Member,
        why::Why,
    },
};
use alloc::vec::Vec;
use core::{cmp::Reverse, time::Duration};

/// The longest lease that is believed, whatever the home says.
const LEASE_TTL_MAX: Duration = Duration::from_secs(120);

impl Swim {
    /// The living relays that vouch for a tab now.
    pub(super) fn homes_of(&self, tab: &Member) -> Vec<NodeId> {
        let living = |home: &NodeId| self.roster.get(home).is_some_and(|member| member.is_in());
        // A home's lease outlives the home: only who takes part can hold a link.
        tab.leases.homes(self.now).filter(living).collect()
    }

    /// A tab's link is up: from now on this relay vouches for it.
    pub(super) fn hold(&mut self, tab: NodeId) {
        if self.is_relay() {
            self.held.insert(tab);
            self.deadlines.clear(&Timer::Grace(tab));
            self.vouch(tab, true);
        }
    }

    /// A tab's link is down: perhaps a reload.
    pub(super) fn release(&mut self, tab: NodeId) {
        if !self.held.contains(&tab) {
            return;
        }
        // Without its link the lease is not renewed, and ends by itself should this node fail
        // before the grace is over.
        self.deadlines.clear(&Timer::Renew(tab));
        // A tab that said goodbye, or that it parks, is not expected back in a moment.
        let is_present = |member: &Member| member.record().standing == Standing::Present;
        let may_return = self.roster.get(&tab).is_some_and(is_present);
        let links_max = usize::try_from(self.config.links_max).unwrap_or(usize::MAX);
        // The bound keeps links that come and go from piling up tabs that are waited for.
        if may_return && self.held.len() <= links_max {
            let at = self.now + self.config.lease_grace;
            self.deadlines.set(Timer::Grace(tab), at);
        } else {
            self.detach(tab);
        }
    }

    /// The tab did not come back.
    pub(super) fn detach(&mut self, tab: NodeId) {
        self.deadlines.clear(&Timer::Grace(tab));
        if self.held.remove(&tab) {
            self.vouch(tab, false);
        }
    }

    pub(super) fn on_renew(&mut self, tab: NodeId) {
        // In its grace a tab keeps the lease that it has, and gets no further one.
        if self.held.contains(&tab) && self.peers.contains(tab) {
            self.vouch(tab, true);
        }
    }

    /// Gives a lease, or withdraws it; waits until the tab's record is known.
    fn vouch(&mut self, tab: NodeId, attached: bool) {
        let Some(member) = self
            .roster
            .get_mut(&tab)
            .filter(|member| !member.is_relay())
        else {
            return;
        };
        // One count for all tabs: what is asked of it is only that it rises for each of them.
        self.lease_sequence = self.lease_sequence.saturating_add(1);
        let body = Lease {
            home: self.me,
            tab,
            incarnation: member.record().incarnation,
            sequence: self.lease_sequence,
            attached,
            ttl_ms: u32::try_from(self.config.lease_ttl.as_millis()).unwrap_or(u32::MAX),
        };
        let lease = Verified::seal(body, &self.identity.keypair, self.identity.network);
        let signed = lease.to_signed();
        // With as many living homes as are kept of a tab, one more lease is not worth telling.
        if member.leases.accept(self.now, lease, LEASE_TTL_MAX) {
            self.rumours.push(Rumour::Lease(signed), None);
        }
        if attached {
            // A tenth more or less, so that the leases of a crowd that came together don't all go
            // out together.
            let renewal = self.rng.jitter(self.config.lease_renewal, 100);
            self.deadlines.set(Timer::Renew(tab), self.now + renewal);
        }
        self.update_tab(tab);
    }

    /// Takes a home's word about a tab.
    pub(super) fn on_lease(&mut self, from: NodeId, lease: Signed<Lease>) {
        let claims = lease.claims();
        let (home, tab, sequence) = (claims.home, claims.tab, claims.sequence);
        let is_home = self
            .roster
            .get(&home)
            .is_some_and(|member| member.is_relay());
        // The lease came before the tab's record or its home's. The home's next renewal repairs
        // that.
        let Some(member) = self.roster.get(&tab).filter(|_| is_home) else {
            self.stats.rumours_unknown = self.stats.rumours_unknown.saturating_add(1);
            return;
        };
        // Only this node says whom it holds: its own leases coming back are echoes.
        if member.is_relay() || home == self.me || member.leases.knows(home, sequence) {
            self.count_stale();
            return;
        }
        let Some(lease) = self.verify(Some(from), lease) else {
            return;
        };
        let signed = lease.to_signed();
        let now = self.now;
        let accepted = self
            .roster
            .get_mut(&tab)
            .is_some_and(|member| member.leases.accept(now, lease, LEASE_TTL_MAX));
        if accepted {
            self.rumours.push(Rumour::Lease(signed), Some(from));
            self.update_tab(tab);
        }
    }

    /// A tab's record is new: a home gives a lease for it.
    pub(super) fn on_tab_record(&mut self, id: NodeId) {
        if !self.is_tab(id) {
            return;
        }
        if self.held.contains(&id) && self.peers.contains(id) {
            self.vouch(id, true);
        }
        self.update_tab(id);
    }

    /// A tab is what its record says, and alive while a living home vouches for it.
    pub(super) fn update_tab(&mut self, tab: NodeId) {
        if tab == self.me {
            return;
        }
        let Some(member) = self.roster.get(&tab).filter(|member| !member.is_relay()) else {
            return;
        };
        let (state, why) = match member.record().standing {
            Standing::Left => (MemberState::Left, Why::SaidGoodbye),
            Standing::Parked => (MemberState::Parked, Why::SaidParked),
            Standing::Present => match self.homes_of(member).first() {
                Some(home) => (MemberState::Alive, Why::Attached { home: *home }),
                None => (MemberState::Parked, Why::Unattached),
            },
        };
        // The tab must be looked at again when a lease runs out, since then nothing else may
        // happen.
        match member.leases.next_end(self.now) {
            Some(end) => self.deadlines.set(Timer::LeaseEnd(tab), end),
            None => {
                self.deadlines.clear(&Timer::LeaseEnd(tab));
            }
        }
        if member.state() != state {
            self.set_state(tab, state, why);
        } else if state == MemberState::Alive {
            // It moved to another home: no change to tell, but the reason is another.
            self.roster.set_state(tab, state, why, self.now);
        }
    }

    /// A relay came or went: the tabs that it vouches for may have changed.
    pub(super) fn update_tabs_of(&mut self, home: NodeId) {
        let mentions = |member: &Member| !member.is_relay() && member.leases.mentions(home);
        let tabs = self.roster.iter().filter(|(_, member)| mentions(member));
        let tabs: Vec<NodeId> = tabs.map(|(id, _)| *id).collect();
        for tab in tabs {
            self.update_tab(tab);
        }
    }

    /// In a tab: the relays to live at. Those linked stay; the rest is filled up by affinity, relays
    /// that could not be reached or are believed dead last.
    pub(super) fn choose_homes(&self) -> Vec<(NodeId, Vec<Address>)> {
        let wanted = usize::from(self.config.homes);
        let chosen_before = |id: NodeId| self.neighbours.iter().any(|(home, _)| *home == id);
        let rank = |id: NodeId, member: &Member| {
            let (linked, avoided) = (self.peers.contains(id), self.avoided.contains(&id));
            let worth = match member.state() {
                // Whoever is linked stays, so that a better relay that turns up does not make all
                // tabs move. Dead and parked relays come last, for a tab that has no other choice.
                MemberState::Alive | MemberState::Suspect if linked && chosen_before(id) => 0_u8,
                MemberState::Alive | MemberState::Suspect if linked => 1,
                MemberState::Alive | MemberState::Suspect if !avoided => 2,
                MemberState::Alive | MemberState::Suspect => 3,
                MemberState::Dead if !avoided => 4,
                MemberState::Dead | MemberState::Parked => 5,
                MemberState::Left => return None,
            };
            Some((worth, Reverse(affinity(self.me, id)), id))
        };
        let linked = self.peers.of_role(Role::Relay);
        // Where enough homes are linked, the whole table need not be ranked.
        let linked = linked.filter_map(|id| rank(id, self.roster.get(&id)?));
        let mut ranked: Vec<_> = linked.filter(|(worth, ..)| *worth < 2).collect();
        if ranked.len() < wanted {
            let relays = self
                .roster
                .iter()
                .filter(|(_, member)| member.is_relay() && !member.record().addresses.is_empty());
            ranked.extend(relays.filter_map(|(id, member)| rank(*id, member)));
        }
        ranked.sort();
        // The linked ones were found a second time in the table.
        ranked.dedup();
        let homes = ranked.into_iter().take(wanted);
        homes
            .filter_map(|(_, _, id)| {
                let member = self.roster.get(&id)?;
                Some((id, member.record().addresses.clone()))
            })
            .collect()
    }

    /// In a tab: another home is chosen in place of a relay that is lost or can't be reached.
    pub(super) fn avoid(&mut self, relay: NodeId) {
        // Only members are remembered, so that the set is no larger than the table.
        if !self.is_relay() && self.roster.get(&relay).is_some() {
            self.avoided.insert(relay);
            let at = self.now + self.config.home_avoidance;
            self.deadlines.set(Timer::Forgive(relay), at);
            self.neighbours_dirty = true;
        }
    }

    pub(super) fn forgive(&mut self, relay: NodeId) {
        self.avoided.remove(&relay);
        self.neighbours_dirty = true;
    }

    pub(super) fn on_patience_end(&mut self, relay: NodeId) {
        if !self.peers.contains(relay) {
            self.avoid(relay);
        }
    }
}
