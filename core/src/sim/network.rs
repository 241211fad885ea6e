//! The paths between hosts, each direction on its own, and what may go wrong on them.

use crate::{
    kernel::{
        rng::Rng,
        time::{Duration, Time},
    },
    sim::world::HostId,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// How a path treats what is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathConfig {
    /// The shortest time of a packet on its way.
    pub latency_min: Duration,
    /// What is added at random, evenly.
    pub latency_spread: Duration,
    /// How many packets in a thousand take twenty times as long.
    pub tail_permille: u32,
    /// How many packets in a thousand are lost.
    pub loss_permille: u32,
    /// Of a thousand packets, how many begin a burst in which every second one is lost.
    pub burst_permille: u32,
    /// How many in a thousand arrive twice.
    pub duplicate_permille: u32,
    /// How many in a thousand are overtaken by later ones.
    pub reorder_permille: u32,
    /// How many in a thousand arrive with a bit flipped.
    pub corrupt_permille: u32,
    /// How many in a thousand fall into the hands of someone without keys.
    pub tamper_permille: u32,
    /// Bytes a second; 0 is unlimited.
    pub bandwidth: u64,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self {
            latency_min: Duration::from_micros(500),
            latency_spread: Duration::from_micros(4_000),
            tail_permille: 0,
            loss_permille: 0,
            burst_permille: 0,
            duplicate_permille: 0,
            reorder_permille: 0,
            corrupt_permille: 0,
            tamper_permille: 0,
            bandwidth: 0,
        }
    }
}

/// What becomes of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Travel {
    /// When it arrives, had nothing been sent before it.
    pub at: Time,
    /// It was lost (a stream sends it again: `at` is when that arrives).
    pub lost: bool,
    /// When it arrives a second time.
    pub again: Option<Time>,
    /// Later packets overtake it.
    pub overtaken: bool,
    /// It arrives with a bit flipped.
    pub corrupt: bool,
    /// It falls into the hands of someone without keys.
    pub tampered: bool,
}

#[derive(Clone, Debug, Default)]
struct Path {
    config: Option<PathConfig>,
    /// How many cuts lie over it; it carries nothing until all are healed.
    cuts: u16,
    in_burst: bool,
    busy_until: Time,
}

/// What was done to packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkStats {
    /// Packets sent.
    pub sent: u64,
    /// Lost ones.
    pub lost: u64,
    /// Doubled ones.
    pub doubled: u64,
    /// Reordered ones.
    pub reordered: u64,
    /// Corrupted ones.
    pub corrupted: u64,
    /// Held back by a cut.
    pub held: u64,
}

/// All paths.
#[derive(Clone, Debug, Default)]
pub struct Network {
    usual: PathConfig,
    paths: BTreeMap<(HostId, HostId), Path>,
    stats: NetworkStats,
}

/// A stream's wait before it sends a lost packet again the first time.
///
/// Source: RFC 6298, section 2 (Linux: at least 200 ms).
const RETRANSMIT: Duration = Duration::from_millis(200);

impl Network {
    /// How every path without a setting of its own behaves.
    pub const fn set_usual(&mut self, config: PathConfig) {
        self.usual = config;
    }

    /// How every path without a setting of its own behaves.
    #[must_use]
    pub const fn usual(&self) -> PathConfig {
        self.usual
    }

    /// The present setting of a path.
    #[must_use]
    pub fn config(&self, from: HostId, to: HostId) -> PathConfig {
        let path = self.paths.get(&(from, to));
        path.and_then(|path| path.config).unwrap_or(self.usual)
    }

    /// Gives one path a setting of its own.
    pub fn set(&mut self, from: HostId, to: HostId, config: PathConfig) {
        self.paths.entry((from, to)).or_default().config = Some(config);
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: HostId, to: HostId) {
        let path = self.paths.entry((from, to)).or_default();
        path.cuts = path.cuts.saturating_add(1);
    }

    /// Takes one cut back; true if the path carries again.
    pub fn uncut(&mut self, from: HostId, to: HostId) -> bool {
        let path = self.paths.entry((from, to)).or_default();
        path.cuts = path.cuts.saturating_sub(1);
        path.cuts == 0
    }

    /// Whether the direction is cut.
    #[must_use]
    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.paths
            .get(&(from, to))
            .is_some_and(|path| path.cuts > 0)
    }

    /// Makes every path whole and usual again; answers those that were cut.
    pub fn mend(&mut self) -> Vec<(HostId, HostId)> {
        let paths = core::mem::take(&mut self.paths);
        let cut = paths.into_iter().filter(|(_, path)| path.cuts > 0);
        cut.map(|(ends, _)| ends).collect()
    }

    /// Counters since the start.
    #[must_use]
    pub const fn stats(&self) -> NetworkStats {
        self.stats
    }

    /// Counts a packet that waits at a cut.
    pub const fn count_held(&mut self) {
        self.stats.held += 1;
    }

    /// A time on the way, without faults: for the ends of connections and first packets.
    pub fn latency(&mut self, from: HostId, to: HostId, rng: &mut Rng) -> Duration {
        let config = self.config(from, to);
        let usual = config.latency_min + rng.span_below(config.latency_spread);
        if config.tail_permille > 0 && rng.chance(config.tail_permille) {
            usual * 20
        } else {
            usual
        }
    }

    /// Until when a narrow path is taken by what was sent so far.
    #[must_use]
    pub fn busy_until(&self, from: HostId, to: HostId) -> Time {
        let path = self.paths.get(&(from, to));
        path.map_or(Time::ZERO, |path| path.busy_until)
    }

    /// Sends `bytes` bytes.
    pub fn travel(
        &mut self,
        (from, to): (HostId, HostId),
        bytes: usize,
        now: Time,
        rng: &mut Rng,
    ) -> Travel {
        let config = self.config(from, to);
        self.stats.sent += 1;
        let mut at = now + self.latency(from, to, rng);
        let micros = (bytes as u64).saturating_mul(1_000_000);
        if let Some(span) = micros.checked_div(config.bandwidth) {
            let path = self.paths.entry((from, to)).or_default();
            path.busy_until = path.busy_until.max(now) + Duration::from_micros(span);
            at = at.max(path.busy_until);
        }
        let mut lost = false;
        let mut wait = RETRANSMIT;
        while self.loses((from, to), config, rng) && wait < RETRANSMIT * 64 {
            lost = true;
            at = at + wait;
            wait *= 2;
        }
        let mut happens = |permille: u32| permille > 0 && rng.chance(permille);
        let (doubled, overtaken, corrupt, tampered) = (
            happens(config.duplicate_permille),
            happens(config.reorder_permille),
            happens(config.corrupt_permille),
            happens(config.tamper_permille),
        );
        self.stats.lost += u64::from(lost);
        self.stats.doubled += u64::from(doubled);
        self.stats.reordered += u64::from(overtaken);
        self.stats.corrupted += u64::from(corrupt);
        Travel {
            at,
            lost,
            again: doubled.then(|| at + self.latency(from, to, rng)),
            overtaken,
            corrupt,
            tampered,
        }
    }

    /// Source: Gilbert, "Capacity of a Burst-Noise Channel", 1960 (two states).
    fn loses(&mut self, ends: (HostId, HostId), config: PathConfig, rng: &mut Rng) -> bool {
        if config.burst_permille > 0 {
            let path = self.paths.entry(ends).or_default();
            let turns = if path.in_burst {
                200
            } else {
                config.burst_permille
            };
            path.in_burst ^= rng.chance(turns);
            if path.in_burst {
                return rng.chance(500);
            }
        }
        config.loss_permille > 0 && rng.chance(config.loss_permille)
    }
}
