//! Where the outputs of [`Journal`](crate::recovery::journal::Journal) go.
//!
//! | output | goes to |
//! |---|---|
//! | persist, load | the host |
//! | durable, append failed, loaded | the machine that asked |
//! | full, recovered, broken | the timeline; broken: no more writes |

use crate::{
    kernel::{
        id::Incarnation,
        machine::Output,
        persist::{PersistFailed, Persisted},
    },
    membership::{admission, swim},
    node::{event::Event, machine::Node, snapshot::Severity},
    recovery::{journal, record::Origin},
    replication::{replica, write::WriteBlock},
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
                self.tell_replica(replica::Command::Block(WriteBlock::StoreBroken));
                let text = "The store failed: nothing is written until the program starts again.";
                self.note(Severity::Error, "store_broken", None, text.into());
            }
        }
    }

    fn on_durable(&mut self, origin: Origin, token: u64, sequence: Option<u64>) {
        match origin {
            Origin::Replica => {
                let persisted = Persisted { token, sequence };
                self.tell_replica(replica::Command::Persisted(persisted));
            }
            Origin::Swim => {
                self.tell_swim(swim::Command::IncarnationDurable(Incarnation(token)));
            }
            Origin::Admission => self.tell_admission(admission::Command::Durable { token }),
            Origin::Node | Origin::Links => {}
        }
    }

    fn on_append_failed(&mut self, origin: Origin, token: u64, full: bool) {
        match origin {
            Origin::Replica => {
                let failed = PersistFailed { token, full };
                self.tell_replica(replica::Command::PersistFailed(failed));
            }
            Origin::Admission => self.tell_admission(admission::Command::StoreFailed { token }),
            Origin::Swim => self.tell_swim(swim::Command::ReservationFailed),
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
