//! Every write that was tried, and what must be true of it in the end.
//!
//! | kind of key | written by | must hold in the end |
//! |---|---|---|
//! | own | one host, again and again | the value is of the last acknowledged write, or of a later one |
//! | once | one host, once | if acknowledged, it is there |
//! | sum | several hosts, which add | the sum of what was acknowledged, and of nothing that was refused |
//! | element | one host, or several that only insert | as own, or as once |
//! | any | several hosts | the value is one that was written; if one was acknowledged, there is a value |
//!
//! A write that was refused as not replicated, or never answered, may be there or not. What a host
//! acknowledged whose disk lied or was damaged counts only where another relay had confirmed it, and not
//! even then if there are liars, who confirm what they do not have. What liars acknowledge counts never. To
//! remove an element that is not there is nothing to do: where a disk was damaged, that promises nothing.

use crate::{
    kernel::id::RequestId,
    node::contract::{Refusal, Reply},
    replication::write::{AckLevel, WriteRefusal},
    sim::{
        host::HostId,
        workload::{COUNTER, ELEMENT},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    host: HostId,
    level: AckLevel,
    /// `None` deletes.
    value: Option<String>,
    /// Its host had said that it takes no writes.
    frozen: bool,
    acknowledged: bool,
    /// It was refused and nothing changed.
    refused: bool,
}

#[derive(Clone, Debug, Default)]
struct Subject {
    contested: bool,
    is_sum: bool,
    is_element: bool,
    attempts: Vec<Attempt>,
}

/// All writes of a run.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    subjects: BTreeMap<String, Subject>,
    open: BTreeMap<(HostId, RequestId), (String, usize)>,
    closed: BTreeSet<(HostId, RequestId)>,
    misled: Option<String>,
    acknowledged: u64,
    refused: u64,
}

impl Ledger {
    /// A write was asked for; `frozen` if its host had said that it takes none.
    pub fn tried(
        &mut self,
        (host, request): (HostId, RequestId),
        key: &str,
        value: Option<String>,
        level: AckLevel,
        frozen: bool,
    ) {
        let subject = self.subjects.entry(key.into()).or_default();
        subject.contested = key.starts_with("any/");
        subject.is_sum = key.starts_with(COUNTER);
        subject.is_element = key.starts_with(ELEMENT);
        self.open
            .insert((host, request), (key.into(), subject.attempts.len()));
        subject.attempts.push(Attempt {
            host,
            level,
            value,
            frozen,
            acknowledged: false,
            refused: false,
        });
    }

    /// A host answered.
    pub fn answered(&mut self, host: HostId, request: RequestId, reply: &Reply) {
        let Some((key, index)) = self.open.remove(&(host, request)) else {
            if self.closed.contains(&(host, request)) {
                self.misled = Some(format!("host {host} answered request {} twice", request.0));
            }
            return;
        };
        self.closed.insert((host, request));
        let subject = self.subjects.get_mut(&key);
        let Some(attempt) = subject.and_then(|subject| subject.attempts.get_mut(index)) else {
            return;
        };
        match reply {
            Reply::Written { .. } => {
                attempt.acknowledged = true;
                self.acknowledged += 1;
                if attempt.frozen {
                    self.misled = Some(format!("host {host} was read-only and wrote {key}"));
                }
            }
            Reply::Refused(Refusal::Write(WriteRefusal::NotReplicated)) => {}
            Reply::Refused(_) => {
                attempt.refused = true;
                self.refused += 1;
            }
            Reply::Invited { .. }
            | Reply::Reach(_)
            | Reply::Forgotten
            | Reply::Compacting
            | Reply::Verified(_) => {}
        }
    }

    /// Writes acknowledged so far.
    #[must_use]
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Writes refused so far.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// What no host may answer, if one did.
    #[must_use]
    pub fn misled(&self) -> Option<&str> {
        self.misled.as_deref()
    }

    /// Keys that several hosts write, each with the hosts that acknowledged a write to it.
    pub fn contested(&self) -> impl Iterator<Item = (&str, BTreeSet<HostId>)> {
        let contested = self
            .subjects
            .iter()
            .filter(|(_, subject)| subject.contested);
        contested.map(|(key, subject)| {
            let promised = subject
                .attempts
                .iter()
                .filter(|attempt| attempt.acknowledged);
            (key.as_str(), promised.map(|attempt| attempt.host).collect())
        })
    }

    /// The first promise of one host that it does not keep itself; `read` gives its value of a key.
    pub fn judge_host(
        &self,
        host: HostId,
        read: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let own = |attempt: &Attempt| attempt.host == host && attempt.acknowledged;
        for (key, subject) in &self.subjects {
            let Some(last) = subject.attempts.iter().rposition(own) else {
                continue;
            };
            let value = read(key);
            let why = if subject.is_sum {
                subject.judge_sum(value.as_deref(), own)
            } else if subject.contested {
                let kept = value.is_some() || subject.attempts[last].value.is_none();
                (!kept).then(|| "it is gone".into())
            } else {
                subject.judge(value.as_deref(), &BTreeSet::new(), &BTreeSet::new())
            };
            if let Some(why) = why {
                return Some(format!("{key} is {value:?}: {why}"));
            }
        }
        None
    }

    /// Compares what a host reads with what was promised; answers each broken promise. `read` gives
    /// the value of a key, `harmed` the hosts whose own disk proves nothing, `liars` those whose word
    /// proves nothing.
    pub fn judge(
        &self,
        read: impl Fn(&str) -> Option<String>,
        harmed: &BTreeSet<HostId>,
        liars: &BTreeSet<HostId>,
    ) -> Vec<String> {
        let mut broken = Vec::new();
        for (key, subject) in &self.subjects {
            let value = read(key);
            if let Some(why) = subject.judge(value.as_deref(), harmed, liars) {
                broken.push(format!("{key} is {value:?}: {why}"));
            }
        }
        broken
    }
}

impl Subject {
    fn judge(
        &self,
        value: Option<&str>,
        harmed: &BTreeSet<HostId>,
        liars: &BTreeSet<HostId>,
    ) -> Option<String> {
        let is_done = |attempt: &Attempt| !self.is_element || attempt.value.is_some();
        let is_confirmed = |attempt: &Attempt| {
            attempt.level == AckLevel::Relay && liars.is_empty() && is_done(attempt)
        };
        let counts = |attempt: &&Attempt| {
            attempt.acknowledged
                && !liars.contains(&attempt.host)
                && (is_confirmed(attempt) || !harmed.contains(&attempt.host))
        };
        if self.is_sum {
            return self.judge_sum(value, |attempt| counts(&attempt));
        }
        let possible = |attempt: &Attempt| !attempt.refused && attempt.value.as_deref() == value;
        if self.contested {
            let promised = self
                .attempts
                .iter()
                .filter(counts)
                .any(|attempt| attempt.value.is_some());
            return match value {
                None if promised => Some("an acknowledged write is gone".into()),
                None => None,
                Some(_) if self.attempts.iter().any(possible) => None,
                Some(_) => Some("nobody wrote that".into()),
            };
        }
        let last = self.attempts.iter().rposition(|attempt| counts(&attempt));
        let Some(last) = last else {
            let is_possible = value.is_none() || self.attempts.iter().any(possible);
            return (!is_possible).then(|| "nobody wrote that".into());
        };
        if self.attempts[last..].iter().any(possible) {
            return None;
        }
        let promise = &self.attempts[last];
        Some(format!(
            "host {} acknowledged {:?} ({:?})",
            promise.host, promise.value, promise.level
        ))
    }

    /// A sum lies between what it can be at least and at most: all that counts, and of the rest that was not
    /// refused whatever makes it smaller, or larger.
    fn judge_sum(&self, value: Option<&str>, counts: impl Fn(&Attempt) -> bool) -> Option<String> {
        let (mut least, mut most) = (0_i64, 0_i64);
        for attempt in &self.attempts {
            let by = attempt.value.as_ref().and_then(|by| by.parse().ok());
            let by: i64 = by.unwrap_or(0);
            if counts(attempt) {
                (least, most) = (least + by, most + by);
            } else if !attempt.refused {
                (least, most) = (least + by.min(0), most + by.max(0));
            }
        }
        let sum = value.map_or(Some(0), |value| value.parse().ok());
        let is_right = sum.is_some_and(|sum| (least..=most).contains(&sum));
        (!is_right).then(|| format!("it has to be at least {least} and at most {most}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Reply {
        Reply::Written {
            revision: 1,
            warning: None,
        }
    }

    fn ledger(answers: [bool; 3]) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, answered) in (1..).zip(answers) {
            let request = RequestId(number);
            let value = (number != 2).then(|| format!("{number}"));
            ledger.tried((0, request), "own/0/0", value, AckLevel::Local, false);
            if answered {
                ledger.answered(0, request, &written());
            }
        }
        ledger
    }

    #[test]
    fn what_was_acknowledged_or_came_later_may_be_read_and_nothing_else() {
        let sound = BTreeSet::new();
        let ledger = ledger([true, true, false]);
        assert!(ledger.judge(|_| None, &sound, &sound).is_empty());
        assert!(
            ledger
                .judge(|_| Some("3".into()), &sound, &sound)
                .is_empty()
        );
        assert_eq!(ledger.judge(|_| Some("1".into()), &sound, &sound).len(), 1);
        assert_eq!(ledger.judge(|_| Some("4".into()), &sound, &sound).len(), 1);
    }

    #[test]
    fn a_sum_has_all_that_counts_and_nothing_that_was_refused() {
        let mut ledger = Ledger::default();
        for (number, by) in (1..).zip([5, -3, 100, 40]) {
            let by = Some(format!("{by}"));
            let level = AckLevel::Local;
            ledger.tried((number, RequestId(1)), "sum/0", by, level, false);
        }
        ledger.answered(1, RequestId(1), &written());
        ledger.answered(2, RequestId(1), &written());
        let refused = Reply::Refused(Refusal::Write(WriteRefusal::Busy));
        ledger.answered(3, RequestId(1), &refused);
        let none = BTreeSet::new();
        let is_right = |sum: i32, harmed: &BTreeSet<HostId>| {
            let read = |_: &str| Some(format!("{sum}"));
            ledger.judge(read, harmed, &none).is_empty()
        };
        for (sum, right) in [(2, true), (42, true), (1, false), (43, false), (102, false)] {
            assert_eq!(is_right(sum, &none), right, "{sum}");
        }
        // What a harmed host acknowledged may be there or not.
        assert!(is_right(-3, &BTreeSet::from([1])));
    }

    #[test]
    fn the_word_of_a_harmed_host_alone_proves_nothing() {
        let (harmed, none) = (BTreeSet::from([0]), BTreeSet::new());
        let ledger = ledger([true, true, true]);
        assert_eq!(ledger.judge(|_| None, &none, &none).len(), 1);
        assert!(ledger.judge(|_| None, &harmed, &none).is_empty());
    }
}
