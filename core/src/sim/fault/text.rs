//! Faults as lines of text.

use super::{Damage, Fault, Join, Lie, Pairs, PathFault, Planned, Shape};
use crate::{
    kernel::{id::Role, time::Duration},
    sim::host::HostId,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, str::FromStr};

const SHAPES: [(&str, Shape); 7] = [
    ("isolation", Shape::Isolation),
    ("split", Shape::Split),
    ("bridge", Shape::Bridge),
    ("ring", Shape::Ring),
    ("star", Shape::Star),
    ("random", Shape::Random),
    ("one-way", Shape::OneWay),
];

const DAMAGES: [(&str, Damage); 5] = [
    ("rot", Damage::Rot),
    ("entry", Damage::Entry),
    ("lost", Damage::Lost),
    ("misdirected", Damage::Misdirected),
    ("stale", Damage::Stale),
];

const LIES: [(&str, Lie); 11] = [
    ("accuse", Lie::Accuse),
    ("resurrect", Lie::Resurrect),
    ("inflate", Lie::Inflate),
    ("stamp", Lie::Stamp),
    ("oversize", Lie::Oversize),
    ("equivocate", Lie::Equivocate),
    ("replay", Lie::Replay),
    ("forge", Lie::Forge),
    ("swallow", Lie::Swallow),
    ("flood", Lie::Flood),
    ("pose", Lie::Pose),
];

const ROLES: [(&str, Role); 2] = [("relay", Role::Relay), ("tab", Role::Tab)];

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
pub(in crate::sim) fn seconds(span: Duration) -> String {
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
                    PathFault::Tamper(permille) => ("tamper", permille),
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
            Self::Decay(host) => return write!(f, "decay {host}"),
            Self::Upgrade(host, oldest, newest) => {
                return write!(f, "upgrade {host} {oldest} {newest}");
            }
            Self::Liar(host, lie, rate) => {
                return write!(f, "liar {host} {} {rate}", word_of(&LIES, lie));
            }
            Self::Sybil(host, count) => return write!(f, "sybil {host} {count}"),
            Self::Join(join) => return write!(f, "{join}"),
        };
        pairs
            .iter()
            .try_for_each(|(from, to)| write!(f, " {from}>{to}"))
    }
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.is_full { "join-full" } else { "join" };
        let role = word_of(&ROLES, &self.role);
        write!(f, "{word} {} {role} {}", self.inviter, self.uses)?;
        self.entries
            .iter()
            .try_for_each(|entry| write!(f, " {entry}"))
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
            "decay" => Fault::Decay(self.host()?),
            "upgrade" => {
                let host = self.host()?;
                let oldest = self.number("the oldest version")?;
                Fault::Upgrade(host, oldest, self.number("the newest version")?)
            }
            "liar" => {
                let host = self.host()?;
                let lie = self.one_of("the lie", &LIES)?;
                Fault::Liar(host, lie, self.number("the rate")?)
            }
            "sybil" => Fault::Sybil(self.host()?, self.number("the count")?),
            "join" => Fault::Join(self.join(false)?),
            "join-full" => Fault::Join(self.join(true)?),
            path => Fault::Path(self.path_fault(path)?, self.pairs()?),
        })
    }

    fn join(&mut self, is_full: bool) -> Result<Join, String> {
        let inviter = self.host()?;
        let role = self.one_of("the role", &ROLES)?;
        let uses = self.number("the number of uses")?;
        let mut entries = [self.number("the entry point")?].to_vec();
        for word in self.0.by_ref() {
            let entry = word.parse();
            entries.push(entry.map_err(|_| format!("the entry point is a number, not `{word}`"))?);
        }
        Ok(Join {
            inviter,
            role,
            uses,
            entries,
            is_full,
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
            "tamper" => PathFault::Tamper,
            other => return Err(format!("there is no fault `{other}`")),
        };
        self.number("the figure").map(fault)
    }
}

/// Seconds with up to six decimals.
pub(in crate::sim) fn parse_seconds(word: &str) -> Option<Duration> {
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

    const LINES: [&str; 20] = [
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
        "at 1 for 5 harm entry 3",
        "at 1 twin 3",
        "at 1 decay 3",
        "at 1 for 2 tamper 30 1>2",
        "at 1 for 9 upgrade 3 1 2",
        "at 1 for 9 liar 3 equivocate 4",
        "at 1 for 9 sybil 0 6",
        "at 1 join 0 relay 0 0 2 9999",
        "at 1 for 5 join-full 2 tab 3 2",
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
            (
                "at 1 join 0 viewer 0 0",
                "the role is one of relay, tab, not `viewer`",
            ),
            ("at 1 join 0 tab 0", "the entry point is missing at the end"),
            (
                "at 1 join 0 tab 0 0 one",
                "the entry point is a number, not `one`",
            ),
        ] {
            assert_eq!(line.parse::<Planned>(), Err(why.to_string()), "{line}");
        }
    }
}
