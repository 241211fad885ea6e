//! What simulated clients ask hosts for, and the answers.

use crate::{
    kernel::{
        bytes::Bytes,
        id::RequestId,
        text::{Key, Namespace},
        time::Duration,
    },
    membership::join_link::JoinLink,
    node::contract::{HostInput, Reply, Request},
    replication::{typed::Change, write::AckLevel},
    sim::{host::HostId, shell::Shell, world::World},
};

impl<S: Shell> World<S> {
    /// Asks a host to write; the answer comes through [`World::reply`].
    pub fn write(
        &mut self,
        host: HostId,
        namespace: &str,
        key: &str,
        value: Option<&[u8]>,
        level: AckLevel,
    ) -> RequestId {
        match (Namespace::new(namespace), Key::new(key)) {
            (Ok(namespace), Ok(key)) => self.ask(
                host,
                Request::Write {
                    namespace,
                    key,
                    value: value.map(Bytes::from),
                    level,
                },
            ),
            _ => self.host_mut(host).number_request(),
        }
    }

    /// Asks a host to change a typed value; the answer comes through [`World::reply`].
    pub fn change(
        &mut self,
        host: HostId,
        namespace: &str,
        key: &str,
        change: Change,
        level: AckLevel,
    ) -> RequestId {
        match (Namespace::new(namespace), Key::new(key)) {
            (Ok(namespace), Ok(key)) => self.ask(
                host,
                Request::Change {
                    namespace,
                    key,
                    change,
                    level,
                },
            ),
            _ => self.host_mut(host).number_request(),
        }
    }

    /// Asks a host for something; the answer comes through [`World::reply`].
    pub fn ask(&mut self, host: HostId, request: Request) -> RequestId {
        let id = self.host_mut(host).number_request();
        self.command(host, HostInput::Request { id, request });
        id
    }

    /// Asks a relay for an invite and runs until it is there.
    pub fn invite(&mut self, host: HostId, uses_max: Option<u16>) -> Option<JoinLink> {
        let request = Request::Invite {
            ttl: Duration::from_secs(3_600),
            uses_max,
            role: None,
        };
        let id = self.ask(host, request);
        self.run_for(Duration::from_millis(100));
        match self.reply(host, id)? {
            Reply::Invited { invitation, key } => {
                let (invitation, key) = (invitation.clone(), key.clone());
                Some(self.node(host)?.join_link(&invitation, &key))
            }
            Reply::Written { .. }
            | Reply::Reach(_)
            | Reply::Forgotten
            | Reply::Compacting
            | Reply::Verified(_)
            | Reply::Refused(_) => None,
        }
    }

    /// The answer to a request, once it is there.
    #[must_use]
    pub fn reply(&self, host: HostId, request: RequestId) -> Option<&Reply> {
        self.replies.get(&(host, request))
    }

    /// Takes the answer to a request.
    pub fn take_reply(&mut self, host: HostId, request: RequestId) -> Option<Reply> {
        self.replies.remove(&(host, request))
    }
}
