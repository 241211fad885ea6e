//! Identities: nodes, networks, links, requests; incarnation and role.

use core::{cmp::Ordering, fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A node: its Ed25519 public key. Its serial form is 32 bytes, or in formats for people (JSON) the 64
/// digits that it shows.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId([u8; 32]);

/// By their bytes. Keys are spread evenly, so that the first eight nearly always decide: every table of
/// peers and members is searched by this.
impl Ord for NodeId {
    fn cmp(&self, other: &Self) -> Ordering {
        // The prefix is big endian, so this is the order of the bytes.
        let first = self.prefix().cmp(&other.prefix());
        first.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A network: the BLAKE3 hash of its signed genesis document. Its serial form is as that of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId([u8; 32]);

/// Why a text is not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdParseError;

impl fmt::Display for IdParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identity is 64 hexadecimal digits")
    }
}

impl core::error::Error for IdParseError {}

macro_rules! id_of_32_bytes {
    ($id:ident) => {
        impl $id {
            /// The identity with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Its first eight bytes as a number, for short tags and tie-breaks that no safety
            /// depends on.
            #[must_use]
            pub const fn prefix(&self) -> u64 {
                let [a, b, c, d, e, f, g, h, ..] = self.0;
                u64::from_be_bytes([a, b, c, d, e, f, g, h])
            }

            /// The first eight hexadecimal digits, as people see it in lists.
            #[must_use]
            pub fn short(&self) -> alloc::string::String {
                let [a, b, c, d, ..] = self.0;
                alloc::format!("{a:02x}{b:02x}{c:02x}{d:02x}")
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($id), self.short())
            }
        }

        impl FromStr for $id {
            type Err = IdParseError;

            fn from_str(text: &str) -> Result<Self, IdParseError> {
                parse_hex32(text).map(Self)
            }
        }

        impl Serialize for $id {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $id {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = alloc::string::String::deserialize(deserializer)?;
                    text.parse().map_err(D::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

id_of_32_bytes!(NodeId);
id_of_32_bytes!(NetworkId);

fn parse_hex32(text: &str) -> Result<[u8; 32], IdParseError> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    // Bytes, not characters: whatever is no ASCII digit fails below.
    if pairs.len() != 32 || !rest.is_empty() {
        return Err(IdParseError);
    }
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let high = char::from(*high).to_digit(16).ok_or(IdParseError)?;
        let low = char::from(*low).to_digit(16).ok_or(IdParseError)?;
        // Two digits below 16 always fit.
        *byte = u8::try_from((high << 4) | low).map_err(|_| IdParseError)?;
    }
    Ok(bytes)
}

macro_rules! number {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $id(pub u64);

        impl $id {
            /// The following one; stays at the maximum.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// Raised whenever a node restarts or refutes a suspicion; stored, never reused.
    Incarnation
);
number!(
    /// One run of a node's process, drawn from the host's entropy: two processes that carry the same
    /// identity and incarnation differ in it.
    InstanceId
);
number!(
    /// A link (one connection), numbered by the host that holds it; never reused within a run.
    LinkId
);
number!(
    /// An attempt to open a link, numbered by the node that asks for it.
    DialId
);
number!(
    /// A request of the node's user, numbered by the host; comes back in the reply.
    RequestId
);
number!(
    /// A storage batch or load, numbered by the node; comes back when the host has done it.
    Ticket
);

/// What a node is to the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A native node: accepts links, holds every shard, is probed and probes.
    Relay,
    /// A browser node: dials relays only, holds what it opens, is vouched for by its home relays.
    Tab,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relay => "relay",
            Self::Tab => "tab",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_identity_reads_back_what_it_shows() {
        let id = NodeId::from_bytes([0xa7; 32]);
        assert_eq!(id.to_string().parse::<NodeId>(), Ok(id));
        assert_eq!("a7".parse::<NodeId>(), Err(IdParseError));
        assert_eq!("é".repeat(32).parse::<NodeId>(), Err(IdParseError));
    }

    #[test]
    fn identities_are_in_the_order_of_their_bytes() {
        let mut ids = [[0; 32]; 6];
        for (place, id) in [0, 7, 8, 31].into_iter().zip(&mut ids) {
            id[place] = 1;
        }
        ids[4][7] = u8::MAX;
        for (one, other) in ids
            .iter()
            .flat_map(|one| ids.iter().map(move |other| (one, other)))
        {
            let order = NodeId::from_bytes(*one).cmp(&NodeId::from_bytes(*other));
            assert_eq!(order, one.cmp(other));
        }
    }

    #[test]
    fn an_identity_is_bytes_to_peers_and_digits_to_people() {
        let id = NodeId::from_bytes([0xa7; 32]);
        assert_eq!(postcard::to_allocvec(&id).unwrap(), [0xa7; 32]);
        assert_eq!(postcard::from_bytes::<NodeId>(&[0xa7; 32]), Ok(id));
        let shown = serde_json::to_string(&id).unwrap();
        assert_eq!(shown, alloc::format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<NodeId>(&shown).unwrap(), id);
        assert!(serde_json::from_str::<NodeId>("\"a7\"").is_err());
    }
}
