//! One destination, and how dialling it goes.

use crate::{
    kernel::{
        address::Address,
        id::{DialId, NodeId},
        time::Time,
    },
    overlay::backoff::Backoff,
    wire::close::CloseReason,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destination {
    /// A member that must answer with its own identity.
    Member(NodeId),
    /// An address of which it is not known who answers, as this node would dial it.
    Entry(Address),
}

/// A destination and its fortune.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    pub(super) addresses: Vec<Address>,
    /// Rises with every failure and picks the address: each in its turn.
    pub(super) turn: u32,
    pub(super) backoff: Backoff,
    pub(super) dialling: Option<DialId>,
    pub(super) last_failure: Option<CloseReason>,
    /// Dialled once, then forgotten.
    pub(super) once: bool,
}

impl Attempts {
    /// The address of the running or next attempt.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        let len = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        let turn = self.turn.checked_rem(len)?;
        self.addresses.get(usize::try_from(turn).unwrap_or(0))
    }

    /// Whether an attempt is running.
    #[must_use]
    pub const fn is_dialling(&self) -> bool {
        self.dialling.is_some()
    }

    /// Why the last attempt failed, if none has succeeded since.
    #[must_use]
    pub const fn last_failure(&self) -> Option<&CloseReason> {
        self.last_failure.as_ref()
    }

    /// Attempts that failed in a row.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// When the next attempt may start.
    #[must_use]
    pub const fn ready_at(&self) -> Time {
        self.backoff.ready_at()
    }

    /// Forgets the failures; answers whether there were any.
    pub(super) fn forgive(&mut self) -> bool {
        let failed = self.backoff.failures() > 0;
        self.backoff.reset();
        failed
    }
}

/// A dial to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Its number.
    pub dial: DialId,
    /// Where to.
    pub address: Address,
    /// Who must answer.
    pub expect: Option<NodeId>,
}
