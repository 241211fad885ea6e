//! How healthy a node is, from what others observe: four terms, each with how sure it is.
//!
//! What nobody measured is unknown and left out: the other terms share its weight. A node of which neither
//! its paths nor its uptime are known has no score.
//!
//! | term | weight | from whom | 1 is | 0 is |
//! |---|---|---|---|---|
//! | network | 40 % | those that ping it | at most 50 ms, nothing lost | 1 s, or every fifth ping lost |
//! | uptime | 30 % | this node | always there | never there |
//! | resources | 20 % | itself | the scarcest is at most half used | something is used up |
//! | trust | 10 % | nobody yet | | |
//!
//! Not here: who is alive (`membership`); a score decides nothing.

use core::time::Duration;

/// The share of the score that each term has where all are known.
pub const WEIGHTS: [(Term, f64); 4] = [
    (Term::Network, 0.4),
    (Term::Uptime, 0.3),
    (Term::Resources, 0.2),
    (Term::Trust, 0.1),
];

/// The round trip up to which a path is as good as can be, in milliseconds.
const GOOD_MS: f64 = 50.0;
/// The round trip from which it is of no use.
const USELESS_MS: f64 = 1_000.0;
/// The share of lost pings from which it is of no use.
const USELESS_LOSS: f64 = 0.2;
/// As many observers are sure of what they see.
const SURE: f64 = 3.0;
/// What is older than this counts for nothing.
const STALE: Duration = Duration::from_secs(300);

/// One thing that health consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// The paths to it.
    Network,
    /// How much of the time it was there.
    Uptime,
    /// What it has left of processors, memory, disk and descriptors, by its own word.
    Resources,
    /// How far its word is believed.
    Trust,
}

impl Term {
    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Uptime => "uptime",
            Self::Resources => "resources",
            Self::Trust => "trust",
        }
    }
}

/// What a term comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// From 0, bad, to 1, good; `None` if nobody measured it.
    pub value: Option<f64>,
    /// How sure that is, from 0 to 1.
    pub confidence: f64,
    /// How old the oldest part of it is.
    pub age: Option<Duration>,
    /// How many measured it.
    pub observers: u32,
}

/// The paths to a node, as those see them that ping it: round trip in milliseconds, share of lost pings, age.
#[must_use]
pub fn network(paths: impl Iterator<Item = (f64, f64, Duration)>) -> Found {
    let (mut sum, mut many, mut oldest) = (0.0, 0_u32, Duration::ZERO);
    for (rtt_ms, loss, age) in paths.filter(|(_, _, age)| *age <= STALE) {
        let speed = 1.0 - (rtt_ms - GOOD_MS).max(0.0) / (USELESS_MS - GOOD_MS);
        let whole = 1.0 - loss / USELESS_LOSS;
        sum += speed.clamp(0.0, 1.0) * whole.clamp(0.0, 1.0);
        many = many.saturating_add(1);
        oldest = oldest.max(age);
    }
    if many == 0 {
        return Found::default();
    }
    Found {
        value: Some(sum / f64::from(many)),
        confidence: (f64::from(many) / SURE).min(1.0),
        age: Some(oldest),
        observers: many,
    }
}

/// The share of the time that it was there, out of the seconds that it was seen there and missed. An hour of
/// watching is sure.
#[must_use]
pub fn uptime(there_s: f64, missed_s: f64) -> Found {
    let all = there_s + missed_s;
    if all <= 0.0 {
        return Found::default();
    }
    Found {
        value: Some(there_s / all),
        confidence: (all / 3_600.0).min(1.0),
        age: Some(Duration::ZERO),
        observers: 1,
    }
}

/// What is used of each resource in percent, and how old that is. A node's own word is never wholly sure.
#[must_use]
pub fn resources(used: impl Iterator<Item = f64>, age: Duration) -> Found {
    let scarcest = used.reduce(f64::max).filter(|_| age <= STALE);
    let Some(used) = scarcest else {
        return Found::default();
    };
    Found {
        value: Some(((100.0 - used) / 50.0).clamp(0.0, 1.0)),
        confidence: 0.5,
        age: Some(age),
        observers: 0,
    }
}

/// The score of the terms in the order of [`WEIGHTS`]; `None` where neither network nor uptime is known.
#[must_use]
pub fn score(terms: &[Found; 4]) -> Option<f64> {
    let [network, uptime, _, _] = terms;
    network.value.or(uptime.value)?;
    let known = WEIGHTS.iter().zip(terms);
    let known = known.filter_map(|((_, weight), found)| Some((*weight, found.value?)));
    let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (weight, value)| {
        (sum + weight * value, weights + weight)
    });
    Some(sum / weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn what_nobody_measured_is_unknown_and_not_bad() {
        let nothing = [Found::default(); 4];
        assert_eq!(score(&nothing), None);
        let own_word = resources([10.0].into_iter(), NOW);
        let by_itself = [
            Found::default(),
            Found::default(),
            own_word,
            Found::default(),
        ];
        assert_eq!(score(&by_itself), None, "its own word alone is no score");
        let seen = network([(1.0, 0.0, NOW)].into_iter());
        let rest = [seen, Found::default(), Found::default(), Found::default()];
        assert_eq!(score(&rest), Some(1.0));
    }

    #[test]
    fn a_slow_or_lossy_path_costs_health() {
        let of = |rtt, loss| {
            network([(rtt, loss, NOW)].into_iter())
                .value
                .unwrap_or(-1.0)
        };
        assert!((of(50.0, 0.0) - 1.0).abs() < 1e-9);
        assert!((of(525.0, 0.0) - 0.5).abs() < 1e-9);
        assert!((of(20.0, 0.1) - 0.5).abs() < 1e-9);
        assert!(of(2_000.0, 0.0).abs() < 1e-9 && of(1.0, 1.0).abs() < 1e-9);
        let old = network([(1.0, 0.0, STALE + STALE)].into_iter());
        assert_eq!(old, Found::default());
    }

    #[test]
    fn the_terms_have_their_weights_and_the_scarcest_resource_counts() {
        let terms = [
            network([(1.0, 0.0, NOW); 3].into_iter()),
            uptime(900.0, 2_700.0),
            resources([20.0, 75.0].into_iter(), NOW),
            Found::default(),
        ];
        assert_eq!(terms[0].confidence, 1.0);
        assert_eq!((terms[1].value, terms[1].confidence), (Some(0.25), 1.0));
        assert_eq!(terms[2].value, Some(0.5));
        let expected = (0.4 + 0.3 * 0.25 + 0.2 * 0.5) / 0.9;
        assert!(score(&terms).is_some_and(|score| (score - expected).abs() < 1e-9));
    }
}
