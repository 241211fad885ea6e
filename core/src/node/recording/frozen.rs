//! A node's whole state as bytes, without its keys, and back.

use crate::{
    kernel::crypto::{Hash, Secret, Tape, decode_exactly},
    node::machine::Node,
};
use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::fmt;

/// A node whose output was not taken can't be frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDrained;

/// Why bytes are no node's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThawError {
    /// They are not the state of a node of this version.
    Malformed,
    /// A setting in them is out of range.
    Setting(String),
}

impl fmt::Display for ThawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("a snapshot is not the state of a node of this version"),
            Self::Setting(which) => write!(f, "a snapshot's setting {which} is out of range"),
        }
    }
}

impl core::error::Error for ThawError {}

/// The hash of a frozen node.
#[must_use]
pub(super) fn state_hash(frozen: &[u8]) -> Hash {
    Hash::of("sporenet 2026 recording state", &[frozen])
}

impl Node {
    /// Its whole state, appended to `buffer`; something else stands in place of every key.
    ///
    /// # Errors
    /// [`NotDrained`] while output is queued; the buffer's content is of no use then.
    pub(super) fn freeze_into(&self, buffer: Vec<u8>) -> Result<Vec<u8>, NotDrained> {
        let from = buffer.len();
        let mut frozen = postcard::to_extend(self, buffer).map_err(|_| NotDrained)?;
        // A replayed node has no secrets: theirs were replaced when the original was frozen.
        if !self.keypair.is_blind() {
            let mut secrets = self.admission.secrets();
            secrets.push(self.keypair.expose_seed());
            blind(frozen.get_mut(from..).unwrap_or_default(), &secrets);
        }
        Ok(frozen)
    }

    /// Its whole state as bytes; something else stands in place of every key.
    ///
    /// # Errors
    /// [`NotDrained`] while output is queued.
    pub fn freeze(&self) -> Result<Vec<u8>, NotDrained> {
        self.freeze_into(Vec::new())
    }

    /// The hash of its whole state; `None` while output is queued.
    #[must_use]
    pub fn state_hash(&self) -> Option<Hash> {
        self.freeze().ok().map(|frozen| state_hash(&frozen))
    }

    /// The node whose state these bytes are. It has no key: its signatures come from `tape`.
    ///
    /// # Errors
    /// [`ThawError`] when they are no node's state.
    pub fn thaw(frozen: &[u8], tape: &Arc<Tape>) -> Result<Self, ThawError> {
        let mut node: Self = decode_exactly(frozen).map_err(|_| ThawError::Malformed)?;
        // A file comes from anywhere: settings out of range could divide by zero or never end.
        node.check_settings().map_err(ThawError::Setting)?;
        for keypair in node.keypairs() {
            keypair.take_from(tape);
        }
        node.admission.make_blind();
        Ok(node)
    }

    fn check_settings(&self) -> Result<(), String> {
        self.config.validate()?;
        let settings = self.components().map(|machine| machine.settings());
        let checked = settings.iter().map(|settings| settings.validate());
        checked
            .collect::<Result<(), _>>()
            .map_err(ToString::to_string)
    }

    /// Every clone of its key pair that signs for it.
    pub(super) const fn keypairs(&mut self) -> [&mut crate::kernel::crypto::Keypair; 4] {
        [
            &mut self.keypair,
            self.swim.keypair_mut(),
            self.replica.keypair_mut(),
            self.vitals.keypair_mut(),
        ]
    }
}

/// Puts something else in place of every secret, wherever it stands.
///
/// Searching the bytes finds a key in every form that it has, such as in an entry that waits for the
/// store. Lengths stay the same.
fn blind(bytes: &mut [u8], secrets: &[Secret]) {
    // A state is long and secrets are few: nearly every byte is passed over by one look-up.
    let mut by_first: BTreeMap<u8, Vec<&Secret>> = BTreeMap::new();
    for secret in secrets {
        let [first, ..] = secret.expose();
        by_first.entry(*first).or_default().push(secret);
    }
    let mut begins = [false; 256];
    for first in by_first.keys() {
        if let Some(begins) = begins.get_mut(usize::from(*first)) {
            *begins = true;
        }
    }
    let mut at = 0_usize;
    while let Some(rest) = bytes.get_mut(at..) {
        let found = rest
            .iter()
            .position(|byte| begins.get(usize::from(*byte)).copied().unwrap_or(false));
        let Some(found) = found else {
            return;
        };
        let here = rest.get_mut(found..).unwrap_or_default();
        // On by one byte only: a secret may begin within what looked like another one.
        at = at.saturating_add(found).saturating_add(1);
        // Less than 32 bytes are left: no secret begins here or later.
        let Some((window, _)) = here.split_first_chunk_mut::<32>() else {
            return;
        };
        let candidates = by_first.get(&window[0]).into_iter().flatten();
        for secret in candidates {
            if window == secret.expose() {
                *window = *secret.blinded().expose();
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_blinded_wherever_it_stands() {
        let (a, b) = (Secret::from_bytes([7; 32]), Secret::from_bytes([9; 32]));
        let mut bytes = alloc::vec![7; 3];
        bytes.push(1);
        bytes.extend_from_slice(a.expose());
        bytes.extend_from_slice(b.expose());
        bytes.extend_from_slice(&[9; 31]);
        let before = bytes.clone();
        blind(&mut bytes, &[a.clone(), b.clone()]);
        assert_eq!(bytes.len(), before.len());
        assert_eq!(bytes[..4], before[..4]);
        assert_eq!(bytes[4..36], *a.blinded().expose());
        assert_eq!(bytes[36..68], *b.blinded().expose());
        assert_eq!(bytes[68..], before[68..]);
    }

    #[test]
    fn bytes_that_are_no_state_are_refused() {
        let tape = Arc::new(Tape::new());
        assert_eq!(Node::thaw(&[], &tape).err(), Some(ThawError::Malformed));
        assert_eq!(
            Node::thaw(&[255; 100], &tape).err(),
            Some(ThawError::Malformed)
        );
    }
}
