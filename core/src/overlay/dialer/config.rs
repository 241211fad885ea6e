//! The settings of [`Dialer`](super::Dialer).

use crate::{
    kernel::address::Transport,
    overlay::{backoff::BackoffConfig, budget::DialBudgetConfig},
};
use alloc::vec::Vec;

/// How a node dials.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DialerConfig {
    /// The wait between attempts at one destination.
    pub backoff: BackoffConfig,
    /// All dials together.
    pub budget: DialBudgetConfig,
    /// How the node can dial, best first: a relay TCP, a tab WebSocket. An address announced for
    /// another transport is dialled by the first of these, since one port carries them all.
    pub transports: Vec<Transport>,
    /// The most destinations held at once. Default 64; further ones are refused and counted. At least
    /// twice the number of rings.
    pub destinations_max: u32,
}

impl Default for DialerConfig {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            budget: DialBudgetConfig::default(),
            transports: alloc::vec![Transport::Tcp, Transport::Ws, Transport::Wss],
            destinations_max: 64,
        }
    }
}
