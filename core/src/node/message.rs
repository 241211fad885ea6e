//! What nodes say to each other: one enum per machine, one frame kind each.

use crate::{
    kernel::{
        crypto::{DecodeError, decode_exactly, encode},
        id::NetworkId,
    },
    membership::{admission, swim},
    observe::vitals,
    overlay::{links, reach},
    replication::message as replication,
    wire::{body::Body, class::Class},
};
use alloc::vec::Vec;

/// A message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Message {
    /// About the link itself.
    Links(links::Message),
    /// Who is alive.
    Swim(swim::Message),
    /// Data.
    Replica(replication::Message),
    /// Letting a newcomer in.
    Admission(admission::Message),
    /// Whether others reach a relay.
    Reach(reach::Message),
    /// How nodes are.
    Vitals(vitals::Message),
}

/// Frame kinds. Kind 0 belongs to the session; a retired kind is never used again.
const KIND_LINKS: u16 = 1;
const KIND_SWIM: u16 = 2;
const KIND_REPLICA: u16 = 3;
const KIND_ADMISSION: u16 = 4;
const KIND_REACH: u16 = 5;
const KIND_VITALS: u16 = 7;

impl Message {
    /// Checks the signatures inside on the caller's thread, so that the node need not. Never fails:
    /// a bad one is found again, and charged to the peer, by the machine that gets it.
    pub fn precheck(&mut self, network: NetworkId) {
        match self {
            Self::Replica(message) => {
                for batch in message.signed_mut() {
                    // A failure is not remembered, so the replica finds it again.
                    let _ = batch.precheck(network);
                }
            }
            // These check lazily: most rumours and reports are known already and are never verified.
            Self::Links(_)
            | Self::Swim(_)
            | Self::Admission(_)
            | Self::Reach(_)
            | Self::Vitals(_) => {}
        }
    }
}

impl Body for Message {
    fn kind(&self) -> u16 {
        match self {
            Self::Links(_) => KIND_LINKS,
            Self::Swim(_) => KIND_SWIM,
            Self::Replica(_) => KIND_REPLICA,
            Self::Admission(_) => KIND_ADMISSION,
            Self::Reach(_) => KIND_REACH,
            Self::Vitals(_) => KIND_VITALS,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Links(message) => message.class(),
            // A probe that waits behind data makes a live peer look dead.
            Self::Swim(_) => Class::Critical,
            Self::Replica(message) => message.class(),
            Self::Admission(_) => Class::High,
            Self::Reach(message) => message.class(),
            Self::Vitals(message) => message.class(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Links(message) => encode(message),
            Self::Swim(message) => encode(message),
            Self::Replica(message) => encode(message),
            Self::Admission(message) => encode(message),
            Self::Reach(message) => encode(message),
            Self::Vitals(message) => encode(message),
        }
    }

    fn decode(kind: u16, bytes: &[u8]) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match kind {
            KIND_LINKS => Self::Links(decode_exactly(bytes)?),
            KIND_SWIM => Self::Swim(decode_exactly(bytes)?),
            KIND_REPLICA => Self::Replica(decode_exactly(bytes)?),
            KIND_ADMISSION => Self::Admission(decode_exactly(bytes)?),
            KIND_REACH => Self::Reach(decode_exactly(bytes)?),
            KIND_VITALS => Self::Vitals(decode_exactly(bytes)?),
            // A kind of a later version: it is skipped and counted, the link stays (docs/wire.md).
            _ => return Ok(None),
        }))
    }
}
