//! What goes wrong, when, and for how long: values with a readable form.
//!
//! One fault a line: `at 12.5 for 3 cut bridge 0>3 3>0`. Times are in seconds from the start of the
//! chaos; a fault that happens at once needs no `for`. Hosts are numbers in the order of their start.

use crate::{
    kernel::time::Duration,
    sim::{host::HostId, network::PathConfig},
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

/// Directions between hosts.
pub type Pairs = Vec<(HostId, HostId)>;

/// The form of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// One host apart.
    Isolation,
    /// Two halves.
    Split,
    /// Two halves, and one host that reaches both.
    Bridge,
    /// Each reaches only its neighbours on a ring.
    Ring,
    /// All reach only one.
    Star,
    /// Some directions at random.
    Random,
    /// One direction between two hosts.
    OneWay,
}

/// What a path does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// So many milliseconds more on the way.
    Delay(u32),
    /// So many of a thousand take twenty times as long.
    Tail(u32),
    /// So many of a thousand are lost.
    Loss(u32),
    /// So many of a thousand begin a burst of losses.
    Burst(u32),
    /// So many of a thousand arrive twice.
    Duplicate(u32),
    /// So many of a thousand are overtaken.
    Reorder(u32),
    /// So many of a thousand arrive with a flipped bit.
    Corrupt(u32),
    /// So many bytes a second.
    Bandwidth(u32),
}

impl PathFault {
    /// Makes a path worse by what this fault adds to it. Two faults of one kind add up: their chances
    /// as those of independent events, their delays as they are; the narrower bandwidth counts.
    pub(super) fn worsen(self, path: &mut PathConfig) {
        let add = |to: &mut u32, permille: u32| {
            let spared = (1_000 - (*to).min(1_000)) * (1_000 - permille.min(1_000)) / 1_000;
            *to = 1_000 - spared;
        };
        match self {
            Self::Delay(ms) => path.latency_min += Duration::from_millis(u64::from(ms)),
            Self::Tail(permille) => add(&mut path.tail_permille, permille),
            Self::Loss(permille) => add(&mut path.loss_permille, permille),
            Self::Burst(permille) => add(&mut path.burst_permille, permille),
            Self::Duplicate(permille) => add(&mut path.duplicate_permille, permille),
            Self::Reorder(permille) => add(&mut path.reorder_permille, permille),
            Self::Corrupt(permille) => add(&mut path.corrupt_permille, permille),
            Self::Bandwidth(bytes) => {
                let unlimited = path.bandwidth == 0;
                let bytes = u64::from(bytes);
                path.bandwidth = if unlimited {
                    bytes
                } else {
                    path.bandwidth.min(bytes)
                };
            }
        }
    }
}

/// What happens to a stored image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// A flipped bit.
    Rot,
    /// A journal record is gone.
    Lost,
    /// A journal record stands where another one was.
    Misdirected,
    /// An earlier image is put back, as from a backup.
    Stale,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes in these directions.
    Cut(Shape, Pairs),
    /// Cut and healed again and again, with this period in milliseconds.
    Flap(u32, Pairs),
    /// Connections between these hosts break.
    Reset(Pairs),
    /// These directions are bad.
    Path(PathFault, Pairs),
    /// The process is killed and later started.
    Crash(HostId),
    /// The machine loses power: nobody is told; later it is started.
    PowerOff(HostId),
    /// The process is killed after so many further outputs, and later started.
    CrashAfter(HostId, u32),
    /// As a crash, on a store that is not atomic.
    Tear(HostId),
    /// The process stands still; its clock goes on.
    Stop(HostId),
    /// The machine sleeps; its monotonic clock too.
    Sleep(HostId),
    /// The tab is hidden, and later visible again.
    Hide(HostId),
    /// The node leaves the mesh, and later comes back.
    Leave(HostId),
    /// The wall clock is so many milliseconds off.
    Wall(HostId, i64),
    /// The wall clock stands still.
    Freeze(HostId),
    /// The monotonic clock makes so many microseconds of a million.
    Drift(HostId, u32),
    /// The store has no room.
    Full(HostId),
    /// The store fails every write.
    Fail(HostId),
    /// The store is so many times slower.
    Slow(HostId, u32),
    /// The store says that writes are durable, and they are not; it ends with a loss of power.
    Lie(HostId),
    /// The process is killed, its stored image damaged, and it is started again later.
    Harm(Damage, HostId),
    /// A copy of the host's data directory is started beside it.
    Twin(HostId),
}

impl Fault {
    /// Its class, by which faults are counted.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Cut(Shape::Isolation, _) => "isolation",
            Self::Cut(Shape::Split, _) => "split",
            Self::Cut(Shape::Bridge, _) => "bridge",
            Self::Cut(Shape::Ring, _) => "ring",
            Self::Cut(Shape::Star, _) => "star",
            Self::Cut(Shape::Random, _) => "random cut",
            Self::Cut(Shape::OneWay, _) => "one-way cut",
            Self::Flap(..) => "flap",
            Self::Reset(_) => "reset",
            Self::Path(PathFault::Delay(_), _) => "delay",
            Self::Path(PathFault::Tail(_), _) => "long tail",
            Self::Path(PathFault::Loss(_), _) => "loss",
            Self::Path(PathFault::Burst(_), _) => "burst",
            Self::Path(PathFault::Duplicate(_), _) => "duplicate",
            Self::Path(PathFault::Reorder(_), _) => "reorder",
            Self::Path(PathFault::Corrupt(_), _) => "corrupt",
            Self::Path(PathFault::Bandwidth(_), _) => "bandwidth",
            Self::Crash(_) => "crash",
            Self::PowerOff(_) => "power off",
            Self::CrashAfter(..) => "crash at output",
            Self::Tear(_) => "torn write",
            Self::Stop(_) => "stop",
            Self::Sleep(_) => "sleep",
            Self::Hide(_) => "hide",
            Self::Leave(_) => "leave",
            Self::Wall(..) => "wall clock",
            Self::Freeze(_) => "frozen clock",
            Self::Drift(..) => "drift",
            Self::Full(_) => "disk full",
            Self::Fail(_) => "disk fails",
            Self::Slow(..) => "disk slow",
            Self::Lie(_) => "disk lies",
            Self::Harm(Damage::Rot, _) => "bit rot",
            Self::Harm(Damage::Lost, _) => "lost record",
            Self::Harm(Damage::Misdirected, _) => "misdirected",
            Self::Harm(Damage::Stale, _) => "stale image",
            Self::Twin(_) => "twin",
        }
    }
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it begins, after the start of the chaos.
    pub at: Duration,
    /// How long it lasts; of no meaning for what happens at once.
    pub lasts: Duration,
    /// What.
    pub fault: Fault,
}

const SHAPES: [(&str, Shape); 7] = [
    ("isolation", Shape::Isolation),
    ("split", Shape::Split),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
    ("star", Shape::Star),
    ("random", Shape::Random),
    ("one-way", Shape::OneWay),
];

const DAMAGES: [(&str, Damage); 4] = [
    ("rot", Damage::Rot),
    ("lost", Damage::Lost),
    ("misdirected", Damage::Misdirected),
    ("stale", Damage::Stale),
];

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, known)| known == value);
    found.map_or("", |(word, _)| word)
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}", seconds(self.at))?;
        if !self.lasts.is_zero() {
            write!(f, " for {}", seconds(self.lasts))?;
        }
        write!(f, " {}", self.fault)
    }
}

/// Seconds as short as possible.
pub(super) fn seconds(span: Duration) -> String {
    let text = format!("{}.{:06}", span.as_secs(), span.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').into()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = match self {
            Self::Cut(shape, pairs) => {
                write!(f, "cut {}", word_of(&SHAPES, shape))?;
                pairs
            }
            Self::Flap(period, pairs) => {
                write!(f, "flap {period}")?;
                pairs
            }
            Self::Reset(pairs) => {
                f.write_str("reset")?;
                pairs
            }
            Self::Path(fault, pairs) => {
                let (word, number) = match fault {
                    PathFault::Delay(ms) => ("delay", ms),
                    PathFault::Tail(permille) => ("tail", permille),
                    PathFault::Loss(permille) => ("loss", permille),
                    PathFault::Burst(permille) => ("burst", permille),
                    PathFault::Duplicate(permille) => ("duplicate", permille),
                    PathFault::Reorder(permille) => ("reorder", permille),
                    PathFault::Corrupt(permille) => ("corrupt", permille),
                    PathFault::Bandwidth(bytes) => ("bandwidth", bytes),
                };
                write!(f, "{word} {number}")?;
                pairs
            }
            Self::Crash(host) => return write!(f, "crash {host}"),
            Self::PowerOff(host) => return write!(f, "power-off {host}"),
            Self::CrashAfter(host, outputs) => return write!(f, "crash-after {host} {outputs}"),
            Self::Tear(host) => return write!(f, "tear {host}"),
            Self::Stop(host) => return write!(f, "stop {host}"),
            Self::Sleep(host) => return write!(f, "sleep {host}"),
            Self::Hide(host) => return write!(f, "hide {host}"),
            Self::Leave(host) => return write!(f, "leave {host}"),
            Self::Wall(host, ms) => return write!(f, "wall {host} {ms}"),
            Self::Freeze(host) => return write!(f, "freeze {host}"),
            Self::Drift(host, rate) => return write!(f, "drift {host} {rate}"),
            Self::Full(host) => return write!(f, "full {host}"),
            Self::Fail(host) => return write!(f, "fail {host}"),
            Self::Slow(host, times) => return write!(f, "slow {host} {times}"),
            Self::Lie(host) => return write!(f, "lie {host}"),
            Self::Harm(how, host) => return write!(f, "harm {} {host}", word_of(&DAMAGES, how)),
            Self::Twin(host) => return write!(f, "twin {host}"),
        };
        pairs
            .iter()
            .try_for_each(|(from, to)| write!(f, " {from}>{to}"))
    }
}

impl FromStr for Planned {
    type Err = String;

    /// # Errors
    /// What is wrong with the line, in words.
    fn from_str(line: &str) -> Result<Self, String> {
        let mut words = Words(line.split_whitespace());
        words.expect("at")?;
        let at = words.seconds()?;
        let mut word = words.next("a fault")?;
        let mut lasts = Duration::ZERO;
        if word == "for" {
            lasts = words.seconds()?;
            word = words.next("a fault")?;
        }
        let fault = words.fault(word)?;
        match words.0.next() {
            Some(more) => Err(format!("`{more}` is more than the fault takes")),
            None => Ok(Self { at, lasts, fault }),
        }
    }
}

struct Words<'a>(core::str::SplitWhitespace<'a>);

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Result<&'a str, String> {
        self.0
            .next()
            .ok_or_else(|| format!("{what} is missing at the end"))
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        match self.next(word)? {
            found if found == word => Ok(()),
            found => Err(format!("`{word}` was expected, not `{found}`")),
        }
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        word.parse()
            .map_err(|_| format!("{what} is a number, not `{word}`"))
    }

    fn host(&mut self) -> Result<HostId, String> {
        self.number("the host")
    }

    fn seconds(&mut self) -> Result<Duration, String> {
        let word = self.next("a time")?;
        parse_seconds(word).ok_or_else(|| format!("`{word}` is not a time in seconds"))
    }

    fn one_of<T: Copy>(&mut self, what: &str, words: &[(&str, T)]) -> Result<T, String> {
        let word = self.next(what)?;
        let found = words.iter().find(|(known, _)| *known == word);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(known, _)| *known).collect();
            format!("{what} is one of {}, not `{word}`", known.join(", "))
        })
    }

    fn pairs(&mut self) -> Result<Pairs, String> {
        let mut pairs = Pairs::new();
        for word in self.0.by_ref() {
            let ends = word
                .split_once('>')
                .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
            pairs.push(ends.ok_or_else(|| format!("`{word}` is not a direction such as 0>1"))?);
        }
        if pairs.is_empty() {
            return Err("a direction such as 0>1 is missing at the end".to_string());
        }
        Ok(pairs)
    }

    fn fault(&mut self, word: &str) -> Result<Fault, String> {
        Ok(match word {
            "cut" => Fault::Cut(self.one_of("the shape", &SHAPES)?, self.pairs()?),
            "flap" => Fault::Flap(self.number("the period")?, self.pairs()?),
            "reset" => Fault::Reset(self.pairs()?),
            "crash" => Fault::Crash(self.host()?),
            "power-off" => Fault::PowerOff(self.host()?),
            "crash-after" => Fault::CrashAfter(self.host()?, self.number("the count")?),
            "tear" => Fault::Tear(self.host()?),
            "stop" => Fault::Stop(self.host()?),
            "sleep" => Fault::Sleep(self.host()?),
            "hide" => Fault::Hide(self.host()?),
            "leave" => Fault::Leave(self.host()?),
            "wall" => Fault::Wall(self.host()?, self.number("the offset")?),
            "freeze" => Fault::Freeze(self.host()?),
            "drift" => Fault::Drift(self.host()?, self.number("the rate")?),
            "full" => Fault::Full(self.host()?),
            "fail" => Fault::Fail(self.host()?),
            "slow" => Fault::Slow(self.host()?, self.number("the factor")?),
            "lie" => Fault::Lie(self.host()?),
            "harm" => Fault::Harm(self.one_of("the damage", &DAMAGES)?, self.host()?),
            "twin" => Fault::Twin(self.host()?),
            path => Fault::Path(self.path_fault(path)?, self.pairs()?),
        })
    }

    fn path_fault(&mut self, word: &str) -> Result<PathFault, String> {
        let fault: fn(u32) -> PathFault = match word {
            "delay" => PathFault::Delay,
            "tail" => PathFault::Tail,
            "loss" => PathFault::Loss,
            "burst" => PathFault::Burst,
            "duplicate" => PathFault::Duplicate,
            "reorder" => PathFault::Reorder,
            "corrupt" => PathFault::Corrupt,
            "bandwidth" => PathFault::Bandwidth,
            other => return Err(format!("there is no fault `{other}`")),
        };
        self.number("the figure").map(fault)
    }
}

/// Seconds with up to six decimals.
pub(super) fn parse_seconds(word: &str) -> Option<Duration> {
    let (whole, decimals) = word.split_once('.').unwrap_or((word, ""));
    if decimals.len() > 6 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let micros: u32 = format!("{decimals:0<6}").parse().ok()?;
    Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_micros(u64::from(micros)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [&str; 12] = [
        "at 12.5 for 3 cut bridge 0>3 3>0",
        "at 0 for 0.000001 flap 50 1>2",
        "at 1 reset 1>2 2>3",
        "at 1 for 2 loss 300 1>2",
        "at 1 for 2 bandwidth 1000 1>2",
        "at 3 for 8 crash 4",
        "at 3 for 8 crash-after 4 17",
        "at 0.25 for 100 wall 2 -31536000000",
        "at 1 for 5 drift 0 950000",
        "at 1 for 5 slow 3 1000",
        "at 1 for 5 harm misdirected 3",
        "at 1 twin 3",
    ];

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        for line in LINES {
            let planned: Planned = line.parse().unwrap();
            assert_eq!(planned.to_string(), line);
        }
    }

    #[test]
    fn a_wrong_line_is_told_what_is_wrong() {
        for (line, why) in [
            ("in 1 crash 2", "`at` was expected, not `in`"),
            ("at x crash 2", "`x` is not a time in seconds"),
            ("at 1 explode 2", "there is no fault `explode`"),
            ("at 1 crash two", "the host is a number, not `two`"),
            ("at 1 crash 2 3", "`3` is more than the fault takes"),
            (
                "at 1 cut 0>1",
                "the shape is one of isolation, split, bridge, ring, star, random, one-way, not `0>1`",
            ),
            (
                "at 1 reset",
                "a direction such as 0>1 is missing at the end",
            ),
        ] {
            assert_eq!(line.parse::<Planned>(), Err(why.to_string()), "{line}");
        }
    }
}
