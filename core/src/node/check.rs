//! What must hold between the machines of a node at any time; simulators and tests ask.

use super::machine::{Node, Phase};
use crate::{
    kernel::{id::NodeId, time::Time},
    membership::{member::MemberState, roster::Roster},
};
use alloc::{format, string::String};

impl Node {
    /// What this node believes of a member; `None` if it does not know it.
    #[must_use]
    pub fn state_of(&self, member: NodeId) -> Option<MemberState> {
        self.swim.state(&member)
    }

    /// Knows all members of a table from now on, and itself.
    pub(crate) fn acquaint(&mut self, now: Time, members: &Roster) {
        self.now = self.now.max(now);
        self.swim.acquaint(self.now, members);
        self.pump();
    }

    /// Checks what must hold between the machines, whatever happened.
    ///
    /// # Errors
    /// What does not hold, in words: a bug of the node.
    pub fn check(&self) -> Result<(), String> {
        let me = self.id();
        if self.links.is_linked(me) {
            return Err("it is linked to itself".into());
        }
        if self.is_fenced() && self.links.peers().next().is_some() {
            return Err("it is fenced and holds links".into());
        }
        if self.phase == Phase::Running && self.swim.state(&me) == Some(MemberState::Dead) {
            return Err("it believes itself dead".into());
        }
        let unlinked = self.swim.linked().find(|peer| !self.links.is_linked(*peer));
        if let Some(peer) = unlinked {
            return Err(format!(
                "membership counts on a link to {} that does not exist",
                peer.short()
            ));
        }
        Ok(())
    }
}
