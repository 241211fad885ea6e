//! What a recording needs of a thawed membership.

use super::Swim;
use crate::kernel::crypto::Keypair;

impl Swim {
    /// Whether its settings can be used: they may come from a file.
    ///
    /// # Errors
    /// Which setting is out of range.
    pub fn check_settings(&self) -> Result<(), &'static str> {
        self.config.validate()
    }

    /// The key pair, to bind it to a tape.
    pub const fn keypair_mut(&mut self) -> &mut Keypair {
        &mut self.identity.keypair
    }
}
