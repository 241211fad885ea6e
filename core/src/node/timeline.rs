//! What happened, for people: a bounded log with consecutive numbers.

use crate::{
    kernel::{
        bounded::RingLog,
        id::NodeId,
        time::{Duration, Time, WallTime},
    },
    node::snapshot::{Severity, TimelineEntry},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// How many entries are kept; older ones are dropped and reported as a gap.
pub const ENTRIES_MAX: usize = 4_096;

/// The entries after a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelinePage {
    /// Oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether older ones that were asked for are gone.
    pub gap: bool,
}

/// The log.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Timeline {
    entries: RingLog<TimelineEntry>,
    last_id: u64,
}

impl Timeline {
    /// Nothing has happened yet.
    #[must_use]
    pub(super) const fn new() -> Self {
        Self {
            entries: RingLog::new(ENTRIES_MAX),
            last_id: 0,
        }
    }

    /// How many entries are kept.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Numbers and keeps an entry; answers it for the host.
    pub(super) fn add(
        &mut self,
        (at, wall): (Time, WallTime),
        severity: Severity,
        code: &str,
        subject: Option<NodeId>,
        text: String,
    ) -> TimelineEntry {
        self.last_id = self.last_id.saturating_add(1);
        let entry = TimelineEntry {
            id: self.last_id,
            at,
            wall,
            severity,
            code: code.to_string(),
            subject,
            text,
        };
        self.entries.push(entry.clone());
        entry
    }

    /// The entries after `id`, oldest first; all that are kept for 0.
    #[must_use]
    pub(super) fn since(&self, id: u64) -> TimelinePage {
        let first = self
            .entries
            .iter()
            .next()
            .map_or(u64::MAX, |entry| entry.id);
        let entries = self
            .entries
            .iter()
            .filter(|entry| entry.id > id)
            .cloned()
            .collect();
        TimelinePage {
            entries,
            gap: first != u64::MAX && first > id.saturating_add(1),
        }
    }

    /// The number of the newest entry; 0 if there is none.
    #[cfg(feature = "recording")]
    #[must_use]
    pub(super) const fn last_id(&self) -> u64 {
        self.last_id
    }

    /// Entries dropped since the start.
    #[must_use]
    pub(super) const fn dropped(&self) -> u64 {
        self.entries.dropped()
    }
}

/// A span as a person says it: `40 ms`, `12 s`, `3 min`, `2 h`, `5 d`.
#[must_use]
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        172_800.. => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(timeline: &mut Timeline) {
        let at = (Time::ZERO, WallTime::default());
        timeline.add(at, Severity::Info, "test", None, String::new());
    }

    #[test]
    fn a_reader_that_comes_back_gets_exactly_what_it_missed() {
        let mut timeline = Timeline::new();
        (0..5).for_each(|_| add(&mut timeline));
        let page = timeline.since(3);
        assert_eq!(
            page.entries
                .iter()
                .map(|entry| entry.id)
                .collect::<Vec<_>>(),
            [4, 5]
        );
        assert!(!page.gap && !timeline.since(0).gap && !timeline.since(5).gap);
    }

    #[test]
    fn a_reader_that_was_away_too_long_is_told_of_the_gap() {
        let mut timeline = Timeline::new();
        (0..ENTRIES_MAX + 10).for_each(|_| add(&mut timeline));
        assert!(timeline.since(9).gap);
        assert!(!timeline.since(10).gap);
    }
}
