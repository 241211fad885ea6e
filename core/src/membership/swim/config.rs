//! The settings of [`Swim`](super::Swim).

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::{kernel::component::Settings, membership::suspicion::Windows};
use core::time::Duration;

/// The settings of membership. All nodes of a mesh should share them.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// How many rings the relays sit on: each relay has at most twice as many neighbours. Default 4;
    /// sensible: 2 (fragile above some hundred relays) to 8 (twice the probes for little more).
    pub rings: u8,
    /// How often a neighbour must be heard, in the absence of other traffic by a ping. Default 1 s.
    /// Smaller notices sooner and costs more; it must exceed `probe_timeout`, or nobody is asked.
    pub probe_period: Duration,
    /// How long an answer may take before helpers are asked. Default 500 ms, several round trips
    /// between continents. Too small worries helpers, too large leaves them no time within the period.
    pub probe_timeout: Duration,
    /// How many helpers are asked to reach a silent neighbour. Default 3; 0 never asks, so that one
    /// bad path accuses; more than 5 adds nothing.
    pub helpers: u8,
    /// The maximum of the local health score: timeouts stretch up to that many times plus one.
    /// Default 8 (the paper's); 0 switches local health off.
    pub health_max: u8,
    /// How long a suspected member has to refute.
    pub windows: Windows,
    /// How long after an abrupt loss of its link a refused redial proves a member's crash. Default
    /// 10 s, above the host's first few redials; a refusal minutes later may be a firewall.
    pub crash_memory: Duration,
    /// How long a neighbour may go without a link before helpers are asked about it. Default 3 s, for
    /// a dial with handshake on a busy machine; doubles with each refuted accusation (up to 64 times)
    /// for a neighbour that can't be linked but lives. Too small accuses newcomers.
    pub unlinked_grace: Duration,
    /// How long a fresh rumour waits for others before it is told. Default 50 ms; 0 sends one message
    /// a rumour, more than 100 ms delays detection noticeably.
    pub gossip_delay: Duration,
    /// The most bytes of rumours in a message of their own. Default 16 KiB.
    pub gossip_bytes_max: u32,
    /// The most bytes of rumours on a ping or an acknowledgement; one larger rumour still goes alone.
    /// Default 1,200, one datagram's worth.
    pub piggyback_bytes_max: u32,
    /// Up to this many linked relays are all told a fresh rumour; of more, this many are drawn at
    /// random. Default 12: more than the eight neighbours on four rings.
    pub gossip_fanout: u8,
    /// λ: a rumour is told λ·log₂(n) times. Default 3; 1 misses members under loss, 6 doubles traffic.
    pub retransmit_factor: u32,
    /// How often linked tables are compared, with tabs four times as often. Default 30 s; it repairs what
    /// rumours missed.
    pub compare_interval: Duration,
    /// The most members on one page of a table. Default 256.
    pub page_entries_max: u16,
    /// The most bytes of records in one message of a comparison. Default 40 KiB (below 48 KiB).
    pub page_bytes_max: u32,
    /// The most members. Default 10,000; see [`roster`](crate::membership::roster) for what happens
    /// then.
    pub members_max: u32,
    /// The most links that are noticed. Default 4,096; further ones are ignored and counted.
    pub links_max: u32,
    /// The most rumours that are told at a time. Default 4,096; then those told most often go.
    pub rumours_max: u32,
    /// The most signatures of one peer's rumours that are checked in a second. Default 1,000: some
    /// 35 ms of a core. Excess is dropped and counted; comparing tables repairs it.
    pub verifies_per_second_max: u32,
    /// How long a lease holds. Default 30 s: one renewal may be lost, with luck two.
    pub lease_ttl: Duration,
    /// How often a lease is renewed. Default 10 s; must be below half of `lease_ttl`, so that one
    /// renewal may be lost.
    pub lease_renewal: Duration,
    /// How long a tab without its link counts as attached. Default 2 s, for a reload; longer shows a
    /// closed tab as alive, shorter shows a reload as parking.
    pub lease_grace: Duration,
    /// How often remembered dead relays are tried, three at once. Default 30 s, for ever, so that any
    /// split heals.
    pub try_interval: Duration,
    /// The same while this node has no link to any relay. Default 2 s.
    pub try_interval_isolated: Duration,
    /// How many homes a tab wants. Default 2; 1 shows a gap when the home dies; at most
    /// [`HOMES_MAX`](crate::membership::presence::HOMES_MAX).
    pub homes: u8,
    /// How long a tab waits for a link to a chosen home before it chooses another. Default 5 s.
    pub home_patience: Duration,
    /// How long a tab avoids a relay that it could not reach or lost. Default 30 s.
    pub home_avoidance: Duration,
    /// How many incarnations are reserved at a time. Default 64; each block is one durable write.
    pub incarnation_block: u32,
    /// How few reserved incarnations may be left before the next block is reserved. Default 16: as
    /// many refutations as may happen during one durable write. Must be below `incarnation_block`.
    pub incarnation_margin: u32,
    /// The least time between two refutations. Default 200 ms, so that a liar can't make this node
    /// raise its incarnation at wire speed; must stay well below `windows.crash`.
    pub refute_interval: Duration,
    /// The least time between two notices that the roster is worth persisting. Default 1 s.
    pub roster_interval: Duration,
    /// How long a goodbye has to reach the peers. Default 300 ms; at most 500 ms.
    pub leave_delay: Duration,
    /// How many refuted accusations of one member by one accuser are forgiven. Default 8; one is
    /// forgotten every `false_accusation_decay`.
    pub false_accusations_max: u32,
    /// How fast false accusations are forgotten. Default 2 min.
    pub false_accusation_decay: Duration,
    /// A wake-up later than this is a stall: this node slept, the others did not die. Default 2 s
    /// (two probe periods); below one period a busy machine stalls all the time.
    pub stall: Duration,
    /// The most undelivered sends. Default 8,192; further ones are dropped and counted.
    pub sends_max: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rings: 4,
            probe_period: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            helpers: 3,
            health_max: 8,
            windows: Windows::default(),
            crash_memory: Duration::from_secs(10),
            unlinked_grace: Duration::from_secs(3),
            gossip_delay: Duration::from_millis(50),
            gossip_bytes_max: 16 * 1_024,
            piggyback_bytes_max: 1_200,
            gossip_fanout: 12,
            retransmit_factor: 3,
            compare_interval: Duration::from_secs(30),
            page_entries_max: 256,
            page_bytes_max: 40 * 1_024,
            members_max: 10_000,
            links_max: 4_096,
            rumours_max: 4_096,
            verifies_per_second_max: 1_000,
            lease_ttl: Duration::from_secs(30),
            lease_renewal: Duration::from_secs(10),
            lease_grace: Duration::from_secs(2),
            try_interval: Duration::from_secs(30),
            try_interval_isolated: Duration::from_secs(2),
            homes: 2,
            home_patience: Duration::from_secs(5),
            home_avoidance: Duration::from_secs(30),
            incarnation_block: 64,
            incarnation_margin: 16,
            refute_interval: Duration::from_millis(200),
            roster_interval: Duration::from_secs(1),
            leave_delay: Duration::from_millis(300),
            false_accusations_max: 8,
            false_accusation_decay: Duration::from_secs(120),
            stall: Duration::from_secs(2),
            sends_max: 8_192,
        }
    }
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "swim"
    }

    fn validate(&self) -> Result<(), &'static str> {
        let rules = [
            (
                self.rings > 0 && self.rings <= 16,
                "swim.rings must be 1 to 16",
            ),
            (
                self.probe_timeout >= Duration::from_millis(10)
                    && self.probe_timeout < self.probe_period,
                "swim.probe_timeout must be at least 10 ms and below probe_period",
            ),
            (
                self.windows.crash >= self.refute_interval.saturating_mul(2),
                "swim.windows.crash must be at least twice refute_interval",
            ),
            (
                self.windows.silence_min >= self.probe_period,
                "swim.windows.silence_min must be at least probe_period",
            ),
            (
                self.lease_ttl > self.lease_renewal.saturating_mul(2)
                    && self.lease_renewal >= self.probe_period,
                "swim.lease_ttl must be above twice lease_renewal",
            ),
            (
                self.incarnation_margin < self.incarnation_block,
                "swim.incarnation_margin must be below incarnation_block",
            ),
            (
                self.stall >= self.probe_period,
                "swim.stall must be at least probe_period",
            ),
            (self.homes > 0, "swim.homes must be at least 1"),
            (
                self.leave_delay <= Duration::from_millis(500),
                "swim.leave_delay must be at most 500 ms",
            ),
            (
                self.gossip_delay >= Duration::from_millis(1),
                "swim.gossip_delay must be at least 1 ms",
            ),
            (
                self.compare_interval >= self.probe_period
                    && self.try_interval >= self.probe_period
                    && self.try_interval_isolated >= Duration::from_millis(100)
                    && self.roster_interval >= Duration::from_millis(100),
                "swim: compare_interval, try_interval, try_interval_isolated or \
                 roster_interval is too small",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(holds, rule)| (!holds).then_some(rule))
            .map_or(Ok(()), Err)
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        // The same for all nodes: `rings`. Bounds that no run comes near: `gossip_bytes_max`,
        // `page_bytes_max`, `members_max`, `links_max`, `rumours_max`, `verifies_per_second_max`,
        // `sends_max`, `false_accusations_max`. Spans that a run is too short for, or that change nothing
        // in it: `false_accusation_decay`, `leave_delay`.
        let probe_period = rng.span(200, 2_500);
        let lease_ttl = rng.span(10_000, 100_000);
        let block = small(rng.number(20, 1_000));
        *self = Self {
            probe_period,
            probe_timeout: probe_period.saturating_mul(small(rng.number(200, 700))) / 1_000,
            helpers: tiny(rng.below(6)),
            health_max: tiny(rng.below(17)),
            windows: Windows {
                silence_min: rng.span(1_000, 20_000).max(probe_period),
                silence_per_doubling: rng.span(20, 2_000),
                silence_max_factor: small(rng.below(6)).saturating_add(1),
                confirmations: small(rng.below(4)),
                crash: rng.span(600, 6_000),
            },
            crash_memory: rng.span(1_000, 100_000),
            unlinked_grace: rng.span(1_000, 10_000),
            gossip_delay: rng.span(5, 500),
            gossip_fanout: tiny(rng.number(2, 40)),
            piggyback_bytes_max: small(rng.number(300, 3_000)),
            retransmit_factor: small(rng.number(1, 10)),
            compare_interval: rng.span(1_000, 60_000).max(probe_period),
            page_entries_max: u16::try_from(rng.number(4, 256)).unwrap_or(256),
            lease_ttl,
            lease_renewal: lease_ttl / 4,
            lease_grace: rng.span(500, 10_000),
            try_interval: rng.span(3_000, 60_000),
            try_interval_isolated: rng.span(500, 6_000),
            // With one home a tab is parked for everyone who takes a liar for dead.
            homes: tiny(rng.below(2)).saturating_add(2),
            home_patience: rng.span(1_000, 10_000),
            home_avoidance: rng.span(3_000, 60_000),
            incarnation_block: block,
            incarnation_margin: (block / 4).max(2),
            refute_interval: rng.span(20, 300),
            roster_interval: rng.span(100, 10_000),
            stall: probe_period.saturating_mul(2),
            ..*self
        };
    }
}

/// A drawn number of at most nine digits.
#[cfg(any(test, feature = "sim"))]
fn small(drawn: u64) -> u32 {
    u32::try_from(drawn).unwrap_or(u32::MAX)
}

/// A drawn number below 256.
#[cfg(any(test, feature = "sim"))]
fn tiny(drawn: u64) -> u8 {
    u8::try_from(drawn).unwrap_or(u8::MAX)
}
