//! Where the outputs of [`Replica`](crate::replication::replica::Replica) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the host |
//! | persist, load | the journal |
//! | replied, changed | the host |
//! | caught up, equivocation, offence | the timeline |

use crate::{
    kernel::{
        id::RequestId,
        machine::Output,
        persist::{Persist, PersistOp},
    },
    node::{
        event::{Event, Refusal, Reply},
        machine::Node,
        message::Message,
        snapshot::Severity,
        timeline::in_words,
    },
    recovery::{journal, record::Origin},
    replication::{message, replica, write::WriteRefusal},
};
use alloc::format;

impl Node {
    pub(in crate::node) fn route_replica(
        &mut self,
        output: Output<message::Message, replica::Event>,
    ) {
        let event = match output {
            Output::Send { to, message } => {
                self.outbox.send(to, Message::Replica(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            replica::Event::Persist(persist) => self.tell_journal(asked_of_journal(persist)),
            replica::Event::Load { token, sequences } => {
                self.tell_journal(journal::Command::Load {
                    origin: Origin::Replica,
                    token,
                    sequences,
                });
            }
            replica::Event::Replied { request, result } => self.on_replied(request, result),
            replica::Event::Changed {
                revision,
                namespace,
                key,
            } => {
                self.outbox.event(Event::Changed {
                    revision,
                    namespace,
                    key,
                });
            }
            replica::Event::Offence { peer, offence } => {
                self.on_offence(peer, offence.code());
            }
            replica::Event::Equivocation {
                author,
                shard,
                sequence,
            } => {
                let text = format!(
                    "{} signed two different batches as number {sequence} of shard {shard}; \
                     its later writes there are read, and set aside until it issues them again.",
                    self.call(author)
                );
                self.note(Severity::Error, "equivocation", Some(author), text);
            }
            replica::Event::Full { bytes } => {
                let text = format!(
                    "Data of other nodes was refused: the {bytes} bytes allowed in memory are used; \
                     it is fetched again when there is room."
                );
                self.note(Severity::Error, "memory_full", None, text);
            }
            replica::Event::CaughtUp {
                peer,
                batches,
                bytes,
                took,
            } => {
                let whom = self.call(peer);
                let took = in_words(took);
                let text =
                    format!("Caught up from {whom}: {batches} batches, {bytes} bytes, in {took}.");
                self.note(Severity::Info, "caught_up", Some(peer), text);
            }
        }
    }

    fn on_replied(&mut self, request: RequestId, result: Result<u64, WriteRefusal>) {
        let reply = match result {
            Ok(revision) => Reply::Written { revision },
            Err(refusal) => Reply::Refused(Refusal::Write(refusal)),
        };
        self.outbox.event(Event::Reply { request, reply });
    }
}

fn asked_of_journal(Persist { token, op }: Persist) -> journal::Command {
    let origin = Origin::Replica;
    match op {
        PersistOp::Append(body) => journal::Command::Append {
            origin,
            token,
            body,
        },
        PersistOp::Put { key, value } => journal::Command::Put {
            origin,
            token,
            key,
            value,
        },
        PersistOp::Delete { key } => journal::Command::Delete { origin, token, key },
    }
}
