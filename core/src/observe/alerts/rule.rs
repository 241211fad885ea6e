//! Rules: what is watched, and from which value on it is told.
//!
//! A rule has a text form, which commands, the page and the API use alike:
//!
//! `METRIC above|below WARN CRITICAL [for 10s] [clear 10%] [samples 3] [impact 80%]`
//!
//! `-` stands for no threshold. What is left out is as in [`Rule::plain`].

use super::text::{self, TextRefusal};
use crate::observe::series::Series;
use alloc::{format, string::String};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// What a rule judges. Each has its unit, and who measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// The round trip of one path, in ms.
    Latency,
    /// How healthy others see a node, from 0 to 1.
    NodeHealth,
    /// The fullest of processors, memory, disk and descriptors, in percent.
    ResourceUsage,
    /// How unevenly batches are spread over shards.
    ShardVariance,
    /// The share of messages and writes that fail, from 0 to 1.
    ErrorRate,
    /// Whether a relay is dead: 1 if it is.
    Unreachable,
    /// How many times its own shortest round trip a path takes, or that of a way over another relay; 1 where
    /// it is below 100 ms more.
    SlowPath,
    /// Pings without an answer on one path, in percent.
    Loss,
    /// Whether the store takes no writes: 1 if so.
    StoreFailed,
    /// Processors in use, in percent.
    Cpu,
    /// Memory in use, in percent.
    Memory,
    /// The data directory's file system in use, in percent.
    Disk,
    /// File descriptors in use, in percent.
    Descriptors,
    /// How late the event loop was, in ms.
    LoopLag,
    /// From the start of a commit until it was durable, in ms.
    JournalLatency,
}

impl Metric {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 15] = [
        Self::Latency,
        Self::NodeHealth,
        Self::ResourceUsage,
        Self::ShardVariance,
        Self::ErrorRate,
        Self::Unreachable,
        Self::SlowPath,
        Self::Loss,
        Self::StoreFailed,
        Self::Cpu,
        Self::Memory,
        Self::Disk,
        Self::Descriptors,
        Self::LoopLag,
        Self::JournalLatency,
    ];

    /// Its name in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::NodeHealth => "node_health",
            Self::ResourceUsage => "resource_usage",
            Self::ShardVariance => "shard_variance",
            Self::ErrorRate => "error_rate",
            Self::Unreachable => "unreachable",
            Self::SlowPath => "slow_path",
            Self::Loss => "loss",
            Self::StoreFailed => "store_failed",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Descriptors => "descriptors",
            Self::LoopLag => "loop_lag",
            Self::JournalLatency => "journal_latency",
        }
    }

    /// What its values are counted in; empty for plain numbers.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Latency | Self::LoopLag | Self::JournalLatency => "ms",
            Self::ResourceUsage
            | Self::Loss
            | Self::Cpu
            | Self::Memory
            | Self::Disk
            | Self::Descriptors => "%",
            Self::SlowPath => "×",
            Self::NodeHealth
            | Self::ShardVariance
            | Self::ErrorRate
            | Self::Unreachable
            | Self::StoreFailed => "",
        }
    }

    /// Whether it belongs to a path, from one node to another.
    #[must_use]
    pub const fn is_of_path(self) -> bool {
        matches!(self, Self::Latency | Self::SlowPath | Self::Loss)
    }

    /// Whether it is judged by another node than the one that it is about.
    #[must_use]
    pub const fn is_seen_by_others(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::NodeHealth | Self::StoreFailed
        )
    }

    /// The series in which its history is kept, all in one unit; empty if none is. Series count in the metric's
    /// unit, but for that of the error rate, which counts percent.
    #[must_use]
    pub const fn series(self) -> &'static [Series] {
        match self {
            Self::Latency => &[Series::Latency],
            Self::ResourceUsage => &[
                Series::Cpu,
                Series::Memory,
                Series::Disk,
                Series::Descriptors,
            ],
            Self::ShardVariance => &[Series::ShardVariance],
            Self::ErrorRate => &[Series::ErrorRate],
            Self::Loss => &[Series::Loss],
            Self::Cpu => &[Series::Cpu],
            Self::Memory => &[Series::Memory],
            Self::Disk => &[Series::Disk],
            Self::Descriptors => &[Series::Descriptors],
            Self::LoopLag => &[Series::LoopLag],
            Self::JournalLatency => &[Series::JournalLatency],
            Self::NodeHealth | Self::Unreachable | Self::SlowPath | Self::StoreFailed => &[],
        }
    }

    /// The metric of that name.
    #[must_use]
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

/// On which side of a threshold trouble lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// Values at or above it.
    Above,
    /// Values at or below it.
    Below,
}

/// How bad a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Beyond the first threshold.
    Warn,
    /// Beyond the second.
    Critical,
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it judges.
    pub metric: Metric,
    /// On which side trouble lies.
    pub side: Side,
    /// The first threshold, in thousandths of the metric's unit.
    pub warn_milli: Option<i64>,
    /// The second, in the same; beyond `warn_milli` if both are there.
    pub critical_milli: Option<i64>,
    /// How long a value has to be beyond a threshold without a break; at most a day.
    pub duration_ms: u32,
    /// How far a value has to come back before the alert ends, in thousandths of the threshold; at most
    /// 900. Too small flaps, too large never ends.
    pub hysteresis_permille: u16,
    /// The fewest values beyond the threshold; 1 to 1,000.
    pub samples_min: u16,
    /// How much it matters, in percent of the usual; 1 to 100.
    pub impact_percent: u8,
}

/// The longest duration: a day.
const DURATION_MS_MAX: u32 = 86_400_000;
/// The largest threshold, in thousandths: what an exact float holds.
const THRESHOLD_MAX: i64 = 9_000_000_000_000_000;

impl Rule {
    /// A rule with the usual duration of 10 s, a tenth of hysteresis, three samples, full impact.
    #[must_use]
    pub const fn plain(
        metric: Metric,
        side: Side,
        warn: Option<i64>,
        critical: Option<i64>,
    ) -> Self {
        Self {
            metric,
            side,
            warn_milli: warn,
            critical_milli: critical,
            duration_ms: 10_000,
            hysteresis_permille: 100,
            samples_min: 3,
            impact_percent: 100,
        }
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// The field that can't, with its bound.
    pub fn validate(&self) -> Result<(), TextRefusal> {
        let refuse = |field: &str, bound: &str| Err(TextRefusal::new(field, bound));
        let within = |one: &i64| one.unsigned_abs() <= THRESHOLD_MAX.unsigned_abs();
        let mut thresholds = self.warn_milli.iter().chain(&self.critical_milli);
        if self.warn_milli.is_none() && self.critical_milli.is_none() {
            return refuse("warn", "it or the critical threshold must be a number");
        }
        if !thresholds.all(within) {
            return refuse("warn", "thresholds must be below 9·10¹²");
        }
        if let (Some(warn), Some(critical)) = (self.warn_milli, self.critical_milli) {
            match self.side {
                Side::Above if critical < warn => {
                    return refuse("critical", "it must not be below the warning's threshold");
                }
                Side::Below if critical > warn => {
                    return refuse("critical", "it must not be above the warning's threshold");
                }
                Side::Above | Side::Below => {}
            }
        }
        if self.duration_ms > DURATION_MS_MAX {
            return refuse("for", "it must be at most 24h");
        }
        if self.hysteresis_permille > 900 {
            return refuse("clear", "it must be at most 90%");
        }
        if !(1..=1_000).contains(&self.samples_min) {
            return refuse("samples", "it must be 1 to 1000");
        }
        if !(1..=100).contains(&self.impact_percent) {
            return refuse("impact", "it must be 1% to 100%");
        }
        Ok(())
    }

    /// How bad a value is; `None` if it is fine.
    #[must_use]
    pub fn level(&self, value_milli: i64) -> Option<Level> {
        let beyond = |threshold: i64| match self.side {
            Side::Above => value_milli >= threshold,
            Side::Below => value_milli <= threshold,
        };
        if self.critical_milli.is_some_and(beyond) {
            return Some(Level::Critical);
        }
        self.warn_milli.is_some_and(beyond).then_some(Level::Warn)
    }

    /// Whether a value has come back far enough to end an alert.
    #[must_use]
    pub fn is_clear(&self, value_milli: i64) -> bool {
        let Some(first) = self.warn_milli.or(self.critical_milli) else {
            return true;
        };
        let slack = first
            .saturating_abs()
            .saturating_mul(self.hysteresis_permille.into())
            / 1_000;
        match self.side {
            Side::Above => value_milli < first.saturating_sub(slack),
            Side::Below => value_milli > first.saturating_add(slack),
        }
    }

    /// The threshold of a level; that of the other where it has none.
    #[must_use]
    pub const fn threshold(&self, level: Level) -> Option<i64> {
        match (level, self.warn_milli, self.critical_milli) {
            (Level::Warn, Some(warn), _) | (_, Some(warn), None) => Some(warn),
            (_, _, critical) => critical,
        }
    }
}

/// The rules that a mesh begins with, by name.
pub const SHIPPED: [(&str, Rule); 9] = {
    use Metric as M;
    use Side::{Above, Below};
    const fn milli(number: i64) -> Option<i64> {
        Some(number * 1_000)
    }
    const fn with(rule: Rule, duration_ms: u32, samples_min: u16, impact_percent: u8) -> Rule {
        Rule {
            duration_ms,
            samples_min,
            impact_percent,
            ..rule
        }
    }
    [
        (
            "latency",
            Rule::plain(M::Latency, Above, milli(500), milli(1_000)),
        ),
        (
            "node-health",
            Rule::plain(M::NodeHealth, Below, Some(500), Some(300)),
        ),
        (
            "resource-usage",
            Rule::plain(M::ResourceUsage, Above, milli(80), milli(95)),
        ),
        (
            "shard-variance",
            with(
                Rule::plain(M::ShardVariance, Above, milli(5), milli(10)),
                60_000,
                3,
                40,
            ),
        ),
        (
            "error-rate",
            Rule::plain(M::ErrorRate, Above, Some(50), Some(100)),
        ),
        (
            "unreachable",
            with(
                Rule::plain(M::Unreachable, Above, None, milli(1)),
                0,
                1,
                100,
            ),
        ),
        (
            "slow-path",
            with(
                Rule::plain(M::SlowPath, Above, milli(5), milli(50)),
                10_000,
                3,
                80,
            ),
        ),
        (
            "loss",
            with(
                Rule::plain(M::Loss, Above, milli(5), milli(20)),
                30_000,
                3,
                80,
            ),
        ),
        (
            "store-failed",
            with(
                Rule::plain(M::StoreFailed, Above, None, milli(1)),
                0,
                1,
                100,
            ),
        ),
    ]
};

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Above => "above",
            Side::Below => "below",
        };
        let threshold = |one: Option<i64>| one.map_or_else(|| "-".into(), text::thousandths);
        write!(
            f,
            "{} {side} {} {} for {} clear {}% samples {} impact {}%",
            self.metric.name(),
            threshold(self.warn_milli),
            threshold(self.critical_milli),
            text::span(self.duration_ms.into()),
            text::thousandths(i64::from(self.hysteresis_permille).saturating_mul(100)),
            self.samples_min,
            self.impact_percent,
        )
    }
}

impl FromStr for Rule {
    type Err = TextRefusal;

    fn from_str(written: &str) -> Result<Self, TextRefusal> {
        let mut words = written.split_whitespace();
        let name = words.next().unwrap_or_default();
        let Some(metric) = Metric::called(name) else {
            let known = Metric::ALL.map(Metric::name).join(", ");
            return Err(TextRefusal::new(
                "metric",
                &format!("it must be one of {known}"),
            ));
        };
        let side = match words.next() {
            Some("above") => Side::Above,
            Some("below") => Side::Below,
            _ => return Err(TextRefusal::new("side", "it must be `above` or `below`")),
        };
        let warn = threshold("warn", words.next())?;
        let critical = threshold("critical", words.next())?;
        let mut rule = Self::plain(metric, side, warn, critical);
        while let Some(word) = words.next() {
            let value = words.next().unwrap_or_default();
            rule.take(word, value)?;
        }
        rule.validate()?;
        Ok(rule)
    }
}

impl Rule {
    fn take(&mut self, word: &str, value: &str) -> Result<(), TextRefusal> {
        let bad = |field: &str, bound: &str| TextRefusal::new(field, bound);
        match word {
            "for" => {
                let span = text::parse_span(value);
                let span = span.and_then(|span| u32::try_from(span).ok());
                self.duration_ms = span.ok_or_else(|| bad("for", "a span such as 10s or 5m"))?;
            }
            "clear" => {
                let share = percent(value).and_then(|milli| u16::try_from(milli / 100).ok());
                self.hysteresis_permille = share.ok_or_else(|| bad("clear", "0% to 90%"))?;
            }
            "samples" => {
                let number = value.parse().ok();
                self.samples_min = number.ok_or_else(|| bad("samples", "1 to 1000"))?;
            }
            "impact" => {
                let share = percent(value).and_then(|milli| u8::try_from(milli / 1_000).ok());
                self.impact_percent = share.ok_or_else(|| bad("impact", "1% to 100%"))?;
            }
            other => {
                let known = "after the thresholds come `for`, `clear`, `samples` or `impact`";
                return Err(bad(other, known));
            }
        }
        Ok(())
    }
}

fn threshold(field: &str, word: Option<&str>) -> Result<Option<i64>, TextRefusal> {
    match word {
        Some("-") => Ok(None),
        word => match word.and_then(text::parse_thousandths) {
            Some(milli) => Ok(Some(milli)),
            None => Err(TextRefusal::new(field, "a number, or - for none")),
        },
    }
}

/// A share in percent, as thousandths of a percent.
fn percent(word: &str) -> Option<i64> {
    let number = word.strip_suffix('%').unwrap_or(word);
    text::parse_thousandths(number).filter(|milli| (0..=100_000).contains(milli))
}

/// What a rule is called: as in settings, behind `rule.`.
pub(super) fn name_of(key: &str) -> Option<&str> {
    key.strip_prefix("rule.").filter(|name| is_name(name))
}

/// Lower-case letters, digits and `-`, at most 32.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 32 && name.bytes().all(fits)
}

/// The key of a rule among the settings.
#[must_use]
pub fn key_of(name: &str) -> String {
    format!("rule.{name}")
}
