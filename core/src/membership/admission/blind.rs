//! Admission in a recording, which holds no key.
//!
//! The one decision that depends on a key's value is whether an isolation key made our invite. A
//! recording carries its outcome: zeros stand in place of a wrong key, and anything else in place
//! of a right one.

use super::{Admission, Message};
use crate::{
    kernel::{crypto::Secret, text::Name},
    membership::genesis,
};
use alloc::vec::Vec;

const WRONG: [u8; 32] = [0; 32];

/// Whether this stands in place of a wrong key.
pub(super) fn is_wrong(isolation_key: &Secret) -> bool {
    *isolation_key.expose() == WRONG
}

impl Admission {
    /// The network's name, as its genesis document says.
    #[must_use]
    pub fn network_name(&self) -> Option<Name> {
        let document = self.genesis.as_ref()?;
        let genesis = genesis::verify(document, self.own.network).ok()?;
        Some(genesis.name.clone())
    }

    /// Every secret that it holds.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let isolation = self.isolation.iter().map(|(_, key)| key);
        let invitation = self.invitation.iter().map(|(_, key)| key);
        let welcome = self.welcome.iter().map(|welcome| &welcome.isolation_key);
        isolation
            .chain(invitation)
            .chain(welcome)
            .cloned()
            .collect()
    }

    /// What stands in a recording in place of a message that it is about to get.
    #[must_use]
    pub fn blinded(&self, message: &Message) -> Message {
        let Message::Welcome {
            genesis,
            epoch,
            isolation_key,
            spore,
        } = message;
        // In a replay the recorded message is blinded already.
        let isolation_key = if self.blind {
            isolation_key.clone()
        } else if self.is_origin_of_invite(*epoch, isolation_key) {
            isolation_key.blinded()
        } else {
            Secret::from_bytes(WRONG)
        };
        Message::Welcome {
            genesis: genesis.clone(),
            epoch: *epoch,
            isolation_key,
            spore: spore.clone(),
        }
    }

    /// From now on it is replayed: what it holds in place of secrets proves nothing.
    pub const fn make_blind(&mut self) {
        self.blind = true;
    }
}
