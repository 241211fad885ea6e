//! The machine: its state, the constructor, judging, and the four verbs.

use super::{
    board::Board,
    config::Config,
    contract::{Command, Delivered, Event, Look, Presence, Reading, Seen, Stats},
    duty::rank_as_judge,
    incident::{Incident, correlate},
    record::{
        About, Alert, CHANNELS_MAX, Channel, Channels, Deed, Ending, Grade, Id, Place, to_bytes,
    },
    rule::{Level, Metric, Rule},
    trial::{Flap, Step, Trial},
};
use crate::kernel::{
    deadlines::Deadlines,
    id::{NodeId, Role},
    machine::{Input, Machine, Output},
    outbox::Outbox,
    planted::{self, Planted},
    text::Text,
    time::{Duration, Time},
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::convert::Infallible;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// Look for old records.
    Tidy,
}

/// How many relays judge a node: the next one if the one before does not, such as where its log is damaged.
const JUDGES: u32 = 3;
/// How much longer each waits than the one before it, in milliseconds.
const STAND_IN_MS: u32 = 15_000;
/// How long a record that was written may take to come back before it is written again.
const WRITING: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Alerts {
    pub(super) config: Config,
    pub(super) me: NodeId,
    pub(super) role: Role,
    pub(super) now: Time,
    pub(super) started_at: Time,
    /// The wall clock at the last look, in milliseconds; 0 before the first.
    pub(super) wall_ms: u64,
    /// The members at the last look.
    pub(super) members: Vec<Seen>,
    /// How much longer this node waits than others without a duty.
    spread_ms: u32,
    /// Whom this node judges, and how many judge it before; made anew when the members change.
    judged: BTreeMap<NodeId, u32>,
    pub(super) board: Board,
    pub(super) incidents: Vec<Incident>,
    /// Whether `incidents` are older than the board.
    is_stale: bool,
    pub(super) trials: BTreeMap<About, Trial>,
    /// What this node is ending because it is gone, and since when; bounded by the alerts.
    ending: BTreeMap<Id, Time>,
    /// What this node's host can notify over.
    pub(super) own_channels: Option<Channels>,
    /// When that was last written down.
    channels_wrote_at: Option<Time>,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Infallible, Event>,
    pub(super) stats: Stats,
}

impl Alerts {
    /// A machine that has seen nothing yet.
    #[must_use]
    pub fn new(config: Config, me: NodeId, role: Role, now: Time) -> Self {
        let mut deadlines = Deadlines::new();
        deadlines.set(Timer::Tidy, now + config.tidying);
        Self {
            config,
            me,
            role,
            now,
            started_at: now,
            wall_ms: 0,
            members: Vec::new(),
            spread_ms: u32::from(me.as_bytes()[0] % 16).saturating_mul(1_000),
            judged: BTreeMap::new(),
            board: Board::default(),
            incidents: Vec::new(),
            is_stale: false,
            trials: BTreeMap::new(),
            ending: BTreeMap::new(),
            own_channels: None,
            channels_wrote_at: None,
            deadlines,
            // It sends no messages.
            outbox: Outbox::new(1),
            stats: Stats::default(),
        }
    }

    /// Whether this node judges how another is, or does if those before it do not.
    #[must_use]
    pub fn judges(&self, node: &NodeId) -> bool {
        self.judged.contains_key(node)
    }

    /// The relays that are there and can write.
    pub(super) fn relays_here(&self) -> impl Iterator<Item = NodeId> {
        let here = self.members.iter().filter(|seen| {
            seen.role == Role::Relay && seen.presence == Presence::Here && seen.writes
        });
        here.map(|seen| seen.node)
    }

    pub(super) fn relays(&self) -> usize {
        let are = |seen: &&Seen| seen.role == Role::Relay && seen.presence != Presence::Away;
        self.members.iter().filter(are).count()
    }

    pub(super) fn presence(&self, node: &NodeId) -> Option<Presence> {
        let seen = self.members.iter().find(|seen| seen.node == *node);
        seen.map(|seen| seen.presence)
    }

    fn flap(&self) -> Flap {
        Flap {
            count: self.board.in_force.flap_count,
            window: Duration::from_millis(self.board.in_force.flap_window_ms),
        }
    }

    fn on_look(&mut self, look: Look) {
        self.wall_ms = self.wall_ms.max(look.wall_ms);
        if look.members != self.members {
            self.members = look.members;
            self.share_duties();
        }
        let rules = self.board.in_force.rules.clone();
        let mut seen: BTreeSet<About> = BTreeSet::new();
        let down = self.down();
        // Who comes back is judged from the start.
        self.trials.retain(|about, _| {
            let rule = rules.iter().find(|(name, _)| **name == *about.rule);
            !rule.is_some_and(|(_, rule)| is_moot(rule.metric, &about.node, &down))
        });
        for (name, rule) in &rules {
            for reading in &look.readings {
                let is_moot = is_moot(reading.metric, &reading.node, &down);
                if reading.metric == rule.metric && !is_moot && self.may_judge(reading) {
                    let about = About {
                        rule: Text::clean(name),
                        node: reading.node,
                        peer: reading.peer,
                    };
                    self.judge(&about, rule, reading);
                    seen.insert(about);
                }
            }
        }
        self.end_what_is_gone(&seen, &down);
        self.refresh();
        self.announce_channels();
        self.notify();
    }

    /// The nodes that are missed, as an alert says: what else was wrong about them is moot.
    fn down(&self) -> BTreeSet<NodeId> {
        let alerts = self.board.alerts.values().map(|(_, alert)| alert);
        let dead = alerts.filter(|alert| {
            let node = &alert.about.node;
            alert.metric == Metric::Unreachable
                && alert.ended_ms.is_none()
                && self.presence(node) == Some(Presence::Missed)
        });
        dead.map(|alert| alert.about.node).collect()
    }

    fn may_judge(&self, reading: &Reading) -> bool {
        // Those whose duty it is may all be liars: who is dead, any relay says in the end.
        if reading.metric == Metric::Unreachable {
            return self.role == Role::Relay && reading.node != self.me;
        }
        // Of others only what they can't write down themselves is read here.
        let is_own = reading.node == self.me && !reading.metric.is_seen_by_others();
        is_own || self.judges(&reading.node)
    }

    /// Works out anew whom this node judges.
    fn share_duties(&mut self) {
        self.is_stale = true;
        if self.role != Role::Relay {
            return;
        }
        let relays: Vec<NodeId> = self.relays_here().collect();
        let others = self.members.iter().filter(|seen| seen.node != self.me);
        let ranked = others.filter_map(|seen| {
            let rank = rank_as_judge(&seen.node, &self.me, relays.iter().copied());
            (rank < JUDGES).then_some((seen.node, rank))
        });
        self.judged = ranked.collect();
    }

    fn judge(&mut self, about: &About, rule: &Rule, reading: &Reading) {
        let rule = &self.with_patience(rule, about);
        let id = about.id();
        let (now, flap) = (self.now, self.flap());
        let open = self.board.alerts.get(&id);
        let open = open.filter(|(_, alert)| alert.ended_ms.is_none());
        let is_idle = open.is_none()
            && !self.trials.contains_key(about)
            && reading
                .value_milli
                .is_none_or(|value| rule.level(value).is_none());
        if is_idle {
            return;
        }
        let by_hand = open.is_some_and(|(_, alert)| self.is_ended_by_hand(id, alert));
        let settled = |trial: &Trial| now.since(trial.wrote_at) >= WRITING;
        let level = open.map(|(_, alert)| alert.level);
        if !self.trials.contains_key(about) {
            let max = usize::try_from(self.config.trials_max).unwrap_or(usize::MAX);
            if self.trials.len() >= max {
                self.stats.unjudged = self.stats.unjudged.saturating_add(1);
                return;
            }
            // Who judges anew goes on where the one before stopped.
            let trial = level.map_or_else(Trial::default, |level| Trial::firing(level, now));
            self.trials.insert(about.clone(), trial);
        }
        let Some(trial) = self.trials.get_mut(about) else {
            return;
        };
        if by_hand && settled(trial) {
            trial.end_by_hand(now);
            self.end(id, Ending::ByHand);
            return;
        }
        if settled(trial) {
            // The records have the last word: another may have judged meanwhile, or a write was refused.
            trial.fires = level;
        }
        match trial.take(rule, reading.value_milli, now, flap) {
            Step::Stay => {
                let is_idle = trial.is_idle(now, flap);
                if is_idle {
                    self.trials.remove(about);
                }
            }
            Step::Fire(level) => {
                trial.wrote_at = now;
                if trial.flaps(now, flap) {
                    self.stats.flapping = self.stats.flapping.saturating_add(1);
                }
                self.raise(about, rule, level, reading);
            }
            Step::End => {
                trial.wrote_at = now;
                self.end(id, Ending::ByItself);
            }
        }
    }

    /// A rule, with the patience of one that stands in for another.
    fn with_patience(&self, rule: &Rule, about: &About) -> Rule {
        let patience = match self.judged.get(&about.node) {
            _ if !rule.metric.is_seen_by_others() => 0,
            Some(rank) => STAND_IN_MS.saturating_mul(*rank),
            // A second apart, so that the first of them spares the others.
            None => STAND_IN_MS
                .saturating_mul(JUDGES)
                .saturating_add(self.spread_ms),
        };
        Rule {
            duration_ms: rule.duration_ms.saturating_add(patience),
            ..*rule
        }
    }

    fn is_ended_by_hand(&self, id: Id, alert: &Alert) -> bool {
        let act = self.board.act_on(id, alert);
        act.is_some_and(|(_, act)| act.deed == Deed::Resolved)
    }

    fn raise(&mut self, about: &About, rule: &Rule, level: Level, reading: &Reading) {
        let id = about.id();
        let before = self.board.alerts.get(&id).map(|(_, alert)| alert);
        let open = before.filter(|alert| alert.ended_ms.is_none());
        if open.is_some_and(|alert| alert.level >= level) {
            return;
        }
        let calm_since_ms = match (open, before) {
            (Some(open), _) => open.calm_since_ms,
            (None, before) => before.and_then(|alert| alert.ended_ms).unwrap_or(0),
        };
        let alert = Alert {
            about: about.clone(),
            metric: rule.metric,
            of: reading.of,
            level,
            grade: self.grade(rule, level, reading),
            value_milli: reading.value_milli.unwrap_or(0),
            threshold_milli: rule.threshold(level).unwrap_or(0),
            since_ms: open.map_or(self.wall_ms, |alert| alert.since_ms),
            ended_ms: None,
            ending: Ending::ByItself,
            calm_since_ms,
        };
        if open.is_none() {
            self.stats.raised = self.stats.raised.saturating_add(1);
        }
        self.write_alert(id, &alert);
    }

    /// Impact times confidence, both in percent.
    fn grade(&self, rule: &Rule, level: Level, reading: &Reading) -> Grade {
        let usual: u32 = match level {
            Level::Warn => 50,
            Level::Critical => 90,
        };
        let impact = if reading.metric == Metric::Unreachable {
            // One of many is missed less than one of three.
            let relays = u32::try_from(self.relays()).unwrap_or(u32::MAX).max(1);
            60_u32
                .saturating_add(100_u32.checked_div(relays).unwrap_or(0))
                .min(100)
        } else {
            usual
        };
        let impact = impact.saturating_mul(rule.impact_percent.into()) / 100;
        Grade::of(impact, reading.confidence.into())
    }

    fn end(&mut self, id: Id, ending: Ending) {
        let Some((_, alert)) = self.board.alerts.get(&id) else {
            return;
        };
        if alert.ended_ms.is_some() || planted::is(Planted::AlertSticks) {
            return;
        }
        let ended = alert.ended(self.wall_ms, ending);
        self.stats.ended = self.stats.ended.saturating_add(1);
        self.write_alert(id, &ended);
    }

    /// Ends the alerts that are this node's, and are about what is not there any more.
    fn end_what_is_gone(&mut self, seen: &BTreeSet<About>, down: &BTreeSet<NodeId>) {
        if self.now.since(self.started_at) < self.config.settling {
            return;
        }
        let open = self.board.alerts.iter();
        let open = open.filter(|(_, (_, alert))| alert.ended_ms.is_none());
        let gone = open.filter(|(_, (author, alert))| {
            !seen.contains(&alert.about) && self.is_mine_to_end(author, alert, down)
        });
        let gone = gone.map(|(id, (_, alert))| {
            let is_moot = is_moot(alert.metric, &alert.about.node, down);
            let ending = if is_moot {
                Ending::NodeDown
            } else {
                Ending::ByItself
            };
            (*id, ending)
        });
        let gone: Vec<(Id, Ending)> = gone.collect();
        for (id, ending) in gone {
            if self
                .ending
                .get(&id)
                .is_none_or(|at| self.now.since(*at) >= WRITING)
            {
                self.ending.insert(id, self.now);
                self.end(id, ending);
            }
        }
        let board = &self.board;
        self.ending.retain(|id, _| {
            let alert = board.alerts.get(id);
            alert.is_some_and(|(_, alert)| alert.ended_ms.is_none())
        });
        let (now, patience) = (self.now, self.config.settling.max(Duration::from_secs(60)));
        let flap = self.flap();
        // What is not measured any more is soon forgotten, and what fired lately a bit later.
        self.trials.retain(|_, trial| {
            let unseen = now.since(trial.seen_at);
            unseen < patience || (unseen < flap.window && !trial.is_idle(now, flap))
        });
    }

    fn is_mine_to_end(&self, author: &NodeId, alert: &Alert, down: &BTreeSet<NodeId>) -> bool {
        let about = &alert.about;
        if alert.metric.is_seen_by_others() {
            return self.judges(&about.node)
                || (about.node != self.me
                    && self.presence(&about.node).is_none()
                    && *author == self.me);
        }
        if about.node == self.me {
            return true;
        }
        // A node that is away, or one that is dead and whose path it was, does not end it itself.
        let presence = self.presence(&about.node);
        let is_over = match presence {
            None | Some(Presence::Away) => true,
            Some(Presence::Missed) => {
                alert.metric.is_of_path() || is_moot(alert.metric, &about.node, down)
            }
            Some(Presence::Here) => false,
        };
        is_over && (self.judges(&about.node) || (presence.is_none() && self.is_first()))
    }

    /// Whether this node is the first of all relays that are here: for what belongs to nobody.
    pub(super) fn is_first(&self) -> bool {
        self.relays_here().min() == Some(self.me)
    }

    fn write_alert(&mut self, id: Id, alert: &Alert) {
        // It comes back as a record once it is durable; until then nothing is known of it.
        self.outbox.event(Event::Write {
            place: Place::Alert(id),
            value: Some(to_bytes(alert)),
        });
    }

    fn on_record(&mut self, place: &Place, written: &[super::board::Written]) {
        let before = match place {
            Place::Alert(id) => self.board.alerts.get(id).cloned(),
            Place::Act(_)
            | Place::Silence(_)
            | Place::Told(_)
            | Place::Channels(_)
            | Place::Setting(_) => None,
        };
        if !self.board.take(place, written) {
            self.stats.refused = self.stats.refused.saturating_add(1);
            return;
        }
        self.is_stale = true;
        match place {
            Place::Alert(id) => {
                let after = self.board.alerts.get(id).map(|(_, alert)| alert);
                let level = |alert: &Alert| alert.ended_ms.is_none().then_some(alert.level);
                let was = before.as_ref().and_then(|(_, alert)| level(alert));
                let is = after.and_then(level);
                if was != is {
                    self.outbox.event(match is {
                        Some(_) => Event::Fires(*id),
                        None => Event::Ended(*id),
                    });
                }
            }
            Place::Setting(name) => {
                if let Some(first) = written.first() {
                    self.outbox.event(Event::SettingsChanged {
                        name: name.clone(),
                        by: first.author,
                    });
                }
            }
            Place::Act(id) => {
                let acts = self.board.acts.get(id);
                if let Some((by, act)) = acts.and_then(|acts| acts.first()).cloned() {
                    self.outbox.event(Event::Acted {
                        by,
                        deed: act.deed,
                        alerts: act.alerts,
                        note: act.note,
                    });
                }
            }
            Place::Silence(_) | Place::Told(_) | Place::Channels(_) => {}
        }
    }

    /// Brings the incidents up to date.
    fn refresh(&mut self) {
        if self.is_stale {
            let alerts = self.board.alerts.iter();
            let alerts = alerts.map(|(id, (_, alert))| (*id, alert));
            self.incidents = correlate(alerts, self.relays());
            self.is_stale = false;
        }
    }

    fn on_channels(&mut self, mut channels: Vec<Channel>) {
        channels.truncate(CHANNELS_MAX);
        let own = Some(Channels(channels));
        if self.own_channels != own {
            self.own_channels = own;
            self.channels_wrote_at = None;
        }
        self.announce_channels();
    }

    /// Writes down over which channels this node notifies, if that is not what stands there.
    pub(super) fn announce_channels(&mut self) {
        let Some(own) = &self.own_channels else {
            return;
        };
        let known = self.board.channels.get(&self.me);
        if known == Some(own) || (known.is_none() && own.0.is_empty()) {
            return;
        }
        // It is known once it comes back as a record: the writes of a newcomer are refused.
        let wrote = self.channels_wrote_at;
        if wrote.is_some_and(|at| self.now.since(at) < WRITING) {
            return;
        }
        let value = to_bytes(own);
        self.channels_wrote_at = Some(self.now);
        self.outbox.event(Event::Write {
            place: Place::Channels(self.me),
            value: Some(value),
        });
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Look(look) => self.on_look(look),
            Command::Record { place, written } => {
                self.on_record(&place, &written);
                self.refresh();
            }
            Command::Channels(channels) => self.on_channels(channels),
            Command::Delivered(Delivered { key, error }) => self.on_delivered(key, error),
        }
    }
}

/// Whether nothing can be known of a value, for its node is down.
fn is_moot(metric: Metric, node: &NodeId, down: &BTreeSet<NodeId>) -> bool {
    metric != Metric::Unreachable && down.contains(node)
}

impl Machine for Alerts {
    type Message = Infallible;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Infallible, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Message { message, .. } => match message {},
            Input::Command(command) => self.on_command(command),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::Tidy => {
                    self.tidy();
                    self.deadlines
                        .set(Timer::Tidy, self.now + self.config.tidying);
                }
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Infallible, Event>> {
        self.outbox.pop()
    }
}
