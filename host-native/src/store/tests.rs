//! SQLite before the judge of all stores, and what only this store promises.

use super::*;
use sporenet_core::kernel::rng::Rng;
use sporenet_tests::store::{
    Answer, Fault, append, at_once, batch,
    cases::{LARGE, cases},
    drawn::{self, Crash},
    drop_before, judged, put,
};
use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

/// The most pages of a file with a limit beyond what it has: less than a large value takes.
const PAGES_FREE: u32 = 8;
/// SQLite's own limit.
const PAGES_MAX: u32 = 0xffff_fffe;
/// What a disk writes as a whole.
const SECTOR: usize = 512;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sporenet-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("node.db")
    }

    fn log(&self) -> PathBuf {
        self.0.join("node.db-wal")
    }

    fn reserve(&self) -> Reserve {
        Reserve::at(self.0.join("reserve"))
    }

    fn open(&self) -> (Parts, Stored) {
        open(&self.file(), &self.reserve()).unwrap().into_parts()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The worker of the storage thread, on the test's own.
struct Sqlite {
    worker: Worker,
    answers: tokio::sync::mpsc::Receiver<StoreInput>,
    pages_max: u32,
    scratch: Scratch,
}

impl Default for Sqlite {
    fn default() -> Self {
        Self::at(Scratch::new()).0
    }
}

impl Sqlite {
    fn at(scratch: Scratch) -> (Self, Stored) {
        let ((connection, reserve, place), stored) = scratch.open();
        let (done, answers) = tokio::sync::mpsc::channel(1_024);
        let worker = Worker {
            connection,
            reserve,
            place,
            done,
            latency: Arc::default(),
            is_shrinking: Arc::default(),
        };
        let store = Self {
            worker,
            answers,
            pages_max: PAGES_MAX,
            scratch,
        };
        (store, stored)
    }

    /// Gives the worker jobs that all wait before it looks, and takes its answers.
    fn serve(&mut self, jobs: impl IntoIterator<Item = Job>) -> Vec<StoreInput> {
        let (asks, inbox) = mpsc::channel();
        for job in jobs {
            asks.send(job).unwrap();
        }
        drop(asks);
        self.worker.serve(&inbox);
        std::iter::from_fn(|| self.answers.try_recv().ok()).collect()
    }

    fn set(&self, pragma: &str, value: u32) {
        // Some answer with the new value.
        let connection = &self.worker.connection;
        connection
            .pragma_update_and_check(None, pragma, value, |_| Ok(()))
            .or_else(|_| connection.pragma_update(None, pragma, value))
            .unwrap();
    }

    fn pages(&self) -> u32 {
        let count = |row: &rusqlite::Row<'_>| row.get(0);
        let connection = &self.worker.connection;
        connection
            .pragma_query_value(None, "page_count", count)
            .unwrap()
    }

    fn files(&self) -> [Vec<u8>; 2] {
        [self.scratch.file(), self.scratch.log()].map(|path| fs::read(path).unwrap_or_default())
    }
}

impl sporenet_tests::store::Store for Sqlite {
    const FAULTS: &'static [Fault] = &[Fault::Full, Fault::Failing];

    async fn write(&mut self, batches: &[StoreBatch]) -> Vec<Answer> {
        let answers = self.serve(batches.iter().cloned().map(Job::Persist));
        let answer = |command| {
            if let StoreInput::Persisted(ticket) = command {
                return Answer::Kept(ticket);
            }
            let StoreInput::PersistFailed { ticket, full } = command else {
                panic!("{command:?} for a batch");
            };
            Answer::Refused { ticket, full }
        };
        answers.into_iter().map(answer).collect()
    }

    async fn load(&mut self, sequences: &[u64]) -> Vec<(u64, Bytes)> {
        let sequences = sequences.to_vec();
        let ticket = Ticket(7);
        let mut answers = self.serve([Job::Load { ticket, sequences }]);
        let answer = answers.pop();
        let Some(StoreInput::Loaded { records, .. }) = answer else {
            panic!("{answer:?} for a load");
        };
        records
    }

    async fn reopen(&mut self) -> Stored {
        let connection = Connection::open_in_memory().unwrap();
        let open = std::mem::replace(&mut self.worker.connection, connection);
        open.close().unwrap();
        let ((connection, _, place), stored) = self.scratch.open();
        self.worker.connection = connection;
        self.worker.place = place;
        self.set("max_page_count", self.pages_max);
        stored
    }

    async fn set_fault(&mut self, fault: Option<Fault>) {
        self.pages_max = match fault {
            Some(Fault::Full) => self.pages() + PAGES_FREE,
            Some(Fault::Failing) | None => PAGES_MAX,
        };
        self.set("max_page_count", self.pages_max);
        self.set("query_only", u32::from(fault == Some(Fault::Failing)));
    }
}

impl Crash for Sqlite {
    /// What was not acknowledged may have reached the disk up to any byte, and of what lies beyond
    /// any sector may have, as after a loss of power.
    fn crash(&mut self, open: &[StoreBatch], moment: u64) -> Stored {
        let mut rng = Rng::from_number(moment);
        let [file, log] = self.files();
        let together = rng.below(2) == 0;
        let group = if together { open.len().max(1) } else { 1 };
        for group in open.chunks(group) {
            self.serve(group.iter().cloned().map(Job::Persist));
        }
        let [file_after, log_after] = self.files();
        let kept = if file_after != file || !log_after.starts_with(&log) {
            // The log was copied into the file meanwhile and begins anew: all of it, or nothing.
            [[file, log], [file_after, log_after]][rng.index(2)].clone()
        } else {
            let cut = log.len() + rng.index(log_after.len() - log.len() + 1);
            let mut kept = log_after;
            for sector in kept[cut..].chunks_mut(SECTOR) {
                if rng.below(2) == 0 {
                    sector.fill(0);
                }
            }
            [file, kept]
        };
        let scratch = Scratch::new();
        fs::write(scratch.file(), &kept[0]).unwrap();
        fs::write(scratch.log(), &kept[1]).unwrap();
        let (store, stored) = Self::at(scratch);
        *self = store;
        stored
    }
}

#[test]
fn it_does_what_every_store_must() {
    for case in cases(&[Fault::Full, Fault::Failing]) {
        assert_eq!(at_once(judged(&case, &mut Sqlite::default())), Ok(()));
    }
}

#[test]
fn it_agrees_with_the_model_over_crashes() {
    assert_eq!(drawn::draw::<Sqlite>(60), Ok(()));
}

#[test]
fn without_room_it_refuses_only_what_does_not_fit() {
    use sporenet_tests::store::Store;
    let mut store = Sqlite::default();
    at_once(store.set_fault(Some(Fault::Full)));
    let large = append(2, &vec![2; LARGE]);
    let answers = at_once(store.write(&[
        batch(1, vec![append(1, &[1; 100])]),
        batch(2, vec![large]),
        batch(3, vec![put("meta/a", b"x")]),
    ]));
    let refused = Answer::Refused {
        ticket: Ticket(2),
        full: true,
    };
    assert_eq!(
        answers,
        [Answer::Kept(Ticket(1)), refused, Answer::Kept(Ticket(3))]
    );
}

#[test]
fn its_thread_finishes_what_waits_before_it_closes() {
    let scratch = Scratch::new();
    let (parts, stored) = scratch.open();
    assert_eq!(stored, Stored::default());
    let (done, mut answers) = tokio::sync::mpsc::channel(8);
    let store = Store::start(parts, done).unwrap();
    store.persist(batch(1, vec![append(1, b"one")]));
    store.persist(batch(2, vec![append(2, b"two")]));
    store.load(Ticket(3), vec![2, 9]);
    store.persist(batch(4, vec![append(3, b"three")]));
    store.finish();
    let loaded = StoreInput::Loaded {
        ticket: Ticket(3),
        records: vec![(2, b"two".as_slice().into())],
    };
    for expected in [
        StoreInput::Persisted(Ticket(1)),
        StoreInput::Persisted(Ticket(2)),
        loaded,
        StoreInput::Persisted(Ticket(4)),
    ] {
        assert_eq!(answers.blocking_recv(), Some(expected));
    }
    assert_eq!(scratch.open().1.journal.len(), 3);
}

#[test]
fn room_of_a_front_that_was_dropped_goes_back_to_the_disk() {
    let mut store = Sqlite::default();
    let size = |store: &Sqlite| {
        let files = [store.scratch.file(), store.scratch.log()];
        files
            .map(|path| fs::metadata(path).unwrap().len())
            .iter()
            .sum::<u64>()
    };
    for sequence in 1..=100 {
        store.serve([Job::Persist(batch(
            sequence,
            vec![append(sequence, &[7; 65_536])],
        ))]);
    }
    assert!(size(&store) > 6 << 20);
    store.serve([Job::Persist(batch(101, vec![drop_before(100)]))]);
    let mut times = 0;
    while store.worker.is_shrinking() {
        store.worker.shrink();
        times += 1;
    }
    assert!(times > 10, "{times}: a little at a time");
    assert!(size(&store) < 200_000, "{} bytes", size(&store));
}

#[test]
fn a_file_of_an_earlier_version_is_made_to_shrink() {
    let scratch = Scratch::new();
    let old = Connection::open(scratch.file()).unwrap();
    old.execute_batch(SCHEMA).unwrap();
    let add = "INSERT INTO journal VALUES (?1, ?2)";
    old.execute(add, params![1, &[7_u8; 9][..]]).unwrap();
    old.close().unwrap();
    let (store, stored) = Sqlite::at(scratch);
    assert_eq!(stored.journal, [(1, Bytes::from(&[7; 9][..]))]);
    let mode = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
    let connection = &store.worker.connection;
    let mode = connection.pragma_query_value(None, "auto_vacuum", mode);
    assert_eq!(mode.unwrap(), INCREMENTAL);
}

#[test]
fn a_file_that_is_no_store_is_refused_with_advice() {
    let scratch = Scratch::new();
    fs::write(scratch.file(), [7; 8192]).unwrap();
    let refused = open(&scratch.file(), &scratch.reserve()).unwrap_err();
    assert_eq!(refused.code, Code::Io);
    assert!(refused.message.contains("damaged"), "{refused}");
}

#[test]
fn what_went_into_files_that_are_gone_is_not_acknowledged() {
    for lose in [
        (|scratch: &Scratch| fs::remove_dir_all(&scratch.0).unwrap()) as fn(&Scratch),
        |scratch| fs::rename(scratch.file(), scratch.0.join("moved")).unwrap(),
        |scratch| fs::remove_file(scratch.log()).unwrap(),
        |scratch| {
            fs::copy(scratch.file(), scratch.0.join("copy")).unwrap();
            fs::rename(scratch.0.join("copy"), scratch.file()).unwrap();
        },
    ] {
        let mut store = Sqlite::default();
        let kept = store.serve([Job::Persist(batch(1, vec![put("a", b"1")]))]);
        assert_eq!(kept, [StoreInput::Persisted(Ticket(1))]);
        lose(&store.scratch);
        let second = [2, 3].map(|ticket| Job::Persist(batch(ticket, vec![put("b", b"2")])));
        let refused = |ticket| StoreInput::PersistFailed {
            ticket: Ticket(ticket),
            full: false,
        };
        let answers = store.serve(second);
        assert_eq!(answers, [StoreInput::Lost, refused(2), refused(3)]);
    }
}
