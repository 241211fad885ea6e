//! The settings of a node's machines, all in one place.

use crate::{
    kernel::{address::Transport, id::Role},
    membership::swim,
    overlay::{dialer::DialerConfig, links},
    replication,
};

/// How a node's machines are set.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Membership.
    pub swim: swim::Config,
    /// Links.
    pub links: links::Config,
    /// Data.
    pub replica: replication::config::Config,
}

impl Tuning {
    /// The defaults for a role.
    #[must_use]
    pub fn of(role: Role) -> Self {
        let transports = match role {
            Role::Relay => alloc::vec![Transport::Tcp, Transport::Ws],
            Role::Tab => alloc::vec![Transport::Ws, Transport::Wss],
        };
        Self {
            swim: swim::Config::default(),
            links: links::Config {
                dialer: DialerConfig {
                    transports,
                    ..DialerConfig::default()
                },
                ..links::Config::default()
            },
            replica: replication::config::Config::of(role),
        }
    }
}
