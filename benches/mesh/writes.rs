//! Durable writes per second, beside what the disk and two engines do alone.
//!
//! The engines commit a 100-byte value at a time, as a program would that has nothing but them. A put
//! is an HTTP request, a signed batch in a hash chain, and a group commit.

use redb::{Database, TableDefinition};
use rusqlite::{Connection, params};
use sporenet_benches::{Table, median};
use sporenet_tests::{http::Client, mesh::Mesh, relay::Relay};
use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(2);
/// Keys that are written over and over.
const KEYS: u64 = 10_000;
/// Commits before the first round, and the longest that they may take: on many disks the first write
/// to a block costs several times the second.
const WARM_UP: u64 = 10_000;
const WARM_UP_PATIENCE: Duration = Duration::from_secs(20);
const VALUE: &[u8] = &[b'v'; 100];

/// What is measured, how, and one round of it.
type Contender<'a> = (&'a str, &'a str, Box<dyn Fn() -> f64 + 'a>);

/// All engines and acknowledgement levels, round by round, so that the disk's moods fall on all.
pub(crate) fn measure(table: &mut Table) {
    let mesh = Mesh::of(2);
    let folder = TempDir::new().expect("a temporary folder");
    puts(&mesh.relays[0], "relay", 64);
    let mut runs: Vec<Contender<'_>> = vec![
        (
            "SQLite alone, commits/s",
            "WAL, synchronous=FULL, one by one",
            Box::new(sqlite(folder.path())),
        ),
        (
            "redb alone, commits/s",
            "default durability, one by one",
            Box::new(redb(folder.path())),
        ),
    ];
    for (ack, writers) in [("local", 1), ("local", 64), ("relay", 1), ("relay", 64)] {
        let what = match (ack, writers) {
            ("local", 1) => "puts/s, durable here, 1 writer",
            ("local", _) => "puts/s, durable here, 64 writers",
            (_, 1) => "puts/s, durable on another relay too, 1 writer",
            _ => "puts/s, durable on another relay too, 64 writers",
        };
        let relay = &mesh.relays[0];
        runs.push((
            what,
            "HTTP, connections kept",
            Box::new(move || puts(relay, ack, writers)),
        ));
    }
    let mut rates: Vec<Vec<f64>> = runs.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for ((_, _, run), rates) in runs.iter().zip(&mut rates) {
            rates.push(run());
        }
    }
    for ((what, how, _), rates) in runs.iter().zip(rates) {
        table.row(
            what,
            &median(rates),
            &format!("median of {ROUNDS} interleaved rounds; {how}"),
        );
    }
}

fn rate(mut write: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < SPAN {
        write(count);
        count += 1;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn warm_up(mut commit: impl FnMut(u64)) {
    let start = Instant::now();
    for number in 0..WARM_UP {
        if start.elapsed() > WARM_UP_PATIENCE {
            return;
        }
        commit(number);
    }
}

/// SQLite as the relay's store has it, with a file that has already grown.
fn sqlite(folder: &Path) -> impl Fn() -> f64 {
    let connection = Connection::open(folder.join("sqlite.db")).expect("a database opens");
    connection
        .execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE entries (key INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;",
        )
        .expect("a table is made");
    let commit = move |number: u64| {
        let key = i64::try_from(number % KEYS).expect("a small number");
        connection
            .prepare_cached("INSERT OR REPLACE INTO entries (key, value) VALUES (?1, ?2)")
            .and_then(|mut insert| insert.execute(params![key, VALUE]))
            .expect("a commit");
    };
    warm_up(&commit);
    move || rate(&commit)
}

/// redb, likewise.
fn redb(folder: &Path) -> impl Fn() -> f64 {
    const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
    let database = Database::create(folder.join("redb.db")).expect("a database opens");
    let commit = move |number: u64| {
        let transaction = database.begin_write().expect("a transaction");
        let mut table = transaction.open_table(ENTRIES).expect("a table");
        table.insert(number % KEYS, VALUE).expect("an insert");
        drop(table);
        transaction.commit().expect("a commit");
    };
    warm_up(&commit);
    move || rate(&commit)
}

fn puts(relay: &Relay, ack: &str, writers: usize) -> f64 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let token = relay.token();
    let start = Instant::now();
    let count: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(relay.address, &token);
                    let mut count = 0;
                    while start.elapsed() < SPAN {
                        let key = NEXT.fetch_add(1, Ordering::Relaxed)
                            % usize::try_from(KEYS).expect("a small number");
                        let path = format!("/api/v1/kv/bench/key-{key}?ack={ack}");
                        let status = client.put(&path, VALUE);
                        assert_eq!(status, 200, "a put is refused");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer ends"))
            .sum()
    });
    count as f64 / start.elapsed().as_secs_f64()
}
