//! Where the outputs of [`Replica`](crate::replication::replica::Replica) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer |
//! | persist, load | the journal |
//! | replied | the host, unless it is a write of the node itself |
//! | changed | the host; in reserved namespaces the alerts too |
//! | caught up, equivocation, offence | the timeline |

use crate::{
    kernel::{id::RequestId, machine::Output},
    node::{
        contract::{Changed, HostOutput, Notice, Offence, Refusal, Reply},
        machine::Node,
        message::Message,
    },
    recovery::{journal, record::Origin},
    replication::{message, replica, write::WriteRefusal},
};

impl Node {
    pub(in crate::node) fn route_replica(
        &mut self,
        output: Output<message::Message, replica::Event>,
    ) {
        let event = match output {
            Output::Send { to, message } => {
                self.send(to, Message::Replica(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            replica::Event::Persist(persist) => self.persist(Origin::Replica, persist),
            replica::Event::Load { token, sequences } => {
                self.tell_journal(journal::Command::Load {
                    origin: Origin::Replica,
                    token,
                    sequences,
                });
            }
            replica::Event::Replied { request, result } => self.on_replied(request, result),
            replica::Event::Verified { request, result } => {
                let reply = match result {
                    Ok(verified) => Reply::Verified(verified),
                    Err(refusal) => Reply::Refused(Refusal::Verify(refusal)),
                };
                let id = request;
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
            replica::Event::Differs { peer, keys } => self.note(Notice::Differs { peer, keys }),
            replica::Event::Changed {
                revision,
                namespace,
                key,
            } => {
                self.on_reserved_change(&namespace, &key);
                let changed = Changed {
                    revision,
                    namespace,
                    key,
                };
                self.outbox.event(changed.into());
            }
            replica::Event::Offence { peer, offence } => {
                self.note_offence(peer, Offence::Replica(offence));
            }
            replica::Event::Equivocation {
                author,
                shard,
                sequence,
            } => self.note(Notice::Equivocation {
                author,
                shard,
                sequence,
            }),
            replica::Event::Full { bytes } => self.note(Notice::MemoryFull { bytes }),
            replica::Event::CaughtUp {
                peer,
                batches,
                bytes,
                took,
            } => self.note(Notice::CaughtUp {
                peer,
                batches,
                bytes,
                took,
            }),
        }
    }

    fn on_replied(&mut self, id: RequestId, result: Result<u64, WriteRefusal>) {
        if self.own_writes.is_own(id) {
            return;
        }
        let reply = match result {
            Ok(revision) => Reply::Written {
                revision,
                warning: self.write_warning(),
            },
            Err(refusal) => Reply::Refused(Refusal::Write(refusal)),
        };
        self.outbox.event(HostOutput::Reply { id, reply }.into());
    }
}
