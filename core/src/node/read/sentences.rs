//! What happened in words, for command line, API, page and log alike: every sentence is made here.

use crate::{
    kernel::{id::NodeId, time::Duration},
    membership::{member::MemberState, why::Why},
    node::{
        contract::{FenceCause, Notice, NoticeEntry, Offence},
        machine::Node,
        read::snapshot::TimelineEntry,
    },
    observe::{
        alerts::record::{Deed, Ending},
        series::{Series, Unusual},
    },
    overlay::links::ClockOff,
    replication::replica,
    wire::close::CloseReason,
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

/// A span as a person says it: `40 ms`, `12 s`, `3 min`, `2 h`, `5 d`.
#[must_use]
pub fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    // A unit begins at two of it: rounded down, 119 s would read as one minute.
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        172_800.. => format!("{} d", seconds / 86_400),
    }
}

impl Node {
    /// What people call a node: its name with its short identity.
    #[must_use]
    pub fn display_name(&self, id: NodeId) -> String {
        self.swim.record(&id).map_or_else(
            || id.short(),
            |record| format!("{} ({})", record.name, id.short()),
        )
    }

    /// A notice as people read it.
    #[must_use]
    pub fn describe(&self, entry: &NoticeEntry) -> TimelineEntry {
        let notice = &entry.notice;
        let own = notice.is_about_this_node().then(|| self.id());
        TimelineEntry {
            id: entry.id,
            at: entry.at,
            wall: entry.wall,
            severity: notice.severity(),
            code: notice.code().to_string(),
            subject: notice.subject().or(own),
            text: self.sentence(notice),
        }
    }

    /// Why a member is believed to be what it is, without the member itself and without a full stop.
    pub(in crate::node) fn why_in_words(&self, why: &Why) -> String {
        why.in_words(|id| self.display_name(id))
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each notice")]
    fn sentence(&self, notice: &Notice) -> String {
        match notice {
            Notice::Founded { network } => format!("Founded the network {network} and started."),
            Notice::StartedJoining => "Started; asking to be let into the network.".into(),
            Notice::Started {
                incarnation,
                records,
            } => format!("Started at incarnation {incarnation} with {records} records."),
            Notice::Joined => "Let into the network.".into(),
            Notice::Fenced(cause) => fence_in_words(cause),
            Notice::Departed => "Stopped; everything is stored.".into(),
            Notice::Stalled { by } => format!(
                "This node did not run for {}; nobody is blamed.",
                in_words(*by)
            ),
            Notice::JournalTorn { from } => format!(
                "The journal's last write was cut off at record {from}; \
                 what was not acknowledged is gone, nothing else."
            ),
            Notice::JournalDamaged {
                records,
                at_start: true,
            } => format!(
                "{records} journal records are damaged and set aside; \
                 what they held comes back from the other relays."
            ),
            Notice::JournalDamaged {
                records,
                at_start: false,
            } => format!(
                "{records} stored records are damaged and can't be served; \
                 other replicas have them."
            ),
            Notice::JournalUnusable { records } => {
                format!("{records} journal records are of no use to this version.")
            }
            Notice::EntryDamaged { key } => {
                format!("The stored entry {key} is damaged and set aside.")
            }
            Notice::StoreFull => {
                "The store is full: writes are refused until there is space again.".into()
            }
            Notice::StoreRecovered => "The store has space again: writes are accepted.".into(),
            Notice::StoreBroken => {
                "The store failed: nothing is written until the program starts again.".into()
            }
            Notice::StoreLost => {
                "The data directory is gone or was replaced: nothing is written until the program \
                 starts again with it in its place."
                    .into()
            }
            Notice::MemoryFull { bytes } => format!(
                "Data of other nodes was refused: the {bytes} bytes allowed in memory are used; \
                 it is fetched again when there is room."
            ),
            Notice::Differs { peer, keys } => format!(
                "{} holds {keys} keys differently, although both have seen the same; `sporenet verify` lists \
                 them.",
                self.display_name(*peer)
            ),
            Notice::Admitted { peer, role } => format!("Let the {role} {} in.", peer.short()),
            Notice::HandshakeRefused(reason) => format!("Refused an incoming link: {reason}."),
            Notice::NewcomerRefused(reason) => format!("Refused a newcomer: {reason}."),
            Notice::LinkRefused(reason) => format!("Refused a link: {reason}."),
            Notice::DialFailed {
                address,
                expect,
                reason,
            } => {
                let whom = expect.map_or_else(|| "a relay".into(), |peer| self.display_name(peer));
                format!("Could not link to {whom} at {address}: {reason}.")
            }
            Notice::LinkUp(peer) => format!("Linked to {}.", self.display_name(*peer)),
            Notice::LinkDown { peer, reason } => {
                format!("The link to {} ended: {reason}.", self.display_name(*peer))
            }
            Notice::MemberChanged {
                member,
                from,
                to,
                why,
            } => {
                let (whom, why) = (self.display_name(*member), self.why_in_words(why));
                format!("{whom} {}: {why}.", state_in_words(*from, *to))
            }
            Notice::IdentityConflict {
                identity,
                reason,
                told_by,
            } => self.conflict(*identity, reason.as_ref(), *told_by),
            Notice::Anomaly(unusual) => unusual_in_words(unusual),
            Notice::UnusualTogether(series) => together_in_words(series),
            Notice::AddressReached {
                address,
                by,
                failed: None,
            } => format!("{} reaches this node at {address}.", self.display_name(*by)),
            Notice::AddressReached {
                address,
                by,
                failed: Some(reason),
            } => format!(
                "Nobody who was asked reaches this node at {address}; {} says: {reason}.",
                self.display_name(*by)
            ),
            Notice::RunsFull { series, after } => {
                format!("The {series} is full in about {}.", in_words(*after))
            }
            Notice::Alert(alert) => {
                let what = self.alert_in_words(alert);
                match alert.ended_ms {
                    None => format!("Alert ({}): {what}.", alert.grade.name()),
                    Some(_) => match alert.ending {
                        Ending::ByItself => format!("Over: {what}."),
                        Ending::ByHand => format!("Ended by hand: {what}."),
                        Ending::NodeDown => format!("Over, for the node is down: {what}."),
                    },
                }
            }
            Notice::Acted {
                by,
                deed,
                alerts,
                note,
            } => {
                let whom = self.display_name(*by);
                let does = match deed {
                    Deed::Acknowledged => "looks after",
                    Deed::Resolved => "takes for over",
                };
                let first = alerts.first().and_then(|id| self.alerts.alert(*id));
                let what = first.map_or_else(
                    || "an alert".into(),
                    |alert| format!("\u{201c}{}\u{201d}", self.alert_in_words(alert)),
                );
                let more = match alerts.len() {
                    0 | 1 => String::new(),
                    many => format!(" and {} more", many.saturating_sub(1)),
                };
                let note = note
                    .as_ref()
                    .map_or_else(String::new, |note| format!(": {note}"));
                format!("{whom} {does} {what}{more}{note}.")
            }
            Notice::SettingChanged { name, by } => {
                let value = self.setting_view(name).map(|setting| setting.value);
                let value = value.unwrap_or_default();
                format!("{} set {name} to {value}.", self.display_name(*by))
            }
            Notice::ClockWrong { ahead_ms } => own_clock_in_words(*ahead_ms),
            Notice::ClockOfPeer(off) => self.clock_in_words(off),
            Notice::ClockRight { peer: None } => {
                "This node's clock agrees with those of its peers again.".into()
            }
            Notice::ClockRight { peer: Some(peer) } => {
                format!("The clock of {} agrees again.", self.display_name(*peer))
            }
            // No rule is broken on purpose: the notices about clocks say whose is wrong.
            Notice::Offence {
                peer,
                offence: Offence::Replica(replica::Offence::ClockAhead { ahead_ms }),
            } => format!(
                "What {} writes is held back: it is stamped {} ahead of the time here. \
                 It is asked for again, at once when a clock is set.",
                self.display_name(*peer),
                in_words(Duration::from_millis(*ahead_ms))
            ),
            Notice::Offence { peer, offence } => {
                let whom = self.display_name(*peer);
                format!("{whom} broke the rules: {}.", offence.code())
            }
            Notice::Equivocation {
                author,
                shard,
                sequence,
            } => format!(
                "{} signed two different batches as number {sequence} of shard {shard}; \
                 its later writes there are read, and set aside until it issues them again.",
                self.display_name(*author)
            ),
            Notice::CaughtUp {
                peer,
                batches,
                bytes,
                took,
            } => format!(
                "Caught up from {}: {batches} batches, {bytes} bytes, in {}.",
                self.display_name(*peer),
                in_words(*took)
            ),
        }
    }

    /// A peer's clock that is away, as a sentence.
    pub(in crate::node) fn clock_in_words(&self, off: &ClockOff) -> String {
        let whose = self.display_name(off.peer);
        let span = away_in_words(off.ahead_ms);
        if off.is_settled {
            format!(
                "The clock of {whose} is {span} {} the others: set it right there.",
                direction(off.ahead_ms)
            )
        } else {
            format!(
                "This node's clock and that of {whose} differ by {span}: one of them is wrong. \
                 Check both."
            )
        }
    }

    fn conflict(
        &self,
        identity: NodeId,
        reason: Option<&CloseReason>,
        told_by: Option<NodeId>,
    ) -> String {
        let whose = self.display_name(identity);
        match (reason, told_by) {
            (Some(reason), Some(peer)) => format!("{} says: {reason}.", self.display_name(peer)),
            (Some(reason), None) => {
                format!("Two processes show the identity of {whose}: {reason}.")
            }
            (None, _) => format!("Two processes show the identity of {whose}."),
        }
    }
}

/// What is unusual about a series, as a sentence.
/// That several series are unusual together, as a sentence.
pub(in crate::node) fn together_in_words(series: &[Series]) -> String {
    let names: Vec<String> = series
        .iter()
        .map(|series| series.name().replace('_', " "))
        .collect();
    let names = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.join(""),
    };
    format!("The figures of this node never stood like this together, above all {names}.")
}

/// That a value is unlike all before it, as a sentence.
pub(in crate::node) fn unusual_in_words(unusual: &Unusual) -> String {
    let (name, unit) = (
        unusual.series.name().replace('_', " "),
        unusual.series.unit(),
    );
    let (value, expected) = (
        with_tenth(unusual.value_milli),
        with_tenth(unusual.expected_milli),
    );
    let usual = if unusual.at_this_hour {
        "is usual at this hour"
    } else {
        "is usual"
    };
    let times = with_tenth(unusual.deviations_milli.saturating_abs());
    let how = if unusual.deviations_milli == 0 {
        String::new()
    } else {
        format!(", {times} times as far from it as usual")
    };
    format!("The {name} is unusual: {value} {unit} where {expected} {unit} {usual}{how}.")
}

/// Thousandths as a number with one decimal.
fn with_tenth(milli: i64) -> String {
    let sign = if milli < 0 { "-" } else { "" };
    let tenths = milli.unsigned_abs() / 100;
    format!("{sign}{}.{}", tenths / 10, tenths % 10)
}

/// That this node's clock is wrong, as a sentence.
pub(in crate::node) fn own_clock_in_words(ahead_ms: i64) -> String {
    format!(
        "This node's clock is {} {} its peers: set it right. Until then writes are stamped by theirs.",
        away_in_words(ahead_ms),
        direction(ahead_ms)
    )
}

/// That peers do not take what a node writes now, as a sentence: a reason of its status, and a
/// warning beside the answer to a write.
pub(in crate::node) fn held_back_in_words(span: Duration) -> String {
    format!(
        "Peers hold back what this node writes for another {}: \
         its stamps are ahead of their clocks.",
        in_words(span)
    )
}

/// That peers do not yet take what a node wrote earlier, as a sentence.
pub(in crate::node) fn left_behind_in_words(span: Duration) -> String {
    format!(
        "Peers hold back what this node wrote while its clock was ahead, for another {}. \
         What it writes now reaches them at once.",
        in_words(span)
    )
}

fn away_in_words(ahead_ms: i64) -> String {
    // Two clocks are never compared to the millisecond: 1 h 59 min 59 s is 2 h.
    let seconds = ahead_ms.unsigned_abs().saturating_add(500) / 1_000;
    let rounded = if seconds < 100 {
        seconds
    } else {
        seconds.next_multiple_of(10)
    };
    in_words(Duration::from_secs(rounded))
}

const fn direction(ahead_ms: i64) -> &'static str {
    if ahead_ms < 0 { "behind" } else { "ahead of" }
}

/// Why a node is fenced, as a sentence.
#[must_use]
pub(in crate::node) fn fence_in_words(cause: &FenceCause) -> String {
    match cause {
        FenceCause::Superseded(reason) => format!("Fenced: {reason}."),
        FenceCause::SecondProcess => "Fenced: another process runs with this identity; \
             a data directory must not be copied."
            .into(),
    }
}

const fn state_in_words(from: Option<MemberState>, to: MemberState) -> &'static str {
    match to {
        MemberState::Alive if from.is_none() => "is there",
        MemberState::Alive => "is alive",
        MemberState::Suspect => "is suspect",
        MemberState::Dead => "is dead",
        MemberState::Left => "has left",
        MemberState::Parked => "is parked",
    }
}
