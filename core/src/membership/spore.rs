//! A bounded, mergeable set of pointers: where a network's members may be found.
//!
//! Merging is a semilattice (associative, commutative, idempotent), bound included: of each node the
//! greatest pointer is kept, and of all nodes the best [`POINTERS_MAX`] by (authority, last seen,
//! identity). A pointer that was evicted can't be missed later, because what displaced it only
//! grows.
//!
//! A pointer is a hint about where to dial; who answers there still has to prove its identity and the
//! network's key. What a peer says is taken in through [`Spore::as_gossip`], so that no peer can
//! claim a higher authority or a sighting in the future.
//!
//! The encoding starts with a version byte; a later version adds the periods in which a member is
//! usually online, and certificates.
//!
//! Source: Shapiro et al., "Conflict-Free Replicated Data Types", SSS 2011, section 2.2 (state-based
//! merge as a join).

use crate::kernel::{
    address::Address,
    crypto::{SignedBody, encode},
    id::{NetworkId, NodeId, Role},
    time::WallTime,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The version of the encoding that this code writes.
pub const VERSION: u8 = 1;

/// The most pointers; the worst go first.
pub const POINTERS_MAX: usize = 64;

/// The most addresses kept of a pointer, the first ones; twice as many are accepted.
pub const ADDRESSES_KEPT: usize = 4;

/// The most addresses accepted in a pointer.
pub const ADDRESSES_ACCEPTED: usize = 8;

/// The most entry points; the first in address order are kept.
pub const ENTRIES_MAX: usize = 8;

/// Addresses whose text is longer are left out, so that the largest spore stays below 40 KiB.
pub const ADDRESS_BYTES_MAX: usize = 128;

/// How much a pointer's word counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Authority {
    /// Heard from a peer.
    Gossip,
    /// From the operator: a seed file, a command line, a join link.
    Seed,
    /// Certified by the network's validators.
    Certificate,
}

/// Where a member may be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pointer {
    /// How much this word counts.
    pub authority: Authority,
    /// When the member was last known to answer.
    pub last_seen: WallTime,
    /// The member.
    pub id: NodeId,
    /// Relay or tab.
    pub role: Role,
    /// Where it accepts links, best first; at most [`ADDRESSES_KEPT`].
    pub addresses: Vec<Address>,
}

impl Pointer {
    fn trim(&mut self) {
        self.addresses.retain(is_short);
        self.addresses.truncate(ADDRESSES_KEPT);
    }
}

fn is_short(address: &Address) -> bool {
    // Scheme, separators and port take at most twelve bytes.
    let length = address.host().len().saturating_add(address.path().len());
    length.saturating_add(12) <= ADDRESS_BYTES_MAX
}

/// Pointers of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spore {
    network: NetworkId,
    pointers: BTreeMap<NodeId, Pointer>,
    entries: BTreeSet<Address>,
}

/// Two spores of different networks don't merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherNetwork;

impl fmt::Display for OtherNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the spore is of another network")
    }
}

impl core::error::Error for OtherNetwork {}

impl Spore {
    /// A spore without pointers.
    #[must_use]
    pub const fn new(network: NetworkId) -> Self {
        Self {
            network,
            pointers: BTreeMap::new(),
            entries: BTreeSet::new(),
        }
    }

    /// Whose members it points to.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// The pointers, by identity.
    pub fn pointers(&self) -> impl Iterator<Item = &Pointer> {
        self.pointers.values()
    }

    /// Addresses that let newcomers in, whoever answers there.
    pub fn entries(&self) -> impl Iterator<Item = &Address> {
        self.entries.iter()
    }

    /// Where to dial: the entry points, then the members' addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        let members = self.pointers().flat_map(|pointer| &pointer.addresses);
        self.entries().chain(members)
    }

    /// Adds a pointer, if it is better than what is known of the node and within the bound.
    pub fn add(&mut self, mut pointer: Pointer) {
        pointer.trim();
        // Trimmed before it is compared: two pointers that are equal once trimmed are the same
        // pointer.
        let known = self.pointers.get(&pointer.id);
        if known.is_none_or(|known| *known < pointer) {
            self.pointers.insert(pointer.id, pointer);
        }
        while self.pointers.len() > POINTERS_MAX {
            // The order of `Pointer`'s fields is the order of worth: authority, last seen,
            // identity.
            let worst = self.pointers.values().min().map(|pointer| pointer.id);
            if worst.is_none_or(|id| self.pointers.remove(&id).is_none()) {
                return;
            }
        }
    }

    /// Adds an entry point, if it is within the bound.
    pub fn add_entry(&mut self, entry: Address) {
        if is_short(&entry) {
            self.entries.insert(entry);
        }
        while self.entries.len() > ENTRIES_MAX {
            self.entries.pop_last();
        }
    }

    /// The join of both.
    ///
    /// # Errors
    /// [`OtherNetwork`]; nothing changed.
    pub fn merge(&mut self, other: &Self) -> Result<(), OtherNetwork> {
        if self.network != other.network {
            return Err(OtherNetwork);
        }
        for pointer in other.pointers() {
            self.add(pointer.clone());
        }
        for entry in other.entries() {
            self.add_entry(entry.clone());
        }
        Ok(())
    }

    /// The same as heard from a peer: nothing above gossip, nothing seen after `now`.
    #[must_use]
    pub fn as_gossip(&self, now: WallTime) -> Self {
        let mut heard = Self::new(self.network);
        for pointer in self.pointers() {
            heard.add(Pointer {
                authority: Authority::Gossip,
                // A sighting in the future would keep this pointer above all honest ones for good.
                last_seen: pointer.last_seen.min(now),
                ..pointer.clone()
            });
        }
        heard.entries.clone_from(&self.entries);
        heard
    }

    /// The best of it that encodes to at most `bytes`: at most `entries` entry points, then relays
    /// that can be dialled, best first. Not less than the empty spore.
    #[must_use]
    pub fn fit(&self, entries: usize, bytes: usize) -> Self {
        let mut small = Self::new(self.network);
        // Entries first: they are the addresses meant for newcomers.
        small.entries = self.entries.iter().take(entries).cloned().collect();
        while small.encoded_len() > bytes && small.entries.pop_last().is_some() {}
        let mut best: Vec<&Pointer> = self
            .pointers()
            .filter(|pointer| pointer.role == Role::Relay && !pointer.addresses.is_empty())
            .collect();
        best.sort_by(|one, two| two.cmp(one));
        for pointer in best {
            small.pointers.insert(pointer.id, pointer.clone());
            // Too long for what is left: a worse pointer may be shorter, so the search goes on.
            if small.encoded_len() > bytes {
                small.pointers.remove(&pointer.id);
            }
        }
        small
    }

    /// How many bytes its encoding has.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        encode(self).len()
    }
}

#[derive(Serialize, Deserialize)]
struct Encoded<P, E> {
    version: u8,
    network: NetworkId,
    pointers: P,
    entries: E,
}

impl Serialize for Spore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Encoded {
            version: VERSION,
            network: self.network,
            pointers: self.pointers().collect::<Vec<_>>(),
            entries: self.entries().collect::<Vec<_>>(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Spore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = Encoded::<Vec<Pointer>, Vec<Address>>::deserialize(deserializer)?;
        // What a stranger sent is bounded before it is looked at one by one.
        let fits = encoded.version == VERSION
            && encoded.pointers.len() <= POINTERS_MAX
            && encoded.entries.len() <= ENTRIES_MAX
            && encoded
                .pointers
                .iter()
                .all(|pointer| pointer.addresses.len() <= ADDRESSES_ACCEPTED);
        if !fits {
            return Err(D::Error::custom(
                "a spore of an unknown version or out of bounds",
            ));
        }
        // Through `add`, so that bounds and order hold whatever was sent.
        let mut spore = Self::new(encoded.network);
        for pointer in encoded.pointers {
            spore.add(pointer);
        }
        for entry in encoded.entries {
            spore.add_entry(entry);
        }
        Ok(spore)
    }
}

/// A node's own spore, signed: what it vouches for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatentSpore {
    /// Whose word it is.
    pub author: NodeId,
    /// What it knows.
    pub spore: Spore,
}

impl SignedBody for LatentSpore {
    const DOMAIN: &'static str = "sporenet 2026 latent spore";

    fn signer(&self) -> NodeId {
        self.author
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::kernel::{address::Transport, crypto::decode_exactly};
    use proptest::prelude::*;

    const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

    fn address(host: u16) -> Address {
        Address::new(
            Transport::Tcp,
            &alloc::format!("10.0.{}.{}", host >> 8, host & 255),
            7600,
        )
        .unwrap()
    }

    fn pointer(id: u8, last_seen: u64) -> Pointer {
        Pointer {
            authority: Authority::Gossip,
            last_seen: WallTime::from_millis(last_seen),
            id: NodeId::from_bytes([id; 32]),
            role: Role::Relay,
            addresses: alloc::vec![address(u16::from(id))],
        }
    }

    fn spore_of(pointers: impl IntoIterator<Item = Pointer>) -> Spore {
        let mut spore = Spore::new(NETWORK);
        pointers.into_iter().for_each(|pointer| spore.add(pointer));
        spore
    }

    fn merged(one: &Spore, two: &Spore) -> Spore {
        let mut both = one.clone();
        both.merge(two).unwrap();
        both
    }

    #[test]
    fn the_worst_pointer_goes_when_there_is_no_room() {
        let mut spore = spore_of((0..64).map(|n| pointer(n, 100 + u64::from(n))));
        spore.add(pointer(200, 50));
        assert!(
            !spore
                .pointers()
                .any(|p| p.id == NodeId::from_bytes([200; 32]))
        );
        let seed = Pointer {
            authority: Authority::Seed,
            ..pointer(200, 0)
        };
        spore.add(seed);
        assert!(
            spore
                .pointers()
                .any(|p| p.id == NodeId::from_bytes([200; 32]))
        );
        assert!(
            !spore
                .pointers()
                .any(|p| p.id == NodeId::from_bytes([0; 32]))
        );
        assert_eq!(spore.pointers().count(), POINTERS_MAX);
    }

    #[test]
    fn spores_of_two_networks_do_not_merge() {
        let mut spore = spore_of([pointer(1, 1)]);
        let other = Spore::new(NetworkId::from_bytes([2; 32]));
        assert_eq!(spore.merge(&other), Err(OtherNetwork));
    }

    #[test]
    fn a_peer_can_claim_neither_authority_nor_the_future() {
        let boast = Pointer {
            authority: Authority::Certificate,
            ..pointer(1, u64::MAX)
        };
        let heard = spore_of([boast]).as_gossip(WallTime::from_millis(9));
        let taken = heard.pointers().next().unwrap();
        assert_eq!(taken.authority, Authority::Gossip);
        assert_eq!(taken.last_seen, WallTime::from_millis(9));
    }

    #[test]
    fn a_fitted_spore_keeps_the_best_that_fits() {
        let mut spore = spore_of((0..60).map(|n| pointer(n, u64::from(n))));
        (0..9).for_each(|n| spore.add_entry(address(n)));
        let small = spore.fit(4, 500);
        assert!(small.encoded_len() <= 500);
        assert_eq!(small.entries().count(), 4);
        let last = NodeId::from_bytes([59; 32]);
        assert!(small.pointers().any(|p| p.id == last));
        assert!(spore.fit(64, 2_048).encoded_len() <= 2_048);
        assert_eq!(spore.fit(4, 0), Spore::new(NETWORK));
    }

    #[test]
    fn out_of_bounds_and_newer_spores_do_not_decode() {
        let many: Vec<Pointer> = (0..65).map(|n| pointer(n, 0)).collect();
        let none: Vec<Address> = Vec::new();
        let encoded = |version, pointers: &[Pointer]| {
            encode(&Encoded {
                version,
                network: NETWORK,
                pointers,
                entries: &none,
            })
        };
        assert!(decode_exactly::<Spore>(&encoded(1, &many[..64])).is_ok());
        assert!(decode_exactly::<Spore>(&encoded(1, &many)).is_err());
        assert!(decode_exactly::<Spore>(&encoded(2, &many[..1])).is_err());
        let wide = Pointer {
            addresses: (0..9).map(address).collect(),
            ..pointer(1, 1)
        };
        assert!(decode_exactly::<Spore>(&encoded(1, &[wide])).is_err());
    }

    #[test]
    fn the_largest_spore_stays_below_its_bound() {
        let host = "h".repeat(116);
        let wide: Vec<Address> = (1..=8)
            .map(|port| Address::new(Transport::Wss, &host, port).unwrap())
            .collect();
        let mut spore = spore_of((0..64).map(|n| Pointer {
            addresses: wide.clone(),
            ..pointer(n, u64::MAX)
        }));
        wide.into_iter().for_each(|entry| spore.add_entry(entry));
        assert!(
            spore
                .pointers()
                .all(|p| p.addresses.len() == ADDRESSES_KEPT)
        );
        assert!(spore.encoded_len() < 40 << 10);
    }

    fn any_pointer() -> impl Strategy<Value = Pointer> {
        let authority = prop::sample::select(alloc::vec![
            Authority::Gossip,
            Authority::Seed,
            Authority::Certificate
        ]);
        let addresses = prop::collection::vec((0_u16..5).prop_map(address), 0..7);
        (authority, 0_u64..4, any::<u8>(), any::<bool>(), addresses).prop_map(
            |(authority, seen, id, relay, addresses)| Pointer {
                authority,
                last_seen: WallTime::from_millis(seen),
                id: NodeId::from_bytes([id; 32]),
                role: if relay { Role::Relay } else { Role::Tab },
                addresses,
            },
        )
    }

    fn any_spore() -> impl Strategy<Value = Spore> {
        let entries = prop::collection::vec((0_u16..20).prop_map(address), 0..12);
        (prop::collection::vec(any_pointer(), 0..120), entries).prop_map(|(pointers, entries)| {
            let mut spore = spore_of(pointers);
            entries.into_iter().for_each(|entry| spore.add_entry(entry));
            spore
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn merging_is_a_semilattice_bound_included(a in any_spore(), b in any_spore(), c in any_spore()) {
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&a, &a), a.clone());
            prop_assert!(merged(&a, &b).pointers().count() <= POINTERS_MAX);
        }

        #[test]
        fn a_spore_reads_back(spore in any_spore()) {
            prop_assert_eq!(decode_exactly::<Spore>(&encode(&spore)), Ok(spore));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode_exactly::<Spore>(&bytes);
        }
    }
}
