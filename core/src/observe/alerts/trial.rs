//! One rule applied to one value over time: when it fires, and when it ends.
//!
//! | state | value | then |
//! |---|---|---|
//! | quiet | beyond a threshold | pending |
//! | pending | beyond it for the rule's duration and samples | fires |
//! | pending | fine | quiet |
//! | fires | beyond the next threshold for the duration | fires at that level |
//! | fires | come back by the hysteresis, for the duration | ends |
//! | ended by hand | fine once | quiet |
//! | any | unknown | as it was |
//!
//! What fired too often ends only after it was fine for half of the window: it is flapping, and counts as
//! one alert.

use super::rule::{Level, Rule};
use crate::kernel::time::{Duration, Time};
use alloc::collections::VecDeque;
use serde::{Deserialize, Serialize};

/// The longest time that a value has to be fine before an alert ends, unless it flaps.
const CALM_MAX: Duration = Duration::from_secs(10);
/// The most firings that are remembered, as many as `alerts.flap_count` may be.
const FIRED_MAX: usize = 100;

/// A value that is beyond a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Beyond {
    since: Time,
    samples: u16,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trial {
    warn: Option<Beyond>,
    critical: Option<Beyond>,
    pub(super) fires: Option<Level>,
    calm_since: Option<Time>,
    /// A person ended it: it may not fire before it was fine once.
    held: bool,
    /// When it fired lately, the oldest first.
    fired: VecDeque<Time>,
    pub(super) seen_at: Time,
    /// When what follows from it was last written.
    pub(super) wrote_at: Time,
}

/// What follows from a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// It fires now, or worse than before.
    Fire(Level),
    /// It ends.
    End,
}

/// What counts as flapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flap {
    pub(super) count: u64,
    pub(super) window: Duration,
}

impl Trial {
    /// One that fires already, as is known from before.
    pub(super) fn firing(level: Level, now: Time) -> Self {
        Self {
            fires: Some(level),
            seen_at: now,
            ..Self::default()
        }
    }

    /// Since when it is beyond a threshold without firing yet.
    pub(super) fn pending_since(&self) -> Option<Time> {
        if self.fires.is_some() || self.held {
            return None;
        }
        let one = |beyond: &Option<Beyond>| beyond.map(|beyond| beyond.since);
        one(&self.warn).or_else(|| one(&self.critical))
    }

    /// Whether nothing of it needs to be remembered.
    pub(super) fn is_idle(&self, now: Time, flap: Flap) -> bool {
        let is_quiet = self.fires.is_none() && self.warn.is_none() && self.critical.is_none();
        let newest = self.fired.back();
        is_quiet && !self.held && newest.is_none_or(|at| now.since(*at) > flap.window)
    }

    /// A person ended it.
    pub(super) fn end_by_hand(&mut self, now: Time) {
        self.wrote_at = now;
        self.fires = None;
        self.held = true;
    }

    /// A value was measured, in thousandths; `None` if that failed.
    pub(super) fn take(&mut self, rule: &Rule, value: Option<i64>, now: Time, flap: Flap) -> Step {
        self.seen_at = now;
        // Unknown is neither fine nor beyond.
        let Some(value) = value else {
            return Step::Stay;
        };
        let level = rule.level(value);
        if level.is_none() {
            self.held = false;
        }
        count(&mut self.warn, level.is_some(), now);
        count(&mut self.critical, level == Some(Level::Critical), now);
        let is_long = |beyond: &Option<Beyond>| {
            beyond.is_some_and(|beyond| {
                beyond.samples >= rule.samples_min
                    && now.since(beyond.since) >= Duration::from_millis(rule.duration_ms.into())
            })
        };
        let reached = if is_long(&self.critical) {
            Some(Level::Critical)
        } else {
            is_long(&self.warn).then_some(Level::Warn)
        };
        match (self.fires, reached) {
            (before, Some(reached)) if before < Some(reached) && !self.held => {
                if before.is_none() {
                    self.fired.push_back(now);
                    if self.fired.len() > FIRED_MAX {
                        self.fired.pop_front();
                    }
                }
                self.fires = Some(reached);
                self.calm_since = None;
                Step::Fire(reached)
            }
            (Some(_), _) => self.calm(rule, value, now, flap),
            (None, _) => Step::Stay,
        }
    }

    /// Looks whether what fires has come back.
    fn calm(&mut self, rule: &Rule, value: i64, now: Time, flap: Flap) -> Step {
        if !rule.is_clear(value) {
            self.calm_since = None;
            return Step::Stay;
        }
        let calm_since = *self.calm_since.get_or_insert(now);
        // Who stands in for another gives it time to end it first.
        let calm_max = if rule.metric.is_seen_by_others() {
            Duration::MAX
        } else {
            CALM_MAX
        };
        let needed = if self.flaps(now, flap) {
            flap.window / 2
        } else {
            Duration::from_millis(rule.duration_ms.into()).min(calm_max)
        };
        if now.since(calm_since) < needed {
            return Step::Stay;
        }
        self.fires = None;
        self.calm_since = None;
        Step::End
    }

    /// Whether it fired too often lately.
    pub(super) fn flaps(&self, now: Time, flap: Flap) -> bool {
        let lately = self
            .fired
            .iter()
            .filter(|at| now.since(**at) <= flap.window);
        u64::try_from(lately.count()).unwrap_or(u64::MAX) >= flap.count
    }
}

fn count(beyond: &mut Option<Beyond>, is_beyond: bool, now: Time) {
    *beyond = match *beyond {
        _ if !is_beyond => None,
        None => Some(Beyond {
            since: now,
            samples: 1,
        }),
        Some(before) => Some(Beyond {
            samples: before.samples.saturating_add(1),
            ..before
        }),
    };
}
