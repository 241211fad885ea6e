//! What history counts, and what keeps it from its work.

use super::record::Kind;
use serde::{Deserialize, Serialize};
use sporenet_core::kernel::metrics::Metric;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Why a record is not kept, or not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// The queue to the history thread was full.
    QueueFull,
    /// Strangers caused too many of its kind.
    Flood,
    /// It was larger than a record may be.
    TooLarge,
    /// The disk did not take it.
    NotWritten,
    /// It had to go from the file before a database had it.
    NotShipped,
    /// The database refused it for what is in it.
    Refused,
}

impl Dropped {
    const ALL: [Self; 6] = [
        Self::QueueFull,
        Self::Flood,
        Self::TooLarge,
        Self::NotWritten,
        Self::NotShipped,
        Self::Refused,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Flood => "flood",
            Self::TooLarge => "too_large",
            Self::NotWritten => "not_written",
            Self::NotShipped => "not_shipped",
            Self::Refused => "refused",
        }
    }
}

/// What fails, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// Since when, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// What was said last.
    pub(crate) what: String,
}

/// A work that may fail for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Writing the file.
    Writing,
    /// Copying to a database.
    Shipping,
}

/// Counters, places and troubles, shared by the threads of history.
#[derive(Debug)]
pub(super) struct State {
    records: [AtomicU64; Kind::ALL.len()],
    dropped: [AtomicU64; Dropped::ALL.len()],
    errors: [AtomicU64; 2],
    troubles: [Mutex<Option<Trouble>>; 2],
    /// How long rows are kept, in milliseconds.
    pub(super) keep_ms: AtomicU64,
    /// Rows that retention removed.
    pub(super) expired: AtomicU64,
    /// Rows that a database took.
    pub(super) shipped: AtomicU64,
    /// Bytes of the file and its log.
    pub(super) bytes: AtomicU64,
    /// The oldest row.
    pub(super) first_row: AtomicU64,
    /// The newest row.
    pub(super) last_row: watch::Sender<u64>,
    /// The last row that a database has.
    pub(super) shipped_row: watch::Sender<u64>,
}

impl State {
    /// Nothing counted yet.
    pub(super) fn new() -> Self {
        Self {
            records: Default::default(),
            dropped: Default::default(),
            errors: Default::default(),
            troubles: Default::default(),
            keep_ms: AtomicU64::default(),
            expired: AtomicU64::default(),
            shipped: AtomicU64::default(),
            bytes: AtomicU64::default(),
            first_row: AtomicU64::default(),
            last_row: watch::Sender::new(0),
            shipped_row: watch::Sender::new(0),
        }
    }

    /// Counts records that were written.
    pub(super) fn count(&self, kind: Kind, many: u64) {
        add(&self.records, kind as usize, many);
    }

    /// Counts records that are not kept or not copied.
    pub(super) fn count_dropped(&self, why: Dropped, many: u64) {
        add(&self.dropped, why as usize, many);
    }

    /// How many records are not kept or not copied, for one reason.
    #[cfg(test)]
    pub(super) fn dropped(&self, why: Dropped) -> u64 {
        self.dropped[why as usize].load(Ordering::Relaxed)
    }

    /// Notes that a work failed; answers whether it did not fail before.
    pub(super) fn failed(&self, work: Work, now_ms: u64, what: String) -> bool {
        add(&self.errors, work as usize, 1);
        let Some(trouble) = self.troubles.get(work as usize) else {
            return false;
        };
        let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let since_ms = trouble.as_ref().map_or(now_ms, |earlier| earlier.since_ms);
        trouble.replace(Trouble { since_ms, what }).is_none()
    }

    /// Notes that a work succeeds; answers whether it failed before.
    pub(super) fn works(&self, work: Work) -> bool {
        let Some(trouble) = self.troubles.get(work as usize) else {
            return false;
        };
        let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.take().is_some()
    }

    /// What keeps a work from being done.
    pub(super) fn trouble(&self, work: Work) -> Option<Trouble> {
        let trouble = self.troubles.get(work as usize)?;
        let trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone()
    }

    /// How many rows no database has yet; alerts and incidents that went on count more than once.
    pub(super) fn pending(&self) -> u64 {
        let gone = self.first_row.load(Ordering::Relaxed).saturating_sub(1);
        let last = *self.last_row.borrow();
        last.saturating_sub(gone.max(*self.shipped_row.borrow()))
    }

    /// For `/metrics`; what is about a database only where there is one.
    pub(super) fn metrics(&self, has_target: bool) -> Vec<Metric> {
        let mut all = Vec::new();
        let mut put = |name, help, counter, label: Option<(&'static str, &str)>, value: u64| {
            all.push(Metric {
                name,
                help,
                counter,
                label: label.map(|(label, word)| (label, word.to_owned())),
                value: crate::http::as_f64(value),
            });
        };
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        for (kind, many) in Kind::ALL.iter().zip(&self.records) {
            let label = Some(("kind", kind.name()));
            let help = "Records that history wrote";
            put("sporenet_history_records", help, true, label, load(many));
        }
        for (why, many) in Dropped::ALL.iter().zip(&self.dropped) {
            let label = Some(("reason", why.name()));
            let help = "Records that history did not keep or copy";
            put("sporenet_history_dropped", help, true, label, load(many));
        }
        for (work, many) in ["write", "ship"].into_iter().zip(&self.errors) {
            let label = Some(("work", work));
            let help = "Failed attempts to write or copy history";
            put("sporenet_history_errors", help, true, label, load(many));
        }
        let help = "Records that went because of their age or the size of the file";
        put(
            "sporenet_history_expired",
            help,
            true,
            None,
            load(&self.expired),
        );
        let help = "Bytes of history.db";
        put(
            "sporenet_history_bytes",
            help,
            false,
            None,
            load(&self.bytes),
        );
        if has_target {
            let help = "Records that the database took";
            put(
                "sporenet_history_shipped",
                help,
                true,
                None,
                load(&self.shipped),
            );
            let help = "Records that wait for the database";
            put(
                "sporenet_history_pending",
                help,
                false,
                None,
                self.pending(),
            );
        }
        all
    }
}

fn add<const N: usize>(numbers: &[AtomicU64; N], index: usize, many: u64) {
    if let Some(number) = numbers.get(index) {
        number.fetch_add(many, Ordering::Relaxed);
    }
}
