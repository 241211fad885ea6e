//! What sessions say to each other inside the cipher: the proof of identity, and the last word.

use crate::{
    kernel::{
        crypto::{Signed, SignedBody, decode_exactly, encode},
        id::{Incarnation, InstanceId, NodeId, Role},
    },
    wire::{
        class::Class,
        close::CloseReason,
        frame::{FrameHeader, KIND_CONTROL, Part, split_frame},
    },
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The body of a frame of kind 0. Variants are only appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// Who speaks; each side's first encrypted message, and never again.
    Proof(Signed<IdentityProof>),
    /// Why the link ends; the last message.
    Close(CloseReason),
}

/// Which end of the link a proof was made by, so that neither side's can be sent back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The side that dialled.
    FromInitiator,
    /// The side that was dialled.
    FromResponder,
}

/// A node's word, signed with its identity, that it is at this end of this very handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityProof {
    /// Which end it speaks for.
    pub direction: Direction,
    /// The hash of the handshake that it took part in.
    pub handshake: [u8; 32],
    /// Who it is.
    pub id: NodeId,
    /// Its incarnation now.
    pub incarnation: Incarnation,
    /// Its process.
    pub instance: InstanceId,
    /// Relay or tab.
    pub role: Role,
    /// The longest body it accepts on this link, in bytes.
    pub message_bytes_max: u32,
}

impl SignedBody for IdentityProof {
    const DOMAIN: &'static str = "sporenet 2026 session identity";

    fn signer(&self) -> NodeId {
        self.id
    }
}

impl Control {
    /// Its frame, header and all; always whole and critical.
    #[must_use]
    pub fn encode_frame(&self) -> Vec<u8> {
        let body = encode(self);
        let header = FrameHeader {
            kind: KIND_CONTROL,
            part: Part::Whole,
            class: Class::Critical,
            length: u32::try_from(body.len()).unwrap_or(u32::MAX),
        };
        let mut bytes = Vec::new();
        header.encode_into(&mut bytes);
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a message that must be exactly one control frame.
    #[must_use]
    pub fn decode_frame(bytes: &[u8]) -> Option<Self> {
        let (frame, rest) = split_frame(bytes).ok()?;
        // A proof stands alone in its message: nothing may hide behind it (docs/wire.md).
        (rest.is_empty() && frame.header.kind == KIND_CONTROL)
            .then(|| Self::decode_body(frame.header, frame.payload))?
    }

    /// Reads the body of a control frame.
    #[must_use]
    pub fn decode_body(header: FrameHeader, payload: &[u8]) -> Option<Self> {
        // Control frames are never fragmented, so they need no reassembly before the proof.
        match header.part {
            Part::Whole => decode_exactly(payload).ok(),
            Part::First { .. } | Part::Middle | Part::Last => None,
        }
    }
}
