//! Wall clocks compared with those of peers: what most of them say, and whose is wrong as far as
//! that can be told.
//!
//! | voters, this node included | what follows |
//! |---|---|
//! | most of three or more agree | theirs is the time; whoever is away from it is wrong |
//! | two, or no majority | somebody is wrong: it is told, and no clock is corrected |
//! | this clock stands before [`CLOCK_FLOOR`] | it is wrong; what the others say counts |
//!
//! Relays vote. Tabs are compared and have no vote: anyone with an invite can open many.
//!
//! Source: Cristian, "Probabilistic Clock Synchronization", 1989, section 3 (one reading with the
//! round trip as its bound); Mills, RFC 5905, 2010, section 11.2 (a majority of clocks tells the
//! false ones).

use super::{Links, machine::Timer};
use crate::kernel::{
    id::{NodeId, Role},
    time::{Duration, Time, WallTime},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// No clock that is right stands before this: 2025-01-01 UTC. Such a clock has no vote.
const CLOCK_FLOOR: WallTime = WallTime::from_millis(1_735_689_600_000);
/// A clock this far from the others is wrong, in milliseconds. Smaller blames clocks for slow
/// paths; above `ahead_max` (60 s) data would wait before anyone is told.
pub const CLOCK_OFF_MS: u64 = 5_000;
/// A clock that was wrong is right again within this, in milliseconds: less than
/// [`CLOCK_OFF_MS`], so that the word does not go back and forth.
pub const CLOCK_RIGHT_MS: u64 = 3_000;
/// A reading with a wider bound says too little to be used.
const ERROR_MAX: Duration = Duration::from_secs(1);
/// For how long a reading counts for more than a later one with a wider bound. Clocks drift.
const READING_WORTH: Duration = Duration::from_secs(60);

/// A wall clock that moved by so much more or less than the monotonic one was set, in milliseconds.
const JUMP_MS: u64 = 500;

/// A peer's wall clock as it was read once.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Reading {
    wall: WallTime,
    /// The middle of the round trip, by the own monotonic clock: so the reading stays true when the
    /// own wall clock jumps.
    at: Time,
    /// Half of the round trip.
    error: Duration,
    /// Whether the own clocks have gone apart since: the monotonic one may have stood still.
    is_doubted: bool,
}

impl Reading {
    /// Takes the time `wall` that came back after `round_trip`; `before` is kept if it is better.
    pub(super) fn take(
        before: Option<Self>,
        now: Time,
        round_trip: Duration,
        wall: WallTime,
    ) -> Option<Self> {
        let error = round_trip / 2;
        if error > ERROR_MAX {
            return before;
        }
        let new = Self {
            wall,
            at: now - error,
            error,
            is_doubted: false,
        };
        let is_kept = before.filter(|old| !old.is_doubted).is_some_and(|old| {
            let bound = old.error.saturating_add(error).as_millis();
            let agrees = ahead_ms(old.now(now), new.now(now)).unsigned_abs();
            // A worse reading that does not contradict a good one adds nothing.
            old.error < error && now.since(old.at) < READING_WORTH && u128::from(agrees) <= bound
        });
        if is_kept { before } else { Some(new) }
    }

    pub(super) fn now(&self, now: Time) -> WallTime {
        self.wall.plus(now.since(self.at))
    }

    pub(super) fn is_old(&self, now: Time) -> bool {
        self.is_doubted || now.since(self.at) >= READING_WORTH
    }
}

/// A peer whose clock is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOff {
    /// Whose.
    pub peer: NodeId,
    /// How far ahead it is (behind, if negative): of what most say if `is_settled`, else of this
    /// node's clock.
    pub ahead_ms: i64,
    /// Whether it is known that the peer is wrong and not this node.
    pub is_settled: bool,
}

/// What the comparison of clocks says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How far the time of most clocks is ahead of this node's, in milliseconds; with an even
    /// number of voters the lower of the two in the middle counts.
    pub middle_ms: i64,
    /// Whether that is the time: most of three or more agree, or this clock is known to be wrong.
    pub is_settled: bool,
    /// Whether the time is known well enough to tell that a stamp ran ahead: it is settled, or every
    /// clock that is known agrees with this one.
    pub is_sure: bool,
    /// Whether every peer has told its time since the own clocks last went apart.
    pub is_fresh: bool,
    /// How far this clock is ahead of those of its peers, for people.
    pub ahead_ms: i64,
    /// Peers that are away by more than [`CLOCK_RIGHT_MS`].
    pub peers: Vec<ClockOff>,
}

/// Judges this node's clock `own` by the clocks of peers, each with whether it has a vote; `None`
/// where there is nothing to compare. Where no majority is, peers are compared with the time that
/// was settled before: `own` corrected by `correction_ms`.
fn judge(
    own: WallTime,
    correction_ms: i64,
    peers: &[(NodeId, bool, WallTime)],
) -> Option<Judgement> {
    if peers.is_empty() {
        return None;
    }
    let is_own_sound = own >= CLOCK_FLOOR;
    let voters = peers
        .iter()
        .filter(|(_, votes, wall)| *votes && *wall >= CLOCK_FLOOR);
    let mut votes: Vec<i64> = voters.map(|(_, _, wall)| ahead_ms(*wall, own)).collect();
    if is_own_sound {
        votes.push(0);
    }
    votes.sort_unstable();
    let middle_ms = *votes.get(votes.len().saturating_sub(1) / 2)?;
    let agree = votes
        .iter()
        .filter(|vote| vote.abs_diff(middle_ms) <= CLOCK_OFF_MS)
        .count();
    let is_majority = votes.len() >= 3 && agree.saturating_mul(2) > votes.len();
    let is_settled = is_majority || !is_own_sound;
    let reference = if is_settled { middle_ms } else { correction_ms };
    // Without a majority: the one in the middle of the peers alone.
    let theirs_ms = if is_settled {
        middle_ms
    } else {
        middle_of_peers(own, peers)
    };
    let off = peers.iter().map(|(peer, _, wall)| ClockOff {
        peer: *peer,
        ahead_ms: ahead_ms(*wall, own).saturating_sub(reference),
        is_settled: is_settled || *wall < CLOCK_FLOOR,
    });
    Some(Judgement {
        middle_ms,
        is_settled,
        is_sure: is_settled || (agree == votes.len() && agree >= 2),
        is_fresh: true,
        ahead_ms: theirs_ms.saturating_neg(),
        peers: off
            .filter(|off| off.ahead_ms.unsigned_abs() > CLOCK_RIGHT_MS)
            .collect(),
    })
}

fn middle_of_peers(own: WallTime, peers: &[(NodeId, bool, WallTime)]) -> i64 {
    let mut ahead: Vec<i64> = peers
        .iter()
        .map(|(_, _, wall)| ahead_ms(*wall, own))
        .collect();
    ahead.sort_unstable();
    let middle = ahead.get(ahead.len().saturating_sub(1) / 2);
    middle.copied().unwrap_or(0)
}

/// How many milliseconds `clock` is ahead of `other`; negative if it is behind.
#[must_use]
pub fn ahead_ms(clock: WallTime, other: WallTime) -> i64 {
    let (clock, other) = (clock.as_millis(), other.as_millis());
    let span = i64::try_from(clock.abs_diff(other)).unwrap_or(i64::MAX);
    if clock >= other {
        span
    } else {
        span.saturating_neg()
    }
}

impl Links {
    /// Judges the wall clock of this node, which says `own` at `now` and was found to lack
    /// `correction_ms`, by those of linked peers.
    #[must_use]
    pub fn judge_clock(&self, now: Time, own: WallTime, correction_ms: i64) -> Option<Judgement> {
        let read = self.peers.iter().filter_map(|(peer, routed)| {
            let wall = routed.clock?.now(now);
            Some((*peer, routed.identity.role == Role::Relay, wall))
        });
        let judged = judge(own, correction_ms, &read.collect::<Vec<_>>())?;
        let mut readings = self.peers.values().filter_map(|routed| routed.clock);
        Some(Judgement {
            is_fresh: readings.all(|reading| !reading.is_doubted),
            ..judged
        })
    }

    /// A reading of the own wall clock. Where it jumped, peers are asked for theirs at once: either it
    /// was set, or the monotonic clock stood still, and what peers said cannot be carried on by it.
    pub(super) fn on_wall_clock(&mut self, wall: WallTime) {
        let jumped = self
            .wall_now()
            .is_some_and(|before| ahead_ms(wall, before).unsigned_abs() > JUMP_MS);
        self.wall = (wall, self.now);
        if !jumped {
            return;
        }
        for (peer, routed) in &mut self.peers {
            if let Some(clock) = &mut routed.clock {
                clock.is_doubted = true;
                self.deadlines.set(Timer::Ping(*peer), self.now);
            }
        }
    }

    /// A peer's answer to a ping: what its wall clock said.
    pub(super) fn on_wall(&mut self, from: NodeId, nonce: u64, wall: WallTime) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        // As with pongs: an answer to another ping than the latest has no round trip.
        if let Some((_, sent_at)) = peer.pinged.filter(|(expected, _)| *expected == nonce) {
            peer.clock = Reading::take(peer.clock, now, now.since(sent_at), wall);
        }
    }

    /// What the wall clock says now; unknown before the first reading.
    pub(super) fn wall_now(&self) -> Option<WallTime> {
        let (wall, read_at) = self.wall;
        (wall != WallTime::default()).then(|| wall.plus(self.now.since(read_at)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]
    use super::*;

    const NOW: u64 = 1_790_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn judged(own: i64, relays: &[i64]) -> Judgement {
        let at = |offset: i64| WallTime::from_millis(NOW.saturating_add_signed(offset));
        let peers = relays.iter().zip(1..);
        let peers: Vec<_> = peers
            .map(|(offset, id)| (NodeId::from_bytes([id; 32]), true, at(*offset)))
            .collect();
        judge(at(own), 0, &peers).unwrap()
    }

    #[test]
    fn two_sound_peers_settle_that_this_clock_is_wrong() {
        let ahead = judged(2 * HOUR, &[0, 300]);
        assert_eq!((ahead.middle_ms, ahead.is_settled), (300 - 2 * HOUR, true));
        assert!(ahead.peers.is_empty());
        let behind = judged(-2 * HOUR, &[0, 300]);
        assert_eq!((behind.middle_ms, behind.is_settled), (2 * HOUR, true));
    }

    #[test]
    fn one_liar_among_three_moves_nobody() {
        for lie in [-HOUR * 24 * 365, -HOUR, HOUR, HOUR * 24 * 365] {
            let told = judged(0, &[10, lie]);
            assert!(told.middle_ms.unsigned_abs() <= 10 && told.is_settled);
            assert_eq!(told.peers.len(), 1);
        }
    }

    #[test]
    fn of_two_clocks_nobody_knows_which_is_wrong() {
        let ahead = judged(2 * HOUR, &[0]);
        assert_eq!((ahead.middle_ms, ahead.is_settled), (-2 * HOUR, false));
        assert!(!ahead.is_sure);
        assert!(judged(0, &[300]).is_sure, "two that agree");
        let behind = judged(0, &[2 * HOUR]);
        assert_eq!((behind.middle_ms, behind.is_settled), (0, false));
        assert_eq!(behind.peers.first().map(|off| off.ahead_ms), Some(2 * HOUR));
        // Two against two is no majority either.
        assert!(!judged(0, &[0, HOUR, HOUR]).is_settled);
    }

    #[test]
    fn a_clock_before_the_floor_is_wrong_whoever_else_is_there() {
        let lost = 40_000_000_000_i64 - 1_790_000_000_000;
        let told = judged(lost, &[0]);
        assert_eq!((told.middle_ms, told.is_settled), (-lost, true));
        let other = judged(0, &[lost]);
        assert_eq!((other.middle_ms, other.is_settled), (0, false));
        assert!(other.peers.first().is_some_and(|off| off.is_settled));
    }

    #[test]
    fn tabs_have_no_vote() {
        let at = |offset: u64| WallTime::from_millis(NOW + offset);
        let tab = |id: u8| (NodeId::from_bytes([id; 32]), false, at(7_200_000));
        let told = judge(at(0), 0, &[tab(1), tab(2), tab(3)]).unwrap();
        assert_eq!((told.middle_ms, told.is_settled), (0, false));
        assert!(!told.is_sure);
        assert_eq!(told.peers.len(), 3);
    }

    #[test]
    fn a_worse_reading_replaces_a_good_one_only_where_it_contradicts_it() {
        let wall = WallTime::from_millis;
        let (now, ms) = (Time::from_millis(10_000), Duration::from_millis);
        let good = Reading::take(None, now, ms(2), wall(NOW));
        let worse = Reading::take(good, now, ms(800), wall(NOW - 300));
        assert_eq!(worse.unwrap().now(now), wall(NOW + 1));
        let jumped = Reading::take(good, now, ms(800), wall(NOW + 60_000));
        assert_eq!(jumped.unwrap().now(now), wall(NOW + 60_400));
        assert!(Reading::take(None, now, ms(5_000), wall(NOW)).is_none());
    }
}
