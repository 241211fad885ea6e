//! Numbers, ages and states in words and shapes.

use crate::catalogue::{Phrases, fill};
use sporenet_core::{
    kernel::id::Role,
    membership::member::MemberState,
    node::snapshot::{Severity, Verdict},
    replication::typed::Kind,
};

/// What a page calls the node whose view it shows.
#[must_use]
pub fn here() -> &'static str {
    HERE.get()
}

/// Changes what this page calls the node whose view it shows.
pub fn set_here(name: &'static str) {
    HERE.set(name);
}

std::thread_local! {
    static HERE: core::cell::Cell<&'static str> = const { core::cell::Cell::new(THIS_TAB) };
}

const THIS_TAB: &str = "this tab";

/// A span in its largest sensible unit, such as `12 s`, `3 min` or `5 h`.
#[must_use]
pub fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5_399 => format!("{} min", (seconds + 30) / 60),
        5_400..=172_799 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// How long ago that was.
#[must_use]
pub fn ago(say: &Phrases, millis: u64) -> String {
    if millis < 1_500 {
        return say.just_now.into();
    }
    fill(say.ago, &[&span(millis)])
}

/// A round-trip time.
#[must_use]
pub fn rtt(millis: f64) -> String {
    if millis < 10.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{millis:.0} ms")
    }
}

/// A number of bytes.
#[must_use]
pub fn bytes(count: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = count.saturating_mul(10) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match count {
        1 => "1 byte".into(),
        0..1_024 => format!("{count} bytes"),
        1_024..1_048_576 => format!("{} KiB", tenths(1_024)),
        _ => format!("{} MiB", tenths(1_048_576)),
    }
}

/// The first eight digits of an identity.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// A value as people read it: text if it is text, else its first bytes in hexadecimal.
#[must_use]
pub fn value(bytes: &[u8]) -> String {
    // A cut may fall inside a character.
    let text = match core::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|head| core::str::from_utf8(head).ok()),
        Err(_) => None,
    };
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    match text.filter(|text| text.chars().all(printable)) {
        Some(text) => text.into(),
        None => bytes
            .iter()
            .take(64)
            .map(|byte| format!("{byte:02x} "))
            .collect(),
    }
}

/// The word by which a program knows a state, also the class of what shows it.
#[must_use]
pub const fn state(state: MemberState) -> &'static str {
    match state {
        MemberState::Alive => "alive",
        MemberState::Suspect => "suspect",
        MemberState::Dead => "dead",
        MemberState::Left => "left",
        MemberState::Parked => "parked",
    }
}

/// The word for a state in the reader's language.
#[must_use]
pub const fn state_said(say: &Phrases, state: MemberState) -> &'static str {
    match state {
        MemberState::Alive => say.alive,
        MemberState::Suspect => say.suspect,
        MemberState::Dead => say.dead,
        MemberState::Left => say.left,
        MemberState::Parked => say.parked,
    }
}

/// The word for a type of value in the reader's language.
#[must_use]
pub fn kind(say: &Phrases, kind: Kind) -> &'static str {
    let say = say.values();
    match kind {
        Kind::Register => say.register,
        Kind::Multi => say.multi,
        Kind::Counter => say.counter,
        Kind::Set => say.set,
        Kind::Map => say.map,
        Kind::Flag => say.flag,
    }
}

/// The word for a role in the reader's language.
#[must_use]
pub const fn role(say: &Phrases, role: Role) -> &'static str {
    match role {
        Role::Relay => say.relay,
        Role::Tab => say.tab,
    }
}

/// The word by which a program knows a severity, also the class of what shows it.
#[must_use]
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warn => "warning",
        Severity::Error => "error",
    }
}

/// The word for a severity in the reader's language.
#[must_use]
pub const fn severity_said(say: &Phrases, severity: Severity) -> &'static str {
    match severity {
        Severity::Info => say.info,
        Severity::Warn => say.warning,
        Severity::Error => say.error,
    }
}

/// A verdict: its word, a headline, and what to do next.
#[must_use]
pub const fn verdict(
    say: &Phrases,
    verdict: Verdict,
) -> (&'static str, &'static str, &'static str) {
    match verdict {
        Verdict::Healthy => (say.healthy_word, say.healthy_title, say.healthy_next),
        Verdict::Degraded => (say.degraded_word, say.degraded_title, say.degraded_next),
        Verdict::Isolated => (say.isolated_word, say.isolated_title, say.isolated_next),
        Verdict::Fenced => (say.fenced_word, say.fenced_title, say.fenced_next),
        Verdict::Joining => (say.joining_word, say.joining_title, say.joining_next),
        Verdict::Leaving => (say.leaving_word, say.leaving_title, say.leaving_next),
    }
}

/// A share of a whole in thousandths, as `12.3 %`.
#[must_use]
pub fn permille(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

/// A part of a whole, as `12.3 %`; `None` if either is not known.
#[must_use]
pub fn percent(part: Option<u64>, whole: Option<u64>) -> Option<String> {
    let whole = whole.filter(|whole| *whole > 0)?;
    Some(permille(part?.saturating_mul(1_000) / whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_their_largest_sensible_unit() {
        let told = [0, 12_000, 89_999, 90_000, 3_600_000, 7_200_000, 500_000_000].map(span);
        assert_eq!(
            told,
            ["0 s", "12 s", "89 s", "2 min", "60 min", "2 h", "6 d"]
        );
    }

    #[test]
    fn a_value_cut_inside_a_character_is_still_text() {
        assert_eq!(value("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(value(&"gr\u{fc}".as_bytes()[..3]), "gr");
        assert_eq!(value(&[0xff, 0x00]), "ff 00 ");
    }
}
