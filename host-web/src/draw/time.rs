//! Windows of wall-clock time, local time as text, and its ticks.

use crate::draw::shape::{as_count, as_float};

/// How many minutes local time is ahead of UTC at a moment, given in milliseconds since 1970. In a
/// browser the time zone tells it, in tests a constant.
pub type Offset = fn(u64) -> i32;

/// How a language writes days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    /// The months, shortened.
    months: [&'static str; 12],
    /// What stands behind the number of a day.
    dot: &'static str,
}

impl Dates {
    /// `30 Nov`.
    pub const ENGLISH: Self = Self {
        months: [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ],
        dot: "",
    };
    /// `30. Nov`.
    pub const GERMAN: Self = Self {
        months: [
            "Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez",
        ],
        dot: ".",
    };

    /// A local day.
    fn tell(&self, local: u64) -> String {
        let (month, day) = month_and_day(local / DAY);
        let month = self.months.get(month).copied().unwrap_or_default();
        format!("{day}{} {month}", self.dot)
    }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The spans that ticks may be apart; each is a part of a minute, an hour, a day, or whole days.
const STEPS: [u64; 21] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    28 * DAY,
];

/// The most ticks that a window gets.
const TICKS_MAX: usize = 40;

/// A window of wall-clock time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Where it begins.
    pub from: u64,
    /// Where it ends; later than `from`, or nothing is drawn.
    pub until: u64,
}

impl Window {
    /// How long it is, in milliseconds; at least 1.
    #[must_use]
    pub fn span(self) -> u64 {
        self.until.saturating_sub(self.from).max(1)
    }

    /// Where a moment is between the beginning, 0, and the end, 1; beyond where it is beyond.
    #[must_use]
    pub fn part(self, at: u64) -> f64 {
        let far = |span: u64| millis(span) / millis(self.span());
        match at.checked_sub(self.from) {
            Some(after) => far(after),
            None => -far(self.from.saturating_sub(at)),
        }
    }

    /// The moment at a part of it, from 0, the beginning, to 1, the end.
    #[must_use]
    pub fn at(self, part: f64) -> u64 {
        let after = as_count(millis(self.span()) * part.clamp(0.0, 1.0) + 0.5);
        self.from.saturating_add(u64::try_from(after).unwrap_or(0))
    }

    /// Whether a moment is in it; both ends are.
    #[must_use]
    pub fn contains(self, at: u64) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// A time as a length.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact to a millisecond for 285,000 years"
)]
#[must_use]
pub(crate) const fn millis(time: u64) -> f64 {
    time as f64
}

/// A moment of an axis that has a line and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeTick {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The local time of day, or the day.
    pub text: String,
    /// Whether a day begins here.
    pub is_midnight: bool,
}

/// The ticks of a window at round local times, at most so many (at least one) and never more than 40.
#[must_use]
pub fn ticks(window: Window, offset: Offset, dates: &Dates, count_max: usize) -> Vec<TimeTick> {
    let count_max = count_max.clamp(1, TICKS_MAX);
    let wanted = as_float(count_max);
    let fits = STEPS
        .into_iter()
        .find(|step| millis(window.span()) / millis(*step) <= wanted);
    // Weeks, as many as it takes.
    let weeks = |span: u64| {
        let count = u64::try_from(count_max).unwrap_or(1);
        span.div_ceil(count * 28 * DAY).saturating_mul(28 * DAY)
    };
    let step = fits.unwrap_or_else(|| weeks(window.span()));
    let mut local = first_from(to_local(window.from, offset), step);
    let mut ticks: Vec<TimeTick> = Vec::new();
    for _ in 0..TICKS_MAX + 2 {
        let at = to_utc(local, offset);
        if at > window.until {
            break;
        }
        // Where clocks are put back, an hour comes twice.
        let is_later = ticks.last().is_none_or(|before| before.at < at);
        if at >= window.from && is_later {
            ticks.push(tick(at, local, step, dates));
        }
        local = local.saturating_add(step);
    }
    ticks.truncate(TICKS_MAX);
    ticks
}

/// The first round local time that is not before a moment. Weeks begin on Mondays.
fn first_from(local: u64, step: u64) -> u64 {
    // 1970 began on a Thursday: the first Monday was the 5th of January.
    let phase = if step.is_multiple_of(7 * DAY) {
        4 * DAY
    } else {
        0
    };
    let after = local.saturating_sub(phase);
    after
        .div_ceil(step)
        .saturating_mul(step)
        .saturating_add(phase)
}

fn tick(at: u64, local: u64, step: u64, dates: &Dates) -> TimeTick {
    let is_midnight = local.is_multiple_of(DAY);
    let text = if is_midnight {
        dates.tell(local)
    } else {
        clock_text(local, step < MINUTE)
    };
    TimeTick {
        at,
        text,
        is_midnight,
    }
}

/// A local time, as milliseconds since 1970 if it were UTC.
fn to_local(at: u64, offset: Offset) -> u64 {
    at.saturating_add_signed(i64::from(offset(at)).saturating_mul(60_000))
}

/// The moment of a local time. The offset that holds then is looked up at a first guess.
fn to_utc(local: u64, offset: Offset) -> u64 {
    let back =
        |guess: u64| local.saturating_add_signed(i64::from(offset(guess)).saturating_mul(-60_000));
    back(back(local))
}

fn clock_text(local: u64, with_seconds: bool) -> String {
    let (hour, minute) = (local % DAY / HOUR, local % HOUR / MINUTE);
    if with_seconds {
        format!("{hour:02}:{minute:02}:{:02}", local % MINUTE / SECOND)
    } else {
        format!("{hour:02}:{minute:02}")
    }
}

/// The month, from 0, and the day, from 1, so many days after the first of January 1970.
fn month_and_day(days: u64) -> (usize, u64) {
    // A Gregorian year repeats after 400 years, which have 146,097 days. 1600 began 135,140 days earlier.
    let mut left = (days + 135_140) % 146_097;
    let mut year = 0;
    while left >= days_of(year) {
        left -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    for length in lengths {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    (month, left + 1)
}

/// How many days a year of a cycle of 400 has; year 0 is a leap year.
const fn days_of(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

/// A moment in local time, to the second: `30 Nov 14:03:05`.
#[must_use]
pub fn moment(at: u64, offset: Offset, dates: &Dates) -> String {
    let local = to_local(at, offset);
    format!("{} {}", dates.tell(local), clock_text(local, true))
}

/// A local time of day, to the second: `14:03:05`.
#[must_use]
pub fn time_of_day(at: u64, offset: Offset) -> String {
    clock_text(to_local(at, offset), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: &Dates = &Dates::ENGLISH;

    /// Saturday 2025-11-29, 22:30 UTC.
    const EVENING: u64 = 1_764_455_400_000;

    fn texts(ticks: &[TimeTick]) -> Vec<&str> {
        ticks.iter().map(|tick| tick.text.as_str()).collect()
    }

    fn window(minutes: u64) -> Window {
        Window {
            from: EVENING,
            until: EVENING + minutes * MINUTE,
        }
    }

    #[test]
    fn ticks_are_round_local_times_from_seconds_to_weeks() {
        let utc = |_| 0;
        assert_eq!(
            texts(&ticks(window(1), utc, EN, 3)),
            ["22:30:00", "22:30:30", "22:31:00"]
        );
        assert_eq!(
            texts(&ticks(window(10), utc, EN, 3)),
            ["22:30", "22:35", "22:40"]
        );
        assert_eq!(texts(&ticks(window(120), utc, EN, 3)), ["23:00", "30 Nov"]);
        assert_eq!(
            texts(&ticks(window(120), |_| 330, EN, 3)),
            ["04:00", "05:00", "06:00"]
        );
        assert_eq!(
            texts(&ticks(window(4 * 24 * 60), utc, EN, 5)),
            ["30 Nov", "1 Dec", "2 Dec", "3 Dec"]
        );
        assert_eq!(
            texts(&ticks(window(21 * 24 * 60), utc, EN, 4)),
            ["1 Dec", "8 Dec", "15 Dec"]
        );
    }

    #[test]
    fn a_day_with_another_offset_still_begins_at_midnight() {
        // Clocks in Berlin went back an hour on 2025-10-26 at 01:00 UTC.
        let berlin = |at: u64| if at < 1_761_440_400_000 { 120 } else { 60 };
        let saturday = 1_761_343_200_000;
        let ticks = ticks(
            Window {
                from: saturday,
                until: saturday + 3 * DAY,
            },
            berlin,
            EN,
            4,
        );
        assert_eq!(texts(&ticks), ["25 Oct", "26 Oct", "27 Oct"]);
        let hours: Vec<u64> = ticks
            .windows(2)
            .map(|pair| (pair[1].at - pair[0].at) / HOUR)
            .collect();
        assert_eq!(hours, [24, 25]);
    }

    #[test]
    fn any_window_has_few_ticks_in_order() {
        for window in [
            Window { from: 0, until: 0 },
            Window {
                from: 0,
                until: u64::MAX,
            },
            Window {
                from: u64::MAX - 5,
                until: u64::MAX,
            },
            Window { from: 9, until: 3 },
            window(400 * 24 * 60),
        ] {
            for offset in [(|_| -720) as Offset, |_| 840] {
                let ticks = ticks(window, offset, EN, 6);
                assert!(ticks.len() <= 7, "{ticks:?}");
                assert!(ticks.is_sorted_by(|a, b| a.at < b.at));
            }
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let days = [0, 58, 59, 364, 365, 789, 10_956, 11_016, 20_422];
        let told = days.map(|day| EN.tell(day * DAY));
        assert_eq!(
            told,
            [
                "1 Jan", "28 Feb", "1 Mar", "31 Dec", "1 Jan", "29 Feb", "31 Dec", "29 Feb",
                "30 Nov"
            ]
        );
        assert_eq!(moment(EVENING, |_| 0, EN), "29 Nov 22:30:00");
        assert_eq!(
            moment(EVENING + DAY, |_| 0, &Dates::GERMAN),
            "30. Nov 22:30:00"
        );
        assert_eq!(time_of_day(EVENING, |_| 60), "23:30:00");
    }

    #[test]
    fn a_part_of_a_window_is_a_moment_and_back() {
        let window = window(10);
        for at in [window.from, window.from + 12_345, window.until] {
            assert_eq!(window.at(window.part(at)), at);
        }
        assert!(window.part(window.from - 60_000) < 0.0 && window.part(window.until + 1) > 1.0);
        assert_eq!(window.at(7.0), window.until);
    }
}
