//! From the first byte to two proven identities.
//!
//! | initiator | | responder |
//! |---|---|---|
//! | hello → | clear | checks network, then version, then wants the key |
//! | | clear | ← answer |
//! | first → | cipher begins | a wrong key ends here |
//! | | | ← second |
//! | third, proof → | sealed | checks the proof, is up |
//! | checks the proof, is up | sealed | ← proof |

use super::{
    Session,
    limits::SessionEvent,
    link::{self, LinkMessage},
    phase::{Failure, Phase, Step},
    trust::Trust,
};
use crate::{
    kernel::{
        crypto::{Secret, Signed, Verified},
        id::NodeId,
    },
    wire::{
        close::CloseReason,
        control::{Control, Direction, IdentityProof},
        hello::{Answer, Clear, ClearError, Hello, common_version, network_hint},
        identity::PeerIdentity,
        invitation::{Invitation, KeyHint},
        noise::{Cipher, End, HANDSHAKE_BYTES, Handshake},
    },
};
use alloc::vec::Vec;

/// What both sides settled in the clear.
#[derive(Clone)]
pub(super) struct Agreed {
    version: u16,
    features: u64,
    invitation: Option<Invitation>,
}

/// An initiator that has said hello.
pub(super) struct Opening {
    hello: Vec<u8>,
    key: Secret,
    expect: Option<NodeId>,
    entropy: Secret,
    invitation: Option<Invitation>,
}

/// A responder that waits for its owner to find the key.
pub(super) struct Asking {
    hello: Vec<u8>,
    entropy: Secret,
    agreed: Agreed,
}

/// Either side while the cipher's handshake runs.
pub(super) struct Ciphering {
    noise: Handshake,
    agreed: Agreed,
    expect: Option<NodeId>,
}

/// Either side under the cipher, before the other's proof of identity.
pub(super) struct Unproven {
    pub(super) cipher: Cipher,
    pub(super) handshake: [u8; 32],
    agreed: Agreed,
    expect: Option<NodeId>,
}

fn invitation_of(hint: KeyHint) -> Option<Invitation> {
    match hint {
        KeyHint::Isolation { .. } => None,
        KeyHint::Invite(invitation) => Some(invitation),
    }
}

impl Session {
    /// Says hello.
    pub(super) fn open(
        &mut self,
        hint: KeyHint,
        key: Secret,
        expect: Option<NodeId>,
        entropy: Secret,
    ) -> Phase {
        let params = &self.params;
        let hello = Hello::new(params.network, params.versions, params.features, &hint);
        let hello = Clear::Hello(hello).encode();
        // Not through `say`: the count of said bytes bounds only what a responder may say.
        self.outgoing.push_back(hello.clone());
        Phase::AwaitAnswer(Opening {
            hello,
            key,
            expect,
            entropy,
            invitation: invitation_of(hint),
        })
    }

    pub(super) fn on_hello(&mut self, entropy: Secret, message: &[u8]) -> Step {
        let Ok(Clear::Hello(hello)) = Clear::decode(message) else {
            return Err(Failure::clear(CloseReason::Protocol));
        };
        // This order is part of the protocol, so that both sides report the same first fault
        // (docs/wire.md, "A session").
        if hello.network_hint != network_hint(self.params.network) {
            return Err(Failure::clear(CloseReason::WrongNetwork));
        }
        let Some(version) = common_version(self.params.versions, hello.versions) else {
            // Each side is told the other's range.
            self.refuse(&version_mismatch(self.params.versions));
            // Said already, with our range; this failure only names theirs.
            return Err(Failure::mute(version_mismatch(hello.versions)));
        };
        // Only now: a later version may have hints that this one can't read.
        let hint = hello
            .hint()
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        self.events.push_back(SessionEvent::KeyWanted(hint.clone()));
        Ok(Phase::AwaitKey(Asking {
            hello: message.to_vec(),
            entropy,
            agreed: Agreed {
                version,
                features: hello.features & self.params.features,
                invitation: invitation_of(hint),
            },
        }))
    }

    pub(super) fn on_key(&mut self, asking: Asking, key: &Secret) -> Step {
        // Fresh in every session, so that a first message recorded earlier fails (`wire::hello`).
        let nonce = asking
            .entropy
            .derive("sporenet 2026 session answer nonce", &[]);
        let (nonce, _) = nonce
            .expose()
            .split_first_chunk()
            .ok_or_else(|| Failure::clear(CloseReason::Protocol))?;
        let answer = Clear::Answer(Answer {
            version: asking.agreed.version,
            features: asking.agreed.features,
            nonce: *nonce,
        })
        .encode();
        let noise = self.cipher_begins(
            End::Responder,
            key,
            [&asking.hello, &answer],
            &asking.entropy,
        )?;
        self.say(answer);
        Ok(Phase::AwaitFirst(Ciphering {
            noise,
            agreed: asking.agreed,
            expect: None,
        }))
    }

    pub(super) fn on_answer(&mut self, opening: Opening, message: &[u8]) -> Step {
        let answer = match Clear::decode(message) {
            Ok(Clear::Answer(answer)) => answer,
            Ok(Clear::Refusal(reason)) => return Err(Failure::told(Trust::Anyone, reason)),
            Err(ClearError::NotSporenet) => {
                return Err(Failure::mute(CloseReason::NotSporenet));
            }
            Ok(Clear::Hello(_)) | Err(ClearError::UnknownLayout | ClearError::Malformed) => {
                return Err(Failure::clear(CloseReason::Protocol));
            }
        };
        // A responder that answers more than was offered is wrong, or its answer was changed.
        let (min, max) = self.params.versions;
        let is_ours =
            (min..=max).contains(&answer.version) && answer.features & !self.params.features == 0;
        if !is_ours {
            return Err(Failure::clear(CloseReason::Protocol));
        }
        let mut noise = self.cipher_begins(
            End::Initiator,
            &opening.key,
            [&opening.hello, message],
            &opening.entropy,
        )?;
        let first = noise
            .write()
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        self.say(link::handshake(&first));
        Ok(Phase::AwaitSecond(Ciphering {
            noise,
            agreed: Agreed {
                version: answer.version,
                features: answer.features,
                invitation: opening.invitation,
            },
            expect: opening.expect,
        }))
    }

    /// The prologue holds the network and both clear messages, so that a single bit changed in them
    /// on the way ends the handshake.
    fn cipher_begins(
        &self,
        end: End,
        key: &Secret,
        [hello, answer]: [&[u8]; 2],
        entropy: &Secret,
    ) -> Result<Handshake, Failure> {
        let mut prologue = b"sporenet 2026 session".to_vec();
        prologue.extend_from_slice(self.params.network.as_bytes());
        prologue.extend_from_slice(hello);
        prologue.extend_from_slice(answer);
        Handshake::new(end, key, &prologue, entropy)
            .map_err(|_| Failure::clear(CloseReason::Protocol))
    }

    pub(super) fn on_first(&mut self, mut state: Ciphering, message: &[u8]) -> Step {
        let [first_bytes, _, _] = HANDSHAKE_BYTES;
        let first = handshake_message(message, first_bytes)?;
        state
            .noise
            // The first message proves the key and, by the prologue, that both sides saw the same
            // hello and answer. Which of them is wrong can't be told apart.
            .read(first)
            .map_err(|_| Failure::clear(CloseReason::WrongKey))?;
        // From here on this is no stranger: refusals need not be paid for any more.
        self.is_key_proven = true;
        let second = state
            .noise
            .write()
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        self.say(link::handshake(&second));
        Ok(Phase::AwaitThird(state))
    }

    pub(super) fn on_second(&mut self, mut state: Ciphering, message: &[u8]) -> Step {
        let [_, second_bytes, _] = HANDSHAKE_BYTES;
        let second = handshake_message(message, second_bytes)?;
        // An honest responder would have refused the first message: this one lacks the key.
        state
            .noise
            .read(second)
            .map_err(|_| Failure::clear(CloseReason::WrongKey))?;
        let third = state
            .noise
            .write()
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        self.say(link::handshake(&third));
        let mut unproven = self.finish_cipher(state)?;
        // The initiator proves itself first: a responder shows who it is only to proven nodes.
        self.prove(&mut unproven);
        Ok(Phase::AwaitProof(unproven))
    }

    pub(super) fn on_third(&mut self, mut state: Ciphering, message: &[u8]) -> Step {
        let [_, _, third_bytes] = HANDSHAKE_BYTES;
        let third = handshake_message(message, third_bytes)?;
        state
            .noise
            .read(third)
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        Ok(Phase::AwaitProof(self.finish_cipher(state)?))
    }

    fn finish_cipher(&self, state: Ciphering) -> Result<Unproven, Failure> {
        let (cipher, handshake) = state
            .noise
            .finish()
            .map_err(|_| Failure::clear(CloseReason::Protocol))?;
        Ok(Unproven {
            cipher,
            handshake,
            agreed: state.agreed,
            expect: state.expect,
        })
    }

    /// Sends our own proof of identity.
    fn prove(&mut self, unproven: &mut Unproven) {
        let params = &self.params;
        let proof = IdentityProof {
            direction: direction_of(self.end),
            handshake: unproven.handshake,
            id: params.keypair.id(),
            incarnation: params.incarnation,
            instance: params.instance,
            role: params.role,
            message_bytes_max: params.limits.message_bytes_max,
        };
        let proof = Verified::seal(proof, &params.keypair, params.network).to_signed();
        self.say_sealed(&mut unproven.cipher, &Control::Proof(proof));
        self.is_proof_sent = true;
    }

    pub(super) fn on_proof(&mut self, mut unproven: Unproven, message: &[u8]) -> Step {
        let sealed = match link::parse(message) {
            Some(LinkMessage::Sealed(sealed)) => sealed,
            Some(LinkMessage::Handshake(_)) | None => {
                return Err(Failure::sealed(CloseReason::Protocol, unproven.cipher));
            }
        };
        let control = unproven
            .cipher
            .open(sealed)
            .ok()
            .and_then(|plaintext| Control::decode_frame(&plaintext));
        match control {
            Some(Control::Proof(proof)) => self.on_peer(unproven, proof),
            // Inside the cipher but before a proof: it comes from somebody who holds the key, no
            // more.
            Some(Control::Close(reason)) => Err(Failure::told(Trust::KeyHolder, reason)),
            None => Err(Failure::sealed(CloseReason::Protocol, unproven.cipher)),
        }
    }

    fn on_peer(&mut self, mut unproven: Unproven, proof: Signed<IdentityProof>) -> Step {
        let claims = proof.claims();
        // Checked before the signature, which is dear. The hash stops a proof from another session,
        // the direction stops our own from being sent back to us.
        let is_of_this_session =
            claims.handshake == unproven.handshake && claims.direction != direction_of(self.end);
        let verified = is_of_this_session.then(|| proof.verify(self.params.network));
        let Some(Ok(peer)) = verified else {
            return Err(Failure::sealed(CloseReason::BadIdentity, unproven.cipher));
        };
        if peer.id == self.params.keypair.id() {
            return Err(self.on_own_identity(unproven, &peer));
        }
        // Another node has the address now. The responder is up already and learns it from the
        // close.
        if unproven.expect.is_some_and(|expect| expect != peer.id) {
            return Err(Failure::sealed(
                CloseReason::UnexpectedPeer,
                unproven.cipher,
            ));
        }
        // Before `Up`, so that the proof is the first message that the initiator opens.
        match self.end {
            End::Initiator => {}
            End::Responder => self.prove(&mut unproven),
        }
        // The handshake's patience ends here; silence on a link that is up is for links to judge.
        self.deadline = None;
        // Neither side is sent more than it said that it takes.
        self.body_bytes_max = self
            .params
            .limits
            .message_bytes_max
            .min(peer.message_bytes_max);
        self.events.push_back(SessionEvent::Up {
            peer: PeerIdentity {
                id: peer.id,
                incarnation: peer.incarnation,
                instance: peer.instance,
                role: peer.role,
                version: unproven.agreed.version,
                features: unproven.agreed.features,
            },
            invitation: unproven.agreed.invitation,
        });
        Ok(Phase::Up(unproven.cipher))
    }

    /// The other side proved to be this very node, or a copy of it. A responder proves itself before
    /// it says so: nobody stops a node by merely claiming that its identity runs elsewhere. Both
    /// sides name the responder's incarnation: it was there first.
    fn on_own_identity(&mut self, mut unproven: Unproven, peer: &IdentityProof) -> Failure {
        let incarnation = match self.end {
            End::Initiator => peer.incarnation,
            End::Responder => {
                self.prove(&mut unproven);
                self.params.incarnation
            }
        };
        let reason = if peer.instance == self.params.instance {
            CloseReason::SelfDial
        } else {
            CloseReason::IdentityInUse { incarnation }
        };
        Failure::sealed(reason, unproven.cipher)
    }
}

const fn version_mismatch((min, max): (u16, u16)) -> CloseReason {
    CloseReason::VersionMismatch { min, max }
}

const fn direction_of(end: End) -> Direction {
    match end {
        End::Initiator => Direction::FromInitiator,
        End::Responder => Direction::FromResponder,
    }
}

/// The bytes of a handshake message, which must be of exactly that length, or a clear refusal.
fn handshake_message(message: &[u8], length: usize) -> Result<&[u8], Failure> {
    match link::parse(message) {
        Some(LinkMessage::Handshake(noise)) if noise.len() == length => return Ok(noise),
        Some(LinkMessage::Handshake(_) | LinkMessage::Sealed(_)) | None => {}
    }
    Err(Failure::clear(CloseReason::Protocol))
}
