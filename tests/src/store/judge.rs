//! The model of a store: what it may answer, and what it must hold.

use crate::store::{Answer, cases::Expected};
use sporenet_core::kernel::{
    bytes::Bytes,
    store::{StoreBatch, StoreOp, Stored},
};
use std::{collections::BTreeMap, fmt::Debug};

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    entries: BTreeMap<String, Bytes>,
    journal: BTreeMap<u64, Bytes>,
}

impl Contents {
    /// Applies a whole batch.
    pub fn apply(&mut self, batch: &StoreBatch) {
        for op in &batch.ops {
            match op {
                StoreOp::Put { key, value } => {
                    self.entries.insert(key.clone(), value.clone());
                }
                StoreOp::Delete { key } => {
                    self.entries.remove(key);
                }
                StoreOp::Append { sequence, record } => {
                    self.journal.insert(*sequence, record.clone());
                }
                StoreOp::Truncate { from } => self.journal.retain(|sequence, _| sequence < from),
                StoreOp::DropBefore { before } => {
                    self.journal.retain(|sequence, _| sequence >= before);
                }
            }
        }
    }

    /// Whether a store read back just this, in order.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn is(&self, stored: &Stored) -> Result<(), String> {
        same("entries", self.entries.iter(), &stored.entries)?;
        same("records", self.journal.iter(), &stored.journal)
    }
}

fn same<'a, K: Clone + Debug + PartialEq + 'a>(
    what: &str,
    held: impl Iterator<Item = (&'a K, &'a Bytes)>,
    read: &[(K, Bytes)],
) -> Result<(), String> {
    let held: Vec<(K, Bytes)> = held
        .map(|(place, bytes)| (place.clone(), bytes.clone()))
        .collect();
    if held == read {
        return Ok(());
    }
    let at = held.iter().zip(read).position(|(held, read)| held != read);
    let at = at.unwrap_or_else(|| held.len().min(read.len()));
    Err(format!(
        "{} {what} where {} were written; at {at} there is {} and should be {}",
        read.len(),
        held.len(),
        shown(read.get(at)),
        shown(held.get(at))
    ))
}

fn shown<K: Debug>(place: Option<&(K, Bytes)>) -> String {
    place.map_or_else(
        || "nothing".to_owned(),
        |(place, bytes)| {
            let start = &bytes[..bytes.len().min(16)];
            format!("{place:?} with {} bytes {start:?}", bytes.len())
        },
    )
}

/// Watches one store.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    contents: Contents,
}

impl Judge {
    /// Batches were handed over, and answered.
    ///
    /// # Errors
    /// When an answer is missing, too much, out of order, or not what must be.
    pub fn written(
        &mut self,
        hand: &[(StoreBatch, Expected)],
        answers: &[Answer],
    ) -> Result<(), String> {
        if hand.len() != answers.len() {
            let (batches, answers) = (hand.len(), answers.len());
            return Err(format!("{answers} answers for {batches} batches"));
        }
        for ((batch, expected), answer) in hand.iter().zip(answers) {
            let (ticket, refused) = match *answer {
                Answer::Kept(ticket) => (ticket, None),
                Answer::Refused { ticket, full } => (ticket, Some(full)),
            };
            let allowed = match expected {
                Expected::Kept => refused.is_none(),
                Expected::Refused { full } => refused == Some(*full),
                Expected::Either => refused != Some(false),
            };
            if ticket != batch.ticket || !allowed {
                let wanted = batch.ticket;
                return Err(format!(
                    "{answer:?} where {wanted:?} should be {expected:?}"
                ));
            }
            if refused.is_none() {
                self.contents.apply(batch);
            }
        }
        Ok(())
    }

    /// Records were asked for and came.
    ///
    /// # Errors
    /// When they are not those that were written, in the order asked for, without the missing ones.
    pub fn loaded(&self, sequences: &[u64], records: &[(u64, Bytes)]) -> Result<(), String> {
        let journal = &self.contents.journal;
        let held = sequences
            .iter()
            .filter_map(|sequence| journal.get_key_value(sequence));
        same("loaded records", held, records)
    }

    /// The store was opened.
    ///
    /// # Errors
    /// When it holds anything but what it acknowledged.
    pub fn opened(&self, stored: &Stored) -> Result<(), String> {
        self.contents.is(stored)
    }

    /// The store was opened after a crash with these batches handed over and not answered: some of
    /// them may be there, the oldest first, each as a whole.
    ///
    /// # Errors
    /// When it holds anything else.
    pub fn crashed(&mut self, open: &[StoreBatch], stored: &Stored) -> Result<(), String> {
        let mut verdict = self.contents.is(stored);
        for batch in open {
            if verdict.is_ok() {
                break;
            }
            self.contents.apply(batch);
            verdict = self.contents.is(stored);
        }
        verdict
    }
}
