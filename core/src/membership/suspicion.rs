//! How long a suspected member has to refute.
//!
//! Silence alone starts with a long window that shrinks with every further independent accuser, down
//! to a minimum. Evidence of a crash gives a short window: all that it has to leave room for is the
//! refutation of a lie and the announcement of a quick restart.
//!
//! With the defaults and up to eight relays: silence is dead 4.25 s (two relays) to 4.75 s (eight)
//! after the first accusation when enough others accuse, three times as long when nobody else does;
//! a crash 1 s after the accusation. An accusation itself comes 1.9 s to 2.1 s after the last answer
//! to its accuser. So a silent member is never dead before 5 s after its last answer to anyone, and
//! a pause of 3 s never kills.
//!
//! Source: Das, Gupta, Motivala, "SWIM", DSN 2002, section 4.2 (suspicion); Dadgar et al.,
//! "Lifeguard", 2017, section IV-B (LHA-Suspicion).

use crate::{
    kernel::{crypto::Verified, id::NodeId, time::Time},
    membership::member::{Accusation, Evidence},
};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// The most accusers that are remembered of one suspicion: as many as a relay has observers on four
/// rings. Further ones are ignored, they could not shorten the window.
pub const ACCUSERS_MAX: usize = 8;

/// The windows of refutation.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Windows {
    /// The shortest window for silence in a mesh of one relay. Default 4 s. Together with the probe
    /// period and timeout it must exceed the longest pause that a healthy node may make: halve it and
    /// a stop of 3 s kills; double it and every real failure without evidence of a crash is noticed
    /// 4 s later. Sensible: 1 s to 60 s.
    pub silence_min: Duration,
    /// Added to `silence_min` for every doubling of the number of relays, because accusation and
    /// refutation each travel O(log n) hops. Default 250 ms: two hops of gossip (at most 100 ms
    /// each) with some slack. Sensible: 0 to 2 s.
    pub silence_per_doubling: Duration,
    /// The longest window is this many times the shortest. Default 3 (the paper's is 6, for members
    /// with one observer at a time; here all observers of a member speak within two probe periods).
    /// 1 switches the dynamic window off. Sensible: 1 to 10.
    pub silence_max_factor: u32,
    /// How many accusers beside the first bring the window to its minimum. Default 2; at most 3.
    /// Fewer are enough where fewer can exist.
    pub confirmations: u32,
    /// The window for evident crashes. Default 1 s; less than 0.5 s gives a liar's victim in a large
    /// mesh no time to refute, more than 1.5 s misses "dead within 2 s of the loss".
    pub crash: Duration,
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            silence_min: Duration::from_secs(4),
            silence_per_doubling: Duration::from_millis(250),
            silence_max_factor: 3,
            confirmations: 2,
            crash: Duration::from_secs(1),
        }
    }
}

impl Windows {
    /// The window for silence after `confirmations` independent accusers beside the first, in a mesh
    /// of `relays`, where `observers` could accuse.
    ///
    /// Source: Lifeguard, section IV-B: max(Min, Max − (Max − Min) · log(C + 1) / log(K + 1)).
    #[must_use]
    pub fn silence(&self, confirmations: usize, relays: usize, observers: usize) -> Duration {
        // ⌊log₂(relays)⌋: the deeper the gossip tree, the longer a refutation travels.
        let doublings = usize::BITS
            .saturating_sub(relays.max(1).leading_zeros())
            .saturating_sub(1);
        let shortest = self
            .silence_min
            .saturating_add(self.silence_per_doubling.saturating_mul(doublings));
        let longest = shortest.saturating_mul(self.silence_max_factor.max(1));
        // The first accuser confirms nothing. Two relays have one observer each, so the first
        // accusation must be enough.
        let possible = u32::try_from(observers.saturating_sub(1)).unwrap_or(u32::MAX);
        let done = permille_of_log(confirmations, self.confirmations.min(possible));
        let shrink = longest.saturating_sub(shortest).saturating_mul(done) / 1_000;
        longest.saturating_sub(shrink)
    }
}

/// log(confirmations + 1) / log(wanted + 1) in thousandths; 1,000 where nothing is wanted.
const fn permille_of_log(confirmations: usize, wanted: u32) -> u32 {
    // As a table, since floating-point logarithms may differ between machines: log 2 / log 3 =
    // 0.631, log 3 / log 4 = 0.792, log 2 / log 4 = 0.5.
    match (wanted, confirmations) {
        (2, 1) => 631,
        (3.., 2) => 792,
        (3.., 1) => 500,
        (1.., 0) => 0,
        (0.., _) => 1_000,
    }
}

/// What is held against one member at one incarnation.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Suspicion {
    started_at: Time,
    crash_at: Option<Time>,
    accusations: BTreeMap<NodeId, Verified<Accusation>>,
}

impl Suspicion {
    /// Nothing held yet; the window starts now.
    #[must_use]
    pub const fn new(now: Time) -> Self {
        Self {
            started_at: now,
            crash_at: None,
            accusations: BTreeMap::new(),
        }
    }

    /// Whether an accusation would add nothing: its accuser already said as much, or there are enough
    /// accusers.
    #[must_use]
    pub fn knows(&self, accuser: NodeId, evidence: Evidence) -> bool {
        match self.accusations.get(&accuser) {
            Some(known) => known.evidence >= evidence,
            None => {
                // With a full list one more report of silence changes nothing. The first evidence
                // of a crash does: it ends the window sooner.
                self.accusations.len() >= ACCUSERS_MAX
                    && match evidence {
                        Evidence::Silence => true,
                        Evidence::Crash => self.crash_at.is_some(),
                        Evidence::Forgotten => self.forgotten_by().is_some(),
                    }
            }
        }
    }

    /// Who said first, by identity, that the member won't come back.
    #[must_use]
    pub fn forgotten_by(&self) -> Option<NodeId> {
        let mut words = self.accusations.values();
        let word = words.find(|word| word.evidence == Evidence::Forgotten);
        word.map(|word| word.accuser)
    }

    /// Adds an accusation; answers whether it was new.
    pub fn add(&mut self, now: Time, accusation: Verified<Accusation>) -> bool {
        if self.knows(accusation.accuser, accusation.evidence) {
            return false;
        }
        // Only the first evidence starts the short window: more of it must not put the end off.
        if accusation.evidence == Evidence::Crash && self.crash_at.is_none() {
            self.crash_at = Some(now);
        }
        if self.accusations.len() >= ACCUSERS_MAX
            && !self.accusations.contains_key(&accusation.accuser)
        {
            // The first evidence of its kind makes room for itself. Of the others it does not matter
            // which one goes, but an operator's word is the only one.
            let ordinary = |word: &&Verified<Accusation>| word.evidence != Evidence::Forgotten;
            let last = self.accusations.values().rfind(ordinary);
            if let Some(accuser) = last.map(|word| word.accuser) {
                self.accusations.remove(&accuser);
            }
        }
        self.accusations.insert(accusation.accuser, accusation);
        true
    }

    /// Starts the windows anew: this node slept, or only now has reason to believe it.
    pub fn restart(&mut self, now: Time) {
        self.started_at = now;
        self.crash_at = self.crash_at.map(|_| now);
    }

    /// When the member counts as dead unless it refutes.
    #[must_use]
    pub fn ends_at(&self, windows: &Windows, relays: usize, observers: usize) -> Time {
        let confirmations = self.accusations.len().saturating_sub(1);
        let silence = self.started_at + windows.silence(confirmations, relays, observers);
        match self.crash_at {
            // Evidence of a crash only ever shortens: the window for silence may end before it.
            Some(crash_at) => silence.min(crash_at + windows.crash),
            None => silence,
        }
    }

    /// When the window started.
    #[must_use]
    pub const fn started_at(&self) -> Time {
        self.started_at
    }

    /// The strongest evidence held.
    #[must_use]
    pub const fn evidence(&self) -> Evidence {
        match self.crash_at {
            Some(_) => Evidence::Crash,
            None => Evidence::Silence,
        }
    }

    /// The accusations, in the order of their accusers.
    pub fn accusations(&self) -> impl Iterator<Item = &Verified<Accusation>> {
        self.accusations.values()
    }

    /// Who accuses.
    pub fn accusers(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.accusations.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "tests")]

    use super::*;
    use crate::kernel::{
        crypto::Keypair,
        id::{Incarnation, NetworkId},
    };

    fn accusation(accuser: u8, evidence: Evidence) -> Verified<Accusation> {
        let keypair = Keypair::from_seed(&[accuser; 32]);
        let body = Accusation {
            accuser: keypair.id(),
            subject: NodeId::from_bytes([99; 32]),
            incarnation: Incarnation(1),
            evidence,
        };
        Verified::seal(body, &keypair, NetworkId::from_bytes([1; 32]))
    }

    #[test]
    fn every_independent_accuser_shortens_the_window() {
        let windows = Windows::default();
        let spans: alloc::vec::Vec<_> = (0..4).map(|c| windows.silence(c, 5, 4)).collect();
        assert_eq!(spans[0], Duration::from_millis(13_500));
        assert!(spans[0] > spans[1] && spans[1] > spans[2]);
        assert_eq!(spans[2], Duration::from_millis(4_500));
        assert_eq!(spans[2], spans[3]);
    }

    #[test]
    fn where_nobody_else_could_accuse_the_window_is_the_shortest_at_once() {
        assert_eq!(
            Windows::default().silence(0, 2, 1),
            Duration::from_millis(4_250)
        );
    }

    #[test]
    fn the_window_grows_with_the_logarithm_of_the_mesh() {
        let windows = Windows::default();
        assert_eq!(
            windows.silence(2, 1_024, 8) - windows.silence(2, 2, 8),
            Duration::from_millis(9 * 250)
        );
    }

    #[test]
    fn one_accuser_counts_once_however_often_it_speaks() {
        let mut suspicion = Suspicion::new(Time::ZERO);
        assert!(suspicion.add(Time::ZERO, accusation(1, Evidence::Silence)));
        assert!(!suspicion.add(Time::ZERO, accusation(1, Evidence::Silence)));
        assert_eq!(suspicion.accusers().count(), 1);
    }

    #[test]
    fn evidence_of_a_crash_counts_from_when_it_came() {
        let windows = Windows::default();
        let mut suspicion = Suspicion::new(Time::ZERO);
        suspicion.add(Time::ZERO, accusation(1, Evidence::Silence));
        let later = Time::from_millis(2_000);
        assert!(suspicion.add(later, accusation(1, Evidence::Crash)));
        assert_eq!(suspicion.ends_at(&windows, 5, 4), Time::from_millis(3_000));
        suspicion.restart(Time::from_millis(9_000));
        assert_eq!(suspicion.ends_at(&windows, 5, 4), Time::from_millis(10_000));
    }

    #[test]
    fn accusers_are_bounded_and_evidence_of_a_crash_still_gets_in() {
        let mut suspicion = Suspicion::new(Time::ZERO);
        for accuser in 0..20 {
            suspicion.add(Time::ZERO, accusation(accuser, Evidence::Silence));
        }
        assert_eq!(suspicion.accusers().count(), ACCUSERS_MAX);
        assert!(suspicion.add(Time::ZERO, accusation(50, Evidence::Crash)));
        assert_eq!(suspicion.accusers().count(), ACCUSERS_MAX);
        assert_eq!(suspicion.evidence(), Evidence::Crash);
    }
}
