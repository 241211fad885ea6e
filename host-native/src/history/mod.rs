//! History: what happened, who did what, and how series went, kept beyond the node's memory.
//!
//! A relay writes it to `history.db` in its data directory, and copies it to a PostgreSQL database if one
//! is named. The file always comes first: a database that does not answer, or a relay that restarts,
//! leaves no hole and doubles nothing.
//!
//! | file | what lives there |
//! |---|---|
//! | `record` | the kinds of records, and what each holds |
//! | `spool` | the file: tables, retention, hours of series |
//! | `read` | pages of the file, and what waits for a database |
//! | `writer` | the one thread that writes |
//! | `state` | counters, and what does not work |
//! | `minutes` | minutes of series, from the node's own store |
//! | `target`, `tls` | the database's address, and how far it is trusted |
//! | `postgres` | the database's tables, and rows on their way into them |
//! | `ship` | the task that copies: where it is, when it tries again |
//!
//! Invariants: nothing here makes the node wait. Every queue has a bound, and what does not fit is
//! counted. A place in the database moves in the same transaction as the rows before it.
//!
//! Not here: no decision about alerts or incidents. The core makes them; history keeps what it is told.

pub(crate) mod minutes;
mod postgres;
pub(crate) mod read;
pub(crate) mod record;
mod ship;
mod spool;
pub(crate) mod state;
pub(crate) mod target;
mod tls;
mod writer;

use crate::{clock, config::HistorySettings, exit::Failure, links::tls::all_certificates};
use read::{Page, Reader, Wanted};
use record::{Audit, Event, Record};
use serde::{Deserialize, Serialize};
use spool::Spool;
use sporenet_core::{
    kernel::{id::NodeId, metrics::Metric},
    node::{Node, snapshot::TimelineEntry},
};
use state::{Dropped, State, Trouble, Work};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::time::timeout;
use writer::{Job, Writer};

/// Records that wait for the history thread; what comes while it is full is dropped and counted. A
/// thread that writes a few thousand a second has a second's worth of a storm in it.
const QUEUE_MAX: usize = 4_096;
/// How long an orderly stop waits for a database to take the last rows.
const LAST_ROWS_PATIENCE: Duration = Duration::from_millis(500);
/// Entries of a kind that strangers can cause, in one go; and how long one more takes to be allowed.
const FLOOD_BURST: u32 = 100;
const FLOOD_INTERVAL: Duration = Duration::from_secs(10);

/// Why there is no history where nobody wants one.
pub(crate) const SWITCHED_OFF: &str = "it is switched off";

/// The way to history. Cheap to clone; nothing of it waits but what says so.
#[derive(Clone, Debug)]
pub(crate) struct History(Result<Arc<Running>, Arc<str>>);

#[derive(Debug)]
struct Running {
    jobs: SyncSender<Job>,
    state: Arc<State>,
    path: PathBuf,
    /// The database, without its password.
    target: Option<String>,
    instance: u64,
    /// Whether the mesh says for how long rows are kept.
    follows_mesh: bool,
    /// Audit lines of this run.
    audits: AtomicU64,
    flood: Mutex<Flood>,
    thread: Mutex<Option<JoinHandle<()>>>,
    shipper: Option<tokio::task::AbortHandle>,
}

/// How history is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Whether it is kept.
    pub(crate) on: bool,
    /// Why not, if it is not.
    pub(crate) off_because: Option<String>,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// What keeps it from being written.
    pub(crate) writing: Option<Trouble>,
    /// The database, without its password.
    pub(crate) target: Option<String>,
    /// Rows that wait for it.
    pub(crate) pending: u64,
    /// What keeps it from taking them.
    pub(crate) shipping: Option<Trouble>,
}

impl History {
    /// No history, and why.
    pub(crate) fn off(why: &str) -> Self {
        Self(Err(why.into()))
    }

    /// Opens the file and starts to write, and to copy if a database is named. A file that can't be
    /// opened is logged: the node runs without history then. Call it inside the runtime.
    ///
    /// # Errors
    /// When a file of authorities can't be read.
    pub(crate) fn start(
        settings: &HistorySettings,
        authorities: &[PathBuf],
        path: &Path,
        node: &Node,
    ) -> Result<Self, Failure> {
        if !settings.on.value {
            return Ok(Self::off(SWITCHED_OFF));
        }
        let opened = open(path).and_then(|spool| {
            let state = Arc::new(State::new());
            let spool_id = spool.id.clone();
            let writer = Writer::new(spool, Arc::clone(&state), settings);
            let (jobs, inbox) = mpsc::sync_channel(QUEUE_MAX);
            let thread = thread::Builder::new()
                .name("history".to_owned())
                .spawn(move || writer.run(&inbox))
                .map_err(|error| format!("there is no thread for it: {error}"))?;
            Ok((state, spool_id, jobs, thread))
        });
        let (state, spool, jobs, thread) = match opened {
            Ok(opened) => opened,
            Err(why) => {
                let path = path.display();
                tracing::error!(code = "history_off", %path, why, "the node runs without history");
                return Ok(Self::off(&format!("{path} can't be used: {why}")));
            }
        };
        let target = settings.target.value.as_ref();
        let shipper = match target {
            Some(target) => {
                let shipper = ship::Shipper::new(
                    target.clone(),
                    &all_certificates(authorities)?,
                    path.to_owned(),
                    (node.id().to_string(), spool),
                    Arc::clone(&state),
                );
                Some(tokio::spawn(shipper.run()).abort_handle())
            }
            None => None,
        };
        Ok(Self(Ok(Arc::new(Running {
            jobs,
            state,
            path: path.to_owned(),
            target: target.map(ToString::to_string),
            instance: node.instance().0,
            follows_mesh: settings.keep_days.is_default(),
            audits: AtomicU64::new(0),
            flood: Mutex::new(Flood::new(Instant::now())),
            thread: Mutex::new(Some(thread)),
            shipper,
        }))))
    }

    /// Whether it is kept.
    pub(crate) const fn is_on(&self) -> bool {
        self.0.is_ok()
    }

    /// Keeps rows for so long from now on, in milliseconds, unless this relay's own settings say for how long.
    pub(crate) fn keep_for(&self, age_ms: u64) {
        if let Ok(running) = &self.0
            && running.follows_mesh
        {
            running.state.keep_ms.store(age_ms, Ordering::Relaxed);
        }
    }

    /// Keeps a record; drops and counts it when the queue is full.
    pub(crate) fn record(&self, record: Record) {
        let Ok(running) = &self.0 else {
            return;
        };
        match running.jobs.try_send(Job::Record(Box::new(record))) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                running.state.count_dropped(Dropped::QueueFull, 1);
            }
        }
    }

    /// Keeps an entry of the timeline. Of those that strangers at the port can cause at will, so many
    /// that they can't push all others out of the file.
    pub(crate) fn event(&self, entry: TimelineEntry) {
        let Ok(running) = &self.0 else {
            return;
        };
        let is_strangers = matches!(entry.code.as_str(), "link_refused" | "dial_failed");
        if is_strangers && !locked(&running.flood).admits(Instant::now()) {
            running.state.count_dropped(Dropped::Flood, 1);
            return;
        }
        let instance = running.instance;
        self.record(Record::Event(Event { instance, entry }));
    }

    /// Keeps what somebody did: an act's stable word, who asked, the member that it is about, what exactly
    /// (never a secret), and `done` or the code of the refusal.
    pub(crate) fn audit(
        &self,
        action: &'static str,
        who: &str,
        node: Option<NodeId>,
        detail: String,
        outcome: &'static str,
    ) {
        let Ok(running) = &self.0 else {
            return;
        };
        let number = running.audits.fetch_add(1, Ordering::Relaxed);
        self.record(Record::Audit(Audit {
            key: (running.instance, number),
            at_ms: clock::wall().as_millis(),
            action,
            who: who.to_owned(),
            node,
            detail,
            outcome,
        }));
    }

    /// Reads a page of the file. Blocks on the disk; never holds up who writes.
    ///
    /// # Errors
    /// When there is no history, or the file can't be read: in words.
    pub(crate) fn page(&self, wanted: &Wanted) -> Result<Page, String> {
        let running = self.0.as_ref().map_err(ToString::to_string)?;
        Reader::open(&running.path)
            .and_then(|reader| reader.page(wanted))
            .map_err(|error| error.to_string())
    }

    /// How it is.
    pub(crate) fn status(&self) -> Status {
        let running = match &self.0 {
            Ok(running) => running,
            Err(why) => {
                return Status {
                    on: false,
                    off_because: Some(why.to_string()),
                    bytes: 0,
                    writing: None,
                    target: None,
                    pending: 0,
                    shipping: None,
                };
            }
        };
        let state = &running.state;
        let has_target = running.target.is_some();
        Status {
            on: true,
            off_because: None,
            bytes: state.bytes.load(Ordering::Relaxed),
            writing: state.trouble(Work::Writing),
            target: running.target.clone(),
            pending: if has_target { state.pending() } else { 0 },
            shipping: state.trouble(Work::Shipping),
        }
    }

    /// What it counts, for `/metrics`.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        let of = |running: &Arc<Running>| running.state.metrics(running.target.is_some());
        self.0.as_ref().map(of).unwrap_or_default()
    }

    /// Writes what waits, gives a database that answers a moment to take it, and closes the file.
    pub(crate) async fn finish(&self) {
        let Ok(running) = self.0.clone() else {
            return;
        };
        let (done, settled) = mpsc::channel();
        let to_settle = Arc::clone(&running);
        let settling = tokio::task::spawn_blocking(move || {
            if to_settle.jobs.send(Job::Settle(done)).is_ok() {
                let _ = settled.recv();
            }
        });
        let _ = settling.await;
        if let Some(shipper) = &running.shipper {
            if running.state.trouble(Work::Shipping).is_none() {
                let last = *running.state.last_row.borrow();
                let mut shipped = running.state.shipped_row.subscribe();
                let all = shipped.wait_for(|row| *row >= last);
                let _ = timeout(LAST_ROWS_PATIENCE, all).await;
            }
            shipper.abort();
        }
        let end = move || {
            let _ = running.jobs.send(Job::Finish);
            if let Some(thread) = locked(&running.thread).take() {
                let _ = thread.join();
            }
        };
        let _ = tokio::task::spawn_blocking(end).await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(path: &Path) -> Result<Spool, String> {
    let entropy = clock::entropy().ok_or("the operating system gives no random numbers")?;
    let fresh = entropy.iter().take(16).map(|byte| format!("{byte:02x}"));
    let (spool, aside) = Spool::open(path, &fresh.collect::<String>())?;
    if let Some(aside) = aside {
        tracing::error!(
            code = "history_damaged",
            aside = %aside.display(),
            "history.db is damaged: it was set aside, and a new one begins"
        );
    }
    Ok(spool)
}

/// A bucket of tokens for what strangers cause.
#[derive(Clone, Copy, Debug)]
struct Flood {
    tokens: u32,
    filled_at: Instant,
}

impl Flood {
    const fn new(now: Instant) -> Self {
        Self {
            tokens: FLOOD_BURST,
            filled_at: now,
        }
    }

    fn admits(&mut self, now: Instant) -> bool {
        while self.tokens < FLOOD_BURST && now.duration_since(self.filled_at) >= FLOOD_INTERVAL {
            self.tokens += 1;
            self.filled_at += FLOOD_INTERVAL;
        }
        if self.tokens == FLOOD_BURST {
            self.filled_at = now;
        }
        let admitted = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        admitted
    }
}

#[cfg(test)]
mod tests;
