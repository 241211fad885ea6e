//! What happened, for people: a bounded log with consecutive numbers.

use crate::{
    kernel::{
        bounded::RingLog,
        time::{Time, WallTime},
    },
    node::{
        contract::{Notice, NoticeEntry},
        read::snapshot::TimelineEntry,
    },
};
use alloc::vec::Vec;

/// How many entries are kept; older ones are dropped and reported as a gap.
pub(in crate::node) const ENTRIES_MAX: usize = 4_096;

/// The entries after a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelinePage {
    /// Oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether older ones that were asked for are gone.
    pub gap: bool,
}

/// The log.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::node) struct Timeline {
    entries: RingLog<NoticeEntry>,
    last_id: u64,
}

impl Timeline {
    /// Nothing has happened yet.
    #[must_use]
    pub(in crate::node) const fn new() -> Self {
        Self {
            entries: RingLog::new(ENTRIES_MAX),
            last_id: 0,
        }
    }

    /// How many entries are kept.
    #[cfg(any(test, feature = "sim"))]
    pub(in crate::node) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Numbers and keeps a notice; answers it for the host.
    pub(in crate::node) fn add(&mut self, at: Time, wall: WallTime, notice: Notice) -> NoticeEntry {
        self.last_id = self.last_id.saturating_add(1);
        let entry = NoticeEntry {
            id: self.last_id,
            at,
            wall,
            notice,
        };
        self.entries.push(entry.clone());
        entry
    }

    /// The entries after `id`, oldest first, and whether older ones are gone; all that are kept for 0.
    pub(in crate::node) fn since(&self, id: u64) -> (impl Iterator<Item = &NoticeEntry>, bool) {
        let first = self.entries.iter().next();
        // Numbers are consecutive: a first entry beyond the next number means that some are gone.
        let gap = first.is_some_and(|first| first.id > id.saturating_add(1));
        (self.entries.iter().filter(move |entry| entry.id > id), gap)
    }

    /// The number of the newest entry; 0 if there is none.
    #[must_use]
    pub(in crate::node) const fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Entries dropped since the start.
    #[must_use]
    pub(in crate::node) const fn dropped(&self) -> u64 {
        self.entries.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(timeline: &mut Timeline) {
        timeline.add(Time::ZERO, WallTime::default(), Notice::StoreFull);
    }

    #[test]
    fn a_reader_that_comes_back_gets_exactly_what_it_missed() {
        let mut timeline = Timeline::new();
        (0..5).for_each(|_| add(&mut timeline));
        let (entries, gap) = timeline.since(3);
        assert_eq!(entries.map(|entry| entry.id).collect::<Vec<_>>(), [4, 5]);
        assert!(!gap && !timeline.since(0).1 && !timeline.since(5).1);
    }

    #[test]
    fn a_reader_that_was_away_too_long_is_told_of_the_gap() {
        let mut timeline = Timeline::new();
        (0..ENTRIES_MAX + 10).for_each(|_| add(&mut timeline));
        assert!(timeline.since(9).1);
        assert!(!timeline.since(10).1);
    }
}
