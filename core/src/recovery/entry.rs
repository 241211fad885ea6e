//! One named entry of the store: its value, sealed against rot and against standing under another
//! name.
//!
//! | bytes | field |
//! |---|---|
//! | … | value |
//! | 16 | checksum: truncated BLAKE3 of name and value, in a purpose of its own |
//!
//! Source: as [`record`](super::record).

use crate::kernel::{
    bytes::Bytes,
    crypto::Hash,
    planted::{self, Planted},
    store::Stored,
};
use alloc::{string::String, vec::Vec};

/// The bytes of a sealed value besides the value.
pub const OVERHEAD: usize = 16;

/// The value as it is stored under `key`.
#[must_use]
pub fn seal(key: &str, value: &[u8]) -> Bytes {
    // The name is part of the checksum, so a value that the store gives under another name is
    // noticed (misdirected write).
    let mut sealed = value.to_vec();
    sealed.extend_from_slice(&checksum(key, value));
    sealed.into()
}

/// The value that was stored under `key`; `None` if it is not what was stored.
#[must_use]
pub fn open(key: &str, sealed: &[u8]) -> Option<Bytes> {
    let (value, found) = sealed.split_last_chunk::<OVERHEAD>()?;
    // Checked before it is used: a store may rot at any time.
    let sound = *found == checksum(key, value) || planted::is(Planted::EntryUnsealed);
    sound.then(|| value.into())
}

/// All entries opened, and the names of those that are damaged.
#[must_use]
pub fn open_all(stored: Stored) -> (Stored, Vec<String>) {
    let mut damaged = Vec::new();
    let mut entries = Vec::with_capacity(stored.entries.len());
    for (key, sealed) in stored.entries {
        // A damaged entry is not taken for a missing one: the owner has to know of it.
        match open(&key, &sealed) {
            Some(value) => entries.push((key, value)),
            None => damaged.push(key),
        }
    }
    let journal = stored.journal;
    (Stored { entries, journal }, damaged)
}

fn checksum(key: &str, value: &[u8]) -> [u8; OVERHEAD] {
    // A name has no zero byte in it, so the pair is unambiguous.
    let hash = Hash::of("sporenet 2026 store entry", &[key.as_bytes(), &[0], value]);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_and_any_other_name_is_noticed() {
        let sealed = seal("node/identity", &[7; 32]);
        assert_eq!(
            open("node/identity", &sealed).as_deref(),
            Some(&[7; 32][..])
        );
        assert_eq!(open("node/identitx", &sealed), None);
        for bit in 0..sealed.len() * 8 {
            let mut hurt = sealed.to_vec();
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open("node/identity", &hurt), None, "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(open("node/identity", &sealed[..length]), None);
        }
    }
}
