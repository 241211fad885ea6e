//! The machine: its state, the constructor, its steps and the four verbs.

use super::{
    Around, Command, Config, Event, Message, Offence, PATHS_MAX, Passed, Report, Sample, Stats,
    table::Table,
};
use crate::kernel::{
    crypto::{Keypair, Verified},
    deadlines::Deadlines,
    id::{NetworkId, NodeId},
    machine::{Input, Machine, Output},
    outbox::Outbox,
    rng::Rng,
    time::{Duration, Time, millis},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Sends that may wait to be fetched: a turn has one for each link. What is dropped is repaired by the next
/// report.
const SENDS_MAX: usize = 4_096;
/// How long a sample counts as the present. A hidden tab is woken once a minute.
const SAMPLE_WORTH: Duration = Duration::from_secs(120);
/// What a report takes in a message beside its own bytes: length, signature, age.
const REPORT_OVERHEAD: usize = 70;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// A report of this node is due.
    Report,
    /// Pass on what is new.
    Turn,
}

/// A linked peer.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Peer {
    /// The last change of the table that it was told, or that it needs not be told.
    pub(super) told: u64,
    /// The second in which `verifies` counts.
    second: u64,
    verifies: u32,
}

/// What is known of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its last word.
    pub report: &'a Report,
    /// How old that is.
    pub age: Duration,
}

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Vitals {
    pub(super) config: Config,
    keypair: Keypair,
    network: NetworkId,
    rng: Rng,
    now: Time,
    /// What the host measured last, and when it told.
    sample: Option<(Sample, Time)>,
    sequence: u64,
    reported_at: Option<Time>,
    pub(super) members: BTreeSet<NodeId>,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    pub(super) table: Table,
    /// Who is in the table and no known member.
    pub(super) strangers: BTreeSet<NodeId>,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Message, Event>,
    pub(super) stats: Stats,
}

impl Vitals {
    /// A machine that knows nobody.
    #[must_use]
    pub fn new(config: Config, keypair: Keypair, network: NetworkId, rng: Rng) -> Self {
        Self {
            config,
            keypair,
            network,
            rng,
            now: Time::ZERO,
            sample: None,
            sequence: 0,
            reported_at: None,
            members: BTreeSet::new(),
            peers: BTreeMap::new(),
            table: Table::default(),
            strangers: BTreeSet::new(),
            deadlines: Deadlines::new(),
            outbox: Outbox::new(SENDS_MAX),
            stats: Stats::default(),
        }
    }

    /// What this node measured last, and how old that is; nothing if it is too old to count.
    #[must_use]
    pub fn own(&self, now: Time) -> Option<(Sample, Duration)> {
        let (sample, at) = self.sample?;
        let age = now.since(at);
        (age <= SAMPLE_WORTH).then_some((sample, age))
    }

    /// What is known of another node.
    #[must_use]
    pub fn known(&self, node: &NodeId, now: Time) -> Option<Known<'_>> {
        let entry = self.table.get(node)?;
        Some(Known {
            report: &entry.report,
            age: entry.age(now),
        })
    }

    /// How often this node reports.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let members = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let grown = self.config.interval_per_member.saturating_mul(members);
        grown.max(self.config.interval_min)
    }

    /// The key pair that signs for this node.
    pub const fn keypair_mut(&mut self) -> &mut Keypair {
        &mut self.keypair
    }

    pub(super) const fn id(&self) -> NodeId {
        self.keypair.id()
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::PeerUp { peer } => self.on_peer_up(peer),
            Command::PeerDown { peer } => {
                self.peers.remove(&peer);
                if self.peers.is_empty() {
                    self.deadlines.clear(&Timer::Report);
                    self.deadlines.clear(&Timer::Turn);
                }
            }
            Command::Sample(sample) => self.sample = Some((*sample, self.now)),
            Command::Member { member, belongs } => self.on_member(member, belongs),
            Command::Around(around) => self.on_around(around),
        }
    }

    fn on_peer_up(&mut self, peer: NodeId) {
        self.peers.insert(peer, Peer::default());
        self.schedule_turn();
        if self.deadlines.at(&Timer::Report).is_none() {
            // Soon after the first link. Who loses all links again and again still keeps the interval.
            let soon = self.now + self.rng.span_below(self.config.turn);
            let due = self.reported_at.map_or(soon, |at| at + self.interval());
            self.deadlines.set(Timer::Report, due.max(soon));
        }
    }

    fn on_member(&mut self, member: NodeId, belongs: bool) {
        if !belongs {
            self.members.remove(&member);
            self.strangers.remove(&member);
            if member != self.id() {
                self.table.remove(&member);
            }
        } else if self.members.len() < max(self.config.members_max) {
            self.members.insert(member);
            self.strangers.remove(&member);
        }
    }

    fn on_around(&mut self, around: Around) {
        let members = around
            .members
            .into_iter()
            .take(max(self.config.members_max));
        self.members = members.collect();
        self.strangers.clear();
        let id = self.id();
        self.table
            .retain(|node| *node == id || self.members.contains(node));
        let mut paths = around.paths;
        paths.truncate(PATHS_MAX);
        self.sequence = self.sequence.saturating_add(1);
        let report = Report {
            node: id,
            incarnation: around.incarnation,
            sequence: self.sequence,
            at: around.wall,
            sample: self
                .own(self.now)
                .map(|(sample, _)| sample)
                .unwrap_or_default(),
            paths,
        };
        let report = Verified::seal(report, &self.keypair, self.network);
        self.table.put(report, None, Duration::ZERO, self.now);
        self.stats.made = self.stats.made.saturating_add(1);
        self.reported_at = Some(self.now);
        self.schedule_turn();
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        let Message::Reports { reports } = message;
        for passed in reports {
            self.on_report(from, passed);
        }
        self.schedule_turn();
    }

    fn on_report(&mut self, from: NodeId, Passed { age_ms, report }: Passed) {
        let claims = report.claims();
        let node = claims.node;
        if claims.paths.len() > PATHS_MAX {
            self.blame(from, Offence::Malformed);
            return;
        }
        if self.is_stale(from, claims) {
            self.stats.stale = self.stats.stale.saturating_add(1);
            return;
        }
        if !self.has_room(&node) {
            self.stats.unknown = self.stats.unknown.saturating_add(1);
            return;
        }
        // Last, for it is what costs: a peer that repeats itself is never checked.
        if !self.may_verify(from) {
            self.stats.refused = self.stats.refused.saturating_add(1);
            return;
        }
        let Ok(report) = report.verify(self.network) else {
            // Honest nodes pass on only what they have verified, so the sender is to blame.
            self.blame(from, Offence::BadSignature);
            return;
        };
        if !self.members.contains(&node) {
            self.strangers.insert(node);
        }
        let aged = Duration::from_millis(age_ms.into());
        self.table.put(report, Some(from), aged, self.now);
        self.outbox.event(Event::Told { node });
        self.stats.heard = self.stats.heard.saturating_add(1);
    }

    /// Whether a report is about this node itself, or not newer than the one that is known.
    fn is_stale(&mut self, from: NodeId, claims: &Report) -> bool {
        if claims.node == self.id() {
            return true;
        }
        let Some(entry) = self.table.get_mut(&claims.node) else {
            return false;
        };
        let known = entry.report.age_key();
        if known == claims.age_key() {
            entry.note_teller(from);
        }
        known >= claims.age_key()
    }

    fn has_room(&self, node: &NodeId) -> bool {
        self.table.get(node).is_some()
            || (self.members.contains(node) && self.table.len() < max(self.config.members_max))
            || self.strangers.len() < max(self.config.strangers_max)
    }

    fn may_verify(&mut self, from: NodeId) -> bool {
        let second = self.now.as_millis() / 1_000;
        let Some(peer) = self.peers.get_mut(&from) else {
            return false;
        };
        if peer.second != second {
            peer.second = second;
            peer.verifies = 0;
        }
        peer.verifies = peer.verifies.saturating_add(1);
        peer.verifies <= self.config.verifies_per_second_max
    }

    fn blame(&mut self, peer: NodeId, offence: Offence) {
        self.stats.bad = self.stats.bad.saturating_add(1);
        self.outbox.event(Event::Offence { peer, offence });
    }

    /// Sees to it that what a peer does not know is passed on.
    fn schedule_turn(&mut self) {
        let newest = self.table.newest();
        if self.peers.values().any(|peer| peer.told < newest)
            && self.deadlines.at(&Timer::Turn).is_none()
        {
            // Drawn, so that neighbours do not tell each other the same at the same moment.
            let wait = self.rng.jitter(self.config.turn, 500);
            self.deadlines.set(Timer::Turn, self.now + wait);
        }
    }

    fn on_turn(&mut self) {
        let bytes_max = max(self.config.batch_bytes_max);
        for (to, peer) in &mut self.peers {
            let mut reports: Vec<Passed> = Vec::new();
            let mut bytes = 0_usize;
            for (change, entry) in self.table.after(peer.told) {
                if !entry.is_known_to(to) {
                    let size = entry.report.bytes().len().saturating_add(REPORT_OVERHEAD);
                    if !reports.is_empty() && bytes.saturating_add(size) > bytes_max {
                        break;
                    }
                    bytes = bytes.saturating_add(size);
                    reports.push(Passed {
                        age_ms: u32::try_from(millis(entry.age(self.now))).unwrap_or(u32::MAX),
                        report: entry.report.to_signed(),
                    });
                }
                peer.told = change;
            }
            if !reports.is_empty() {
                let count = u64::try_from(reports.len()).unwrap_or(u64::MAX);
                let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                self.stats.passed = self.stats.passed.saturating_add(count);
                self.stats.passed_bytes = self.stats.passed_bytes.saturating_add(bytes);
                self.outbox.send(*to, Message::Reports { reports });
            }
        }
        self.schedule_turn();
    }

    fn on_report_timer(&mut self) {
        self.outbox.event(Event::Wanted);
        let interval = self.interval();
        let wait = self.rng.jitter(interval, 100);
        self.deadlines.set(Timer::Report, self.now + wait);
    }
}

fn max(setting: u32) -> usize {
    usize::try_from(setting).unwrap_or(usize::MAX)
}

impl Machine for Vitals {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::Command(command) => self.on_command(command),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::Report => self.on_report_timer(),
                Timer::Turn => self.on_turn(),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.outbox.pop()
    }
}
