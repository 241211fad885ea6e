//! Prints how fast simulated meshes run, with foca in the same kind of simulator beside them.
//!
//! `cargo bench -p sporenet-benches --bench sim` takes about a minute; `SPORENET_SIM_FULL=1` before it
//! adds 10,000 nodes and more rounds. A word after `--` runs the rows that contain it.
//!
//! Each measurement is a child process, so that its peak of resident memory is its own; rounds of
//! different measurements alternate. "Speed" is virtual time by processor time of one thread.
//!
//! foca runs with its own `Config::new_lan` for the number of nodes, which sets a probe a second, a
//! direct answer within 500 ms, three helpers, gossip to three nodes each 200 ms, an announcement each
//! 30 s and a window of suspicion that grows with the number of nodes; identities are two bytes, the
//! codec is postcard. "Members alone" are our machines of membership in a simulator as plain as foca's.
//! Their crash is that of a process, whose links break; in the other rows nothing tells of it but silence.
//! All use the same timing wheel and the same latency of 0.5 to 4.5 ms, and every node begins with the
//! table of all nodes.

#[path = "sim/foca.rs"]
mod foca;
#[path = "sim/mesh.rs"]
mod mesh;
#[path = "sim/swim.rs"]
mod swim;

use sporenet_benches::{Table, median};
use sporenet_core::kernel::time::Time;
use std::{
    env, fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What a child process measured.
#[derive(Clone, Debug, Default)]
struct Measured {
    /// How much virtual time passed while it was measured.
    virtual_time: Duration,
    /// How much time of a processor it took.
    busy: Duration,
    /// Events taken from the wheel.
    events: u64,
    /// From a crash until the last node knew of it.
    known: Option<Duration>,
    /// Bytes for each pair of a node and a member it knows: the growth of resident memory while the
    /// mesh came to be, and until the end.
    pair_bytes: Option<(u64, u64)>,
}

/// One line of the table.
struct Row {
    name: &'static str,
    /// Nodes of a mesh.
    nodes: u16,
    how: &'static str,
    run: fn(u16) -> Measured,
    /// Only where everything is asked for.
    full: bool,
}

const ROWS: [Row; 8] = [
    Row {
        name: "32 nodes, typed",
        nodes: 32,
        how: "faults, 300 writes a minute and all checkers; messages as values",
        run: mesh::typed,
        full: false,
    },
    Row {
        name: "32 nodes, bytes",
        nodes: 32,
        how: "the same down to encrypted streams",
        run: mesh::bytes,
        full: false,
    },
    Row {
        name: "1,000 members",
        nodes: 1_000,
        how: "whole nodes without writes; messages as values, one crash",
        run: |count| calm(count, mesh::settled),
        full: false,
    },
    Row {
        name: "1,000 members alone",
        nodes: 1_000,
        how: "our membership alone; one crash",
        run: |count| calm(count, swim::World::new),
        full: false,
    },
    Row {
        name: "1,000 members, foca",
        nodes: 1_000,
        how: "foca 2.0.0 alone; one crash",
        run: |count| calm(count, foca::World::new),
        full: false,
    },
    Row {
        name: "10,000 members",
        nodes: 10_000,
        how: "whole nodes without writes; messages as values, one crash",
        run: |count| calm(count, mesh::settled),
        full: true,
    },
    Row {
        name: "10,000 members alone",
        nodes: 10_000,
        how: "our membership alone; one crash",
        run: |count| calm(count, swim::World::new),
        full: true,
    },
    Row {
        name: "10,000 members, foca",
        nodes: 10_000,
        how: "foca 2.0.0 alone; one crash",
        run: |count| calm(count, foca::World::new),
        full: true,
    },
];

/// Says to a child process which row it measures.
const CHILD: &str = "SPORENET_SIM_ROW";
/// Asks for everything.
const FULL: &str = "SPORENET_SIM_FULL";

fn main() {
    if let Ok(name) = env::var(CHILD) {
        let row = ROWS.iter().find(|row| row.name == name);
        let row = row.expect("the parent names a row");
        report(&(row.run)(row.nodes));
        return;
    }
    let is_full = env::var_os(FULL).is_some();
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted = |row: &&Row| {
        (is_full || !row.full)
            && (words.is_empty() || words.iter().any(|word| row.name.contains(word.as_str())))
    };
    let rows: Vec<&Row> = ROWS.iter().filter(is_wanted).collect();
    let rounds = if is_full { 3 } else { 1 };
    let mut answers = vec![Vec::new(); rows.len()];
    for round in 0..rounds {
        for (row, answers) in rows.iter().zip(&mut answers) {
            // The largest take minutes: once is enough.
            if round == 0 || row.nodes < 10_000 {
                answers.push(ask(row.name));
            }
        }
    }
    let mut table = Table::default();
    for (row, answers) in rows.iter().zip(&answers) {
        show(&mut table, row, answers);
    }
}

fn show(table: &mut Table, row: &Row, answers: &[Vec<Option<f64>>]) {
    let middle = |place: usize| {
        let figures: Vec<f64> = answers.iter().filter_map(|answer| answer[place]).collect();
        (!figures.is_empty()).then(|| median(figures))
    };
    let lines = [
        (0, "virtual seconds in a second of one core"),
        (1, "events in a second of one core"),
        (2, "MiB resident at most"),
        (3, "ms from a crash until all know"),
        (4, "bytes a node and member, settled"),
        (5, "bytes a node and member, after a crash"),
    ];
    for (place, what) in lines {
        if let Some(figure) = middle(place) {
            table.row(&format!("{}: {what}", row.name), &figure, row.how);
        }
    }
}

/// Asks the system's C library for memory in pages of two megabytes; others ignore it. A thousand nodes lie far
/// apart in memory, and with pages of 4 KiB the processor looks for many of them first.
const LARGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

/// Runs a row in a process of its own.
fn ask(name: &str) -> Vec<Option<f64>> {
    let program = env::current_exe().expect("this program has a path");
    let output = Command::new(program)
        .env(CHILD, name)
        .env(LARGE_PAGES.0, LARGE_PAGES.1)
        .stderr(Stdio::inherit())
        .output()
        .expect("this program runs");
    assert!(output.status.success(), "{name} failed");
    let text = String::from_utf8(output.stdout).expect("a child prints numbers");
    text.split_whitespace()
        .map(|figure| figure.parse().ok())
        .collect()
}

/// Prints the figures in the order of [`show`], `-` where there is none.
fn report(measured: &Measured) {
    let busy = measured.busy.as_secs_f64();
    let figures = [
        Some(measured.virtual_time.as_secs_f64() / busy),
        Some(measured.events as f64 / busy),
        memory("VmHWM:").map(|bytes| bytes as f64 / f64::from(1 << 20)),
        measured.known.map(|span| span.as_secs_f64() * 1_000.0),
        measured.pair_bytes.map(|(settled, _)| settled as f64),
        measured.pair_bytes.map(|(_, end)| end as f64),
    ];
    for figure in figures {
        match figure {
            Some(figure) => println!("{figure}"),
            None => println!("-"),
        }
    }
}

/// A line of this process's status in bytes; `None` where the system does not tell.
fn memory(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let rest = status.lines().find_map(|text| text.strip_prefix(line))?;
    let kibibytes: u64 = rest.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1_024)
}

/// A mesh in which nothing happens but membership.
trait Members {
    /// Lets so much virtual time pass.
    fn run_for(&mut self, span: Duration);
    /// Virtual time.
    fn now(&self) -> Time;
    /// How many events there were.
    fn events(&self) -> u64;
    /// Ends a node without a word.
    fn crash(&mut self, node: u16);
    /// Whether all others know that it is gone.
    fn all_know(&self, crashed: u16) -> bool;
}

/// Until a mesh that was put together has its links.
const SETTLING: Duration = Duration::from_secs(10);
/// For how long it is measured.
const CALM: Duration = Duration::from_secs(10);
/// After a crash.
const PATIENCE: Duration = Duration::from_secs(300);
/// How exactly it is seen when all know.
const STEP: Duration = Duration::from_millis(50);

/// Measures a calm mesh, then how long a crash in it takes to be known.
fn calm<M: Members>(count: u16, begin: fn(u16) -> M) -> Measured {
    let pairs = u64::from(count) * u64::from(count);
    let before = memory("VmRSS:");
    let grown = || Some(memory("VmRSS:")?.saturating_sub(before?) / pairs);
    let mut mesh = begin(count);
    mesh.run_for(SETTLING);
    let settled = grown();
    let (events, began) = (mesh.events(), mesh.now());
    let watch = Stopwatch::start();
    mesh.run_for(CALM);
    let (virtual_time, busy) = (mesh.now().since(began), watch.elapsed());
    let events = mesh.events() - events;

    let crashed = count / 2;
    mesh.crash(crashed);
    let at = mesh.now();
    while !mesh.all_know(crashed) && mesh.now().since(at) < PATIENCE {
        mesh.run_for(STEP);
    }
    Measured {
        virtual_time,
        busy,
        events,
        known: mesh.all_know(crashed).then(|| mesh.now().since(at)),
        pair_bytes: settled.zip(grown()),
    }
}

/// Takes the time that this thread spends on a processor; by the clock where the system does not tell.
struct Stopwatch {
    cpu: Option<Duration>,
    clock: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            cpu: cpu_time(),
            clock: Instant::now(),
        }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, cpu_time()) {
            (Some(from), Some(to)) => to.saturating_sub(from),
            (_, _) => self.clock.elapsed(),
        }
    }
}

fn cpu_time() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: u64 = text.split_whitespace().next()?.parse().ok()?;
    (nanos > 0).then(|| Duration::from_nanos(nanos))
}
