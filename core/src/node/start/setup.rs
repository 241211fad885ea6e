//! How a node starts.

use crate::{
    kernel::{store::Stored, time::WallTime},
    membership::join_link::JoinLink,
    node::config::Config,
};
use alloc::string::String;
use core::fmt;

/// Everything a node needs to start.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The host's decisions.
    pub config: Config,
    /// 32 fresh bytes from the host's entropy, different at every start: seeds all randomness, the
    /// instance, and the identity if none is stored.
    pub entropy: [u8; 32],
    /// The wall clock.
    pub wall: WallTime,
    /// What the store held.
    pub stored: Stored,
    /// A join link; ignored when the node already belongs to that network.
    pub join: Option<JoinLink>,
    /// Whether a relay that is no member yet and has no join link may found a network. An operator says
    /// no where that would only hide that its store is not in its place.
    pub may_found: bool,
}

impl Setup {
    /// A node's first start: with an empty store, and without a join link.
    #[must_use]
    pub fn new(config: Config, entropy: [u8; 32], wall: WallTime) -> Self {
        Self {
            config,
            entropy,
            wall,
            stored: Stored::default(),
            join: None,
            may_found: true,
        }
    }
}

/// Why a node can't start. One plain sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// A setting is out of range.
    Config(String),
    /// The stored state is damaged beyond what replay repairs.
    Damaged(String),
    /// The join link is for another network than the one stored.
    OtherNetwork,
    /// A tab without stored network needs a join link.
    NoNetwork,
    /// A relay is no member yet, has no join link and may not found a network.
    NotAMember,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(what) => write!(f, "the configuration is not valid: {what}"),
            Self::Damaged(what) => write!(f, "the stored state is damaged: {what}"),
            Self::OtherNetwork => f.write_str(
                "this node belongs to another network than the join link; \
                 use another data directory to join it",
            ),
            Self::NoNetwork => {
                f.write_str("this node belongs to no network yet; it needs a join link")
            }
            Self::NotAMember => f.write_str(
                "this node is no member of a network yet and was told to found none; \
                 put its data directory in place (is the volume mounted?), or give it a join link",
            ),
        }
    }
}

impl core::error::Error for StartError {}
