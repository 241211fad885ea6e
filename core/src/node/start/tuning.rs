//! The settings of a node's machines, all in one place.

use crate::{
    kernel::{address::Transport, component::Settings, id::Role},
    membership::{admission, swim},
    observe::{alerts, vitals},
    overlay::{dialer::DialerConfig, links, reach},
    recovery::journal,
    replication,
};

/// How a node's machines are set.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Links.
    pub links: links::Config,
    /// Admission.
    pub admission: admission::Config,
    /// Membership.
    pub swim: swim::Config,
    /// Data.
    pub replica: replication::config::Config,
    /// Dialling back.
    pub reach: reach::Config,
    /// How nodes are.
    pub vitals: vitals::Config,
    /// Judging, and whom to tell.
    pub alerts: alerts::Config,
    /// The journal.
    pub journal: journal::Config,
}

impl Tuning {
    /// The defaults for a role.
    #[must_use]
    pub fn of(role: Role) -> Self {
        let transports = match role {
            Role::Relay => alloc::vec![Transport::Tcp, Transport::Ws, Transport::Wss],
            // A page can open nothing but WebSockets.
            Role::Tab => alloc::vec![Transport::Ws, Transport::Wss],
        };
        Self {
            links: links::Config {
                dialer: DialerConfig {
                    transports,
                    ..DialerConfig::default()
                },
                ..links::Config::default()
            },
            admission: admission::Config::default(),
            swim: swim::Config::default(),
            replica: replication::config::Config::of(role),
            reach: reach::Config::default(),
            vitals: vitals::Config::default(),
            alerts: alerts::Config::default(),
            journal: journal::Config::default(),
        }
    }

    /// The settings of all machines, in the order in which simulated ones are drawn.
    pub fn all_mut(&mut self) -> [&mut dyn Settings; 8] {
        [
            &mut self.swim,
            &mut self.links,
            &mut self.replica,
            &mut self.admission,
            &mut self.journal,
            &mut self.reach,
            &mut self.vitals,
            &mut self.alerts,
        ]
    }

    /// Checks the settings of every machine.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&mut self) -> Result<(), &'static str> {
        self.all_mut().iter().try_for_each(|one| one.validate())
    }
}
