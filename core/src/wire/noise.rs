//! The cipher: Noise `XXpsk0_25519_ChaChaPoly_BLAKE2s`, with all its randomness from one seed.
//!
//! The pre-shared key is mixed in first. A stranger without it fails at the first message, of 48
//! bytes, before any Diffie–Hellman answer is spent on it.
//!
//! Source: Perrin, "The Noise Protocol Framework", revision 34, 2018, sections 7.5 (XX), 9 (PSK),
//! 11.3 (rekey); `snow` implements it.

use crate::kernel::crypto::Secret;
use alloc::{boxed::Box, vec, vec::Vec};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use snow::{
    Builder, HandshakeState, TransportState,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::{CryptoResolver, DefaultResolver},
    types::{Cipher as CipherPrimitive, Dh, Hash, Random},
};

/// The protocol's full name, which is hashed into every handshake.
pub(crate) const NOISE_NAME: &str = "Noise_XXpsk0_25519_ChaChaPoly_BLAKE2s";

/// Bytes of the authentication tag on every encrypted message.
pub(crate) const TAG_BYTES: u32 = 16;

/// The most bytes of one Noise message, tag included.
pub(crate) const NOISE_BYTES_MAX: u32 = 65_535;

/// After this many messages in one direction both sides replace that direction's key, so that a key
/// found later opens at most this many messages before it. At 2²⁰ messages of 16 KiB that is 16 GiB,
/// far below the cipher's limits; the nonce (2⁶⁴ − 1 messages) is never used up in practice, and
/// the session closes rather than reuse one.
pub(crate) const REKEY_INTERVAL: u64 = 1 << 20;

/// Bytes of the handshake's three messages, whose payloads are empty.
pub(crate) const HANDSHAKE_BYTES: [usize; 3] = [48, 96, 64];

/// The cipher refused: wrong key, damaged or replayed bytes, or an exhausted nonce. Which of them
/// can't be told apart, and must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoiseError;

impl From<snow::Error> for NoiseError {
    fn from(_: snow::Error) -> Self {
        Self
    }
}

/// Which end of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Initiator,
    Responder,
}

/// A handshake in progress.
pub(crate) struct Handshake(Box<HandshakeState>);

impl Handshake {
    /// Begins a handshake under `psk`. All key material is drawn from `entropy`, which must never be
    /// used twice.
    pub(crate) fn new(
        end: End,
        psk: &Secret,
        prologue: &[u8],
        entropy: &Secret,
    ) -> Result<Self, NoiseError> {
        // A static key for this session only: identity is proved inside the cipher, so there is no
        // long-term X25519 key to protect. Both purposes have keys of their own.
        let fixed_key = entropy.derive("sporenet 2026 session static key", &[]);
        let resolver = Seeded(entropy.derive("sporenet 2026 session noise rng", &[]));
        // `psk0`: the key is mixed in before the first message (rev. 34, section 9), so its tag
        // already fails under a wrong key. The prologue binds what was said in the clear (section
        // 6).
        let builder = Builder::with_resolver(NOISE_NAME.parse()?, Box::new(resolver))
            .psk(0, psk.expose())?
            .local_private_key(fixed_key.expose())?
            .prologue(prologue)?;
        let state = match end {
            End::Initiator => builder.build_initiator()?,
            End::Responder => builder.build_responder()?,
        };
        Ok(Self(Box::new(state)))
    }

    /// Our next handshake message.
    pub(crate) fn write(&mut self) -> Result<Vec<u8>, NoiseError> {
        // The longest handshake message has 96 bytes (`HANDSHAKE_BYTES`).
        let mut message = vec![0; 128];
        let length = self.0.write_message(&[], &mut message)?;
        message.truncate(length);
        Ok(message)
    }

    /// Their next handshake message.
    pub(crate) fn read(&mut self, message: &[u8]) -> Result<(), NoiseError> {
        // No room for a payload: those of the handshake are empty.
        self.0.read_message(message, &mut [])?;
        Ok(())
    }

    /// The cipher, and the hash of everything both sides saw so far.
    pub(crate) fn finish(self) -> Result<(Cipher, [u8; 32]), NoiseError> {
        // The channel binding of rev. 34, section 11.2: it is different in every session, so a
        // proof that signs it is worth nothing elsewhere.
        let hash = self
            .0
            .get_handshake_hash()
            .first_chunk()
            .copied()
            .ok_or(NoiseError)?;
        let transport = Box::new(self.0.into_transport_mode()?);
        Ok((
            Cipher {
                transport,
                rekey_interval: REKEY_INTERVAL,
                rekeys: 0,
            },
            hash,
        ))
    }
}

/// Both directions of an established session.
pub(crate) struct Cipher {
    transport: Box<TransportState>,
    rekey_interval: u64,
    rekeys: u64,
}

impl Cipher {
    /// Encrypts our next message.
    pub(crate) fn seal(&mut self, plaintext: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let mut message = vec![0; plaintext.len().saturating_add(TAG_LENGTH)];
        let length = self.transport.write_message(plaintext, &mut message)?;
        message.truncate(length);
        // The nonce counts on over a rekey (section 11.3), so it tells how many messages went, and
        // both sides replace the key after the same one.
        if self.is_rekey_due(self.transport.sending_nonce()) {
            self.transport.rekey_outgoing();
            self.rekeys = self.rekeys.saturating_add(1);
        }
        Ok(message)
    }

    /// Decrypts their next message.
    pub(crate) fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let mut plaintext = vec![0; message.len().saturating_sub(TAG_LENGTH)];
        // A failure leaves nonce and key as they are, but the session ends with it anyway.
        let length = self.transport.read_message(message, &mut plaintext)?;
        plaintext.truncate(length);
        // After the message was proved genuine: garbage can't move the peer's key out of step.
        if self.is_rekey_due(self.transport.receiving_nonce()) {
            self.transport.rekey_incoming();
            self.rekeys = self.rekeys.saturating_add(1);
        }
        Ok(plaintext)
    }

    /// How often a key was replaced, both directions together.
    pub(crate) const fn rekeys(&self) -> u64 {
        self.rekeys
    }

    const fn is_rekey_due(&self, messages: u64) -> bool {
        messages.is_multiple_of(self.rekey_interval)
    }
}

const TAG_LENGTH: usize = 16;

/// The framework's own primitives, with randomness from a seed.
struct Seeded(Secret);

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        let stream = ChaCha20Rng::from_seed(*self.0.expose());
        Some(Box::new(SeededRandom(stream)))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn CipherPrimitive>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

/// The key stream of ChaCha20 under a key that is used for nothing else.
struct SeededRandom(ChaCha20Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes([byte; 32])
    }

    fn pair(psk: u8, prologue: &[u8]) -> Result<(Cipher, Cipher), NoiseError> {
        let mut ann = Handshake::new(End::Initiator, &secret(9), b"hello", &secret(1))?;
        let mut bob = Handshake::new(End::Responder, &secret(psk), prologue, &secret(2))?;
        let first = ann.write()?;
        bob.read(&first)?;
        let second = bob.write()?;
        ann.read(&second)?;
        let third = ann.write()?;
        bob.read(&third)?;
        assert_eq!(
            [first.len(), second.len(), third.len()],
            HANDSHAKE_BYTES,
            "the handshake's sizes are fixed"
        );
        let ((ann, ann_hash), (bob, bob_hash)) = (ann.finish()?, bob.finish()?);
        assert_eq!(ann_hash, bob_hash);
        Ok((ann, bob))
    }

    #[test]
    fn the_right_key_and_prologue_make_a_session() {
        let (mut ann, mut bob) = pair(9, b"hello").unwrap();
        let message = ann.seal(b"word").unwrap();
        assert_eq!(message.len(), 4 + TAG_LENGTH);
        assert_eq!(bob.open(&message).unwrap(), b"word");
    }

    #[test]
    fn a_wrong_key_or_prologue_fails_at_the_first_message() {
        for (psk, prologue) in [(8, &b"hello"[..]), (9, b"hallo")] {
            let mut ann = Handshake::new(End::Initiator, &secret(9), b"hello", &secret(1)).unwrap();
            let mut bob =
                Handshake::new(End::Responder, &secret(psk), prologue, &secret(2)).unwrap();
            assert_eq!(bob.read(&ann.write().unwrap()), Err(NoiseError));
        }
    }

    #[test]
    fn a_replayed_reordered_or_damaged_message_is_refused() {
        let (mut ann, mut bob) = pair(9, b"hello").unwrap();
        let (one, two) = (ann.seal(b"one").unwrap(), ann.seal(b"two").unwrap());
        assert_eq!(bob.open(&two), Err(NoiseError));
        assert_eq!(bob.open(&one).unwrap(), b"one");
        assert_eq!(bob.open(&one), Err(NoiseError));
        let mut damaged = two;
        damaged[0] ^= 1;
        assert_eq!(bob.open(&damaged), Err(NoiseError));
        assert_eq!(bob.open(&[]), Err(NoiseError));
        assert_eq!(bob.open(&[0; 15]), Err(NoiseError));
    }

    #[test]
    fn both_sides_replace_the_key_after_the_same_message() {
        let (mut ann, mut bob) = pair(9, b"hello").unwrap();
        (ann.rekey_interval, bob.rekey_interval) = (4, 4);
        for number in 0..10_u8 {
            let message = ann.seal(&[number]).unwrap();
            assert_eq!(bob.open(&message).unwrap(), [number]);
        }
        assert_eq!((ann.rekeys(), bob.rekeys()), (2, 2));
        // A side that did not follow the rekey can't read on.
        bob.rekey_interval = 5;
        assert!(bob.open(&ann.seal(b"11").unwrap()).is_ok());
        assert!(bob.open(&ann.seal(b"12").unwrap()).is_ok());
        assert!(bob.open(&ann.seal(b"13").unwrap()).is_err());
    }

    #[test]
    fn an_exhausted_nonce_is_refused_and_never_reused() {
        let (mut ann, mut bob) = pair(9, b"hello").unwrap();
        bob.transport.set_receiving_nonce(u64::MAX);
        let message = ann.seal(b"word").unwrap();
        assert_eq!(bob.open(&message), Err(NoiseError));
    }
}
