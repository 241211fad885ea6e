//! What a relay's own clients see of one key at level `local` is one register, over `kill -9` too.
//!
//! Several clients put and get few keys of one relay over HTTP, in bursts; in some of them the relay
//! is killed and started again. Each key's history of a burst, and the reads after it, are judged
//! by a linearizability tester that this project did not write (`stateright`).
//!
//! A put without an answer may have been done or not, but once the process is gone it is decided: the
//! reads after the restart tell which, for good.
//!
//! Nothing more is claimed. Between relays, and at the other levels, the last writer wins and the loser
//! is kept as a conflict: two clients of two relays may read different values for a while.

use sporenet_core::kernel::rng::Rng;
use sporenet_tests::relay::{self, Relay};
use stateright::semantics::{
    ConsistencyTester, LinearizabilityTester,
    register::{Register, RegisterOp, RegisterRet},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
};

const KEYS: [&str; 2] = ["a", "b"];
const CLIENTS: u64 = 4;
const BURSTS: u64 = 60;
/// In every so manieth burst the relay is killed.
const KILL_INTERVAL: u64 = 4;
/// Operations of each client in a burst. The tester tries every order before it refuses, so a history
/// between two moments at which nothing is under way has to be short.
const OPERATIONS: u64 = 4;
/// The most operations of a history that is spoiled on purpose.
const SPOILED_MAX: usize = 9;

/// What a key holds: the number of the put, each used once; 0 before the first.
type Value = u32;
type Operation = RegisterOp<Value>;
type Outcome = RegisterRet<Value>;

/// Something that happened to a key, in the order in which it was seen from outside.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Asked(u64, Operation),
    Answered(u64, Outcome),
}

/// Asks the tester whether a key that held `start` may have behaved like this.
fn linearizable(start: Value, events: &[Event]) -> bool {
    let mut tester = LinearizabilityTester::new(Register(start));
    for event in complete(events) {
        let said = match event {
            Event::Asked(client, operation) => tester.on_invoke(client, operation),
            Event::Answered(client, outcome) => tester.on_return(client, outcome),
        };
        said.expect("an operation is asked for once, and then answered once");
    }
    tester.is_consistent()
}

/// Only operations with an answer. One without counts where a read shows that it was done, and ends
/// before the first such read does; any other changed nothing that was seen.
fn complete(events: &[Event]) -> Vec<Event> {
    let mut open = BTreeMap::new();
    let mut unanswered: BTreeSet<u64> = events.iter().map(Event::client).collect();
    for event in events.iter().filter(|event| event.is_answer()) {
        unanswered.remove(&event.client());
    }
    let mut completed = Vec::new();
    for event in events {
        match event {
            Event::Asked(client, operation) if unanswered.contains(client) => {
                if let RegisterOp::Write(value) = operation {
                    open.insert(*value, (*client, completed.len()));
                }
            }
            Event::Answered(_, RegisterRet::ReadOk(value)) => {
                if let Some((writer, asked_at)) = open.remove(value) {
                    let asked = Event::Asked(writer, RegisterOp::Write(*value));
                    completed.insert(asked_at, asked);
                    for (_, later) in open.values_mut() {
                        *later += usize::from(*later > asked_at);
                    }
                    completed.push(Event::Answered(writer, RegisterRet::WriteOk));
                }
                completed.push(event.clone());
            }
            Event::Asked(..) | Event::Answered(_, RegisterRet::WriteOk) => {
                completed.push(event.clone());
            }
        }
    }
    completed
}

impl Event {
    const fn client(&self) -> u64 {
        match self {
            Self::Asked(client, _) | Self::Answered(client, _) => *client,
        }
    }

    const fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(..))
    }
}

/// The histories of all keys, written by all clients.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<(usize, Event)>>,
    puts: AtomicU32,
    answers: AtomicU64,
    /// The relay is killed when so many operations are answered.
    killed_after: u64,
}

impl Log {
    fn note(&self, key: usize, event: Event) {
        self.events.lock().unwrap().push((key, event));
    }

    fn of(&self, key: usize) -> Vec<Event> {
        let events = self.events.lock().unwrap();
        let of_key = events.iter().filter(|(of, _)| *of == key);
        of_key.map(|(_, event)| event.clone()).collect()
    }

    /// Does one operation under an identity of its own. Answers whether there was an answer.
    fn operate(&self, relay: &Relay, identity: u64, key: usize, operation: Operation) -> bool {
        self.note(key, Event::Asked(identity, operation.clone()));
        let outcome = match operation {
            RegisterOp::Write(value) => put(relay, KEYS[key], value),
            RegisterOp::Read => get(relay, KEYS[key]).map(RegisterRet::ReadOk),
        };
        let Some(outcome) = outcome else { return false };
        self.note(key, Event::Answered(identity, outcome));
        true
    }
}

fn put(relay: &Relay, key: &str, value: Value) -> Option<Outcome> {
    let answer = relay.try_put("register", key, &value.to_string(), "local");
    let answer = answer.ok()?;
    assert!(answer.status < 300, "{}: {}", answer.status, answer.text());
    Some(RegisterRet::WriteOk)
}

fn get(relay: &Relay, key: &str) -> Option<Value> {
    let path = format!("/api/v1/kv/register/{key}");
    let answer = relay.try_api("GET", &path, b"").ok()?;
    match answer.status {
        200 => Some(answer.text().parse().expect("a number was put")),
        404 => Some(0),
        other => panic!("{other}: {}", answer.text()),
    }
}

/// One client's part of a burst; it ends when an operation gets no answer.
fn client(relay: &Relay, log: &Log, number: u64, rng: &mut Rng) {
    for at in 0..OPERATIONS {
        let key = rng.index(KEYS.len());
        let operation = if rng.below(2) == 0 {
            RegisterOp::Write(log.puts.fetch_add(1, Ordering::SeqCst) + 1)
        } else {
            RegisterOp::Read
        };
        if !log.operate(relay, number * OPERATIONS + at, key, operation) {
            return;
        }
        if log.answers.fetch_add(1, Ordering::SeqCst) == log.killed_after {
            relay::kill_process(relay.pid());
        }
    }
}

/// All clients at once.
fn burst(relay: &Relay, log: &Log, seed: u64) {
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut rng = Rng::from_number(seed * CLIENTS + number);
            scope.spawn(move || client(relay, log, number, &mut rng));
        }
    });
}

#[test]
fn one_relays_keys_are_registers_for_its_own_clients_over_kill_9() {
    let mut relay = Relay::found("alone");
    let mut held = [0; KEYS.len()];
    let puts = AtomicU32::new(0);
    let (mut operations, mut open, mut tampered) = (0, 0, 0);
    for number in 0..BURSTS {
        let kill = number % KILL_INTERVAL == KILL_INTERVAL - 1;
        let moment = Rng::from_number(number).below(CLIENTS * OPERATIONS / 2);
        let log = Log {
            puts: AtomicU32::new(puts.load(Ordering::SeqCst)),
            killed_after: if kill { moment } else { u64::MAX },
            ..Log::default()
        };
        burst(&relay, &log, number);
        if kill {
            relay.kill();
            relay.start();
        }
        puts.store(log.puts.load(Ordering::SeqCst), Ordering::SeqCst);
        for (key, start) in held.iter_mut().enumerate() {
            // Twice: what was decided stays decided.
            for again in 0..2 {
                let reader = CLIENTS * OPERATIONS + again;
                assert!(log.operate(&relay, reader, key, RegisterOp::Read));
            }
            let events = log.of(key);
            let answers = events.iter().filter(|event| event.is_answer()).count();
            operations += answers;
            open += events.len() - 2 * answers;
            assert!(
                linearizable(*start, &events),
                "burst {number}, key {}, which held {start}: no order explains {events:#?}",
                KEYS[key]
            );
            tampered += usize::from(refused_with_a_stale_read(*start, &events));
            if let Some(Event::Answered(_, RegisterRet::ReadOk(value))) = events.last() {
                *start = *value;
            }
        }
    }
    println!(
        "figure: {operations} operations answered, {open} not, over {} kills; \
         {tampered} histories spoiled and refused",
        BURSTS / KILL_INTERVAL
    );
    assert!(open > 0 && tampered > 0);
}

/// Spoils a real history, if it is not too long: its last read answers what the key held before the
/// burst. Answers whether that was another value, which must be refused.
fn refused_with_a_stale_read(start: Value, events: &[Event]) -> bool {
    let mut spoiled = events.to_vec();
    let Some(Event::Answered(_, RegisterRet::ReadOk(value))) = spoiled.last_mut() else {
        return false;
    };
    let differs = *value != start && events.len() <= 2 * SPOILED_MAX;
    *value = start;
    assert!(
        !differs || !linearizable(start, &spoiled),
        "a stale read passed: {spoiled:#?}"
    );
    differs
}

fn asked(client: u64, value: Value) -> Event {
    let operation = if value == 0 {
        RegisterOp::Read
    } else {
        RegisterOp::Write(value)
    };
    Event::Asked(client, operation)
}

fn wrote(client: u64) -> Event {
    Event::Answered(client, RegisterRet::WriteOk)
}

fn read(client: u64, value: Value) -> Event {
    Event::Answered(client, RegisterRet::ReadOk(value))
}

#[test]
fn a_history_with_a_stale_lost_or_invented_value_is_refused() {
    let stale = [asked(1, 5), wrote(1), asked(2, 0), read(2, 0)];
    let invented = [asked(1, 0), read(1, 9)];
    // Read, and not there any more.
    let undone = [
        asked(1, 5),
        asked(2, 0),
        read(2, 5),
        asked(3, 0),
        read(3, 0),
    ];
    // Two readers, one after the other, see two puts in an order that time forbids.
    let backwards = [
        asked(1, 5),
        wrote(1),
        asked(2, 6),
        wrote(2),
        asked(3, 0),
        read(3, 5),
    ];
    // A put that got no answer was read, overwritten, and read again.
    let again = [
        asked(1, 5),
        asked(2, 0),
        read(2, 5),
        asked(3, 6),
        wrote(3),
        asked(4, 0),
        read(4, 5),
    ];
    for history in [&stale[..], &invented, &undone, &backwards, &again] {
        assert!(!linearizable(0, history), "{history:?}");
    }
}

#[test]
fn a_history_that_some_order_explains_is_accepted() {
    let empty = [asked(1, 0), read(1, 0)];
    let concurrent = [
        asked(1, 5),
        asked(2, 6),
        wrote(2),
        asked(3, 0),
        read(3, 6),
        wrote(1),
        asked(4, 0),
        read(4, 5),
    ];
    let never_done = [asked(1, 5), asked(2, 0), read(2, 0)];
    let done_late = [
        asked(1, 5),
        asked(2, 0),
        read(2, 0),
        asked(3, 0),
        read(3, 5),
        asked(4, 6),
        wrote(4),
        asked(5, 0),
        read(5, 6),
    ];
    for history in [&empty[..], &concurrent, &never_done, &done_late] {
        assert!(linearizable(0, history), "{history:?}");
    }
}
