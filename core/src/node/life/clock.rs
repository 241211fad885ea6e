//! What follows from the comparison of wall clocks: by which clock stamps are given and judged, and
//! who is told that a clock is wrong.
//!
//! | comparison | the time, for stamps and invites | stamps that ran ahead |
//! |---|---|---|
//! | this clock is right | this clock | are left behind |
//! | this clock is wrong, and that is settled | the clocks of the others | are left behind |
//! | clocks differ, and nobody knows whose is wrong | as it was settled before, else this clock | go on |
//! | no peer to compare with | as it was, moved on as this clock is set | as it was, until it is set |
//!
//! So no peer alone can move a node's stamps: it takes a majority of the relays that are compared.
//!
//! Source: docs/design.md; the papers on the page of `overlay/links/clocks`.

use crate::{
    kernel::{
        id::NodeId,
        time::{Duration, WallTime},
    },
    membership::admission,
    node::{contract::Notice, machine::Node},
    overlay::links::{CLOCK_OFF_MS, CLOCK_RIGHT_MS, ClockOff, Judgement, ahead_ms},
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
    /// Whether people were told so. Not before peers have answered since a jump: a machine that slept
    /// has a clock that jumps and is right.
    is_told: bool,
    /// Whether the time is known so well that stamps that ran ahead of it are left behind.
    is_sure: bool,
    /// How much lower the clocks of others stand where nobody knows whose is wrong, in milliseconds:
    /// they hold back what is written here.
    lower_ms: u64,
    /// How far this clock is ahead of those of its peers; `None` where there is none to compare with.
    ahead_ms: Option<i64>,
    /// The linked peers whose clocks are away; bounded by the links.
    peers: BTreeMap<NodeId, ClockOff>,
}

impl ClockWatch {
    /// How far this clock is ahead of the others (behind, if negative), if it is known to be wrong.
    pub(in crate::node) const fn wrong_by_ms(&self) -> Option<i64> {
        if self.is_told {
            Some(self.correction_ms.saturating_neg())
        } else {
            None
        }
    }

    /// How far this clock is ahead of those of its peers, right or wrong; `None` where there is none to
    /// compare with.
    pub(in crate::node) const fn ahead_ms(&self) -> Option<i64> {
        self.ahead_ms
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
        if jump_ms.unsigned_abs() > STEP_MS {
            // It was set. Where no peer is linked nothing new is known of the true time: the clock lacks
            // that much less.
            self.clock.is_sure = false;
            let correction = &mut self.clock.correction_ms;
            if *correction != 0 {
                *correction = correction.saturating_sub(jump_ms);
            }
            if correction.unsigned_abs() <= CLOCK_RIGHT_MS {
                *correction = 0;
            }
        }
        self.compare_clocks();
        self.tell_time();
    }

    /// Judges the clocks anew; tells who is wrong where that changed.
    pub(in crate::node) fn compare_clocks(&mut self) {
        let known = self.clock.correction_ms;
        let judged = self.links.judge_clock(self.now, self.wall_now(), known);
        let sure_before = self.clock.is_sure;
        if let Some(judged) = &judged {
            self.clock.correction_ms = correction(judged, known);
            self.clock.is_sure = judged.is_sure && judged.is_fresh;
        }
        self.clock.ahead_ms = judged.as_ref().map(|judged| judged.ahead_ms);
        self.clock.lower_ms = judged.as_ref().map_or(0, |judged| {
            let lower = known.saturating_sub(judged.middle_ms).max(0);
            if judged.is_settled {
                0
            } else {
                lower.unsigned_abs()
            }
        });
        if self.clock.correction_ms != known || self.clock.is_sure != sure_before {
            self.tell_time();
        }
        match judged {
            Some(judged) if judged.is_fresh => {
                self.note_own_clock(self.clock.correction_ms != 0);
                self.note_clocks_of_peers(judged.peers);
            }
            // Peers are being asked; what was told stays until they have answered.
            Some(_) => self.note_own_clock(self.clock.is_told && self.clock.correction_ms != 0),
            None => {
                self.note_own_clock(self.clock.is_told && self.clock.correction_ms != 0);
                self.clock.peers.clear();
            }
        }
    }

    fn note_own_clock(&mut self, is_wrong: bool) {
        let before = core::mem::replace(&mut self.clock.is_told, is_wrong);
        match (before, self.clock.wrong_by_ms()) {
            (false, Some(ahead_ms)) => self.note(Notice::ClockWrong { ahead_ms }),
            (true, None) => self.note(Notice::ClockRight { peer: None }),
            (true, Some(_)) | (false, None) => {}
        }
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
        let wall = self.wall_corrected();
        self.tell_admission(admission::Command::WallClock(wall));
        self.tell_replica(replica::Command::TrustClock(self.clock.is_sure));
        self.tell_replica(replica::Command::WallClock(wall));
    }

    fn wall_corrected(&self) -> WallTime {
        let own = self.wall_now().as_millis();
        WallTime::from_millis(own.saturating_add_signed(self.clock.correction_ms))
    }

    /// For how long peers will not take what this node writes now: its latest stamp is so much too
    /// far ahead of the time that they have. `None` if they take it.
    #[must_use]
    pub fn writes_held_back(&self) -> Option<Duration> {
        let time = self.wall_corrected().as_millis();
        let theirs = time.saturating_sub(self.clock.lower_ms);
        too_far(self.replica.latest_millis(), theirs)
    }

    /// For how long peers will not take what this node wrote with stamps that ran ahead and that it
    /// has left behind since.
    pub(in crate::node) fn left_behind(&self) -> Option<Duration> {
        let time = self.wall_corrected().as_millis();
        too_far(self.replica.left_behind_millis()?, time)
    }
}

/// For how long a stamp is held back where it is `time`.
fn too_far(stamp: u64, time: u64) -> Option<Duration> {
    let ahead = Duration::from_millis(stamp.saturating_sub(time));
    let span = ahead.checked_sub(AHEAD_MAX)?;
    (!span.is_zero()).then_some(span)
}

/// What this node's clock lacks by a judgement, where it was found to lack `known` before.
const fn correction(judged: &Judgement, known: i64) -> i64 {
    let middle = judged.middle_ms;
    let bound = if known == 0 {
        CLOCK_OFF_MS
    } else {
        CLOCK_RIGHT_MS
    };
    let is_away = middle.unsigned_abs() > bound;
    match (judged.is_settled, is_away) {
        (true, true) if middle.abs_diff(known) > STEP_MS => middle,
        (true, true) => known,
        (true, false) => 0,
        // Without a majority nothing new is known, unless all agree with this clock as it is.
        (false, false) if judged.is_sure => 0,
        (false, _) => known,
    }
}
