//! Where the outputs of [`Journal`](crate::recovery::journal::Journal) go.
//!
//! | output | goes to |
//! |---|---|
//! | persist, load | the host |
//! | durable, append failed, loaded | the machine that asked |
//! | full, recovered, broken | the timeline; broken: no more writes |

use crate::{
    kernel::{
        machine::Output,
        persist::{Persist, PersistFailed, PersistOp, Persisted},
    },
    membership::{admission, swim},
    node::{event::Event, machine::Node, snapshot::Severity},
    recovery::{journal, record::Origin},
    replication::replica,
};
use alloc::vec::Vec;
use core::convert::Infallible;

impl Node {
    pub(in crate::node) fn route_journal(&mut self, output: Output<Infallible, journal::Event>) {
        let event = match output {
            Output::Send { message, .. } => match message {},
            Output::Event(event) => event,
        };
        match event {
            journal::Event::Persist(batch) => self.outbox.event(Event::Persist(batch)),
            journal::Event::Load { ticket, sequences } => {
                self.outbox.event(Event::Load { ticket, sequences });
            }
            journal::Event::Durable {
                origin,
                token,
                sequence,
            } => {
                self.on_durable(origin, token, sequence);
            }
            journal::Event::AppendFailed {
                origin,
                token,
                full,
            } => {
                self.on_append_failed(origin, token, full);
            }
            journal::Event::Loaded {
                origin,
                token,
                records,
                damaged,
            } => {
                if !damaged.is_empty() {
                    let text = alloc::format!(
                        "{} stored records are damaged and can't be served; other replicas have them.",
                        damaged.len()
                    );
                    self.note(Severity::Error, "journal_damaged", None, text);
                }
                self.on_loaded(origin, token, records);
            }
            journal::Event::LoadRefused { origin, token } => {
                self.on_loaded(origin, token, Vec::new());
            }
            journal::Event::Full { .. } => {
                let text = "The store is full: writes are refused until there is space again.";
                self.note(Severity::Error, "store_full", None, text.into());
            }
            journal::Event::Recovered => {
                let text = "The store has space again: writes are accepted.";
                self.note(Severity::Info, "store_recovered", None, text.into());
            }
            journal::Event::Broken => {
                let why = "its store failed; check the disk and start it again";
                self.tell_replica(replica::Command::Freeze { why: why.into() });
                let text = "The store failed: nothing is written until the program starts again.";
                self.note(Severity::Error, "store_broken", None, text.into());
            }
        }
    }

    /// Asks the journal what a machine wants to be made durable.
    pub(in crate::node) fn persist(&mut self, origin: Origin, request: Persist) {
        let Persist { token, op } = request;
        self.tell_journal(match op {
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
        });
    }

    fn on_durable(&mut self, origin: Origin, token: u64, sequence: Option<u64>) {
        match origin {
            Origin::Replica => {
                if let Some(sequence) = sequence {
                    self.tell_replica(replica::Command::Durable { token, sequence });
                }
            }
            Origin::Swim => self.tell_swim(swim::Command::Persisted(Persisted { token, sequence })),
            Origin::Admission => {
                let done = Persisted { token, sequence };
                self.tell_admission(admission::Command::Persisted(done));
            }
            Origin::Node | Origin::Links => {}
        }
    }

    fn on_append_failed(&mut self, origin: Origin, token: u64, full: bool) {
        match origin {
            Origin::Replica => {
                self.tell_replica(replica::Command::AppendFailed { token, full });
            }
            Origin::Admission => {
                let failed = PersistFailed { token, full };
                self.tell_admission(admission::Command::PersistFailed(failed));
            }
            Origin::Swim => {
                self.tell_swim(swim::Command::PersistFailed(PersistFailed { token, full }));
            }
            Origin::Node | Origin::Links => {}
        }
    }

    fn on_loaded(
        &mut self,
        origin: Origin,
        token: u64,
        records: Vec<(u64, crate::kernel::bytes::Bytes)>,
    ) {
        match origin {
            Origin::Replica => self.tell_replica(replica::Command::Loaded { token, records }),
            Origin::Swim | Origin::Admission | Origin::Node | Origin::Links => {}
        }
    }
}
