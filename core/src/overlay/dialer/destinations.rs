//! All destinations of a node: what is dialled next, and what became of each dial.

use super::{Attempts, Destination, Dial, DialerConfig};
use crate::{
    kernel::{
        address::Address,
        id::{DialId, NodeId},
        planted::{self, Planted},
        rng::Rng,
        time::{Duration, Time},
    },
    overlay::{backoff::Backoff, budget::DialBudget},
    wire::close::CloseReason,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// All destinations of a node.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Dialer {
    pub(super) config: DialerConfig,
    pub(super) destinations: BTreeMap<Destination, Attempts>,
    /// Of an earlier run, until the destination is wanted again; at most `destinations_max`.
    pub(super) remembered: BTreeMap<Destination, Backoff>,
    /// Whether a backoff is another than when it was last asked for.
    pub(super) changed: bool,
    pub(super) running: BTreeMap<DialId, Destination>,
    pub(super) budget: DialBudget,
    pub(super) next_dial: DialId,
    pub(super) refused: u64,
    pub(super) unusable: u64,
}

impl Dialer {
    /// Knows no destination yet.
    #[must_use]
    pub fn new(config: DialerConfig) -> Self {
        let budget = DialBudget::new(config.budget);
        Self {
            config,
            destinations: BTreeMap::new(),
            remembered: BTreeMap::new(),
            changed: false,
            running: BTreeMap::new(),
            budget,
            next_dial: DialId(1),
            refused: 0,
            unusable: 0,
        }
    }

    /// Takes the backoffs of an earlier run, at most `destinations_max`; no wait is longer than the
    /// backoff's cap.
    pub fn remember(&mut self, now: Time, backoffs: Vec<(Destination, Backoff)>) {
        let latest = now + self.config.backoff.cap;
        for (destination, backoff) in backoffs.into_iter().take(self.destinations_max()) {
            // A clock that was wrong in either run could make the wait as long as years.
            let ready_at = backoff.ready_at().min(latest);
            let backoff = Backoff::resume(backoff.failures(), ready_at);
            self.remembered.insert(destination, backoff);
        }
    }

    /// The backoffs that should outlive a restart, at most `destinations_max`: of the destinations
    /// that failed, and of those that failed in an earlier run and still wait.
    pub fn backoffs(&self, now: Time) -> impl Iterator<Item = (&Destination, &Backoff)> {
        let failed = self
            .destinations
            .iter()
            .filter(|(_, attempts)| attempts.failures() > 0 && !attempts.once)
            .map(|(destination, attempts)| (destination, &attempts.backoff));
        let waiting = self
            .remembered
            .iter()
            .filter(move |(_, backoff)| backoff.ready_at() > now);
        failed.chain(waiting).take(self.destinations_max())
    }

    /// Whether [`Dialer::backoffs`] answers something else than when this was last asked.
    pub const fn take_changed(&mut self) -> bool {
        core::mem::replace(&mut self.changed, false)
    }

    pub(super) fn destinations_max(&self) -> usize {
        usize::try_from(self.config.destinations_max).unwrap_or(usize::MAX)
    }

    /// Adds a destination or renews its addresses. A first attempt waits until `not_before`.
    ///
    /// Without an address the old ones stay: a destination that can't be dialled would stand before all
    /// others for ever. When all places are taken, a member takes that of an entry that is not being dialled.
    pub fn want(
        &mut self,
        destination: Destination,
        addresses: &[Address],
        not_before: Time,
        once: bool,
    ) {
        let addresses = self.dialable(addresses);
        if let Some(attempts) = self.destinations.get_mut(&destination) {
            // Whoever is wanted for good stays so, though it is tried for a moment too.
            attempts.once &= once;
            if !addresses.is_empty() && attempts.addresses != addresses {
                attempts.addresses = addresses;
                self.changed |= attempts.forgive();
            }
            return;
        }
        if addresses.is_empty() {
            self.unusable = self.unusable.saturating_add(1);
            return;
        }
        let has_room = self.destinations.len() < self.destinations_max();
        if !has_room && !self.make_room_for(&destination) {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        // It failed in an earlier run: it goes on waiting where that stopped.
        let mut backoff = self.remembered.remove(&destination).unwrap_or_default();
        backoff.hold_until(not_before);
        self.destinations.insert(
            destination,
            Attempts {
                addresses,
                turn: 0,
                backoff,
                dialling: None,
                last_failure: None,
                once,
            },
        );
    }

    /// Forgets an entry in favour of a member, the one that failed most often: who knows members finds
    /// the mesh without entries. Answers whether there is room now.
    fn make_room_for(&mut self, destination: &Destination) -> bool {
        if let Destination::Entry(_) = destination {
            return false;
        }
        // The one that is being dialled may be about to succeed.
        let idle_entry = |(destination, attempts): &(&Destination, &Attempts)| match destination {
            Destination::Entry(_) => !attempts.is_dialling(),
            Destination::Member(_) => false,
        };
        let entries = self.destinations.iter().filter(idle_entry);
        let worst = entries.max_by_key(|(_, attempts)| attempts.failures());
        let worst = worst.map(|(entry, _)| entry.clone());
        worst.is_some_and(|entry| self.destinations.remove(&entry).is_some())
    }

    /// Adds an address of which it is not known who answers. The same place announced for two
    /// transports is one destination.
    pub fn want_entry(&mut self, address: Address, now: Time) {
        let dialled = self.dialable(core::slice::from_ref(&address)).pop();
        let entry = Destination::Entry(dialled.unwrap_or_else(|| address.clone()));
        self.want(entry, &[address], now, false);
    }

    /// Keeps, of the members, only those that `wanted` says; running attempts end by themselves.
    pub fn retain_members(&mut self, wanted: impl Fn(&NodeId) -> bool) {
        self.destinations
            .retain(|destination, attempts| match destination {
                // A try ends by itself after one dial.
                Destination::Member(peer) => attempts.once || wanted(peer),
                Destination::Entry(_) => true,
            });
    }

    /// Forgets a destination.
    pub fn forget(&mut self, destination: &Destination) {
        self.destinations.remove(destination);
    }

    /// Lets everything be tried at once: the network changed.
    pub fn reset_backoff(&mut self) {
        // Waits were measured on the old network and say nothing about the new one.
        self.changed |= !self.remembered.is_empty();
        self.remembered.clear();
        for attempts in self.destinations.values_mut() {
            self.changed |= attempts.forgive();
        }
    }

    /// Lets one member be tried at once.
    pub fn hurry(&mut self, peer: NodeId) {
        if let Some(attempts) = self.destinations.get_mut(&Destination::Member(peer)) {
            self.changed |= attempts.forgive();
        }
    }

    /// Those that pass `wanted` and are not being dialled. A member and an entry may have one address:
    /// it is dialled for one of them at a time, since the link serves both.
    fn idle(
        &self,
        wanted: impl Fn(&Destination) -> bool,
    ) -> impl Iterator<Item = (&Destination, &Attempts)> {
        let is_taken = |address: Option<&Address>| {
            let mut others = self.destinations.values();
            others.any(|other| other.is_dialling() && other.address() == address)
        };
        self.destinations
            .iter()
            .filter(move |(destination, attempts)| {
                !attempts.is_dialling() && wanted(destination) && !is_taken(attempts.address())
            })
    }

    /// Starts the next dial that is due and passes `wanted`, if the budget allows.
    pub fn start(&mut self, now: Time, wanted: impl Fn(&Destination) -> bool) -> Option<Dial> {
        let idle = self.idle(wanted);
        let next = idle.min_by_key(|(_, attempts)| attempts.backoff.ready_at());
        let (destination, _) = next.filter(|(_, attempts)| attempts.backoff.ready_at() <= now)?;
        let destination = destination.clone();
        // Last of all, since a token is spent by this: only a dial that is due may cost one.
        if !self.budget.take(now) {
            return None;
        }
        let attempts = self.destinations.get_mut(&destination)?;
        let address = attempts.address()?.clone();
        // `want` lets in no destination without an address, so the token is never spent in vain.
        let dial = self.next_dial;
        self.next_dial = dial.next();
        attempts.dialling = Some(dial);
        self.running.insert(dial, destination.clone());
        let expect = match destination {
            Destination::Member(peer) => Some(peer),
            Destination::Entry(_) => None,
        };
        Some(Dial {
            dial,
            address,
            expect,
        })
    }

    /// When [`Dialer::start`] has something to do next.
    #[must_use]
    pub fn next_at(&self, now: Time, wanted: impl Fn(&Destination) -> bool) -> Option<Time> {
        self.idle(wanted)
            .map(|(_, attempts)| attempts.backoff.ready_at().max(self.budget.ready_at(now)))
            .min()
    }

    /// A dial opened a link; answers where it led. The backoff stays until the link has shown that
    /// it holds ([`Dialer::settle`]), so that a peer that lets us in only to throw us out is not
    /// dialled in a circle.
    pub fn succeeded(&mut self, dial: DialId) -> Option<Destination> {
        let destination = self.running.remove(&dial)?;
        if let Some(attempts) = self.destinations.get_mut(&destination) {
            attempts.dialling = None;
            // A try has done what it was for; its link needs no destination.
            if attempts.once {
                self.destinations.remove(&destination);
            }
        }
        Some(destination)
    }

    /// A link to the destination holds, whoever opened it.
    pub fn settle(&mut self, destination: &Destination) {
        if planted::is(Planted::BackoffKept) {
            return;
        }
        self.changed |= self.remembered.remove(destination).is_some();
        if let Some(attempts) = self.destinations.get_mut(destination) {
            attempts.last_failure = None;
            self.changed |= attempts.forgive();
        }
    }

    /// The link that a dial opened did not hold.
    pub fn penalise(
        &mut self,
        now: Time,
        destination: &Destination,
        reason: &CloseReason,
        rng: &mut Rng,
    ) {
        if let Some(attempts) = self.destinations.get_mut(destination) {
            attempts.last_failure = Some(reason.clone());
            attempts.backoff.fail(now, self.config.backoff, rng);
            self.changed = true;
        }
    }

    /// A dial ended without a link; answers where it led, and whether the reason is news.
    pub fn failed(
        &mut self,
        now: Time,
        dial: DialId,
        reason: &CloseReason,
        rng: &mut Rng,
    ) -> Option<(Destination, Address, bool)> {
        let destination = self.running.remove(&dial)?;
        let attempts = self.destinations.get_mut(&destination)?;
        let address = attempts.address()?.clone();
        // The same reason again and again is told to the operator once.
        let news = attempts.last_failure.as_ref() != Some(reason);
        attempts.dialling = None;
        // The next attempt takes the next address: the first may be one that only its own network
        // reaches.
        attempts.turn = attempts.turn.wrapping_add(1);
        attempts.last_failure = Some(reason.clone());
        if !planted::is(Planted::BackoffIgnored) {
            attempts.backoff.fail(now, self.config.backoff, rng);
        }
        if attempts.once {
            self.destinations.remove(&destination);
        } else {
            self.changed = true;
        }
        Some((destination, address, news))
    }

    /// All destinations.
    pub fn destinations(&self) -> impl Iterator<Item = (&Destination, &Attempts)> {
        self.destinations.iter()
    }

    /// Whether a member is a destination.
    #[must_use]
    pub fn knows(&self, peer: NodeId) -> bool {
        self.destinations.contains_key(&Destination::Member(peer))
    }

    /// How often a destination was not taken because no address of it leads anywhere.
    #[must_use]
    pub const fn unusable(&self) -> u64 {
        self.unusable
    }

    /// Destinations refused since the start because there were too many.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    fn dialable(&self, addresses: &[Address]) -> Vec<Address> {
        let Some(first) = self.config.transports.first() else {
            return Vec::new();
        };
        let mut dialable: Vec<Address> = Vec::new();
        // Twice what a record may hold: a bound for addresses from elsewhere, since each is
        // compared with all.
        let usable = addresses.iter().filter(|address| address.check().is_ok());
        for address in usable.take(16) {
            let usable = self.config.transports.contains(&address.transport());
            let address = if usable {
                address.clone()
            } else {
                address.over(*first)
            };
            if !dialable.contains(&address) {
                dialable.push(address);
            }
        }
        dialable
    }
}

/// Bounds how long a first dial waits so that the other side's dial comes first: of two relays that
/// want each other, the one with the larger identity waits a quarter to three quarters of this.
pub(crate) const COURTESY: Duration = Duration::from_millis(400);
