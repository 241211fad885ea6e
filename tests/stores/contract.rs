//! The simulated disk keeps the stores' contract, and the judge finds those who break it.

use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::Ticket,
        store::{StoreBatch, StoreOp, Stored},
    },
    sim::disk::DiskMode,
};
use sporenet_tests::store::{
    Answer, Fault, Store, at_once,
    cases::cases,
    drawn::{self, Crash},
    judged,
    simulated::Simulated,
};

#[test]
fn the_simulated_disk_does_what_every_store_must() {
    for case in cases(Simulated::FAULTS) {
        let mut store = Simulated::default();
        assert_eq!(at_once(judged(&case, &mut store)), Ok(()));
    }
}

#[test]
fn the_simulated_disk_agrees_with_the_model_over_crashes() {
    assert_eq!(drawn::draw::<Simulated>(500), Ok(()));
}

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    AnswersBackwards,
    LeavesAnAnswerOut,
    AnswersForAnother,
    RefusesWithoutCause,
    SaysBrokenForFull,
    KeepsTheStartOfARefusedBatch,
    ForgetsDeletes,
    CutsOneTooFew,
    CutsAfterwards,
    CutsLongValues,
    FoldsKeys,
    EndsKeysAtNul,
    SortsByDigits,
    LoadsInItsOwnOrder,
    LoadsWhatIsMissing,
    ForgetsTheLastBatch,
    StaysFull,
}

const FLAWS: [Flaw; 17] = [
    Flaw::AnswersBackwards,
    Flaw::LeavesAnAnswerOut,
    Flaw::AnswersForAnother,
    Flaw::RefusesWithoutCause,
    Flaw::SaysBrokenForFull,
    Flaw::KeepsTheStartOfARefusedBatch,
    Flaw::ForgetsDeletes,
    Flaw::CutsOneTooFew,
    Flaw::CutsAfterwards,
    Flaw::CutsLongValues,
    Flaw::FoldsKeys,
    Flaw::EndsKeysAtNul,
    Flaw::SortsByDigits,
    Flaw::LoadsInItsOwnOrder,
    Flaw::LoadsWhatIsMissing,
    Flaw::ForgetsTheLastBatch,
    Flaw::StaysFull,
];

/// A sound store behind a host with a flaw.
struct Flawed {
    sound: Simulated,
    flaw: Flaw,
    last: Option<StoreBatch>,
}

impl Flawed {
    fn new(flaw: Flaw) -> Self {
        Self {
            sound: Simulated::default(),
            flaw,
            last: None,
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// What becomes of a batch on its way to the disk.
    fn changed(&self, batch: &StoreBatch) -> StoreBatch {
        let mut batch = batch.clone();
        if self.is(Flaw::CutsAfterwards) {
            batch
                .ops
                .sort_by_key(|op| matches!(op, StoreOp::Truncate { .. }));
        }
        batch.ops.retain_mut(|op| match op {
            StoreOp::Put { key, value } => {
                self.change_key(key);
                if self.is(Flaw::CutsLongValues) && value.len() > 65_535 {
                    *value = value[..65_535].into();
                }
                true
            }
            StoreOp::Delete { key } => {
                self.change_key(key);
                !self.is(Flaw::ForgetsDeletes)
            }
            StoreOp::Truncate { from } => {
                *from += u64::from(self.is(Flaw::CutsOneTooFew));
                true
            }
            StoreOp::Append { .. } | StoreOp::DropBefore { .. } => true,
        });
        batch
    }

    fn change_key(&self, key: &mut String) {
        if self.is(Flaw::FoldsKeys) {
            key.make_ascii_lowercase();
        }
        if self.is(Flaw::EndsKeysAtNul) {
            key.truncate(key.find('\0').unwrap_or(key.len()));
        }
    }

    fn spoil(&self, answers: &mut Vec<Answer>) {
        match self.flaw {
            Flaw::AnswersBackwards => answers.reverse(),
            Flaw::LeavesAnAnswerOut => drop(answers.pop()),
            Flaw::AnswersForAnother => answers.fill(Answer::Kept(Ticket(1))),
            Flaw::RefusesWithoutCause => answers.fill(Answer::Refused {
                ticket: Ticket(1),
                full: true,
            }),
            Flaw::SaysBrokenForFull => {
                for answer in answers {
                    if let Answer::Refused { full, .. } = answer {
                        *full = false;
                    }
                }
            }
            Flaw::KeepsTheStartOfARefusedBatch
            | Flaw::ForgetsDeletes
            | Flaw::CutsOneTooFew
            | Flaw::CutsAfterwards
            | Flaw::CutsLongValues
            | Flaw::FoldsKeys
            | Flaw::EndsKeysAtNul
            | Flaw::SortsByDigits
            | Flaw::LoadsInItsOwnOrder
            | Flaw::LoadsWhatIsMissing
            | Flaw::ForgetsTheLastBatch
            | Flaw::StaysFull => {}
        }
    }
}

impl Store for Flawed {
    const FAULTS: &'static [Fault] = Simulated::FAULTS;

    async fn write(&mut self, batches: &[StoreBatch]) -> Vec<Answer> {
        let mut batches: Vec<StoreBatch> =
            batches.iter().map(|batch| self.changed(batch)).collect();
        let late = self.last.take();
        if self.is(Flaw::ForgetsTheLastBatch) {
            self.last = batches.pop();
        }
        let mut answers = self.sound.write(&batches).await;
        if let Some(batch) = &self.last {
            answers.push(Answer::Kept(batch.ticket));
        }
        if let Some(late) = late {
            self.sound.disk.image_mut().apply(&late.ops);
        }
        if self.is(Flaw::KeepsTheStartOfARefusedBatch) {
            let refused = answers.iter().zip(&batches);
            for (_, batch) in refused.filter(|(answer, _)| matches!(answer, Answer::Refused { .. }))
            {
                self.sound.disk.image_mut().apply(&batch.ops[..1]);
            }
        }
        self.spoil(&mut answers);
        answers
    }

    async fn load(&mut self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        let mut records = self.sound.load(sequences).await;
        if self.is(Flaw::LoadsInItsOwnOrder) {
            records.sort();
        }
        if self.is(Flaw::LoadsWhatIsMissing) && records.len() < sequences.len() {
            records.push((9, Bytes::default()));
        }
        records
    }

    async fn reopen(&mut self) -> Stored {
        self.last = None;
        let mut stored = self.sound.reopen().await;
        if self.is(Flaw::SortsByDigits) {
            stored
                .journal
                .sort_by_key(|(sequence, _)| sequence.to_string());
        }
        stored
    }

    async fn set_fault(&mut self, fault: Option<Fault>) {
        if fault.is_some() || !self.is(Flaw::StaysFull) {
            self.sound.set_fault(fault).await;
        }
    }
}

#[test]
fn every_flaw_is_found_by_a_case() {
    for flaw in FLAWS {
        let found = cases(Flawed::FAULTS)
            .iter()
            .find_map(|case| at_once(judged(case, &mut Flawed::new(flaw))).err());
        assert!(found.is_some(), "no case finds a store that {flaw:?}");
        println!("{flaw:?}: {}", found.unwrap_or_default());
    }
}

#[test]
fn a_case_passes_over_what_is_no_flaw() {
    // What the flaws are hung on is itself sound: with none of them in the way it passes.
    for case in cases(&[]) {
        let mut store = Flawed::new(Flaw::StaysFull);
        assert_eq!(at_once(judged(&case, &mut store)), Ok(()));
    }
}

/// A store whose crashes leave what they must not.
#[derive(Default)]
struct Crashing<const HOW: u8>(Simulated);

/// A part of a batch is there.
const TORN: u8 = 0;
/// Acknowledged batches are gone.
const LOST: u8 = 1;
/// A later batch is there without an earlier one.
const OVERTAKEN: u8 = 2;
/// Nothing is wrong.
const NOTHING: u8 = 3;

impl<const HOW: u8> Store for Crashing<HOW> {
    const FAULTS: &'static [Fault] = Simulated::FAULTS;

    async fn write(&mut self, batches: &[StoreBatch]) -> Vec<Answer> {
        if HOW == LOST {
            self.0.disk.set_mode(DiskMode::Lying);
        }
        self.0.write(batches).await
    }

    async fn load(&mut self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        self.0.load(sequences).await
    }

    async fn reopen(&mut self) -> Stored {
        self.0.reopen().await
    }

    async fn set_fault(&mut self, fault: Option<Fault>) {
        self.0.set_fault(fault).await;
    }
}

impl<const HOW: u8> Crash for Crashing<HOW> {
    fn crash(&mut self, open: &[StoreBatch], moment: u64) -> Stored {
        self.0.disk.set_tears(HOW == TORN);
        match open {
            [.., last] if HOW == OVERTAKEN => self.0.crash(std::slice::from_ref(last), moment),
            all => self.0.crash(all, moment),
        }
    }
}

#[test]
fn a_crash_that_leaves_what_it_must_not_is_found() {
    assert_eq!(drawn::draw::<Crashing<NOTHING>>(100), Ok(()));
    for found in [
        drawn::draw::<Crashing<TORN>>(500),
        drawn::draw::<Crashing<LOST>>(500),
        drawn::draw::<Crashing<OVERTAKEN>>(500),
    ] {
        println!("{}", found.unwrap_err());
    }
}
