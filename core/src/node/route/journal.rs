//! Where the outputs of [`Journal`](crate::recovery::journal::Journal) go.
//!
//! | output | goes to |
//! |---|---|
//! | store, load | the host |
//! | persisted, persist failed, loaded | the machine that asked |
//! | full, recovered, broken | the timeline; broken: no more writes |

use crate::{
    kernel::{
        bytes::Bytes,
        id::Incarnation,
        machine::Output,
        persist::{PersistFailed, Persisted},
    },
    membership::{admission, swim},
    node::{
        contract::{Notice, StoreOutput},
        machine::Node,
    },
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
            journal::Event::Store(batch) => {
                self.outbox.event(StoreOutput::Persist(batch).into());
            }
            journal::Event::Load { ticket, sequences } => {
                self.outbox
                    .event(StoreOutput::Load { ticket, sequences }.into());
            }
            journal::Event::Persisted { origin, persisted } => self.on_persisted(origin, persisted),
            journal::Event::PersistFailed { origin, failed } => {
                self.on_persist_failed(origin, failed);
            }
            journal::Event::Loaded {
                origin,
                token,
                records,
                damaged,
            } => {
                if !damaged.is_empty() {
                    self.note(Notice::JournalDamaged {
                        records: u64::try_from(damaged.len()).unwrap_or(u64::MAX),
                        at_start: false,
                    });
                }
                self.on_loaded(origin, token, records);
            }
            journal::Event::LoadRefused { origin, token } => {
                self.on_loaded(origin, token, Vec::new());
            }
            journal::Event::Full { .. } => self.note(Notice::StoreFull),
            journal::Event::Recovered => {
                self.note(Notice::StoreRecovered);
                self.save_again();
            }
            journal::Event::Broken => {
                let why = "its store failed; check the disk and start it again";
                self.tell_replica(replica::Command::Freeze { why: why.into() });
                self.note(Notice::StoreBroken);
            }
        }
    }

    fn on_persisted(&mut self, origin: Origin, persisted: Persisted) {
        let Persisted { token, sequence } = persisted;
        match origin {
            Origin::Replica => {
                if let Some(sequence) = sequence {
                    self.tell_replica(replica::Command::Durable { token, sequence });
                }
            }
            Origin::Swim => {
                self.tell_swim(swim::Command::IncarnationDurable(Incarnation(token)));
            }
            Origin::Admission => self.tell_admission(admission::Command::Durable { token }),
            Origin::Node => self.on_saved(token),
            Origin::Links => {}
        }
    }

    fn on_persist_failed(&mut self, origin: Origin, failed: PersistFailed) {
        let PersistFailed { token, full } = failed;
        match origin {
            Origin::Replica => {
                self.tell_replica(replica::Command::AppendFailed { token, full });
            }
            Origin::Admission => self.tell_admission(admission::Command::StoreFailed { token }),
            Origin::Swim => self.tell_swim(swim::Command::ReservationFailed),
            Origin::Node => self.on_not_saved(token),
            Origin::Links => {}
        }
    }

    fn on_loaded(&mut self, origin: Origin, token: u64, records: Vec<(u64, Bytes)>) {
        match origin {
            Origin::Replica => self.tell_replica(replica::Command::Loaded { token, records }),
            Origin::Swim | Origin::Admission | Origin::Node | Origin::Links => {}
        }
    }
}
