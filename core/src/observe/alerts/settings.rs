//! The mesh's settings: what there is, what is allowed, and how it is written.

use super::{
    record::Grade,
    rule::{self, Rule, SHIPPED},
    text::{self, TextRefusal},
};
use crate::kernel::text::Name;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The most steps of an escalation.
const STEPS_MAX: usize = 8;

/// A setting's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A span in milliseconds.
    Span(u64),
    /// A number.
    Number(u64),
    /// Who is told when.
    Steps(Vec<Step>),
    /// A rule; `None` switches a shipped one off, or removes one that was added.
    Rule(Option<Rule>),
}

/// A step of an escalation: who is told, if nobody has acknowledged until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// How long after the incident began, in milliseconds.
    pub after_ms: u64,
    /// The channel; `None` for all.
    pub channel: Option<Name>,
    /// Below this the step is left out.
    pub grade_min: Grade,
}

/// A setting that has a place of its own; rules come beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// How long after its first alert an incident is told, so that what follows is told with it.
    GroupWait,
    /// How long a node that is about to notify has, before the next one does.
    Lease,
    /// How long ended alerts and what was done about them are kept.
    Keep,
    /// How many alerts of one kind in `alerts.flap_window` are flapping.
    FlapCount,
    /// See [`Known::FlapCount`].
    FlapWindow,
    /// Who is told when.
    Escalation,
    /// How long relays keep history beside the core, where they have not been told otherwise.
    HistoryKeep,
}

impl Known {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::GroupWait,
        Self::Lease,
        Self::Keep,
        Self::FlapCount,
        Self::FlapWindow,
        Self::Escalation,
        Self::HistoryKeep,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GroupWait => "alerts.group_wait",
            Self::Lease => "alerts.lease",
            Self::Keep => "alerts.keep",
            Self::FlapCount => "alerts.flap_count",
            Self::FlapWindow => "alerts.flap_window",
            Self::Escalation => "alerts.escalation",
            Self::HistoryKeep => "history.keep",
        }
    }

    /// What it does, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::GroupWait => "how long an incident gathers alerts before it is told",
            Self::Lease => "how long a node has to notify before the next one does",
            Self::Keep => "how long ended alerts are kept",
            Self::FlapCount => "how many alerts of one kind in the window are flapping",
            Self::FlapWindow => "see alerts.flap_count",
            Self::Escalation => "who is told when",
            Self::HistoryKeep => {
                "how long relays keep history, unless their own settings say otherwise"
            }
        }
    }

    /// The least and the most, for spans and numbers.
    const fn bounds(self) -> (u64, u64) {
        match self {
            Self::GroupWait => (0, 600_000),
            Self::Lease => (2_000, 300_000),
            Self::Keep => (3_600_000, 90 * 86_400_000),
            Self::FlapCount => (2, 100),
            Self::FlapWindow => (60_000, 86_400_000),
            Self::Escalation => (0, 0),
            Self::HistoryKeep => (86_400_000, 3_650 * 86_400_000),
        }
    }

    /// What holds while nobody has set it.
    #[must_use]
    pub fn default(self) -> Value {
        match self {
            Self::GroupWait => Value::Span(3_000),
            Self::Lease => Value::Span(10_000),
            Self::Keep => Value::Span(7 * 86_400_000),
            Self::HistoryKeep => Value::Span(90 * 86_400_000),
            Self::FlapCount => Value::Number(5),
            Self::FlapWindow => Value::Span(600_000),
            Self::Escalation => Value::Steps(alloc::vec![Step {
                after_ms: 0,
                channel: None,
                grade_min: Grade::Low,
            }]),
        }
    }

    /// The setting of that name.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// What a setting of that name is while nobody has set it; `None` if there is none of that name.
#[must_use]
pub fn default_of(name: &str) -> Option<Value> {
    if let Some(known) = Known::called(name) {
        return Some(known.default());
    }
    let rule = rule::name_of(name)?;
    let shipped = SHIPPED.iter().find(|(shipped, _)| *shipped == rule);
    Some(Value::Rule(shipped.map(|(_, rule)| *rule)))
}

impl Value {
    /// Reads what a person wrote for a setting.
    ///
    /// # Errors
    /// The field that is wrong, with its bound.
    pub fn parse(name: &str, written: &str) -> Result<Self, TextRefusal> {
        let value = match default_of(name) {
            None => return Err(unknown(name)),
            Some(Self::Span(_)) => {
                let span = text::parse_span(written.trim());
                Self::Span(span.ok_or_else(|| TextRefusal::new(name, "a span such as 10s or 5m"))?)
            }
            Some(Self::Number(_)) => {
                let number = written.trim().parse().ok();
                Self::Number(number.ok_or_else(|| TextRefusal::new(name, "a whole number"))?)
            }
            Some(Self::Steps(_)) => Self::Steps(parse_steps(written)?),
            Some(Self::Rule(_)) if written.trim() == "off" => Self::Rule(None),
            Some(Self::Rule(_)) => Self::Rule(Some(written.parse()?)),
        };
        value.fits(name)?;
        Ok(value)
    }

    /// Whether it may stand in a setting of that name.
    ///
    /// # Errors
    /// The field that is wrong, with its bound.
    pub fn fits(&self, name: &str) -> Result<(), TextRefusal> {
        let default = default_of(name).ok_or_else(|| unknown(name))?;
        match (self, default) {
            (Self::Span(number), Self::Span(_)) | (Self::Number(number), Self::Number(_)) => {
                let (least, most) = Known::called(name).map_or((0, 0), Known::bounds);
                if (least..=most).contains(number) {
                    return Ok(());
                }
                let show = |bound| match self {
                    Self::Span(_) => text::span(bound),
                    Self::Number(_) | Self::Steps(_) | Self::Rule(_) => bound.to_string(),
                };
                let bound = format!("it must be {} to {}", show(least), show(most));
                Err(TextRefusal::new(name, &bound))
            }
            (Self::Steps(steps), Self::Steps(_)) => {
                if (1..=STEPS_MAX).contains(&steps.len()) {
                    return Ok(());
                }
                Err(TextRefusal::new(name, "it must have 1 to 8 steps"))
            }
            (Self::Rule(rule), Self::Rule(_)) => rule.map_or(Ok(()), |rule| rule.validate()),
            (_, _) => Err(TextRefusal::new(name, "it is of another kind")),
        }
    }

    /// What it is counted in, where it is a number; empty otherwise.
    #[must_use]
    pub const fn unit(&self) -> &'static str {
        match self {
            Self::Span(_) => "ms",
            Self::Number(_) | Self::Steps(_) | Self::Rule(_) => "",
        }
    }
}

pub(super) fn unknown(name: &str) -> TextRefusal {
    let known = Known::ALL.map(Known::name).join(", ");
    TextRefusal::new(
        name,
        &format!("no such setting; there are {known}, and rule.NAME (lower case, digits, -)"),
    )
}

/// `0s *, 15m ops high`.
fn parse_steps(written: &str) -> Result<Vec<Step>, TextRefusal> {
    let refuse = |field: &str, bound: &str| TextRefusal::new(field, bound);
    let mut steps = Vec::new();
    for step in written.split(',').take(STEPS_MAX.saturating_add(1)) {
        let mut words = step.split_whitespace();
        let after = words.next().and_then(text::parse_span);
        let after_ms = after
            .filter(|after| *after <= 7 * 86_400_000)
            .ok_or_else(|| {
                refuse(
                    "after",
                    "a step begins with a span of at most 7d, as in `15m ops`",
                )
            })?;
        let channel = match words.next() {
            Some("*") => None,
            Some(name) => {
                Some(Name::new(name).map_err(|error| refuse("channel", &error.to_string()))?)
            }
            None => return Err(refuse("channel", "a channel's name, or * for all")),
        };
        let grade_min = match words.next() {
            None => Grade::Low,
            Some(word) => Grade::called(word)
                .ok_or_else(|| refuse("severity", "low, medium, high or critical"))?,
        };
        if words.next().is_some() {
            return Err(refuse(
                "step",
                "SPAN CHANNEL [SEVERITY], steps apart by commas",
            ));
        }
        steps.push(Step {
            after_ms,
            channel,
            grade_min,
        });
    }
    Ok(steps)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(ms) => f.write_str(&text::span(*ms)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Rule(None) => f.write_str("off"),
            Self::Rule(Some(rule)) => write!(f, "{rule}"),
            Self::Steps(steps) => {
                for (place, step) in steps.iter().enumerate() {
                    if place > 0 {
                        f.write_str(", ")?;
                    }
                    let channel: &str = step.channel.as_ref().map_or("*", |name| name.as_str());
                    write!(f, "{} {channel}", text::span(step.after_ms))?;
                    if step.grade_min > Grade::Low {
                        write!(f, " {}", step.grade_min.name())?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// All settings in force, by name. What nobody has set is as it was shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// See [`Known::GroupWait`], in milliseconds.
    pub group_wait_ms: u64,
    /// See [`Known::Lease`], in milliseconds.
    pub lease_ms: u64,
    /// See [`Known::Keep`], in milliseconds.
    pub keep_ms: u64,
    /// See [`Known::FlapCount`].
    pub flap_count: u64,
    /// See [`Known::FlapWindow`], in milliseconds.
    pub flap_window_ms: u64,
    /// See [`Known::HistoryKeep`], in milliseconds.
    pub history_keep_ms: u64,
    /// See [`Known::Escalation`].
    pub steps: Vec<Step>,
    /// The rules by name, in order.
    pub rules: Vec<(String, Rule)>,
}

impl InForce {
    /// What holds, where `set` answers what was set.
    pub(super) fn of<'a>(
        set: impl Fn(&str) -> Option<&'a Value>,
        added: impl Iterator<Item = &'a str>,
    ) -> Self {
        let value = |known: Known| {
            set(known.name())
                .cloned()
                .unwrap_or_else(|| known.default())
        };
        let number = |known: Known| match value(known) {
            Value::Span(number) | Value::Number(number) => number,
            Value::Steps(_) | Value::Rule(_) => 0,
        };
        let steps = match value(Known::Escalation) {
            Value::Steps(steps) => steps,
            Value::Span(_) | Value::Number(_) | Value::Rule(_) => Vec::new(),
        };
        let shipped = SHIPPED.iter().map(|(name, _)| *name);
        let is_shipped = |name: &str| SHIPPED.iter().any(|(shipped, _)| *shipped == name);
        let added = added.filter_map(rule::name_of);
        let names = shipped.chain(added.filter(|name| !is_shipped(name)));
        let rules = names.filter_map(|name| {
            let key = rule::key_of(name);
            let value = set(&key).cloned().or_else(|| default_of(&key))?;
            match value {
                Value::Rule(Some(rule)) => Some((name.to_string(), rule)),
                Value::Rule(None) | Value::Span(_) | Value::Number(_) | Value::Steps(_) => None,
            }
        });
        Self {
            group_wait_ms: number(Known::GroupWait),
            lease_ms: number(Known::Lease),
            keep_ms: number(Known::Keep),
            flap_count: number(Known::FlapCount),
            flap_window_ms: number(Known::FlapWindow),
            history_keep_ms: number(Known::HistoryKeep),
            rules: rules.collect(),
            steps,
        }
    }
}
