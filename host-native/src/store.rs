//! The native store: SQLite behind one thread.
//!
//! The core's effect is an atomic batch, then an acknowledgement. The thread takes what waits, puts
//! up to [`GROUP_MAX`] batches into one transaction (group commit), and acknowledges them in order
//! when the disk has them. If a group fails, its batches are tried one by one, so that only those
//! that don't fit are refused.
//!
//! The file is held in exclusive mode: no other process may open it while the node runs, and SQLite
//! needs no shared-memory file, which on a full disk could kill the process.

mod place;

use self::place::Place;
use crate::{
    data_dir::{full, private_file},
    exit::{Code, Failure, is_full},
    reserve::Reserve,
    vitals::Latency,
};
use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, params,
};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::Ticket,
        store::{StoreBatch, StoreOp, Stored},
    },
    node::contract::StoreInput,
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// The most batches in one transaction: more would make the first writer wait for the last.
const GROUP_MAX: usize = 256;
/// How many bytes of the write-ahead log may stay on disk after a checkpoint.
const LOG_BYTES_KEPT: u32 = 64 << 20;
/// SQLite's number for files that give room back when asked ("PRAGMA auto_vacuum").
const INCREMENTAL: u32 = 2;
/// How many free pages are given back to the disk at a time: a millisecond or two.
const PAGES_GIVEN_BACK: u32 = 64;
/// Between two of these times on a store that has nothing else to do.
const SHRINK_PAUSE: Duration = Duration::from_millis(5);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS journal (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL);
";

/// What the storage thread works with.
type Parts = (Connection, Reserve, Place);

/// An open store that no thread works on yet.
#[derive(Debug)]
pub(crate) struct Opened {
    connection: Connection,
    reserve: Reserve,
    place: Place,
    /// What it held.
    pub(crate) stored: Stored,
}

/// Opens or creates the store and reads everything.
///
/// # Errors
/// When the file can't be created, opened or read, or the disk is full.
pub(crate) fn open(path: &Path, reserve: &Reserve) -> Result<Opened, Failure> {
    // Created here and not by SQLite: the identity in it must be the owner's from the first moment.
    private_file().open(path).map_err(|error| {
        if is_full(&error) {
            return full(path);
        }
        let code = if error.kind() == std::io::ErrorKind::PermissionDenied {
            Code::NoPermission
        } else {
            Code::CannotCreate
        };
        Failure::new(
            code,
            format!(
                "the store {} can't be opened: {error}; change its owner or use another directory \
                 with --data",
                path.display()
            ),
        )
    })?;
    let connect = || -> rusqlite::Result<Opened> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(1))?;
        // Before the first access in WAL mode: only then the log's index is kept in the process's
        // memory (SQLite, "Write-Ahead Logging", section 8).
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // Before the first table: a new file is made so that it can shrink.
        connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode only `FULL` syncs the log at every commit: what was acknowledged has to
        // survive.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        connection.execute_batch(SCHEMA)?;
        let shrinks = make_shrinkable(&connection);
        if let Err(error) = shrinks {
            tracing::warn!(code = "store_vacuum", %error, "the store's file can't be made to shrink");
        }
        let stored = read_all(&connection)?;
        Ok(Opened {
            connection,
            reserve: reserve.clone(),
            place: Place::of(path),
            stored,
        })
    };
    connect()
        .or_else(|error| {
            // A full disk must not keep the node from starting: the reserve gives it room to open.
            if !is_space_error(&error) {
                return Err(error);
            }
            reserve.release();
            connect()
        })
        .map_err(|error| open_failure(path, &error))
}

/// A file of an earlier version never shrinks; it is written anew once.
fn make_shrinkable(connection: &Connection) -> rusqlite::Result<()> {
    let mode: u32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode == INCREMENTAL {
        return Ok(());
    }
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)?;
    connection.execute_batch("VACUUM")
}

fn open_failure(path: &Path, error: &rusqlite::Error) -> Failure {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => full(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::new(
            Code::Temporary,
            format!("another program holds the store {shown}; close it and start again"),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Failure::new(
            Code::Io,
            format!(
                "the store {shown} is damaged ({error}); move the data directory away and join the \
                 mesh again, or restore a copy of it"
            ),
        ),
        Some(_) | None if is_space_error(error) => full(path),
        Some(_) | None => Failure::new(
            Code::Io,
            format!("the store {shown} can't be read: {error}; check the disk"),
        ),
    }
}

fn read_all(connection: &Connection) -> rusqlite::Result<Stored> {
    let mut entries = connection.prepare("SELECT key, value FROM entries ORDER BY key")?;
    let entries = entries
        .query_map([], |row| {
            Ok((row.get(0)?, Bytes::from(row.get::<_, Vec<u8>>(1)?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut journal =
        connection.prepare("SELECT sequence, record FROM journal ORDER BY sequence")?;
    let journal = journal
        .query_map([], |row| {
            let sequence: i64 = row.get(0)?;
            Ok((
                sequence.cast_unsigned(),
                Bytes::from(row.get::<_, Vec<u8>>(1)?),
            ))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Stored { entries, journal })
}

/// What the thread is asked to do.
#[derive(Debug)]
enum Job {
    Persist(StoreBatch),
    Load { ticket: Ticket, sequences: Vec<u64> },
}

/// The storage thread, seen from the driver.
#[derive(Debug)]
pub(crate) struct Store {
    /// Unbounded by type; bounded by the core, which has a maximum of batches on the way.
    jobs: mpsc::Sender<Job>,
    thread: thread::JoinHandle<()>,
    /// How long commits took.
    pub(crate) latency: Arc<Latency>,
    /// Whether the file is being made smaller, bit by bit.
    pub(crate) is_shrinking: Arc<AtomicBool>,
}

impl Store {
    /// Starts the thread. Answers come through `done`: `Persisted`, `PersistFailed` or `Loaded`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        parts: Parts,
        done: tokio::sync::mpsc::Sender<StoreInput>,
    ) -> Result<Self, Failure> {
        let (connection, reserve, place) = parts;
        let (jobs, inbox) = mpsc::channel();
        let latency = Arc::new(Latency::default());
        let noted = Arc::clone(&latency);
        let is_shrinking = Arc::new(AtomicBool::new(false));
        let shrinking = Arc::clone(&is_shrinking);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                Worker {
                    connection,
                    reserve,
                    place,
                    done,
                    latency: noted,
                    is_shrinking: shrinking,
                }
                .run(&inbox)
            })
            .map_err(|error| Failure::new(Code::Io, format!("no thread for the store: {error}")))?;
        Ok(Self {
            jobs,
            thread,
            latency,
            is_shrinking,
        })
    }

    /// Makes a batch durable.
    pub(crate) fn persist(&self, batch: StoreBatch) {
        // A thread that is gone closes its answers, which the driver notices.
        let _ = self.jobs.send(Job::Persist(batch));
    }

    /// Reads journal records.
    pub(crate) fn load(&self, ticket: Ticket, sequences: Vec<u64>) {
        let _ = self.jobs.send(Job::Load { ticket, sequences });
    }

    /// Finishes what waits and closes the store. Blocks; drop the receiver of the answers first.
    pub(crate) fn finish(self) {
        drop(self.jobs);
        let _ = self.thread.join();
    }
}

impl Opened {
    /// Splits what was read from the connection.
    pub(crate) fn into_parts(self) -> (Parts, Stored) {
        ((self.connection, self.reserve, self.place), self.stored)
    }
}

struct Worker {
    connection: Connection,
    reserve: Reserve,
    place: Place,
    done: tokio::sync::mpsc::Sender<StoreInput>,
    latency: Arc<Latency>,
    /// The front of the journal was dropped, and its room is not given back yet.
    is_shrinking: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self, inbox: &mpsc::Receiver<Job>) {
        self.reserve.hold();
        self.serve(inbox);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(code = "store_close", %error, "the store did not close cleanly");
        }
    }

    /// Works until nobody can ask for anything any more.
    fn serve(&mut self, inbox: &mpsc::Receiver<Job>) {
        let mut group = Vec::new();
        loop {
            let patience = if self.is_shrinking() {
                SHRINK_PAUSE
            } else {
                place::LOOK_INTERVAL
            };
            let mut next = match inbox.recv_timeout(patience) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => {
                    self.shrink();
                    // A node that nobody writes to notices it too.
                    self.look();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            while let Some(job) = next.take() {
                match job {
                    Job::Persist(batch) => group.push(batch),
                    Job::Load { ticket, sequences } => {
                        self.persist_group(&mut group);
                        self.load(ticket, &sequences);
                    }
                }
                // Only what waits already: nobody's write is held back for others to come.
                if group.len() < GROUP_MAX {
                    next = inbox.try_recv().ok();
                }
            }
            self.persist_group(&mut group);
            self.shrink();
        }
    }

    /// Gives some free pages back to the disk, if the front of the journal was dropped.
    fn shrink(&mut self) {
        if !self.is_shrinking() || self.place.is_lost() {
            return;
        }
        let is_done = give_back(&self.connection).unwrap_or_else(|error| {
            tracing::warn!(code = "store_vacuum", %error, "the store's file does not shrink");
            true
        });
        self.is_shrinking.store(!is_done, Ordering::Release);
    }

    fn is_shrinking(&self) -> bool {
        self.is_shrinking.load(Ordering::Acquire)
    }

    fn persist_group(&mut self, group: &mut Vec<StoreBatch>) {
        if group.is_empty() {
            return;
        }
        let began = Instant::now();
        let together = persist(&mut self.connection, group);
        if together.is_ok() {
            self.latency.note(began.elapsed());
        }
        let mut ops = group.iter().flat_map(|batch| &batch.ops);
        if ops.any(|op| matches!(op, StoreOp::DropBefore { .. })) {
            // Before the answer: who hears that the front is gone finds this too.
            self.is_shrinking.store(true, Ordering::Release);
        }
        // Asked after the commit and before the first answer: what went into files that nobody finds
        // again is not acknowledged.
        if !self.look() {
            for batch in group.drain(..) {
                let (ticket, full) = (batch.ticket, false);
                self.answer(StoreInput::PersistFailed { ticket, full });
            }
            return;
        }
        for batch in group.drain(..) {
            // A group that failed left nothing behind, so each of its batches may be tried alone.
            let outcome = if together.is_ok() {
                together
            } else {
                self.persist_alone(&batch)
            };
            let ticket = batch.ticket;
            self.answer(match outcome {
                Ok(()) => StoreInput::Persisted(ticket),
                Err(Full(full)) => StoreInput::PersistFailed { ticket, full },
            });
        }
    }

    /// Whether the store's files are still at their place. Tells once that they are not.
    fn look(&mut self) -> bool {
        if self.place.is_lost() {
            return false;
        }
        let Some(path) = self.place.look() else {
            return true;
        };
        tracing::error!(
            code = "store_lost",
            path = %path.display(),
            "the store's file is gone or was replaced under the running node: nothing is written \
             any more; stop the node, put the data directory back and start it again"
        );
        // Before the answers: the core refuses all that waits for this reason.
        self.answer(StoreInput::Lost);
        false
    }

    /// Tries one batch. Only a batch without user data may use the reserve.
    fn persist_alone(&mut self, batch: &StoreBatch) -> Result<(), Full> {
        let outcome = persist(&mut self.connection, std::slice::from_ref(batch));
        // Appended records are the users' data. The rest is small and lets the node go on.
        let has_data = batch
            .ops
            .iter()
            .any(|op| matches!(op, StoreOp::Append { .. }));
        if outcome != Err(Full(true)) || has_data {
            return outcome;
        }
        self.reserve.release();
        let outcome = persist(&mut self.connection, std::slice::from_ref(batch));
        self.reserve.hold();
        outcome
    }

    fn load(&self, ticket: Ticket, sequences: &[u64]) {
        let mut records = Vec::new();
        for &sequence in sequences {
            match load_one(&self.connection, sequence) {
                Ok(Some(record)) => records.push((sequence, record)),
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(code = "store_read", sequence, %error, "a record can't be read");
                }
            }
        }
        self.answer(StoreInput::Loaded { ticket, records });
    }

    fn answer(&self, answer: StoreInput) {
        // Nobody listens any more only while the process stops.
        let _ = self.done.blocking_send(answer);
    }
}

/// A failed transaction: whether space ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Full(bool);

fn persist(connection: &mut Connection, batches: &[StoreBatch]) -> Result<(), Full> {
    let mut commit = || -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for op in batches.iter().flat_map(|batch| &batch.ops) {
            apply(&transaction, op)?;
        }
        transaction.commit()
    };
    commit().map_err(|error| {
        let full = is_space_error(&error);
        tracing::error!(code = "store_write", full, %error, "the store can't write");
        Full(full)
    })
}

/// Gives some free pages back to the disk; answers whether none is left.
fn give_back(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})");
    // A page goes with each step of the statement.
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    let free: u32 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    if free > 0 {
        return Ok(false);
    }
    // The pages went in the log; the file is cut off when the log is copied into it.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(true)
}

fn apply(transaction: &Transaction<'_>, op: &StoreOp) -> rusqlite::Result<()> {
    match op {
        StoreOp::Put { key, value } => transaction
            .prepare_cached("INSERT OR REPLACE INTO entries (key, value) VALUES (?1, ?2)")?
            .execute(params![key, &**value]),
        StoreOp::Delete { key } => transaction
            .prepare_cached("DELETE FROM entries WHERE key = ?1")?
            .execute(params![key]),
        StoreOp::Append { sequence, record } => transaction
            .prepare_cached("INSERT OR REPLACE INTO journal (sequence, record) VALUES (?1, ?2)")?
            .execute(params![sequence.cast_signed(), &**record]),
        StoreOp::Truncate { from } => transaction
            .prepare_cached("DELETE FROM journal WHERE sequence >= ?1")?
            .execute(params![from.cast_signed()]),
        StoreOp::DropBefore { before } => transaction
            .prepare_cached("DELETE FROM journal WHERE sequence < ?1")?
            .execute(params![before.cast_signed()]),
    }
    .map(|_| ())
}

fn load_one(connection: &Connection, sequence: u64) -> rusqlite::Result<Option<Bytes>> {
    connection
        .prepare_cached("SELECT record FROM journal WHERE sequence = ?1")?
        .query_row(params![sequence.cast_signed()], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .optional()
        .map(|record| record.map(Bytes::from))
}

/// SQLite says "full" when a page can't be added, but "input/output error" when the write-ahead log
/// or the shared memory can't grow; on a file system these come from a lack of space first of all.
fn is_space_error(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    error.sqlite_error().is_some_and(|found| {
        found.code == ErrorCode::DiskFull
            || matches!(
                found.extended_code,
                ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_TRUNCATE
            )
    })
}

#[cfg(test)]
mod tests;
