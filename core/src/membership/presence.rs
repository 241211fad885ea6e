//! Tabs: who vouches for them, and where they should live.
//!
//! A tab neither probes nor is probed. The relays that hold its links (its homes) say so in signed
//! leases. A tab is alive while any home that is itself alive holds an unexpired lease, and parked
//! otherwise; closing it is never a failure.
//!
//! A tab chooses its homes by rendezvous hashing, so that tabs spread over the relays and only those
//! of a lost relay move.
//!
//! Source: Gray, Cheriton, "Leases", SOSP 1989 (a word that holds for a time and needs no
//! revocation); Thaler, Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998
//! (rendezvous hashing).

use crate::{
    kernel::{
        crypto::{Hash, Verified},
        id::NodeId,
        planted::{self, Planted},
        time::Time,
    },
    membership::member::Lease,
};
use alloc::vec::Vec;
use core::time::Duration;

/// The most homes whose leases are kept for one tab.
pub const HOMES_MAX: usize = 4;
/// The most homes of one tab whose latest sequence is remembered, even where the lease itself had
/// to make room. Without it a forgotten lease would be news again, and be told to all again, for
/// ever. A tab can't move between this many homes while one rumour is still told.
const HEARD_MAX: usize = 20;

/// A lease as it was heard here.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Held {
    lease: Verified<Lease>,
    expires_at: Time,
}

/// How far a home was heard about the tab.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Heard {
    home: NodeId,
    sequence: u64,
    /// Its latest lease, unless it had to make room.
    held: Option<Held>,
}

/// The leases of one tab, the latest of each home.
///
/// Bounded to [`HOMES_MAX`]; a further home replaces one that no longer holds the tab, or is refused.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Leases(Vec<Heard>);

impl Leases {
    /// Whether a lease says nothing new: its home already gave one with this sequence or a later.
    #[must_use]
    pub fn knows(&self, home: NodeId, sequence: u64) -> bool {
        self.0
            .iter()
            .any(|heard| heard.home == home && heard.sequence >= sequence)
    }

    /// Takes a lease, heard now, that holds at most `ttl_max`; answers whether it was taken.
    pub fn accept(&mut self, now: Time, lease: Verified<Lease>, ttl_max: Duration) -> bool {
        let (home, sequence) = (lease.home, lease.sequence);
        if self.knows(home, sequence) {
            return false;
        }
        if self.held().filter(|held| held.lease.home != home).count() >= HOMES_MAX {
            // A living lease never makes room: else relays that lie could push the true homes out.
            let lapsed = |held: &Held| !held.lease.attached || held.expires_at <= now;
            let mut others = self.0.iter_mut().filter(|heard| heard.home != home);
            let Some(gone) = others.find(|heard| heard.held.as_ref().is_some_and(lapsed)) else {
                return false;
            };
            gone.held = None;
        }
        // A lease runs from when it was heard, so that no two clocks are compared (Gray and
        // Cheriton).
        let ttl = Duration::from_millis(u64::from(lease.ttl_ms)).min(ttl_max);
        // Taken out and put at the end: the list is in the order in which homes were heard.
        self.0.retain(|heard| heard.home != home);
        let held = Some(Held {
            lease,
            expires_at: now + ttl,
        });
        self.0.push(Heard {
            home,
            sequence,
            held,
        });
        // At most `HOMES_MAX` of the homes have a lease, so there always is one without.
        if self.0.len() > HEARD_MAX
            && let Some(oldest) = self.0.iter().position(|heard| heard.held.is_none())
        {
            self.0.remove(oldest);
        }
        true
    }

    fn held(&self) -> impl Iterator<Item = &Held> {
        self.0.iter().filter_map(|heard| heard.held.as_ref())
    }

    /// The homes that hold the tab now, as far as leases say.
    pub fn homes(&self, now: Time) -> impl Iterator<Item = NodeId> + '_ {
        self.held()
            .filter(move |held| {
                let runs = held.lease.attached && held.expires_at > now;
                runs || planted::is(Planted::LeaseForEver)
            })
            .map(|held| held.lease.home)
    }

    /// Whether `home` ever gave a lease that is kept.
    #[must_use]
    pub fn mentions(&self, home: NodeId) -> bool {
        self.held().any(|held| held.lease.home == home)
    }

    /// When the next lease runs out.
    #[must_use]
    pub fn next_end(&self, now: Time) -> Option<Time> {
        let attached = self.held().filter(|held| held.lease.attached);
        attached
            .map(|held| held.expires_at)
            .filter(|end| *end > now)
            .min()
    }

    /// Gives every lease that had not run out by `since` as long again as this node slept since then:
    /// it may have missed renewals.
    pub fn extend(&mut self, since: Time, slept: Duration) {
        let held = self.0.iter_mut().filter_map(|heard| heard.held.as_mut());
        for held in held.filter(|held| held.expires_at > since) {
            held.expires_at = held.expires_at + slept;
        }
    }

    /// Which homes hold the tab, as far as leases say, and until when.
    pub fn ends(&self) -> impl Iterator<Item = (NodeId, Time)> + '_ {
        let attached = self.held().filter(|held| held.lease.attached);
        attached.map(|held| (held.lease.home, held.expires_at))
    }

    /// How many leases are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held().count()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest lease of each home, to pass on.
    pub fn iter(&self) -> impl Iterator<Item = &Verified<Lease>> {
        self.held().map(|held| &held.lease)
    }
}

/// How much a tab wants to live at a relay; the highest wins.
#[must_use]
pub fn affinity(tab: NodeId, relay: NodeId) -> u64 {
    Hash::of("sporenet 2026 home", &[tab.as_bytes(), relay.as_bytes()]).prefix()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::kernel::{
        crypto::Keypair,
        id::{Incarnation, NetworkId},
    };

    const TTL_MAX: Duration = Duration::from_secs(120);

    fn lease(home: u8, sequence: u64, attached: bool) -> Verified<Lease> {
        let keypair = Keypair::from_seed(&[home; 32]);
        let body = Lease {
            home: keypair.id(),
            tab: NodeId::from_bytes([99; 32]),
            incarnation: Incarnation(1),
            sequence,
            attached,
            ttl_ms: 30_000,
        };
        Verified::seal(body, &keypair, NetworkId::from_bytes([1; 32]))
    }

    fn homes(leases: &Leases, seconds: u64) -> usize {
        leases.homes(Time::from_millis(seconds * 1_000)).count()
    }

    #[test]
    fn a_lease_holds_until_it_runs_out_or_is_withdrawn() {
        let mut leases = Leases::default();
        leases.accept(Time::ZERO, lease(1, 1, true), TTL_MAX);
        leases.accept(Time::ZERO, lease(2, 1, true), TTL_MAX);
        assert_eq!(
            (homes(&leases, 0), homes(&leases, 29), homes(&leases, 30)),
            (2, 2, 0)
        );
        leases.accept(Time::ZERO, lease(2, 2, false), TTL_MAX);
        assert_eq!(homes(&leases, 0), 1);
    }

    #[test]
    fn an_older_lease_neither_renews_nor_revives() {
        let mut leases = Leases::default();
        leases.accept(Time::ZERO, lease(1, 2, false), TTL_MAX);
        assert!(!leases.accept(Time::ZERO, lease(1, 1, true), TTL_MAX));
        assert!(!leases.accept(Time::from_millis(20_000), lease(1, 2, false), TTL_MAX));
        assert_eq!(homes(&leases, 0), 0);
    }

    #[test]
    fn a_home_cannot_vouch_for_longer_than_the_maximum() {
        let mut leases = Leases::default();
        leases.accept(Time::ZERO, lease(1, 1, true), Duration::from_secs(5));
        assert_eq!(homes(&leases, 6), 0);
    }

    #[test]
    fn homes_are_bounded_and_lapsed_ones_make_room() {
        let mut leases = Leases::default();
        for home in 1..=4 {
            assert!(leases.accept(Time::ZERO, lease(home, 1, true), TTL_MAX));
        }
        assert!(!leases.accept(Time::ZERO, lease(5, 1, true), TTL_MAX));
        leases.accept(Time::ZERO, lease(1, 2, false), TTL_MAX);
        assert!(leases.accept(Time::ZERO, lease(5, 1, true), TTL_MAX));
    }

    #[test]
    fn what_was_forgotten_is_no_news() {
        let mut leases = Leases::default();
        for home in 1..=20 {
            assert!(leases.accept(Time::ZERO, lease(home, 1, false), TTL_MAX));
        }
        for home in 1..=20 {
            assert!(!leases.accept(Time::ZERO, lease(home, 1, false), TTL_MAX));
        }
        for home in 1..=200 {
            leases.accept(Time::ZERO, lease(home, 2, false), TTL_MAX);
            assert!(leases.0.len() <= HEARD_MAX && leases.len() <= HOMES_MAX);
        }
    }
}
