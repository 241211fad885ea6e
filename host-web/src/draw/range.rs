//! Which window of time a view shows: the last minutes or hours, or a fixed one.

use crate::draw::time::Window;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// The shortest and the longest window.
const SPAN: (u64, u64) = (10_000, 48 * HOUR);

/// How long the last part of time may be that is followed, with its word in the address.
pub const LAST: [(&str, u64); 6] = [
    ("10m", 10 * MINUTE),
    ("1h", HOUR),
    ("2h", 2 * HOUR),
    ("6h", 6 * HOUR),
    ("24h", 24 * HOUR),
    ("2d", 48 * HOUR),
];

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// How much of the last time is followed, in milliseconds; what one comes back to.
    pub last_ms: u64,
    /// A fixed window in its place, if one was chosen.
    pub fixed: Option<Window>,
}

impl Range {
    /// What an address says under `range`, `from` and `to`. What can't be is as if it were not there.
    #[must_use]
    pub fn of(range: &str, from: &str, to: &str) -> Self {
        let known = LAST.into_iter().find(|(word, _)| *word == range);
        let [(_, usual), ..] = LAST;
        let ends = from.parse().ok().zip(to.parse().ok());
        let fixed = ends.map(|(from, until)| Window { from, until });
        let can_be = |window: &Window| {
            let span = window.until.checked_sub(window.from);
            span.is_some_and(|span| (SPAN.0..=SPAN.1).contains(&span))
        };
        Self {
            last_ms: known.map_or(usual, |(_, span)| span),
            fixed: fixed.filter(can_be),
        }
    }

    /// The word of the followed part of time; empty for the usual one.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = LAST
            .into_iter()
            .skip(1)
            .find(|(_, span)| *span == self.last_ms);
        found.map_or("", |(word, _)| word)
    }

    /// The window now. One that follows the time ends `ahead_ms` after now.
    #[must_use]
    pub fn window(self, now: u64, ahead_ms: u64) -> Window {
        self.fixed.unwrap_or_else(|| Window {
            from: now.saturating_sub(self.last_ms),
            until: now.saturating_add(ahead_ms),
        })
    }
}

/// A window half or twice as long around a moment, which keeps its place in it; 10 s to 2 days.
#[must_use]
pub fn zoomed(window: Window, around: u64, is_in: bool) -> Window {
    let span = window.until.saturating_sub(window.from);
    let wanted = if is_in {
        span / 2
    } else {
        span.saturating_mul(2)
    };
    let wanted = wanted.clamp(SPAN.0, SPAN.1);
    let around = around.clamp(window.from, window.until.max(window.from));
    let after = u128::from(around.saturating_sub(window.from)) * u128::from(wanted);
    let before = u64::try_from(after / u128::from(span.max(1))).unwrap_or(0);
    let from = around.saturating_sub(before);
    Window {
        from,
        until: from.saturating_add(wanted),
    }
}

/// What was brushed, if need be made longer around its middle to 10 s.
#[must_use]
pub fn at_least(window: Window) -> Window {
    let span = window.until.saturating_sub(window.from);
    let lacks = SPAN.0.saturating_sub(span);
    let from = window.from.saturating_sub(lacks / 2);
    Window {
        from,
        until: from.saturating_add(span.clamp(SPAN.0, SPAN.1)),
    }
}

/// A moment a little to one side, within the window: a hundredth of it, or a tenth in a large step.
/// Without a moment it is the end that is nearer to that side's beginning.
#[must_use]
pub fn moved(window: Window, at: Option<u64>, is_right: bool, is_large: bool) -> u64 {
    let Some(at) = at else {
        return if is_right { window.from } else { window.until };
    };
    let step = (window.span() / if is_large { 10 } else { 100 }).max(1);
    let next = if is_right {
        at.saturating_add(step)
    } else {
        at.saturating_sub(step)
    };
    next.clamp(window.from, window.until.max(window.from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_764_460_800_000;

    #[test]
    fn an_address_that_says_nothing_or_nonsense_follows_the_last_ten_minutes() {
        let usual = Range {
            last_ms: 600_000,
            fixed: None,
        };
        for (range, from, to) in [
            ("", "", ""),
            ("9y", "", ""),
            ("", "5", ""),
            ("", "90000", "5"),
            ("", "-1", "70000"),
            ("", "0", "18446744073709551615"),
            ("", "5000", "5001"),
        ] {
            assert_eq!(Range::of(range, from, to), usual, "{range} {from} {to}");
        }
        assert_eq!(usual.word(), "");
        assert_eq!(
            usual.window(NOW, 5),
            Window {
                from: NOW - 600_000,
                until: NOW + 5
            }
        );
    }

    #[test]
    fn what_is_followed_is_remembered_under_a_fixed_window() {
        let range = Range::of("6h", "100000", "200000");
        assert_eq!(range.word(), "6h");
        let window = Window {
            from: 100_000,
            until: 200_000,
        };
        assert_eq!(range.window(NOW, 9), window);
        for (word, span) in LAST {
            let range = Range::of(word, "", "");
            assert_eq!(range.last_ms, span);
            assert_eq!(Range::of(range.word(), "", ""), range);
        }
    }

    #[test]
    fn a_zoom_keeps_its_moment_in_place_and_stays_within_bounds() {
        let window = Window {
            from: NOW,
            until: NOW + 400_000,
        };
        let near = zoomed(window, NOW + 100_000, true);
        assert_eq!((near.from, near.until), (NOW + 50_000, NOW + 250_000));
        assert_eq!(zoomed(near, NOW + 100_000, false), window);
        let mut all = window;
        for _ in 0..40 {
            all = zoomed(all, NOW, true);
        }
        assert_eq!(all.span(), SPAN.0);
        for _ in 0..40 {
            all = zoomed(all, NOW, false);
        }
        assert_eq!(all.span(), SPAN.1);
        let odd = Window { from: 9, until: 3 };
        assert_eq!(zoomed(odd, u64::MAX, true).span(), SPAN.0);
    }

    #[test]
    fn a_brush_of_a_moment_is_ten_seconds_around_it() {
        let brushed = at_least(Window {
            from: NOW,
            until: NOW + 2_000,
        });
        assert_eq!((brushed.from, brushed.until), (NOW - 4_000, NOW + 6_000));
        let long = Window {
            from: NOW,
            until: NOW + 60_000,
        };
        assert_eq!(at_least(long), long);
    }

    #[test]
    fn the_cursor_moves_in_steps_and_stops_at_the_ends() {
        let window = Window {
            from: 1_000,
            until: 101_000,
        };
        assert_eq!(moved(window, None, true, false), 1_000);
        assert_eq!(moved(window, None, false, false), 101_000);
        assert_eq!(moved(window, Some(50_000), true, false), 51_000);
        assert_eq!(moved(window, Some(50_000), false, true), 40_000);
        assert_eq!(moved(window, Some(100_900), true, false), 101_000);
        assert_eq!(moved(window, Some(0), false, false), 1_000);
    }
}
