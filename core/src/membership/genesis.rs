//! The document a network begins with, and the network's identity.
//!
//! The founder signs it before the network has an identity, so the signature is made in a purpose of
//! its own under the all-zero network. The identity is the hash of the signed document as it
//! travels, signature included: whoever knows the identity can check the document, wherever it
//! came from, and nobody can make a second document for it.
//!
//! Source: docs/design.md, nodes (network = hash of the signed genesis document).

use crate::kernel::{
    bytes::Bytes,
    crypto::{Hash, Keypair, Secret, Signed, SignedBody, Verified, decode_exactly, encode},
    id::{NetworkId, NodeId},
    rng::Rng,
    text::Name,
    time::WallTime,
};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// The most founding validators.
pub const VALIDATORS_MAX: usize = 16;

/// The most bytes of a signed document: sixteen validators, the longest name, the signature.
pub const DOCUMENT_BYTES_MAX: usize = 1_024;

/// The shards of a new network.
pub const SHARD_COUNT_DEFAULT: u16 = 64;

/// The copies of each shard in a new network.
pub const REPLICATION_DEFAULT: u8 = 3;

/// The network that stands in the signature's domain while there is none yet.
const NO_NETWORK: NetworkId = NetworkId::from_bytes([0; 32]);

/// What all members of a network agree on from the start; it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The network's name, for people.
    pub name: Name,
    /// The founding validators, ascending; 1 to [`VALIDATORS_MAX`].
    pub validators: Vec<NodeId>,
    /// Slices of the key space; a power of two, at most 4 096.
    pub shard_count: u16,
    /// Copies of each shard, 1 to 16.
    pub replication: u8,
    /// When, by the founder's wall clock.
    pub created: WallTime,
    /// Who signed it.
    pub founder: NodeId,
    /// Drawn by the founder: two networks of one name and founder differ.
    pub salt: [u8; 16],
}

impl SignedBody for Genesis {
    const DOMAIN: &'static str = "sporenet 2026 genesis";

    fn signer(&self) -> NodeId {
        self.founder
    }
}

impl Genesis {
    /// Whether every field is in its range.
    #[must_use]
    pub fn is_in_range(&self) -> bool {
        // Strictly ascending: no validator twice, and one order for one set.
        let ascending = self
            .validators
            .iter()
            .zip(self.validators.iter().skip(1))
            .all(|(one, two)| one < two);
        ascending
            && (1..=VALIDATORS_MAX).contains(&self.validators.len())
            && self.shard_count.is_power_of_two()
            && self.shard_count <= 4_096
            && (1..=16).contains(&self.replication)
    }
}

/// A new network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founded {
    /// The signed document, as it is stored and handed over.
    pub document: Bytes,
    /// The network's identity.
    pub network: NetworkId,
    /// The isolation key of epoch 0. Not derived from the document.
    pub isolation_key: Secret,
}

/// Why bytes are not the genesis document of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenesisError {
    /// They are the document of another network, or changed.
    OtherNetwork,
    /// They are not a genesis document.
    Malformed,
    /// The founder's signature does not hold.
    Signature,
    /// A field is out of its range.
    OutOfRange,
}

impl fmt::Display for GenesisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherNetwork => "the genesis document is not this network's",
            Self::Malformed => "the bytes are not a genesis document",
            Self::Signature => "the founder's signature under the genesis document does not hold",
            Self::OutOfRange => "the genesis document has a field out of range",
        })
    }
}

impl core::error::Error for GenesisError {}

/// Founds a network with one validator, its founder.
///
/// `entropy` must come from the host's entropy, not from the node's seed for jitter: the isolation
/// key is drawn from it.
#[must_use]
pub fn found(name: Name, keypair: &Keypair, now: WallTime, entropy: &mut Rng) -> Founded {
    let mut salt = [0; 16];
    entropy.fill(&mut salt);
    // Drawn and not derived: the document is no secret, so a key that followed from it would be
    // none either.
    let isolation_key = Secret::from_bytes(entropy.bytes32());
    let genesis = Genesis {
        name,
        validators: alloc::vec![keypair.id()],
        shard_count: SHARD_COUNT_DEFAULT,
        replication: REPLICATION_DEFAULT,
        created: now,
        founder: keypair.id(),
        salt,
    };
    let signed = Verified::seal(genesis, keypair, NO_NETWORK).to_signed();
    let document = Bytes::from(encode(&signed));
    Founded {
        network: network_of(&document),
        document,
        isolation_key,
    }
}

/// The identity of the network whose signed document this is.
#[must_use]
pub fn network_of(document: &[u8]) -> NetworkId {
    NetworkId::from_bytes(*Hash::of("sporenet 2026 network id", &[document]).as_bytes())
}

/// Checks a received document against the network it should be of. The hash comes first: a peer
/// can't make us verify anything but the one right document.
///
/// # Errors
/// [`GenesisError`]: the first of hash, form, ranges and signature that does not hold.
pub fn verify(document: &[u8], network: NetworkId) -> Result<Verified<Genesis>, GenesisError> {
    // The length comes before the hash: nobody makes this node hash megabytes.
    if document.len() > DOCUMENT_BYTES_MAX || network_of(document) != network {
        return Err(GenesisError::OtherNetwork);
    }
    let signed: Signed<Genesis> = decode_exactly(document).map_err(|_| GenesisError::Malformed)?;
    if !signed.claims().is_in_range() {
        return Err(GenesisError::OutOfRange);
    }
    signed
        .verify(NO_NETWORK)
        .map_err(|_| GenesisError::Signature)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;

    fn founder() -> Keypair {
        Keypair::from_seed(&[1; 32])
    }

    fn founded() -> Founded {
        let name = Name::new("garden").unwrap();
        found(
            name,
            &founder(),
            WallTime::from_millis(5),
            &mut Rng::from_number(1),
        )
    }

    fn document_of(genesis: Genesis) -> Vec<u8> {
        encode(&Verified::seal(genesis, &founder(), NO_NETWORK).to_signed())
    }

    #[test]
    fn a_founded_network_verifies_under_its_identity_only() {
        let founded = founded();
        let genesis = verify(&founded.document, founded.network).unwrap();
        assert_eq!(genesis.founder, founder().id());
        assert_eq!(genesis.shard_count, 64);
        let other = NetworkId::from_bytes([7; 32]);
        assert_eq!(
            verify(&founded.document, other).err(),
            Some(GenesisError::OtherNetwork)
        );
    }

    #[test]
    fn every_flipped_bit_and_truncation_is_another_network() {
        let founded = founded();
        for bit in 0..founded.document.len() * 8 {
            let mut flipped = founded.document.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&flipped, founded.network).is_err());
        }
        for length in 0..founded.document.len() {
            assert!(verify(&founded.document[..length], founded.network).is_err());
        }
    }

    #[test]
    fn two_networks_of_one_founder_and_name_differ() {
        let name = Name::new("garden").unwrap();
        let later = &mut Rng::from_number(2);
        let other = found(name, &founder(), WallTime::from_millis(5), later);
        assert_ne!(other.network, founded().network);
        assert_ne!(other.isolation_key, founded().isolation_key);
    }

    #[test]
    fn a_document_that_its_founder_did_not_sign_is_refused_under_its_own_hash() {
        let founded = founded();
        let mut genesis = (*verify(&founded.document, founded.network).unwrap()).clone();
        genesis.founder = NodeId::from_bytes([3; 32]);
        let forged = document_of(genesis);
        assert_eq!(
            verify(&forged, network_of(&forged)).err(),
            Some(GenesisError::Signature)
        );
    }

    #[test]
    fn fields_out_of_range_are_refused() {
        let founded = founded();
        let good = (*verify(&founded.document, founded.network).unwrap()).clone();
        let twice = alloc::vec![founder().id(); 2];
        let bad = [
            Genesis {
                shard_count: 65,
                ..good.clone()
            },
            Genesis {
                shard_count: 0,
                ..good.clone()
            },
            Genesis {
                replication: 0,
                ..good.clone()
            },
            Genesis {
                validators: Vec::new(),
                ..good.clone()
            },
            Genesis {
                validators: twice,
                ..good
            },
        ];
        for genesis in bad {
            let document = document_of(genesis);
            assert_eq!(
                verify(&document, network_of(&document)).err(),
                Some(GenesisError::OutOfRange)
            );
        }
    }

    #[test]
    fn the_largest_document_fits_its_bound() {
        let founded = founded();
        let good = (*verify(&founded.document, founded.network).unwrap()).clone();
        let largest = Genesis {
            name: Name::new(&"x".repeat(64)).unwrap(),
            validators: (0..16_u8).map(|n| NodeId::from_bytes([n; 32])).collect(),
            created: WallTime::from_millis(u64::MAX),
            ..good
        };
        assert!(document_of(largest).len() <= DOCUMENT_BYTES_MAX);
    }
}
