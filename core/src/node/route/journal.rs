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
        machine::Output,
        persist::{Persist, PersistFailed, Persisted},
    },
    membership::{admission, swim},
    node::{
        contract::{Notice, StoreOutput},
        machine::Node,
    },
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
            // Answered with no records: the machine that asked must not wait for ever.
            journal::Event::LoadRefused { origin, token } => {
                self.on_loaded(origin, token, Vec::new());
            }
            journal::Event::Full { .. } => self.note(Notice::StoreFull),
            journal::Event::Recovered => {
                self.note(Notice::StoreRecovered);
                self.save_again();
            }
            journal::Event::Broken => {
                // Never taken back: a store that broke is not written to again in this run (ADR
                // 0005).
                let (block, notice) = if self.store_lost {
                    (WriteBlock::StoreLost, Notice::StoreLost)
                } else {
                    (WriteBlock::StoreBroken, Notice::StoreBroken)
                };
                self.tell_replica(replica::Command::Block(block));
                self.note(notice);
            }
        }
    }

    fn on_persisted(&mut self, origin: Origin, persisted: Persisted) {
        match origin {
            Origin::Replica => self.tell_replica(replica::Command::Persisted(persisted)),
            Origin::Swim => self.tell_swim(swim::Command::Persisted(persisted)),
            Origin::Admission => self.tell_admission(admission::Command::Persisted(persisted)),
            Origin::Node => self.on_saved(persisted.token),
            // Links store how long dials wait, which only spares others: nothing depends on it.
            Origin::Links => {}
        }
    }

    fn on_persist_failed(&mut self, origin: Origin, failed: PersistFailed) {
        match origin {
            Origin::Replica => self.tell_replica(replica::Command::PersistFailed(failed)),
            Origin::Swim => self.tell_swim(swim::Command::PersistFailed(failed)),
            Origin::Admission => self.tell_admission(admission::Command::PersistFailed(failed)),
            Origin::Node => self.on_not_saved(failed.token),
            Origin::Links => {}
        }
    }

    /// Asks the journal for what a machine wants to be made durable.
    pub(in crate::node) fn persist(&mut self, origin: Origin, persist: Persist) {
        self.tell_journal(journal::Command::Persist { origin, persist });
    }

    fn on_loaded(&mut self, origin: Origin, token: u64, records: Vec<(u64, Bytes)>) {
        match origin {
            Origin::Replica => self.tell_replica(replica::Command::Loaded { token, records }),
            Origin::Swim | Origin::Admission | Origin::Node | Origin::Links => {}
        }
    }
}
