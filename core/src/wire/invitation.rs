//! The clear description of an invite, and the key that goes with it.

use crate::kernel::{
    crypto::{Secret, encode},
    id::{NodeId, Role},
    time::WallTime,
};
use serde::{Deserialize, Serialize};

/// What an invite says of itself. It travels in the clear in the first hello; it is worth nothing
/// without the invite's key, which every holder of the isolation key can derive from it, and nobody
/// else can.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Invitation {
    /// Drawn by the issuer.
    pub serial: [u8; 16],
    /// The relay that issued it, and that alone honours it while `uses_max` is set.
    pub issuer: NodeId,
    /// Not honoured from this moment on.
    pub expires_at: WallTime,
    /// How many newcomers it lets in; unlimited if `None`, and then every relay honours it.
    pub uses_max: Option<u16>,
    /// Who may come: only that role, or both.
    pub role: Option<Role>,
    /// The epoch of the isolation key that the invite's key is derived from.
    pub epoch: u32,
}

impl Invitation {
    /// The invite's key: the pre-shared key of a newcomer's first handshake.
    ///
    /// Source: `derive_key` of BLAKE3 over the isolation key and the description, so that a changed
    /// lifetime or number of uses is another key.
    #[must_use]
    pub fn key(&self, isolation_key: &Secret) -> Secret {
        isolation_key.derive("sporenet 2026 invite key", &encode(self))
    }
}

/// Which pre-shared key an initiator offers to prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyHint {
    /// The network's isolation key of an epoch.
    Isolation {
        /// The epoch.
        epoch: u32,
    },
    /// The key of an invite.
    Invite(Invitation),
}
