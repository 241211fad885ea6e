//! What people do: looked at here, written by the owner as a record.

use super::{
    machine::Alerts,
    record::{
        Act, COVERED_MAX, Deed, Id, Note, Place, Setting, Silence, VERSIONS_MAX, Version, to_bytes,
    },
    rule::{Level, Rule},
    settings::{Value, default_of, unknown},
    text::TextRefusal,
    trial::{Flap, Step, Trial},
};
use crate::kernel::{
    bytes::Bytes,
    text::Text,
    time::{Duration, Time},
};
use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The longest that a silence lasts: 30 days.
const SILENCE_MS_MAX: u64 = 30 * 86_400_000;
/// The most points of a series that a dry run looks at.
const POINTS_MAX: usize = 100_000;

/// What a person wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Say that somebody looks after an alert or an incident.
    Acknowledge {
        /// Which; eight hexadecimal digits.
        id: Id,
        /// With which words.
        note: Option<Note>,
    },
    /// Take an alert or an incident for over, until the value has been fine once.
    Resolve {
        /// Which; eight hexadecimal digits.
        id: Id,
        /// With which words.
        note: Option<Note>,
    },
    /// Notify nobody of what fits.
    Silence {
        /// What: `*`, or words that are each a rule, an identity or a grade.
        fits: Text<128>,
        /// For how long, in milliseconds; at most 30 days.
        for_ms: u64,
        /// With which words.
        note: Option<Note>,
    },
    /// End a silence.
    Unsilence {
        /// Which; eight hexadecimal digits.
        id: Id,
    },
    /// Change a setting of the mesh.
    Set {
        /// Which.
        name: Text<64>,
        /// To what; `None` for the default.
        value: Option<Text<512>>,
        /// Why.
        note: Option<Note>,
    },
    /// Set a setting to what it was.
    Revert {
        /// Which.
        name: Text<64>,
        /// To which version; `None` for the one before the present.
        version: Option<u32>,
    },
}

/// Why a wish was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishRefusal {
    /// No alert, incident or silence has this id.
    NotKnown(Id),
    /// It is over already.
    Over(Id),
    /// A span is too short or too long.
    Span,
    /// A setting is not what it has to be.
    Setting(TextRefusal),
    /// The setting has no such version.
    NoVersion(u32),
    /// The setting has never been anything else.
    NothingBefore,
    /// The wall clock is not known yet.
    NoClock,
}

impl WishRefusal {
    /// A stable word for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotKnown(_) => "not_found",
            Self::Over(_) => "over",
            Self::Span => "bad_span",
            Self::Setting(_) => "bad_setting",
            Self::NoVersion(_) | Self::NothingBefore => "no_version",
            Self::NoClock => "not_ready",
        }
    }
}

impl fmt::Display for WishRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKnown(id) => write!(f, "there is no alert, incident or silence {id}"),
            Self::Over(id) => write!(f, "{id} is over already"),
            Self::Span => f.write_str("a silence lasts from 1s to 30d"),
            Self::Setting(refusal) => fmt::Display::fmt(refusal, f),
            Self::NoVersion(number) => {
                write!(
                    f,
                    "it has no version {number}; its history lists those that are kept"
                )
            }
            Self::NothingBefore => f.write_str("it has never been anything else"),
            Self::NoClock => f.write_str("this node has not measured yet; try again in a second"),
        }
    }
}

/// What has to be written for a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Where.
    pub place: Place,
    /// What; `None` deletes.
    pub value: Option<Bytes>,
}

impl Alerts {
    /// What has to be written so that a wish comes true. Nothing changes before it is.
    ///
    /// # Errors
    /// [`WishRefusal`] when there is nothing that it could be about, or it is out of bounds.
    pub fn plan(&self, wish: Wish) -> Result<Deposit, WishRefusal> {
        if self.wall_ms == 0 {
            return Err(WishRefusal::NoClock);
        }
        match wish {
            Wish::Acknowledge { id, note } => self.plan_act(id, Deed::Acknowledged, note),
            Wish::Resolve { id, note } => self.plan_act(id, Deed::Resolved, note),
            Wish::Silence { fits, for_ms, note } => {
                if !(1_000..=SILENCE_MS_MAX).contains(&for_ms) {
                    return Err(WishRefusal::Span);
                }
                let silence = Silence {
                    until_ms: self.wall_ms.saturating_add(for_ms),
                    at_ms: self.wall_ms,
                    fits,
                    note,
                };
                let at = self.wall_ms.to_be_bytes();
                let parts = [silence.fits.as_bytes(), &at, self.me.as_bytes().as_slice()];
                let id = Id::of("sporenet 2026 silence", &parts);
                Ok(Deposit {
                    place: Place::Silence(id),
                    value: Some(to_bytes(&silence)),
                })
            }
            Wish::Unsilence { id } => {
                let known = self.board.silences.contains_key(&id);
                let place = Place::Silence(id);
                let deposit = Deposit { place, value: None };
                known.then_some(deposit).ok_or(WishRefusal::NotKnown(id))
            }
            Wish::Set { name, value, note } => {
                let parsed = match value {
                    Some(value) => Some(Value::parse(&name, &value).map_err(WishRefusal::Setting)?),
                    None => {
                        must_be_known(&name)?;
                        None
                    }
                };
                Ok(self.next_version(&name, parsed, note))
            }
            Wish::Revert { name, version } => self.plan_revert(&name, version),
        }
    }

    fn plan_act(&self, id: Id, deed: Deed, note: Option<Note>) -> Result<Deposit, WishRefusal> {
        let of_incident = self.incidents.iter().find(|incident| incident.id == id);
        let mut alerts = match of_incident {
            Some(incident) => incident.alerts.clone(),
            None => Vec::from([id]),
        };
        let is_known = alerts.iter().any(|id| self.board.alerts.contains_key(id));
        if !is_known {
            return Err(WishRefusal::NotKnown(id));
        }
        alerts.retain(|id| {
            let alert = self.board.alerts.get(id);
            alert.is_some_and(|(_, alert)| alert.ended_ms.is_none())
        });
        if alerts.is_empty() {
            return Err(WishRefusal::Over(id));
        }
        alerts.truncate(COVERED_MAX);
        let since = alerts.iter().filter_map(|id| self.board.alerts.get(id));
        let since = since.map(|(_, alert)| alert.since_ms).max();
        let act = Act {
            deed,
            // Not before what it is about, where another's clock is ahead.
            at_ms: self.wall_ms.max(since.unwrap_or(0)),
            note,
            alerts,
        };
        Ok(Deposit {
            place: Place::Act(id),
            value: Some(to_bytes(&act)),
        })
    }

    fn plan_revert(&self, name: &str, version: Option<u32>) -> Result<Deposit, WishRefusal> {
        must_be_known(name)?;
        let known = self.board.settings.get(name);
        let versions = known.map_or(&[][..], |known| &known.setting.versions);
        let value = match version {
            // What was before the first version is the default.
            Some(0) => None,
            Some(number) => {
                let found = versions.iter().find(|version| version.number == number);
                let found = found.ok_or(WishRefusal::NoVersion(number))?;
                found.value.clone()
            }
            None if versions.is_empty() => return Err(WishRefusal::NothingBefore),
            None => versions.get(1).and_then(|version| version.value.clone()),
        };
        let note = Text::new("reverted").ok();
        Ok(self.next_version(name, value, note))
    }

    fn next_version(&self, name: &str, value: Option<Value>, note: Option<Note>) -> Deposit {
        let known = self.board.settings.get(name);
        let before = known.map_or(&[][..], |known| &known.setting.versions);
        let newest = before.first().map_or(0, |version| version.number);
        let mut versions = Vec::from([Version {
            number: newest.saturating_add(1),
            value,
            by: self.me,
            at_ms: self.wall_ms,
            note,
        }]);
        let kept = VERSIONS_MAX.saturating_sub(1);
        versions.extend(before.iter().take(kept).cloned());
        Deposit {
            place: Place::Setting(String::from(name)),
            value: Some(to_bytes(&Setting { versions })),
        }
    }
}

fn must_be_known(name: &str) -> Result<(), WishRefusal> {
    match default_of(name) {
        Some(_) => Ok(()),
        None => Err(WishRefusal::Setting(unknown(name))),
    }
}

/// What a rule would have done to one series: when it would have begun to fire and ended, in milliseconds;
/// no end if it would fire still. `points` are moments in milliseconds and values in thousandths, in order.
#[must_use]
pub fn dry_run(
    rule: &Rule,
    points: impl Iterator<Item = (u64, i64)>,
    flap_count: u64,
    flap_window_ms: u64,
) -> Vec<(u64, Option<u64>, Level)> {
    let flap = Flap {
        count: flap_count,
        window: Duration::from_millis(flap_window_ms),
    };
    let mut trial = Trial::default();
    let mut found: Vec<(u64, Option<u64>, Level)> = Vec::new();
    let mut last_ms = None;
    for (at_ms, value) in points.take(POINTS_MAX) {
        // A coarse point stands for as many samples as the rule asks for.
        let step = last_ms.map_or(0, |last: u64| at_ms.saturating_sub(last));
        last_ms = Some(at_ms);
        let rule = Rule {
            samples_min: if step >= 10_000 { 1 } else { rule.samples_min },
            ..*rule
        };
        match trial.take(&rule, Some(value), Time::from_millis(at_ms), flap) {
            Step::Stay => {}
            Step::Fire(level) => match found.last_mut() {
                Some((_, None, worst)) => *worst = level,
                Some(_) | None => found.push((at_ms, None, level)),
            },
            Step::End => {
                if let Some((_, end, _)) = found.last_mut() {
                    *end = Some(at_ms);
                }
            }
        }
    }
    found
}
