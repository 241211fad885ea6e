//! How good a path is, as the pings over it show.
//!
//! Source: RFC 6298, section 2, for the smoothed round-trip time and its variation. Hayashibara, Défago, Yared
//! and Katayama, "The φ accrual failure detector", SRDS 2004, for how suspicious a silence is.

use super::Links;
use crate::kernel::{
    id::{NodeId, Role},
    time::{Duration, Time, millis},
};

/// The span over which lost pings are counted.
const LOSS_SPAN: Duration = Duration::from_secs(60);
/// The most pings that are remembered: one bit each.
const PINGS_MAX: u32 = 64;

/// Fewer beats say nothing about what is usual.
const BEATS_MIN: u32 = 4;
/// Beats that the usual gap remembers.
const BEATS_KEPT: u32 = 32;
/// The least that gaps vary by, as a share of the usual one: a silent machine's timers are not that exact.
const VARIES_MIN: f64 = 0.1;
/// What is less likely than one in 10^30 counts as that.
const PHI_MAX: f64 = 30.0;

/// How regularly a peer is heard.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Beats {
    last: Option<Time>,
    /// Gaps so far, at most [`BEATS_KEPT`].
    count: u32,
    /// In seconds, and in seconds squared.
    mean: f64,
    variance: f64,
}

impl Beats {
    /// The peer was heard in its turn.
    pub(super) fn beat(&mut self, now: Time) {
        if let Some(last) = self.last.replace(now) {
            let gap = now.since(last).as_secs_f64();
            self.count = self.count.saturating_add(1).min(BEATS_KEPT);
            let weight = 1.0 / f64::from(self.count);
            let away = gap - self.mean;
            self.mean += weight * away;
            self.variance = (1.0 - weight) * (self.variance + weight * away * away);
        }
    }

    /// How suspicious the silence since the last beat is: φ, at which a peer that is well is as silent once
    /// in 10^φ times.
    fn phi(&self, now: Time) -> Option<f64> {
        let last = self.last.filter(|_| self.count >= BEATS_MIN)?;
        let deviation = libm::sqrt(self.variance).max(self.mean * VARIES_MIN);
        let late = (now.since(last).as_secs_f64() - self.mean) / deviation.max(1e-6);
        let later = 0.5 * libm::erfc(late / core::f64::consts::SQRT_2);
        // Never the negative zero of a peer that can't be late.
        Some((-libm::log10(later.max(1e-300))).clamp(0.0, PHI_MAX) + 0.0)
    }
}

/// What the pings over one link have shown.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Pings {
    /// The times, once a pong came.
    pub(super) times: Option<Times>,
    /// Whether each ping was answered before the next one went out, the latest in the lowest bit.
    answered: u64,
    /// How many of those bits count.
    count: u32,
}

/// Round-trip times.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Times {
    pub(super) smoothed: Duration,
    last: Duration,
    min: Duration,
    variation: Duration,
}

impl Pings {
    /// A pong came after this time.
    pub(super) fn answer(&mut self, took: Duration) {
        let times = self.times.map_or(
            Times {
                smoothed: took,
                last: took,
                min: took,
                variation: took / 2,
            },
            |old| Times {
                // The variation first: it takes the smoothed time of before.
                variation: (old.variation.saturating_mul(3) + old.smoothed.abs_diff(took)) / 4,
                smoothed: (old.smoothed.saturating_mul(7) + took) / 8,
                last: took,
                min: old.min.min(took),
            },
        );
        self.times = Some(times);
        self.note(true);
    }

    /// The next ping goes out before a pong came. What travels over a stream is not lost but late.
    pub(super) const fn miss(&mut self) {
        // The first ping may come before the peer has the link up, which drops it and says nothing of the
        // path.
        if self.times.is_some() {
            self.note(false);
        }
    }

    const fn note(&mut self, is_answered: bool) {
        self.answered = self.answered.wrapping_shl(1) | (is_answered as u64);
        if self.count < PINGS_MAX {
            self.count = self.count.saturating_add(1);
        }
    }

    /// The share of unanswered pings among the last ones, in thousandths.
    fn loss_permille(&self, among: u32) -> u16 {
        let count = self.count.min(among.clamp(1, PINGS_MAX));
        let mask = u64::MAX
            .checked_shr(PINGS_MAX.saturating_sub(count))
            .unwrap_or(0);
        let lost = (!self.answered & mask).count_ones();
        let permille = lost.saturating_mul(1_000).checked_div(count).unwrap_or(0);
        u16::try_from(permille).unwrap_or(1_000)
    }
}

/// A path to a linked peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Where to.
    pub peer: NodeId,
    /// What it is.
    pub role: Role,
    /// The smoothed round-trip time.
    pub rtt: Duration,
    /// The latest round-trip time.
    pub rtt_last: Duration,
    /// The shortest round-trip time since the link came up.
    pub rtt_min: Duration,
    /// How far single round trips are from the smoothed one, smoothed as well.
    pub jitter: Duration,
    /// Pings of the last minute, at most 64, that had no answer when the next one went out, in thousandths.
    pub loss_permille: u16,
}

impl Links {
    /// How suspicious the silence of a linked peer is at this moment, as φ; at most 30. `None` until it was
    /// heard five times. Nothing is decided by it: a link ends after a time that can be foretold.
    #[must_use]
    pub fn phi(&self, peer: NodeId, now: Time) -> Option<f64> {
        self.peers.get(&peer)?.beats.phi(now.max(self.now))
    }

    /// The paths to linked peers, in identity order; without those over which no pong came yet.
    pub fn paths(&self) -> impl Iterator<Item = Path> {
        self.peers.iter().filter_map(|(peer, routed)| {
            let role = routed.identity.role;
            let times = routed.pings.times?;
            let interval = millis(self.interval_to(role)).max(1);
            let among = millis(LOSS_SPAN).checked_div(interval).unwrap_or(1);
            let among = u32::try_from(among).unwrap_or(PINGS_MAX);
            Some(Path {
                peer: *peer,
                role,
                rtt: times.smoothed,
                rtt_last: times.last,
                rtt_min: times.min,
                jitter: times.variation,
                loss_permille: routed.pings.loss_permille(among),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phi_rises_with_silence_and_with_regularity() {
        let heard = |gaps: &[u64]| {
            let mut beats = Beats::default();
            let mut now = Time::ZERO;
            beats.beat(now);
            for gap in gaps.iter().cycle().take(40) {
                now = now + ms(*gap);
                beats.beat(now);
            }
            (beats, now)
        };
        let (regular, end) = heard(&[2_000]);
        let (irregular, other_end) = heard(&[1_000, 3_000]);
        let phi = |beats: &Beats, at: Time| beats.phi(at).unwrap();
        assert!(phi(&regular, end + ms(1_000)) < 0.1);
        assert!((phi(&regular, end + ms(2_000)) - 0.301).abs() < 0.01);
        assert!(phi(&regular, end + ms(3_000)) > 5.0);
        assert!(phi(&irregular, other_end + ms(3_000)) < 1.0);
        assert!(phi(&regular, end + ms(60_000)) <= PHI_MAX);
        let mut new = Beats::default();
        new.beat(end);
        assert_eq!(new.phi(end + ms(9_000)), None);
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// The example values follow from RFC 6298, 2.2 and 2.3, by hand.
    #[test]
    fn times_are_smoothed_as_in_the_rfc() {
        let mut pings = Pings::default();
        pings.answer(ms(80));
        let first = pings.times.unwrap();
        assert_eq!((first.smoothed, first.variation), (ms(80), ms(40)));
        pings.answer(ms(40));
        let second = pings.times.unwrap();
        assert_eq!((second.smoothed, second.variation), (ms(75), ms(40)));
        assert_eq!(second.min, ms(40));
    }

    #[test]
    fn only_the_last_pings_count_as_lost() {
        let mut pings = Pings::default();
        assert_eq!(pings.loss_permille(30), 0);
        pings.miss();
        assert_eq!(pings.loss_permille(30), 0, "no pong came yet");
        pings.answer(ms(1));
        pings.miss();
        for _ in 0..2 {
            pings.answer(ms(1));
        }
        assert_eq!(pings.loss_permille(30), 250);
        for _ in 0..28 {
            pings.answer(ms(1));
        }
        assert_eq!(pings.loss_permille(30), 0);
        for _ in 0..100 {
            pings.miss();
        }
        assert_eq!(pings.loss_permille(1_000), 1_000);
    }
}
