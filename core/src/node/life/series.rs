//! What a node writes down over time: of itself each time that its host has measured, of others as they
//! tell.

use crate::{
    detection::health_score::{self, Found},
    kernel::{
        id::NodeId,
        time::{Duration, Time},
    },
    membership::member::MemberState,
    node::{life::trips::Trips, machine::Node},
    observe::{
        metrics::{Detail, Store},
        series::{Key, Series},
        vitals::Sample,
        watch::Watch,
    },
    overlay::links,
    replication::batch::SHARDS,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// What was a day ago counts for about a third of what is now, in the presence of members.
const MEMORY_S: f64 = 86_400.0;

/// The series of this node and of others.
///
/// A view for people: no machine decides by it. So it is not part of a recording, nor of the hash of a
/// node's state.
#[derive(Debug, Default)]
pub(in crate::node) struct History {
    pub(in crate::node) store: Store<Key>,
    pub(in crate::node) watch: Watch,
}

impl History {
    pub(in crate::node) fn new(bytes_max: u64) -> Self {
        Self {
            store: Store::new(bytes_max),
            watch: Watch::default(),
        }
    }
}

/// What is made of counters and of members over time, and is judged: so it is part of the node's state.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::node) struct Measured {
    before: Option<(Time, Counted)>,
    /// For how many seconds each member was there, and was missed; what is older counts less.
    presence: BTreeMap<NodeId, (f64, f64)>,
    /// What failed and what was done lately; a second counts half after some twenty.
    failed: f64,
    done: f64,
    trips: Trips,
}

/// What is left of counts after a second.
const FADE: f64 = 29.0 / 30.0;
/// Fewer are no rate: one failure of three is not a third.
const DONE_MIN: f64 = 50.0;

impl Measured {
    /// How much of the time a member was there, as far as this node has watched.
    pub(in crate::node) fn uptime_of(&self, member: NodeId) -> Found {
        let (there, missed) = self.presence.get(&member).copied().unwrap_or_default();
        health_score::uptime(there, missed)
    }

    /// The share of messages and writes of about the last minute that failed, from 0 to 1.
    pub(in crate::node) fn error_share(&self) -> f64 {
        self.failed / self.done.max(DONE_MIN)
    }
}

/// Counters, of which rates are made.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Counted {
    messages_in: u64,
    messages_out: u64,
    writes: u64,
    failed: u64,
}

impl Node {
    /// Writes down what the host measured, and what the node knows of itself.
    pub(in crate::node) fn remember(&mut self, sample: &Sample) {
        self.watch_presence();
        let rates = self.rates();
        if self.config.history_bytes_max == 0 {
            return;
        }
        let id = self.id();
        self.remember_sample(id, Detail::Full, sample);
        let paths = PathsSeen::of(self.links.paths());
        let members = self.member_counts();
        let values = [
            (Series::Latency, paths.mean_ms()),
            (Series::Loss, paths.loss_percent()),
            (Series::Links, Some(count(self.links.peers().count()))),
            (Series::Alive, Some(f64::from(members.alive))),
            (Series::Dead, Some(f64::from(members.dead))),
            (Series::ShardVariance, self.shard_variance()),
            (Series::Health, self.health_of_node(id)),
            (Series::Spread, self.spread_km()),
        ];
        for (series, value) in values.into_iter().chain(rates) {
            self.write_down(id, series, Detail::Full, value);
        }
    }

    /// How long round trips took lately, in microseconds: the median, and what 99 of 100 stay below.
    pub(in crate::node) fn round_trips(&mut self) -> Option<[u64; 2]> {
        self.measured.trips.look(self.now, self.links.paths());
        self.measured.trips.quantiles_us()
    }

    /// Writes down what another node tells of itself.
    pub(in crate::node) fn remember_told(&mut self, node: NodeId) {
        if self.config.history_bytes_max == 0 {
            return;
        }
        let Some(known) = self.vitals.known(&node, self.now) else {
            return;
        };
        let sample = known.report.sample;
        let rtts = known.report.paths.iter().map(|path| path.rtt_us);
        let (mut sum, mut many) = (0_u64, 0_u32);
        for rtt in rtts {
            sum = sum.saturating_add(u64::from(rtt));
            many = many.saturating_add(1);
        }
        let latency = (many > 0).then(|| float(sum) / f64::from(many) / 1_000.0);
        self.remember_sample(node, Detail::Coarse, &sample);
        self.write_down(node, Series::Latency, Detail::Coarse, latency);
        let health = self.health_of_node(node);
        self.write_down(node, Series::Health, Detail::Coarse, health);
    }

    fn remember_sample(&mut self, node: NodeId, detail: Detail, sample: &Sample) {
        let [cpu, memory, disk, descriptors] = shares_used(sample);
        let values = [
            (Series::Cpu, cpu),
            (Series::Memory, memory),
            (Series::Disk, disk),
            (Series::Received, sample.network_rx.map(float)),
            (Series::Sent, sample.network_tx.map(float)),
            (Series::Descriptors, descriptors),
            (Series::LoopLag, sample.loop_lag_ms.map(float)),
            (Series::JournalLatency, sample.journal_latency_ms.map(float)),
            (Series::SendQueue, sample.send_queue.map(float)),
            (Series::LatencyP50, sample.rtt_p50_us.map(in_millis)),
            (Series::LatencyP99, sample.rtt_p99_us.map(in_millis)),
        ];
        for (series, value) in values {
            self.write_down(node, series, detail, value);
        }
    }

    fn write_down(&mut self, node: NodeId, series: Series, detail: Detail, value: Option<f64>) {
        // Never measured is unknown: it leaves a gap.
        if let Some(value) = value {
            let at_ms = self.wall_now().as_millis();
            let key = Key { node, series };
            self.history.store.record(&key, detail, at_ms, value);
            if node == self.id() {
                self.watch(series, at_ms, value);
            }
        }
    }

    fn health_of_node(&self, node: NodeId) -> Option<f64> {
        let mut members = self.swim.members();
        let member = members.find(|member| member.record.id == node)?;
        let paths = self.paths_to(node, self.now);
        self.health_of(&member, &paths, self.now).score
    }

    /// How far apart the members that are here stand: the mean of their distances from their middle.
    fn spread_km(&self) -> Option<f64> {
        let here = self
            .swim
            .members()
            .filter(|member| matches!(member.state, MemberState::Alive | MemberState::Suspect));
        let places: Vec<[f64; 3]> = here
            .filter_map(|member| {
                let place = self.place_of(member.record, self.now)?;
                Some(on_a_globe(place.latitude, place.longitude))
            })
            .collect();
        let middle = places.iter().fold([0.0; 3], |sum, place| {
            let [x, y, z] = sum;
            let [a, b, c] = *place;
            [x + a, y + b, z + c]
        });
        let length = libm::sqrt(dot(middle, middle));
        let many = count(places.len());
        // One place has no spread, and places all over the world have no middle.
        if places.len() < 2 || length < 1e-9 {
            return None;
        }
        let angles = places.iter().map(|place| {
            let towards = (dot(*place, middle) / length).clamp(-1.0, 1.0);
            libm::acos(towards)
        });
        Some(EARTH_KM * angles.sum::<f64>() / many)
    }

    /// Adds the time since the last look to what is known of who was there.
    fn watch_presence(&mut self) {
        let before = self.measured.before.map(|(at, _)| self.now.since(at));
        let Some(seconds) = before.map(|span| span.as_secs_f64()) else {
            return;
        };
        let mut presence = BTreeMap::new();
        for member in self.swim.members() {
            let known = self.measured.presence.get(&member.record.id);
            let (there, missed) = known.copied().unwrap_or_default();
            let fade = (1.0 - seconds / MEMORY_S).max(0.0);
            let (there, missed) = (there * fade, missed * fade);
            let now = match member.state {
                MemberState::Alive | MemberState::Suspect => (there + seconds, missed),
                MemberState::Dead => (there, missed + seconds),
                // Who said that it would be away is not missed.
                MemberState::Parked | MemberState::Left => (there, missed),
            };
            presence.insert(member.record.id, now);
        }
        // Who is no member any more is forgotten with it.
        self.measured.presence = presence;
    }

    /// What happened in a second, since the last time.
    fn rates(&mut self) -> [(Series, Option<f64>); 4] {
        let counters = &self.counters;
        let replica = self.replica.stats();
        let failed = [
            counters.unsent,
            counters.unknown,
            counters.undecodable,
            counters.messages_from_strangers,
            replica.writes_refused,
        ];
        let counted = Counted {
            messages_in: counters.messages_in,
            messages_out: counters.messages_out,
            writes: replica.writes,
            failed: failed.into_iter().fold(0, u64::saturating_add),
        };
        let before = self.measured.before.replace((self.now, counted));
        let Some((at, before)) = before else {
            return [
                (Series::MessagesIn, None),
                (Series::MessagesOut, None),
                (Series::Writes, None),
                (Series::ErrorRate, None),
            ];
        };
        let span = self.now.since(at);
        let more = |now: u64, then: u64| now.saturating_sub(then);
        let per_second = |now, then| {
            let seconds = span.as_secs_f64();
            (span > Duration::ZERO).then(|| float(more(now, then)) / seconds)
        };
        let failed = more(counted.failed, before.failed);
        let all = [
            more(counted.messages_in, before.messages_in),
            more(counted.messages_out, before.messages_out),
            more(counted.writes, before.writes),
            failed,
        ];
        let all = all.into_iter().fold(0, u64::saturating_add);
        let errors = (all > 0).then(|| 100.0 * float(failed) / float(all));
        self.measured.failed = self.measured.failed * FADE + float(failed);
        self.measured.done = self.measured.done * FADE + float(all);
        [
            (
                Series::MessagesIn,
                per_second(counted.messages_in, before.messages_in),
            ),
            (
                Series::MessagesOut,
                per_second(counted.messages_out, before.messages_out),
            ),
            (Series::Writes, per_second(counted.writes, before.writes)),
            (Series::ErrorRate, errors),
        ]
    }

    /// The variance of the number of batches in the shards, divided by the mean; `None` where there are
    /// none.
    pub(in crate::node) fn shard_variance(&self) -> Option<f64> {
        let batches = self.replica.batches_by_shard();
        let all = batches.iter().copied().fold(0, u64::saturating_add);
        let mean = float(all) / f64::from(SHARDS);
        let squares = batches.iter().map(|batches| {
            let away = float(*batches) - mean;
            away * away
        });
        let variance = squares.sum::<f64>() / f64::from(SHARDS);
        (mean > 0.0).then(|| variance / mean)
    }
}

/// What the paths to linked peers come to.
#[derive(Clone, Copy, Debug, Default)]
struct PathsSeen {
    many: u32,
    rtt: Duration,
    loss_permille: u32,
}

impl PathsSeen {
    fn of(paths: impl Iterator<Item = links::Path>) -> Self {
        paths.fold(Self::default(), |seen, path| Self {
            many: seen.many.saturating_add(1),
            rtt: seen.rtt.saturating_add(path.rtt),
            loss_permille: seen
                .loss_permille
                .saturating_add(u32::from(path.loss_permille)),
        })
    }

    fn mean_ms(self) -> Option<f64> {
        (self.many > 0).then(|| 1_000.0 * self.rtt.as_secs_f64() / f64::from(self.many))
    }

    fn loss_percent(self) -> Option<f64> {
        (self.many > 0).then(|| f64::from(self.loss_permille) / f64::from(self.many) / 10.0)
    }
}

/// What is used of processors, memory, disk and descriptors, in percent; in a tab the heap and the storage
/// that the browser grants stand for memory and disk.
pub(in crate::node) fn shares_used(sample: &Sample) -> [Option<f64>; 4] {
    let memory = match sample.memory_used_kib {
        Some(_) => share(sample.memory_used_kib, sample.memory_limit_kib),
        None => share(sample.heap_used_kib, sample.heap_limit_kib),
    };
    let disk = match sample.disk_used_kib {
        Some(_) => share(sample.disk_used_kib, sample.disk_total_kib),
        None => share(sample.storage_used_kib, sample.storage_quota_kib),
    };
    [
        sample.cpu_permille.map(|permille| float(permille) / 10.0),
        memory,
        disk,
        share(sample.descriptors_used, sample.descriptors_limit),
    ]
}

/// The mean radius of the earth.
const EARTH_KM: f64 = 6_371.0;

fn on_a_globe(latitude: f64, longitude: f64) -> [f64; 3] {
    let (north, across) = libm::sincos(latitude.to_radians());
    let (east, zero) = libm::sincos(longitude.to_radians());
    [across * zero, across * east, north]
}

fn dot([a, b, c]: [f64; 3], [x, y, z]: [f64; 3]) -> f64 {
    a * x + b * y + c * z
}

/// A part of a whole in percent; `None` where one of them is unknown.
fn share(part: Option<u64>, whole: Option<u64>) -> Option<f64> {
    let whole = whole.filter(|whole| *whole > 0)?;
    Some(100.0 * float(part?) / float(whole))
}

fn in_millis(micros: u64) -> f64 {
    float(micros) / 1_000.0
}

fn count(many: usize) -> f64 {
    float(u64::try_from(many).unwrap_or(u64::MAX))
}

/// As a number with a fraction; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn float(number: u64) -> f64 {
    number as f64
}
