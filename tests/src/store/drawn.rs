//! Drawn runs of a store, with crashes, against a reference model.
//!
//! The model knows of each place what must be there, or that a crash has made it unknown. The judge
//! beside it knows the order: after a crash the oldest of the open batches are there, each as a whole.

use crate::store::{
    Store, append, at_once, batch,
    cases::{Expected, odd_keys},
    delete, drop_before,
    judge::Judge,
    put, truncate,
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use sporenet_core::kernel::{
    bytes::Bytes,
    store::{StoreBatch, StoreOp, Stored},
};
use std::{collections::BTreeMap, fmt::Debug};

/// How many steps a drawn run has at most.
const STEPS_MAX: usize = 40;
/// Few enough that they meet again and again.
const SEQUENCE_MAX: u64 = 12;

/// A store that can be made to crash, and starts empty.
pub trait Crash: Store + Default {
    /// Hands batches over and crashes before any of them is answered, at a drawn moment; what it
    /// holds when it is opened again.
    fn crash(&mut self, open: &[StoreBatch], moment: u64) -> Stored;
}

/// Draws `runs` runs and puts a store of that kind through each. The same every time.
///
/// # Errors
/// The shortest run found in which a store did what it must not, in words.
pub fn draw<S: Crash + 'static>(runs: u32) -> Result<(), String> {
    let config = ProptestConfig {
        cases: runs,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let strategy = Model::sequential_strategy(1..STEPS_MAX);
    let outcome = TestRunner::new_with_rng(config.clone(), rng).run(
        &strategy,
        |(model, transitions, seen)| {
            Watched::<S>::test_sequential(config.clone(), model, transitions, seen);
            Ok(())
        },
    );
    outcome.map_err(|error| error.to_string())
}

/// What happens to a store.
#[derive(Clone, Debug)]
pub enum Transition {
    /// Batches are handed over and answered.
    Write(Vec<StoreBatch>),
    /// Records are asked for.
    Load(Vec<u64>),
    /// It is closed and opened.
    Reopen,
    /// It crashes with these batches open, at this moment.
    Crash(Vec<StoreBatch>, u64),
}

/// What is known of a place that may hold something.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Holds(Bytes),
    /// A crash came before the answer.
    Unknown,
}

/// What must be in a store. A place that is not named is empty.
#[derive(Clone, Debug, Default)]
pub struct Model {
    entries: BTreeMap<String, Place>,
    journal: BTreeMap<u64, Place>,
}

impl Model {
    fn know(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Put { key, value } => {
                let place = Place::Holds(value.clone());
                self.entries.insert(key.clone(), place);
            }
            StoreOp::Delete { key } => {
                self.entries.remove(key);
            }
            StoreOp::Append { sequence, record } => {
                let place = Place::Holds(record.clone());
                self.journal.insert(*sequence, place);
            }
            StoreOp::Truncate { from } => drop(self.journal.split_off(from)),
            StoreOp::DropBefore { before } => self.journal = self.journal.split_off(before),
        }
    }

    fn doubt(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Put { key, .. } => {
                self.entries.insert(key.clone(), Place::Unknown);
            }
            StoreOp::Delete { key } => {
                if let Some(place) = self.entries.get_mut(key) {
                    *place = Place::Unknown;
                }
            }
            StoreOp::Append { sequence, .. } => {
                self.journal.insert(*sequence, Place::Unknown);
            }
            StoreOp::Truncate { from } => {
                for place in self.journal.range_mut(from..) {
                    *place.1 = Place::Unknown;
                }
            }
            StoreOp::DropBefore { before } => {
                for place in self.journal.range_mut(..before) {
                    *place.1 = Place::Unknown;
                }
            }
        }
    }

    fn check(&self, stored: &Stored) {
        agree(&self.entries, &stored.entries);
        agree(&self.journal, &stored.journal);
    }
}

fn agree<K: Clone + Debug + Ord>(known: &BTreeMap<K, Place>, stored: &[(K, Bytes)]) {
    let stored: BTreeMap<K, Place> = stored
        .iter()
        .map(|(key, value)| (key.clone(), Place::Holds(value.clone())))
        .collect();
    for (key, place) in known.iter().filter(|(_, place)| **place != Place::Unknown) {
        assert_eq!(stored.get(key), Some(place), "at {key:?}");
    }
    let invented = stored.keys().find(|key| !known.contains_key(key));
    assert_eq!(invented, None, "nothing was written there");
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let sequences = vec(0..=SEQUENCE_MAX + 1, 0..6);
        prop_oneof![
            6 => batches(1..4).prop_map(Transition::Write),
            1 => sequences.prop_map(Transition::Load),
            1 => Just(Transition::Reopen),
            2 => (batches(0..4), any::<u64>()).prop_map(|(open, moment)| Transition::Crash(open, moment)),
        ]
        .boxed()
    }

    fn apply(mut model: Self, transition: &Transition) -> Self {
        let ops = |batches: &[StoreBatch]| -> Vec<StoreOp> {
            batches.iter().flat_map(|batch| batch.ops.clone()).collect()
        };
        match transition {
            Transition::Write(batches) => ops(batches).iter().for_each(|op| model.know(op)),
            Transition::Crash(open, _) => ops(open).iter().for_each(|op| model.doubt(op)),
            Transition::Load(_) | Transition::Reopen => {}
        }
        model
    }
}

fn batches(how_many: std::ops::Range<usize>) -> impl Strategy<Value = Vec<StoreBatch>> {
    vec(vec(op(), 0..6), how_many)
        .prop_map(|batches| (1..).zip(batches).map(|(n, ops)| batch(n, ops)).collect())
}

fn op() -> impl Strategy<Value = StoreOp> {
    let key = || select(odd_keys().into_iter().step_by(3).collect::<Vec<_>>());
    // Mostly small; now and then several pages of a store.
    let size = prop_oneof![9 => 0_usize..64, 1 => 4_000_usize..70_000];
    let bytes = (any::<u8>(), size).prop_map(|(byte, size)| std::vec![byte; size]);
    let bytes = bytes.boxed();
    prop_oneof![
        3 => (key(), bytes.clone()).prop_map(|(key, value)| put(&key, &value)),
        1 => key().prop_map(|key| delete(&key)),
        4 => (1..=SEQUENCE_MAX, bytes).prop_map(|(at, record)| append(at, &record)),
        1 => (0..=SEQUENCE_MAX + 1).prop_map(truncate),
        1 => (0..=SEQUENCE_MAX + 1).prop_map(drop_before),
    ]
}

/// A store and its judge.
struct Watched<S> {
    store: S,
    judge: Judge,
}

impl<S: Crash + 'static> StateMachineTest for Watched<S> {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self {
            store: S::default(),
            judge: Judge::default(),
        }
    }

    fn apply(mut watched: Self, model: &Model, transition: Transition) -> Self {
        let Self { store, judge } = &mut watched;
        let verdict = match transition {
            Transition::Write(batches) => {
                let answers = at_once(store.write(&batches));
                let kept = batches.into_iter().map(|batch| (batch, Expected::Kept));
                judge.written(&kept.collect::<Vec<_>>(), &answers)
            }
            Transition::Load(asked) => judge.loaded(&asked, &at_once(store.load(&asked))),
            Transition::Reopen => {
                let stored = at_once(store.reopen());
                model.check(&stored);
                judge.opened(&stored)
            }
            Transition::Crash(open, moment) => {
                let stored = store.crash(&open, moment);
                model.check(&stored);
                judge.crashed(&open, &stored)
            }
        };
        verdict.unwrap();
        watched
    }

    fn teardown(mut watched: Self, model: Model) {
        let stored = at_once(watched.store.reopen());
        model.check(&stored);
        watched.judge.opened(&stored).unwrap();
    }
}
