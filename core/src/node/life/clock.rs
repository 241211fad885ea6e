//! What follows from the comparison of wall clocks: by which clock stamps are given and judged, and
//! who is told that a clock is wrong.
//!
//! | comparison | stamps are given by | stamps of others and invites are judged by |
//! |---|---|---|
//! | this clock is right, or alone | it | it |
//! | this clock is wrong, and that is settled | the clocks of the others | the clocks of the others |
//! | two clocks differ, this one is ahead | the lower one | this one |
//! | two clocks differ, this one is behind | this one | this one |
//!
//! A stamp that is too low harms nobody, since clocks are pushed by what is read. So one peer alone
//! can make a node's stamps lower, and never make it refuse what others write.
//!
//! Source: docs/design.md; the papers on the page of `overlay/links/clocks`.

use crate::{
    kernel::{
        id::NodeId,
        time::{Duration, WallTime},
    },
    membership::admission,
    node::{contract::Notice, machine::Node},
    overlay::links::{CLOCK_OFF_MS, CLOCK_RIGHT_MS, ClockOff, ahead_ms},
    replication::{clock::AHEAD_MAX, replica},
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A correction follows the others only in steps of this, in milliseconds: readings differ a bit.
const STEP_MS: u64 = 500;

/// What was concluded last.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::node) struct ClockWatch {
    /// What this node's clock lacks, in milliseconds; 0 while it is right as far as is known.
    correction_ms: i64,
    /// Whether it is known that this clock is wrong, not the other one.
    is_settled: bool,
    /// The linked peers whose clocks are away; bounded by the links.
    peers: BTreeMap<NodeId, ClockOff>,
}

impl ClockWatch {
    /// How far this clock is ahead of the others (behind, if negative), if that is known.
    pub(in crate::node) const fn own_ahead_ms(&self) -> Option<i64> {
        if self.is_settled && self.correction_ms != 0 {
            Some(self.correction_ms.saturating_neg())
        } else {
            None
        }
    }

    /// Peers whose clocks are away, in the order of their identities.
    pub(in crate::node) fn peers(&self) -> impl Iterator<Item = &ClockOff> {
        self.peers.values()
    }
}

impl Node {
    /// A reading of the wall clock of this machine.
    pub(in crate::node) fn on_wall_clock(&mut self, wall: WallTime) {
        let jump_ms = ahead_ms(wall, self.wall_now());
        // Kept with its moment, so that `wall_now` can carry it on between two readings.
        self.wall = wall;
        self.wall_at = self.now;
        // Where no peer is linked nothing new is known of the true time: a clock that is set
        // meanwhile lacks that much less.
        let correction = &mut self.clock.correction_ms;
        if *correction != 0 && jump_ms.unsigned_abs() > STEP_MS {
            *correction = correction.saturating_sub(jump_ms);
            if correction.unsigned_abs() <= CLOCK_RIGHT_MS {
                *correction = 0;
            }
        }
        self.compare_clocks();
        self.tell_time();
    }

    /// Judges the clocks anew; tells who is wrong where that changed.
    pub(in crate::node) fn compare_clocks(&mut self) {
        let Some(judged) = self.links.judge_clock(self.now, self.wall_now()) else {
            self.clock.peers.clear();
            return;
        };
        let before = self.clock.own_ahead_ms();
        let middle = judged.middle_ms;
        let bound = if self.clock.correction_ms == 0 {
            CLOCK_OFF_MS
        } else {
            CLOCK_RIGHT_MS
        };
        // A lower clock is safe for stamps; a higher one needs a majority.
        let is_used = middle.unsigned_abs() > bound && (judged.is_settled || middle < 0);
        let wanted = if is_used { middle } else { 0 };
        let is_news = wanted == 0 || wanted.abs_diff(self.clock.correction_ms) > STEP_MS;
        let changed = (is_news && wanted != self.clock.correction_ms)
            || (wanted != 0 && judged.is_settled != self.clock.is_settled);
        if changed {
            self.clock.correction_ms = wanted;
        }
        self.clock.is_settled = judged.is_settled;
        if changed {
            self.tell_time();
        }
        match (before, self.clock.own_ahead_ms()) {
            (None, Some(ahead_ms)) => self.note(Notice::ClockWrong { ahead_ms }),
            (Some(_), None) => self.note(Notice::ClockRight { peer: None }),
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.note_clocks_of_peers(judged.peers);
    }

    fn note_clocks_of_peers(&mut self, off: Vec<ClockOff>) {
        let before = core::mem::take(&mut self.clock.peers);
        for off in off {
            let known = before.get(&off.peer);
            if known.is_none() && off.ahead_ms.unsigned_abs() <= CLOCK_OFF_MS {
                continue;
            }
            self.clock.peers.insert(off.peer, off);
            if known.is_none_or(|known| known.is_settled != off.is_settled) {
                self.note(Notice::ClockOfPeer(off));
            }
        }
        for peer in before.into_keys() {
            if !self.clock.peers.contains_key(&peer) && self.links.is_linked(peer) {
                self.note(Notice::ClockRight { peer: Some(peer) });
            }
        }
    }

    /// Tells the machines that judge stamps and expiries what time it is.
    fn tell_time(&mut self) {
        let ClockWatch {
            correction_ms,
            is_settled,
            ..
        } = self.clock;
        let own = self.wall_now();
        let settled = if is_settled { correction_ms } else { 0 };
        let judged = WallTime::from_millis(own.as_millis().saturating_add_signed(settled));
        let lower = correction_ms.saturating_sub(settled).min(0).unsigned_abs();
        self.tell_admission(admission::Command::WallClock(judged));
        let lower = Duration::from_millis(lower);
        self.tell_replica(replica::Command::StampLower(lower));
        self.tell_replica(replica::Command::WallClock(judged));
    }

    /// For how long peers will not take what this node writes now: its latest stamp is so much too
    /// far ahead of the time that stamps should be given by. `None` if they take it.
    #[must_use]
    pub fn writes_held_back(&self) -> Option<Duration> {
        let own = self.wall_now().as_millis();
        let right = own.saturating_add_signed(self.clock.correction_ms);
        let ahead = self.replica.latest_millis().saturating_sub(right);
        let span = Duration::from_millis(ahead).checked_sub(AHEAD_MAX)?;
        (!span.is_zero()).then_some(span)
    }
}
