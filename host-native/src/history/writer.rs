//! The history thread: takes records from a bounded queue, writes those that wait together, and removes
//! what is too old or too much.

use super::{
    record::Record,
    spool::{ALL_ROWS, Keep, Spool},
    state::{Dropped, State, Work},
};
use crate::{clock, config::HistorySettings};
use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

/// The most records in one transaction.
const GROUP_MAX: usize = 256;
/// How often hours are made and old records go.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// After how many new rows the size is looked at in between.
const SWEEP_ROWS: u64 = 1_000;
/// How long minutes of series are kept: nineteen series make 27,000 rows a day.
const MINUTES_MS: u64 = 7 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Keep this.
    Record(Box<Record>),
    /// Say when all before is written.
    Settle(Sender<()>),
    /// Write what waits, and end.
    Finish,
}

/// The thread's own things.
#[derive(Debug)]
pub(super) struct Writer {
    spool: Spool,
    state: Arc<State>,
    keep: Keep,
    has_target: bool,
    /// What the file has as the last row of a database.
    noted_row: u64,
    swept_at: Option<Instant>,
    swept_row: u64,
}

impl Writer {
    /// A writer of an open file.
    pub(super) fn new(spool: Spool, state: Arc<State>, settings: &HistorySettings) -> Self {
        let age_ms = u64::from(settings.keep_days.value).saturating_mul(DAY_MS);
        state.keep_ms.store(age_ms, Ordering::Relaxed);
        let keep = Keep {
            age_ms,
            minutes_ms: MINUTES_MS,
            bytes_max: settings.bytes_max.value.0,
            shipped_row: ALL_ROWS,
        };
        let has_target = settings.target.value.is_some();
        let mut writer = Self {
            spool,
            state,
            keep,
            has_target,
            noted_row: 0,
            swept_at: None,
            swept_row: 0,
        };
        let shipped = writer.spool.shipped();
        writer.noted_row = writer.checked(shipped).unwrap_or(0);
        writer.state.shipped_row.send_replace(writer.noted_row);
        writer.measure();
        writer
    }

    /// Works until it is told to end, or nobody is left who could tell it.
    pub(super) fn run(mut self, inbox: &Receiver<Job>) {
        let mut group = Vec::new();
        loop {
            self.sweep_if_due();
            let mut next = match inbox.recv_timeout(SWEEP_INTERVAL) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let (mut settled, mut is_over) = (Vec::new(), false);
            while let Some(job) = next.take() {
                match job {
                    Job::Record(record) => group.push(*record),
                    Job::Settle(done) => settled.push(done),
                    Job::Finish => is_over = true,
                }
                if group.len() < GROUP_MAX && !is_over {
                    next = inbox.try_recv().ok();
                }
            }
            self.write(&mut group);
            self.note_shipped();
            for done in settled {
                let _ = done.send(());
            }
            if is_over {
                break;
            }
        }
        self.spool.close();
    }

    fn write(&mut self, group: &mut Vec<Record>) {
        if group.is_empty() {
            return;
        }
        let mut stored = Vec::with_capacity(group.len());
        for record in group.drain(..) {
            match record.stored() {
                Some(record) => stored.push(record),
                None => self.state.count_dropped(Dropped::TooLarge, 1),
            }
        }
        let written = self.spool.write(&stored);
        if self.checked(written).is_some() {
            for record in &stored {
                self.state.count(record.kind, 1);
            }
        } else {
            let lost = stored.len() as u64;
            self.state.count_dropped(Dropped::NotWritten, lost);
        }
        self.measure();
    }

    /// Keeps in the file how far a database is.
    fn note_shipped(&mut self) {
        let row = *self.state.shipped_row.borrow();
        if row != self.noted_row {
            let noted = self.spool.note_shipped(row);
            if self.checked(noted).is_some() {
                self.noted_row = row;
            }
        }
    }

    fn sweep_if_due(&mut self) {
        let last = *self.state.last_row.borrow();
        let is_due = self
            .swept_at
            .is_none_or(|swept| swept.elapsed() >= SWEEP_INTERVAL);
        if !is_due && last.saturating_sub(self.swept_row) < SWEEP_ROWS {
            return;
        }
        (self.swept_at, self.swept_row) = (Some(Instant::now()), last);
        let now = clock::wall().as_millis();
        let hours = self.spool.roll_up(now);
        if let Some(hours) = self.checked(hours) {
            self.state.count(super::record::Kind::Hour, hours);
        }
        if self.has_target {
            self.keep.shipped_row = *self.state.shipped_row.borrow();
        }
        self.keep.age_ms = self.state.keep_ms.load(Ordering::Relaxed);
        let swept = self.spool.sweep(now, self.keep);
        if let Some(swept) = self.checked(swept) {
            self.state.expired.fetch_add(swept.rows, Ordering::Relaxed);
            if self.has_target {
                self.state
                    .count_dropped(Dropped::NotShipped, swept.unshipped);
            }
        }
        self.measure();
    }

    fn measure(&self) {
        let extent = self.spool.extent();
        if let Some(extent) = self.checked(extent) {
            let state = &self.state;
            state.bytes.store(extent.bytes, Ordering::Relaxed);
            state.first_row.store(extent.first_row, Ordering::Relaxed);
            let has_moved = *state.last_row.borrow() != extent.last_row;
            if has_moved && extent.last_row > 0 {
                state.last_row.send_replace(extent.last_row);
            }
        }
    }

    /// What succeeded; notes what did not, and logs where an outage begins and ends.
    fn checked<T>(&self, outcome: rusqlite::Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => {
                if self.state.works(Work::Writing) {
                    tracing::info!(code = "history_written", "history is written again");
                }
                Some(value)
            }
            Err(error) => {
                let now = clock::wall().as_millis();
                if self.state.failed(Work::Writing, now, error.to_string()) {
                    tracing::error!(code = "history_write", %error, "history can't be written");
                }
                None
            }
        }
    }
}
