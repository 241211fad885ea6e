//! Keys, hashes, and signatures that are bound to a network and a purpose.

use crate::kernel::{
    bytes::Bytes,
    id::{NetworkId, NodeId},
    planted::{self, Planted},
};
use alloc::{sync::Arc, vec::Vec};
use core::{fmt, ops::Deref};
use ed25519_dalek::{Signature as DalekSignature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use zeroize::Zeroizing;

mod tape;
pub use tape::{SIGNATURES_MAX, Tape};

/// A BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Stands where there is nothing to hash, such as before a chain's first link.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of `bytes` for one purpose; different purposes never collide.
    #[must_use]
    pub fn of(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        // Parts follow each other without a mark: callers see to it that they are unambiguous.
        for part in parts {
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The hash with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first eight bytes as a number.
    #[must_use]
    pub const fn prefix(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({:016x})", self.prefix())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A 32-byte secret: an isolation key, an invite key, a pre-shared key. Wiped when dropped, never
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// The secret with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, for the cipher and for storage only.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A secret for one purpose derived from this one.
    ///
    /// Source: BLAKE3 paper, 2020, section 2.3 (`derive_key`).
    #[must_use]
    pub fn derive(&self, purpose: &str, context: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(purpose);
        hasher.update(self.expose());
        hasher.update(context);
        Self::from_bytes(*hasher.finalize().as_bytes())
    }
}

impl Secret {
    /// What stands in a recording in its place: as long, the same each time, and of no use.
    #[must_use]
    pub fn blinded(&self) -> Self {
        self.derive("sporenet 2026 recording blind", &[])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 32]>::deserialize(deserializer).map(Self::from_bytes)
    }
}

/// A node's Ed25519 key pair.
#[derive(Clone)]
pub struct Keypair {
    key: SigningKey,
    id: NodeId,
    taping: Taping,
}

/// What becomes of signatures.
#[derive(Clone)]
enum Taping {
    Off,
    /// They are left on the tape too.
    Leave(Arc<Tape>),
    /// There is no secret; they come from the tape.
    Take(Arc<Tape>),
}

impl Keypair {
    /// The key pair of a 32-byte secret seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let id = NodeId::from_bytes(key.verifying_key().to_bytes());
        Self {
            key,
            id,
            taping: Taping::Off,
        }
    }

    /// The public half.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// The same key under another node's name: what an impostor has.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn posing_as(&self, id: NodeId) -> Self {
        Self { id, ..self.clone() }
    }

    /// Whether it is the key of the node that it names.
    #[cfg(any(test, feature = "sim"))]
    #[must_use]
    pub fn is_genuine(&self) -> bool {
        self.key.verifying_key().as_bytes() == self.id.as_bytes()
    }

    /// The secret seed, for storage only.
    #[must_use]
    pub fn expose_seed(&self) -> Secret {
        Secret::from_bytes(self.key.to_bytes())
    }

    /// Signs `bytes` for one purpose in one network.
    #[must_use]
    pub fn sign(&self, domain: &str, network: NetworkId, bytes: &[u8]) -> Signature {
        // A replayed node has no key: it takes what the recorded one made at this point.
        if let Taping::Take(tape) = &self.taping {
            return tape.take();
        }
        let signature = Signature(
            self.key
                .sign(&signed_form(domain, network, bytes))
                .to_bytes(),
        );
        if let Taping::Leave(tape) = &self.taping {
            tape.leave(&signature);
        }
        signature
    }
}

impl Keypair {
    /// Leaves every signature on `tape` from now on, or on none. The clones of before don't.
    pub fn leave_on(&mut self, tape: Option<&Arc<Tape>>) {
        // A replayed pair goes on taking: without its tape it could not sign at all.
        if !self.is_blind() {
            self.taping = tape.map_or(Taping::Off, |tape| Taping::Leave(Arc::clone(tape)));
        }
    }

    /// Takes every signature from `tape` from now on: the secret is forgotten.
    pub fn take_from(&mut self, tape: &Arc<Tape>) {
        // No real key: nothing signed with it by mistake would be accepted for this node.
        self.key = SigningKey::from_bytes(&[0; 32]);
        self.taping = Taping::Take(Arc::clone(tape));
    }

    /// A clone whose signatures are left on no tape.
    #[must_use]
    pub fn apart(&self) -> Self {
        let mut apart = self.clone();
        apart.leave_on(None);
        apart
    }

    /// Whether it knows only its public half.
    #[must_use]
    pub const fn is_blind(&self) -> bool {
        matches!(self.taping, Taping::Take(_))
    }
}

/// Its public half: a recording holds no key.
impl Serialize for Keypair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Keypair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self {
            key: SigningKey::from_bytes(&[0; 32]),
            id: NodeId::deserialize(deserializer)?,
            taping: Taping::Take(Arc::new(Tape::blank())),
        })
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keypair({})", self.id.short())
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Checks it against a signer, a purpose, a network and the received bytes.
    ///
    /// # Errors
    /// [`BadSignature`] unless it verifies strictly (no small-order key, no malleable form).
    ///
    /// Source: RFC 8032; Chalkias et al., "Taming the many EdDSAs", 2020.
    pub fn verify(
        &self,
        signer: NodeId,
        domain: &str,
        network: NetworkId,
        bytes: &[u8],
    ) -> Result<(), BadSignature> {
        let form = signed_form(domain, network, bytes);
        #[cfg(feature = "sim")]
        return super::memo::verify(&form, signer, &self.0, || self.verify_form(signer, &form));
        #[cfg(not(feature = "sim"))]
        self.verify_form(signer, &form)
    }

    fn verify_form(&self, signer: NodeId, form: &[u8; 32]) -> Result<(), BadSignature> {
        VerifyingKey::from_bytes(signer.as_bytes())
            // Strict: nobody without the key can turn a valid signature into another valid one.
            .and_then(|key| key.verify_strict(form, &DalekSignature::from_bytes(&self.0)))
            .map_err(|_| BadSignature { signer })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Signature({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In halves: serde knows arrays of up to 32 items. The bytes are the same.
        let (halves, _) = self.0.as_chunks::<32>();
        <(&[u8; 32], &[u8; 32])>::serialize(
            &(
                halves.first().unwrap_or(&[0; 32]),
                halves.last().unwrap_or(&[0; 32]),
            ),
            serializer,
        )
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (first, second) = <([u8; 32], [u8; 32])>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(first.into_iter().chain(second)) {
            *to = from;
        }
        Ok(Self(bytes))
    }
}

/// What is signed: a hash of purpose, network and bytes, so that no signature counts elsewhere.
fn signed_form(domain: &str, network: NetworkId, bytes: &[u8]) -> [u8; 32] {
    // The network has always 32 bytes, so the pair is unambiguous.
    *Hash::of(domain, &[network.as_bytes(), bytes]).as_bytes()
}

/// A signature that does not hold for who is said to have made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature {
    /// Who is said to have signed.
    pub signer: NodeId,
}

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the signature of {} does not hold", self.signer.short())
    }
}

impl core::error::Error for BadSignature {}

/// A body that is signed by a node named in it.
pub trait SignedBody: Serialize + DeserializeOwned + Clone {
    /// The purpose the signature is bound to.
    const DOMAIN: &'static str;

    /// Who must have signed it.
    fn signer(&self) -> NodeId;
}

/// A signed body as received: the very bytes, what they decode to, the signature. Not yet checked.
///
/// A machine may look at what it claims with [`Signed::claims`] to do cheap checks first; only
/// [`Signed::verify`] makes a [`Verified`] of it. A host may call [`Signed::precheck`] on another
/// thread, which makes the later `verify` free. A copy shares the body: rumours are handed on to many.
pub struct Signed<T> {
    body: Arc<Body<T>>,
    checked_in: Option<NetworkId>,
}

struct Body<T> {
    bytes: Bytes,
    signature: Signature,
    value: T,
}

impl<T> Clone for Signed<T> {
    fn clone(&self) -> Self {
        Self {
            body: Arc::clone(&self.body),
            checked_in: self.checked_in,
        }
    }
}

impl<T: SignedBody> Signed<T> {
    /// What it says, unproven.
    #[must_use]
    pub fn claims(&self) -> &T {
        &self.body.value
    }

    /// The signed bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body.bytes
    }

    /// Checks the signature and remembers the success.
    ///
    /// # Errors
    /// [`BadSignature`] when the signature is not its signer's in this network.
    pub fn precheck(&mut self, network: NetworkId) -> Result<(), BadSignature> {
        // Only for the same network: a signature that holds in one says nothing in another.
        if self.checked_in != Some(network) && !planted::is(Planted::SignatureUnchecked) {
            let Body {
                bytes,
                signature,
                value,
            } = &*self.body;
            signature.verify(value.signer(), T::DOMAIN, network, bytes)?;
            self.checked_in = Some(network);
        }
        Ok(())
    }

    /// Proves that the body was signed by its signer in this network.
    ///
    /// # Errors
    /// [`BadSignature`] when it was not.
    pub fn verify(mut self, network: NetworkId) -> Result<Verified<T>, BadSignature> {
        self.precheck(network)?;
        Ok(Verified(self))
    }
}

impl<T: fmt::Debug> fmt::Debug for Signed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signed").field(&self.body.value).finish()
    }
}

impl<T> PartialEq for Signed<T> {
    fn eq(&self, other: &Self) -> bool {
        // Whether it was checked already says nothing about what it is.
        self.body.bytes == other.body.bytes && self.body.signature == other.body.signature
    }
}

impl<T> Eq for Signed<T> {}

impl<T> Serialize for Signed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.body.bytes, &self.body.signature).serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Signed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (bytes, signature) = <(Bytes, Signature)>::deserialize(deserializer)?;
        // The received bytes are kept beside the value. The signature is over them, and encoding
        // the value again could differ from what was signed.
        let value = decode_exactly(&bytes).map_err(serde::de::Error::custom)?;
        Ok(Self {
            body: Arc::new(Body {
                bytes,
                signature,
                value,
            }),
            // Whatever comes from outside is unchecked, also what this node once stored.
            checked_in: None,
        })
    }
}

/// A signed body whose signature holds in this process's network. Only [`Verified::seal`] and
/// [`Signed::verify`] make one.
#[derive(PartialEq, Eq)]
pub struct Verified<T>(Signed<T>);

impl<T> Clone for Verified<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: SignedBody> Verified<T> {
    /// Signs a body of our own.
    ///
    /// The body must name `keypair` as its signer, or no peer will accept it.
    #[must_use]
    pub fn seal(value: T, keypair: &Keypair, network: NetworkId) -> Self {
        let bytes = Bytes::from(encode(&value));
        let signature = keypair.sign(T::DOMAIN, network, &bytes);
        Self(Signed {
            body: Arc::new(Body {
                bytes,
                signature,
                value,
            }),
            // Just signed: it needs no check.
            checked_in: Some(network),
        })
    }

    /// The signed form, for a message or the store.
    #[must_use]
    pub fn to_signed(&self) -> Signed<T> {
        self.0.clone()
    }

    /// The signed bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.body.bytes
    }
}

impl<T> Serialize for Verified<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Only for thawing the state of a node that has verified it: no message holds a `Verified`.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Verified<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Signed::deserialize(deserializer).map(Self)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.body.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verified").field(&self.0.body.value).finish()
    }
}

/// Bytes that do not decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They are not an encoding of the expected type.
    Malformed,
    /// Bytes are left over after the value.
    Trailing,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the bytes are not a valid encoding",
            Self::Trailing => "bytes are left over after the value",
        })
    }
}

impl core::error::Error for DecodeError {}

/// Room for most messages: one allocation instead of one for each doubling from eight bytes on.
const ENCODED_USUAL: usize = 128;

/// Encodes with postcard. Our own types always encode.
#[must_use]
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, Vec::with_capacity(ENCODED_USUAL)).unwrap_or_default()
}

/// Decodes with postcard and insists that every byte is consumed.
///
/// # Errors
/// [`DecodeError`] when the bytes are not exactly one value.
pub fn decode_exactly<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| DecodeError::Malformed)?;
    // Trailing bytes would be a second form of the same value: two hashes, two signatures.
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        author: NodeId,
        text: u32,
    }

    impl SignedBody for Note {
        const DOMAIN: &'static str = "test note";

        fn signer(&self) -> NodeId {
            self.author
        }
    }

    const NETWORK: NetworkId = NetworkId::from_bytes([1; 32]);

    fn received(keypair: &Keypair, author: NodeId) -> Signed<Note> {
        let sealed = Verified::seal(Note { author, text: 7 }, keypair, NETWORK);
        decode_exactly(&encode(&sealed.to_signed())).unwrap()
    }

    #[test]
    fn a_signature_holds_for_its_signer_and_network_only() {
        let (ann, bob) = (Keypair::from_seed(&[1; 32]), Keypair::from_seed(&[2; 32]));
        assert_eq!(received(&ann, ann.id()).verify(NETWORK).unwrap().text, 7);
        assert!(received(&ann, bob.id()).verify(NETWORK).is_err());
        assert!(
            received(&ann, ann.id())
                .verify(NetworkId::from_bytes([2; 32]))
                .is_err()
        );
    }

    #[test]
    fn every_flipped_bit_of_a_signed_body_is_noticed() {
        let ann = Keypair::from_seed(&[1; 32]);
        let sealed = Verified::seal(
            Note {
                author: ann.id(),
                text: 7,
            },
            &ann,
            NETWORK,
        );
        let bytes = encode(&sealed.to_signed());
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let outcome = decode_exactly::<Signed<Note>>(&flipped).map(|s| s.verify(NETWORK));
            assert!(!matches!(outcome, Ok(Ok(_))), "bit {bit} went unnoticed");
        }
    }

    #[test]
    fn bytes_left_over_are_refused() {
        assert_eq!(decode_exactly::<u8>(&[1, 2]), Err(DecodeError::Trailing));
    }
}
