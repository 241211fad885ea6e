//! The simulator's disk, put before the judge.

#[cfg(not(target_arch = "wasm32"))]
use crate::store::drawn::Crash;
use crate::store::{Answer, Fault, Store};
#[cfg(not(target_arch = "wasm32"))]
use sporenet_core::kernel::rng::Rng;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        store::{StoreBatch, Stored},
    },
    sim::disk::{Disk, DiskMode},
};
use std::iter;

/// A simulated disk and its host.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    /// The disk.
    pub disk: Disk,
}

impl Store for Simulated {
    const FAULTS: &'static [Fault] = &[Fault::Full, Fault::Failing];

    async fn write(&mut self, batches: &[StoreBatch]) -> Vec<Answer> {
        for batch in batches {
            self.disk.submit(batch.clone());
        }
        let finished = iter::from_fn(|| self.disk.finish());
        let answer = |(batch, outcome): (StoreBatch, Result<(), DiskMode>)| match outcome {
            Ok(()) => Answer::Kept(batch.ticket),
            Err(mode) => Answer::Refused {
                ticket: batch.ticket,
                full: mode == DiskMode::Full,
            },
        };
        finished.map(answer).collect()
    }

    async fn load(&mut self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        self.disk.load(sequences)
    }

    async fn reopen(&mut self) -> Stored {
        self.disk.image().stored()
    }

    async fn set_fault(&mut self, fault: Option<Fault>) {
        self.disk.set_mode(match fault {
            None => DiskMode::Sound,
            Some(Fault::Full) => DiskMode::Full,
            Some(Fault::Failing) => DiskMode::Failing,
        });
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Crash for Simulated {
    fn crash(&mut self, open: &[StoreBatch], moment: u64) -> Stored {
        for batch in open {
            self.disk.submit(batch.clone());
        }
        self.disk.crash(&mut Rng::from_number(moment));
        self.disk.image().stored()
    }
}
