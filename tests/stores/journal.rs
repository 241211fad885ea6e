//! Drawn runs of the journal on a simulated disk that fills up, fails and crashes.
//!
//! The model is the list of what was asked for: what is durable stands in the journal in that order,
//! without a gap; what was not answered when the host crashed follows, up to some point.

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        machine::{Input, Machine, Output},
        persist::Persist,
        rng::Rng,
        store::StoreBatch,
        time::{Duration, Time},
    },
    recovery::{
        entry,
        journal::{Command, Config, Event, Journal, PROBE_KEY},
        record::Origin,
        replay::Tail,
    },
    sim::disk::{Disk, DiskMode},
};
use std::collections::{BTreeMap, BTreeSet};

const ORIGIN: Origin = Origin::Replica;
const KEYS: [&str; 3] = ["meta/a", "meta/b", "meta/c"];

#[derive(Clone, Copy, Debug)]
enum Transition {
    /// A record of so many bytes.
    Append(usize),
    /// A value under one of the keys.
    Put(usize),
    /// The disk answers the oldest batch.
    Flush,
    /// The disk works on until nothing waits.
    Settle,
    /// What is durable is read again.
    Load,
    /// More than the interval between two probes of a full disk.
    Wait,
    /// What the disk does from now on.
    Turn(DiskMode),
    /// The host crashes and starts again, with a disk that works.
    Crash(u64),
}

/// What the journal stands on.
#[derive(Clone, Copy, Debug, Default)]
struct Model {
    mode: DiskMode,
    /// The disk may have failed a batch: the journal writes nothing until it is started again.
    may_be_broken: bool,
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        let modes = vec![DiskMode::Sound, DiskMode::Full, DiskMode::Failing];
        prop_oneof![
            8 => (0_usize..300).prop_map(Transition::Append),
            3 => (0..KEYS.len()).prop_map(Transition::Put),
            6 => Just(Transition::Flush),
            2 => Just(Transition::Settle),
            1 => Just(Transition::Load),
            1 => Just(Transition::Wait),
            2 => proptest::sample::select(modes).prop_map(Transition::Turn),
            2 => any::<u64>().prop_map(Transition::Crash),
        ]
        .boxed()
    }

    fn apply(mut model: Self, transition: &Transition) -> Self {
        match transition {
            Transition::Turn(mode) => model.mode = *mode,
            Transition::Crash(_) => model = Self::default(),
            Transition::Flush | Transition::Settle => {
                model.may_be_broken |= model.mode == DiskMode::Failing;
            }
            Transition::Append(_) | Transition::Put(_) | Transition::Load | Transition::Wait => {}
        }
        model
    }
}

#[derive(Clone, Debug)]
enum Asked {
    Append,
    Put(usize),
}

/// A journal with so many batches in flight, its disk, which may tear batches in a crash, and what it
/// was asked and said.
struct Watched<const IN_FLIGHT: u8, const TEARS: bool> {
    journal: Journal,
    disk: Disk,
    now: Time,
    tokens: u64,
    /// Not answered yet.
    open: BTreeMap<u64, Asked>,
    /// The tokens of the records that must be in the journal, in order.
    durable: Vec<u64>,
    /// The values that may stand under a key: the last durable one, and what came later.
    values: [BTreeSet<u64>; KEYS.len()],
}

fn settings(in_flight_max: u8) -> Config {
    Config {
        in_flight_max,
        batch_ops_max: 4,
        batch_bytes_max: 400,
        queue_bytes_max: 2_000,
        ..Config::default()
    }
}

/// Bytes that tell their token.
fn body(token: u64, size: usize) -> Bytes {
    let mut bytes = token.to_le_bytes().to_vec();
    bytes.resize(8 + size, 0);
    bytes.into()
}

fn token_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

impl<const IN_FLIGHT: u8, const TEARS: bool> Watched<IN_FLIGHT, TEARS> {
    fn input(&mut self, command: Command) {
        self.journal.handle_input(self.now, Input::Command(command));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.journal.poll_output() {
            match output {
                Output::Send { message, .. } => match message {},
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Store(batch) => self.disk.submit(batch),
            Event::Load { ticket, sequences } => {
                let records = self.disk.load(&sequences);
                self.input(Command::Loaded { ticket, records });
            }
            Event::Persisted { persisted, .. } => {
                self.on_durable(persisted.token, persisted.sequence);
            }
            Event::PersistFailed { failed, .. } => match self.open.remove(&failed.token) {
                Some(Asked::Put(key)) => drop(self.values[key].remove(&failed.token)),
                Some(Asked::Append) => {}
                None => panic!("{failed:?}: answered twice"),
            },
            Event::Loaded {
                records, damaged, ..
            } => {
                assert_eq!(damaged, [0_u64; 0]);
                let tokens = records.iter().map(|(_, bytes)| token_of(bytes));
                assert!(tokens.eq(self.durable.iter().copied()));
            }
            Event::LoadRefused { .. } | Event::Full { .. } | Event::Recovered | Event::Broken => {}
        }
    }

    fn on_durable(&mut self, token: u64, sequence: Option<u64>) {
        let oldest = self.open.pop_first();
        let (asked, what) = oldest.expect("something was asked for");
        assert_eq!(asked, token, "answered in the order asked");
        match what {
            Asked::Append => {
                self.durable.push(token);
                assert_eq!(sequence, Some(self.durable.len() as u64), "without a gap");
            }
            Asked::Put(key) => {
                assert_eq!(sequence, None);
                self.values[key].retain(|value| *value >= token);
            }
        }
    }

    fn flush(&mut self) -> bool {
        let Some((StoreBatch { ticket, .. }, outcome)) = self.disk.finish() else {
            return false;
        };
        self.input(match outcome {
            Ok(()) => Command::Stored(ticket),
            Err(mode) => Command::Failed {
                ticket,
                full: mode == DiskMode::Full,
            },
        });
        true
    }

    /// Everything from the disk, as a process does that starts.
    fn start_again(&mut self) {
        let stored = self.disk.image().stored();
        let replay = Journal::replay(&stored.journal, 1).expect("a node may start");
        assert_eq!(
            (replay.report.torn_tail, &replay.report.damaged[..]),
            (None, &[][..])
        );
        let found: Vec<u64> = replay
            .records
            .iter()
            .map(|record| token_of(&record.body))
            .collect();
        let open = self.open.iter();
        let unanswered =
            open.filter_map(|(token, asked)| matches!(asked, Asked::Append).then_some(*token));
        let may_be: Vec<u64> = self.durable.iter().copied().chain(unanswered).collect();
        assert!(
            found.len() >= self.durable.len() && may_be.starts_with(&found),
            "{found:?} of {may_be:?}, of which {} are durable",
            self.durable.len()
        );
        for (key, may_be) in KEYS.iter().zip(&mut self.values) {
            let value = stored.entry(key).map_or(0, |sealed| {
                token_of(&entry::open(key, sealed).expect("a sealed value"))
            });
            assert!(may_be.contains(&value), "{key} is {value}, of {may_be:?}");
            *may_be = BTreeSet::from([value]);
        }
        assert_eq!(stored.entry(PROBE_KEY), None);
        self.durable = found;
        self.open.clear();
        self.journal = Journal::new(settings(IN_FLIGHT), replay.tail);
        self.drain();
    }
}

impl<const IN_FLIGHT: u8, const TEARS: bool> StateMachineTest for Watched<IN_FLIGHT, TEARS> {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(_: &Model) -> Self {
        Self {
            journal: Journal::new(settings(IN_FLIGHT), Tail::START),
            disk: Disk::default(),
            now: Time::from_millis(1),
            tokens: 0,
            open: BTreeMap::new(),
            durable: Vec::new(),
            values: KEYS.map(|_| BTreeSet::from([0])),
        }
    }

    fn apply(mut watched: Self, model: &Model, transition: Transition) -> Self {
        watched.disk.set_mode(model.mode);
        let (origin, token) = (ORIGIN, watched.tokens + 1);
        match transition {
            Transition::Append(size) => {
                watched.tokens = token;
                watched.open.insert(token, Asked::Append);
                let body = body(token, size);
                let persist = Persist::append(token, body);
                watched.input(Command::Persist { origin, persist });
            }
            Transition::Put(key) => {
                watched.tokens = token;
                watched.open.insert(token, Asked::Put(key));
                watched.values[key].insert(token);
                let persist = Persist::put(token, KEYS[key], body(token, 0));
                watched.input(Command::Persist { origin, persist });
            }
            Transition::Flush => drop(watched.flush()),
            Transition::Settle => {
                while watched.flush() {}
                assert!(watched.open.is_empty(), "{:?}", watched.open);
            }
            Transition::Load => {
                let sequences = (1..=watched.durable.len() as u64).collect();
                watched.input(Command::Load {
                    origin,
                    token: 0,
                    sequences,
                });
            }
            Transition::Wait => {
                watched.now = watched.now + Duration::from_secs(6);
                watched.journal.handle_timeout(watched.now);
                watched.drain();
            }
            Transition::Turn(_) => {}
            Transition::Crash(moment) => {
                watched.disk.set_tears(TEARS);
                watched.disk.crash(&mut Rng::from_number(moment));
                watched.start_again();
            }
        }
        watched
    }

    fn check_invariants(watched: &Self, model: &Model) {
        assert!(!watched.journal.is_broken() || model.may_be_broken);
    }

    /// Whatever went before: on a sound disk it takes up its work, and after a start it is all there.
    fn teardown(mut watched: Self, model: Model) {
        watched.disk.set_mode(DiskMode::Sound);
        while watched.flush() {}
        watched.now = watched.now + Duration::from_secs(6);
        watched.journal.handle_timeout(watched.now);
        watched.drain();
        while watched.flush() {}
        assert!(watched.open.is_empty(), "{:?}", watched.open);
        if !model.may_be_broken {
            let before = watched.durable.len();
            watched = Self::apply(watched, &Model::default(), Transition::Append(1));
            while watched.flush() {}
            assert_eq!(watched.durable.len(), before + 1);
        }
        watched.start_again();
    }
}

fn run<const IN_FLIGHT: u8, const TEARS: bool>(cases: u32) -> Result<(), String> {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[9; 32]);
    let runs = Model::sequential_strategy(1..80);
    let outcome =
        TestRunner::new_with_rng(config.clone(), rng).run(&runs, |(model, transitions, seen)| {
            let config = config.clone();
            Watched::<IN_FLIGHT, TEARS>::test_sequential(config, model, transitions, seen);
            Ok(())
        });
    outcome.map_err(|error| error.to_string())
}

#[test]
fn the_journal_keeps_what_it_promises_over_full_failing_and_crashing_disks() {
    assert_eq!(run::<1, false>(1_000), Ok(()));
}

#[test]
fn a_disk_that_tears_batches_is_found() {
    println!("{}", run::<1, true>(1_000).unwrap_err());
}

/// What the settings warn of: the disk keeps a batch behind one that it refused, and the host crashes
/// before both are written again.
#[test]
fn batches_behind_a_refused_one_are_found_after_a_crash() {
    println!("{}", run::<4, false>(1_000).unwrap_err());
}
