//! The order in which series give way.
//!
//! The oldest go first: those that got no sample for longest. Age is counted in samples that the others
//! got meanwhile, and only in powers of two: clocks may be wrong, and series that are alive but sampled
//! at different rates are equally young. Among equally old ones the one goes first that was asked for
//! longest ago or never, and of those the one whose last sample is longest ago.

use crate::observe::metrics::series::Series;
use core::cmp::Reverse;

/// A series' place in the order in which series give way; the smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    age: Reverse<u32>,
    asked: u64,
    /// No two series have the same: the order has no ties.
    recorded: u64,
}

/// How many rounds (samples of every other series, on average) a series may be silent and is still
/// young: so a series sampled once in five minutes is as young as one sampled every ten seconds.
const YOUNG_ROUNDS: u64 = 64;

impl Rank {
    /// The rank of a series in a store of `len` series that got `recorded` samples so far.
    pub(super) fn of(series: &Series, len: usize, recorded: u64) -> Self {
        let round = YOUNG_ROUNDS.saturating_mul(len as u64).max(1);
        let silent = recorded.saturating_sub(series.recorded());
        let rounds = silent.checked_div(round).unwrap_or(0);
        Self {
            age: Reverse(rounds.saturating_add(1).ilog2()),
            asked: series.asked(),
            recorded: series.recorded(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::series::Detail;

    fn rank(recorded: u64, asked: u64) -> Rank {
        let mut series = Series::new(Detail::Coarse);
        series.record(0, 1.0, true, recorded);
        series.note_asked(asked);
        Rank::of(&series, 10, 100_000)
    }

    #[test]
    fn a_silent_series_goes_before_one_that_is_alive_even_if_asked_for() {
        assert!(rank(1_000, 9) < rank(99_990, 0));
    }

    #[test]
    fn of_those_alive_the_one_least_asked_for_goes_first() {
        assert!(rank(99_999, 0) < rank(99_900, 1));
        assert!(rank(99_900, 1) < rank(99_900, 2));
    }

    #[test]
    fn of_those_never_asked_for_the_one_silent_longer_goes_first() {
        assert!(rank(99_900, 0) < rank(99_901, 0));
    }
}
