//! Numbers and spans as people write them, in settings and rules.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt;

/// Why a setting or a rule was refused: which field, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRefusal {
    /// The field, as it is written.
    pub field: String,
    /// What it has to be.
    pub bound: String,
}

impl TextRefusal {
    pub(super) fn new(field: &str, bound: &str) -> Self {
        Self {
            field: field.to_string(),
            bound: bound.to_string(),
        }
    }
}

impl fmt::Display for TextRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.bound)
    }
}

/// A number of thousandths as a decimal number without needless zeros.
#[must_use]
pub fn thousandths(milli: i64) -> String {
    let sign = if milli < 0 { "-" } else { "" };
    let size = milli.unsigned_abs();
    let (whole, rest) = (size / 1_000, size % 1_000);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let rest = format!("{rest:03}");
    format!("{sign}{whole}.{}", rest.trim_end_matches('0'))
}

/// A decimal number with at most three digits behind the point, in thousandths.
pub(super) fn parse_thousandths(word: &str) -> Option<i64> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word),
    };
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(rest) || rest.len() > 3 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let padded = format!("{rest:0<3}");
    let rest: i64 = padded.parse().ok()?;
    let size = whole.checked_mul(1_000)?.checked_add(rest)?;
    Some(if negative {
        size.saturating_neg()
    } else {
        size
    })
}

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A span of milliseconds in the largest unit that fits it whole: `90s`, `2h`.
#[must_use]
pub fn span(ms: u64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let fits = UNITS
        .iter()
        .rev()
        .find(|(_, unit)| ms.is_multiple_of(*unit));
    let (name, unit) = fits.copied().unwrap_or(("ms", 1));
    format!("{}{name}", ms.checked_div(unit).unwrap_or(ms))
}

/// Milliseconds of a span such as `500ms`, `10s`, `5m`, `2h`, `7d`.
#[must_use]
pub fn parse_span(word: &str) -> Option<u64> {
    let split = word.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = word.split_at(split);
    let number: u64 = digits.parse().ok()?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(*factor)
}
