//! A join link: everything a newcomer needs, in one line of text.
//!
//! `spore:` and base64url (RFC 4648, section 5, no padding) of: the version byte, the postcard form of
//! spore, invitation and key, and four bytes of BLAKE3 over all before. The same text after
//! `#spore=` makes a link for browsers: a fragment is never sent to a server.
//!
//! The link carries the invite's key, a secret with a lifetime; never the isolation key. Whoever
//! shows a link shows that secret: `Display` is for the one who asked for an invite, `Debug` hides
//! it.

use crate::{
    kernel::{
        address::Address,
        crypto::{Hash, Secret, decode_exactly, encode},
    },
    membership::spore::Spore,
    wire::invitation::Invitation,
};
use alloc::{format, string::String};
use core::{fmt, str::FromStr};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

/// The version of the form that this code writes.
pub const VERSION: u8 = 1;

/// The most characters of a link that we write.
pub const CHARACTERS_MAX: usize = 1_200;

/// The most characters of a text that we try to read.
pub const READ_MAX: usize = 8_192;

/// The most entry points in a link.
pub const ENTRIES_MAX: usize = 4;

const SCHEME: &str = "spore:";
const FRAGMENT: &str = "#spore=";
const CHECKSUM: usize = 4;

/// Three quarters of the characters that are left beside the scheme, without version and checksum.
const BODY_BYTES_MAX: usize = 890;

/// Where to dial, what to say there, and the key to prove it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinLink {
    /// The network and where its members are.
    pub spore: Spore,
    /// What the invite says of itself.
    pub invitation: Invitation,
    /// The invite's key.
    pub key: Secret,
}

/// Why a text is not a join link that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// It is something else.
    NotALink,
    /// It was a link once.
    Damaged,
    /// A newer version wrote it.
    Newer,
    /// It is longer than any link.
    TooLong,
    /// No address in it can lead anywhere.
    Nowhere,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotALink => {
                "this is not a join link: it starts with spore: or contains #spore= \
                 (sporenet invite prints one)"
            }
            Self::Damaged => "the join link is damaged or cut off: copy the whole line again",
            Self::Newer => "the join link was made by a newer version: update this program",
            Self::TooLong => "the text is too long for a join link: paste the link alone",
            Self::Nowhere => {
                "no address in the join link leads anywhere: start the relay that made it with \
                 --advertise and an address that others reach"
            }
        })
    }
}

impl core::error::Error for LinkError {}

impl JoinLink {
    /// A link of at most [`CHARACTERS_MAX`] characters: the spore is cut to its best entries and
    /// relays.
    #[must_use]
    pub fn new(spore: &Spore, invitation: Invitation, key: Secret) -> Self {
        // The invite and its key can't be cut; the spore gets what they leave.
        let taken = encode(&(&invitation, &key)).len();
        let spore = spore.fit(ENTRIES_MAX, BODY_BYTES_MAX.saturating_sub(taken));
        Self {
            spore,
            invitation,
            key,
        }
    }

    /// The link for browsers at the page's origin, such as `http://host:port`.
    #[must_use]
    pub fn browser_url(&self, origin: &str) -> String {
        format!(
            "{}/{FRAGMENT}{}",
            origin.trim_end_matches('/'),
            self.payload()
        )
    }

    fn payload(&self) -> String {
        let mut bytes = alloc::vec![VERSION];
        bytes.extend_from_slice(&encode(self));
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        BASE64URL_NOPAD.encode(&bytes)
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.payload())
    }
}

impl FromStr for JoinLink {
    type Err = LinkError;

    /// Reads both forms; white space, as a terminal's line wrapping leaves it, is ignored.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        // Before anything is copied: people paste anything.
        if text.len() > READ_MAX {
            return Err(LinkError::TooLong);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let payload = text
            .strip_prefix(SCHEME)
            .or_else(|| text.split_once(FRAGMENT).map(|(_, payload)| payload))
            .ok_or(LinkError::NotALink)?;
        let bytes = BASE64URL_NOPAD.decode(payload.as_bytes());
        let bytes = bytes.map_err(|_| LinkError::Damaged)?;
        let (covered, sum) = bytes
            .split_last_chunk::<CHECKSUM>()
            .ok_or(LinkError::Damaged)?;
        let (version, body) = covered.split_first().ok_or(LinkError::Damaged)?;
        // Before the version: a damaged version byte must not pass for a newer version.
        if checksum(covered) != *sum {
            return Err(LinkError::Damaged);
        }
        if *version != VERSION {
            return Err(LinkError::Newer);
        }
        let link: Self = decode_exactly(body).map_err(|_| LinkError::Damaged)?;
        let leads_somewhere = |address: &Address| address.check().is_ok();
        let is_empty = link.spore.addresses().next().is_none();
        if !is_empty && !link.spore.addresses().any(leads_somewhere) {
            return Err(LinkError::Nowhere);
        }
        Ok(link)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let hash = Hash::of("sporenet 2026 join link", &[bytes]);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::{
        kernel::{
            address::Transport,
            id::{NetworkId, NodeId, Role},
            time::WallTime,
        },
        membership::spore::{Authority, Pointer},
    };
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn link(pointers: u8, host: &str) -> JoinLink {
        let mut spore = Spore::new(NetworkId::from_bytes([1; 32]));
        for n in 0..pointers {
            let address = Address::new(Transport::Ws, host, 7600 + u16::from(n)).unwrap();
            spore.add_entry(address.clone());
            spore.add(Pointer {
                authority: Authority::Gossip,
                last_seen: WallTime::from_millis(1_790_000_000_000),
                id: NodeId::from_bytes([n; 32]),
                role: Role::Relay,
                addresses: alloc::vec![address],
            });
        }
        let invitation = Invitation {
            serial: [7; 16],
            issuer: NodeId::from_bytes([2; 32]),
            expires_at: WallTime::from_millis(u64::MAX),
            uses_max: Some(1_000),
            role: Some(Role::Tab),
            epoch: u32::MAX,
        };
        JoinLink::new(&spore, invitation, Secret::from_bytes([0xa5; 32]))
    }

    #[test]
    fn a_link_reads_back_in_both_forms() {
        let link = link(3, "relay.example.org");
        assert_eq!(link.to_string().parse(), Ok(link.clone()));
        let url = link.browser_url("http://127.0.0.1:7600/");
        assert!(url.starts_with("http://127.0.0.1:7600/#spore="));
        assert_eq!(url.parse(), Ok(link));
    }

    #[test]
    fn a_link_wrapped_by_a_terminal_reads_back() {
        let link = link(3, "relay.example.org");
        let mut text = link.to_string();
        text.insert(100, '\n');
        assert_eq!(alloc::format!("  {text}\r\n").parse(), Ok(link));
    }

    #[test]
    fn the_longest_link_stays_within_its_bound() {
        for host in ["10.0.0.1", &"h".repeat(116)] {
            let link = link(64, host);
            assert!(
                link.to_string().len() <= CHARACTERS_MAX,
                "{}",
                link.to_string().len()
            );
            assert!(link.spore.entries().count() > 0);
        }
        assert!(link(2, "127.0.0.1").to_string().len() < 500);
    }

    #[test]
    fn every_cut_and_every_changed_character_is_noticed() {
        let text = link(1, "a.org").to_string();
        for length in 0..text.len() {
            let outcome = text[..length].parse::<JoinLink>();
            let expected = if length < SCHEME.len() {
                LinkError::NotALink
            } else {
                LinkError::Damaged
            };
            assert_eq!(outcome, Err(expected), "cut at {length}");
        }
        for at in SCHEME.len()..text.len() {
            let mut changed = text.clone();
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert_eq!(
                changed.parse::<JoinLink>(),
                Err(LinkError::Damaged),
                "changed at {at}"
            );
        }
    }

    #[test]
    fn each_wrong_text_has_its_own_sentence() {
        assert_eq!("http://a/".parse::<JoinLink>(), Err(LinkError::NotALink));
        assert_eq!(
            "x".repeat(9_000).parse::<JoinLink>(),
            Err(LinkError::TooLong)
        );
        let mut newer = alloc::vec![2, 1, 1, 1];
        let sum = checksum(&newer);
        newer.extend_from_slice(&sum);
        let text = alloc::format!("spore:{}", BASE64URL_NOPAD.encode(&newer));
        assert_eq!(text.parse::<JoinLink>(), Err(LinkError::Newer));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_refused() {
        let text = link(2, "0.0.0.0").to_string();
        assert_eq!(text.parse::<JoinLink>(), Err(LinkError::Nowhere));
    }

    #[test]
    fn debug_never_shows_the_key() {
        let shown = alloc::format!("{:?}", link(1, "a.org"));
        assert!(!shown.contains("a5") && !shown.contains("165"), "{shown}");
    }

    /// Two texts for one link could not be told apart by their checksum.
    #[test]
    fn bytes_have_one_encoding_only() {
        assert_eq!(BASE64URL_NOPAD.encode(&[0xfb, 0xff]), "-_8");
        for text in ["Z", "Zh", "Zm9", "+/8", "Zg=="] {
            assert!(BASE64URL_NOPAD.decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "(spore:|http://x/#spore=)?.{0,200}") {
            prop_assert!(text.parse::<JoinLink>().is_err());
        }
    }
}
