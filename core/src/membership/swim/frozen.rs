//! What a recording needs of a thawed membership.

use super::Swim;
use crate::kernel::crypto::Keypair;

impl Swim {
    /// The key pair, to bind it to a tape.
    pub const fn keypair_mut(&mut self) -> &mut Keypair {
        &mut self.identity.keypair
    }
}
