//! The list of cases. Each starts with an empty store.

use crate::store::{Fault, append, batch, delete, drop_before, put, truncate};
use sporenet_core::kernel::store::{StoreBatch, StoreOp};

/// How many bytes a store without room has no room for.
pub const LARGE: usize = 1 << 20;
/// A key's value and a record of this size together are as much as the journal puts into a batch.
const HUGE: usize = 8 << 20;
/// The last sequence that every store can tell from its neighbours: IndexedDB counts in doubles.
const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// A named list of steps.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it proves.
    pub name: &'static str,
    /// What is done.
    pub steps: Vec<Step>,
}

/// What is done to a store.
#[derive(Clone, Debug)]
pub enum Step {
    /// These batches are handed over at once.
    Write(Vec<(StoreBatch, Expected)>),
    /// These records are asked for.
    Load(Vec<u64>),
    /// It is closed and opened.
    Reopen,
    /// Something is wrong from now on, or nothing any more.
    Suffer(Option<Fault>),
}

/// What must become of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is kept.
    Kept,
    /// It is refused.
    Refused {
        /// For lack of space.
        full: bool,
    },
    /// It is kept, or refused for lack of space.
    Either,
}

/// All cases that a store with these faults can be put through.
#[must_use]
pub fn cases(faults: &[Fault]) -> Vec<Case> {
    let mut cases = vec![
        operations(),
        order(),
        in_flight(),
        nothing(),
        sizes(),
        keys(),
        loads(),
        cuts(),
        fronts(),
        openings(),
    ];
    if faults.contains(&Fault::Full) {
        cases.extend([full(), full_group()]);
    }
    if faults.contains(&Fault::Failing) {
        cases.push(failing());
    }
    cases
}

fn kept(ticket: u64, ops: Vec<StoreOp>) -> (StoreBatch, Expected) {
    (batch(ticket, ops), Expected::Kept)
}

fn refused(ticket: u64, full: bool, ops: Vec<StoreOp>) -> (StoreBatch, Expected) {
    (batch(ticket, ops), Expected::Refused { full })
}

fn record(sequence: u64) -> Vec<u8> {
    format!("record {sequence}").into_bytes()
}

fn numbered(sequence: u64) -> StoreOp {
    append(sequence, &record(sequence))
}

fn operations() -> Case {
    let first = vec![
        numbered(1),
        put("meta/b", b"2"),
        numbered(2),
        put("meta/a", b"1"),
        put("gone", b"x"),
        put("again", b"x"),
        delete("again"),
        put("again", b"y"),
    ];
    let second = vec![
        delete("gone"),
        put("meta/b", b"3"),
        numbered(3),
        truncate(2),
        append(2, b"another second"),
        numbered(3),
        numbered(4),
        truncate(4),
    ];
    Case {
        name: "a batch's operations are applied in order",
        steps: vec![
            Step::Write(vec![kept(1, first)]),
            Step::Reopen,
            Step::Write(vec![kept(2, second)]),
            Step::Load(vec![1, 2, 3, 4]),
        ],
    }
}

fn order() -> Case {
    let ops = (1..=12).rev().map(numbered).collect();
    Case {
        name: "records come back in the order of numbers, not of their digits",
        steps: vec![Step::Write(vec![kept(1, ops)])],
    }
}

fn in_flight() -> Case {
    let batches = (1..=300).map(|ticket| {
        let counter = ticket.to_string().into_bytes();
        kept(ticket, vec![numbered(ticket), put("counter", &counter)])
    });
    Case {
        name: "batches that wait together are answered and applied in order",
        steps: vec![Step::Write(batches.collect())],
    }
}

fn nothing() -> Case {
    let empty = |ticket| kept(ticket, Vec::new());
    Case {
        name: "a batch without operations is answered",
        steps: vec![
            Step::Write(vec![empty(1)]),
            Step::Write(vec![empty(2), kept(3, vec![numbered(1)]), empty(4)]),
        ],
    }
}

fn sizes() -> Case {
    let batches = [0, 1, 255, 4_095, 4_096, 4_097, 65_536, LARGE, HUGE];
    let batches = batches.iter().zip(1..).map(|(size, ticket)| {
        // A value that shows where a part of it is missing or doubled.
        let bytes: Vec<u8> = (0..*size).map(|at| (at % 251) as u8).collect();
        let key = format!("of {size}");
        kept(ticket, vec![put(&key, &bytes), append(ticket, &bytes)])
    });
    Case {
        name: "values of every size come back whole",
        steps: vec![
            Step::Write(batches.collect()),
            Step::Reopen,
            Step::Load((1..=9).collect()),
            Step::Write(vec![kept(10, vec![put(&format!("of {HUGE}"), b"")])]),
        ],
    }
}

/// Keys that a store may take for something else: the contract is any ASCII of at most 255 bytes.
#[must_use]
pub fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "",
        " ",
        "a",
        "A",
        "a ",
        "a/",
        "a/b",
        "a0",
        "0",
        "00",
        "1e3",
        "'",
        "\"",
        "%",
        "_",
        "*",
        "\\",
        "a\0b",
        "a\0",
        "\n",
        "\x7f",
        "~",
        "null",
        "'; DROP TABLE entries; --",
        "__proto__",
    ]
    .map(str::to_owned)
    .into();
    keys.extend(["k".repeat(255), format!("{}l", "k".repeat(254))]);
    keys
}

fn keys() -> Case {
    let keys = odd_keys();
    let puts = keys.iter().map(|key| put(key, key.as_bytes())).collect();
    let odd = keys.iter().step_by(2).map(|key| delete(key)).collect();
    Case {
        name: "a key is nothing but its bytes",
        steps: vec![
            Step::Write(vec![kept(1, puts)]),
            Step::Reopen,
            Step::Write(vec![kept(2, odd)]),
        ],
    }
}

fn loads() -> Case {
    let sequences = [1, 2, 3, 10, SEQUENCE_MAX - 1, SEQUENCE_MAX];
    let ops = sequences.map(numbered).into();
    let asked = vec![
        Vec::new(),
        vec![3, 9, 1],
        vec![0, 4],
        vec![2, 2],
        vec![SEQUENCE_MAX, 10, SEQUENCE_MAX - 1, SEQUENCE_MAX - 2],
    ];
    let mut steps = vec![Step::Load(vec![1]), Step::Write(vec![kept(1, ops)])];
    steps.extend(asked.into_iter().map(Step::Load));
    Case {
        name: "a load answers what is there, in the order asked for",
        steps,
    }
}

fn cuts() -> Case {
    let journal = |ticket, to| kept(ticket, (1..=to).map(numbered).collect());
    let cut = |ticket, from| kept(ticket, vec![truncate(from), put("cut", &record(from))]);
    Case {
        name: "a cut journal goes on where it was cut",
        steps: vec![
            Step::Write(vec![cut(1, 1), journal(2, 5), cut(3, SEQUENCE_MAX)]),
            Step::Write(vec![cut(4, 3), kept(5, vec![append(3, b"another third")])]),
            Step::Reopen,
            Step::Load(vec![1, 2, 3, 4]),
            Step::Write(vec![cut(6, 1)]),
            Step::Reopen,
            Step::Write(vec![journal(7, 3), cut(8, 0), kept(9, vec![numbered(1)])]),
        ],
    }
}

fn fronts() -> Case {
    let journal = |ticket, to| kept(ticket, (1..=to).map(numbered).collect());
    let front = |ticket, before| {
        let word = put("front", &record(before));
        kept(ticket, vec![word, drop_before(before)])
    };
    Case {
        name: "a journal whose front is dropped keeps the rest",
        steps: vec![
            Step::Write(vec![front(1, 1), journal(2, 6), front(3, 0)]),
            Step::Load(vec![1, 6]),
            Step::Write(vec![
                front(4, 3),
                kept(5, vec![numbered(7), drop_before(4)]),
            ]),
            Step::Load(vec![1, 3, 4, 7]),
            Step::Reopen,
            Step::Load(vec![3, 4, 7]),
            Step::Write(vec![front(6, SEQUENCE_MAX), kept(7, vec![numbered(8)])]),
            Step::Reopen,
        ],
    }
}

fn openings() -> Case {
    let once = |at: u64| {
        [
            Step::Write(vec![kept(at, vec![numbered(at)])]),
            Step::Reopen,
        ]
    };
    let mut steps = vec![Step::Reopen, Step::Reopen];
    steps.extend((1..=5).flat_map(once));
    Case {
        name: "a store is opened as often as one likes",
        steps,
    }
}

/// A batch of which a part would fit.
fn large(sequence: u64) -> Vec<StoreOp> {
    vec![
        put("torn", b"x"),
        truncate(2),
        append(sequence, &vec![7; LARGE]),
        delete("kept"),
    ]
}

fn full() -> Case {
    let before = kept(1, vec![put("kept", b"x"), numbered(1), numbered(2)]);
    let either = |ticket, ops| (batch(ticket, ops), Expected::Either);
    Case {
        name: "a full store refuses, keeps what it has, and takes up its work when there is room",
        steps: vec![
            Step::Write(vec![before]),
            Step::Suffer(Some(Fault::Full)),
            Step::Write(vec![refused(2, true, large(3))]),
            Step::Load(vec![1, 2, 3]),
            Step::Write(vec![either(3, vec![put("small", b"x")])]),
            Step::Write(vec![refused(4, true, large(3))]),
            Step::Reopen,
            Step::Write(vec![refused(5, true, large(3))]),
            Step::Suffer(None),
            Step::Write(vec![kept(6, large(3))]),
            Step::Load(vec![1, 2, 3]),
            Step::Write(vec![kept(7, vec![put("small", b"y"), numbered(4)])]),
        ],
    }
}

fn full_group() -> Case {
    let small = |ticket| {
        let key = format!("small {ticket}");
        (batch(ticket, vec![put(&key, b"x")]), Expected::Either)
    };
    Case {
        name: "of batches that wait together on a full store only whole ones are kept",
        steps: vec![
            Step::Write(vec![kept(1, vec![put("kept", b"x"), numbered(1)])]),
            Step::Suffer(Some(Fault::Full)),
            Step::Write(vec![
                small(2),
                refused(3, true, large(2)),
                small(4),
                refused(5, true, large(2)),
                small(6),
            ]),
            Step::Reopen,
            Step::Suffer(None),
            Step::Write(vec![small(7), kept(8, large(2)), small(9)]),
        ],
    }
}

fn failing() -> Case {
    let ops = || vec![put("torn", b"x"), truncate(1), numbered(2), delete("kept")];
    Case {
        name: "a batch that fails leaves nothing behind",
        steps: vec![
            Step::Write(vec![kept(1, vec![put("kept", b"x"), numbered(1)])]),
            Step::Suffer(Some(Fault::Failing)),
            Step::Write(vec![refused(2, false, ops()), refused(3, false, ops())]),
            Step::Suffer(None),
            Step::Load(vec![1, 2]),
            Step::Write(vec![kept(4, ops())]),
        ],
    }
}
