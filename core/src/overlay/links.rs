//! One link per peer: dials, pings, duplicates, supersession.
//!
//! | happens | then |
//! |---|---|
//! | a link comes up, no other to that peer | it is routed, the peer is up |
//! | another link to the same process of the peer | dialled by different ends: the one dialled by the smaller identity stays; by the same end: the newer stays |
//! | a link to another process of the peer | the higher incarnation stays, the other is told that its identity is in use; with equal incarnations the one that was there stays |
//! | nothing heard for two ping intervals | the link is closed as silent: a half-open link |
//! | a link breaks without a word | the peer is dialled again at once; a refused connection is told as evidence of a crash |
//! | a dial fails, or a link to what failed holds | the backoffs are told to be stored, soon and seldom |
//! | we are told that our identity is in use | the node is told to fence itself |
//!
//! Source: docs/design.md, sessions; half-open detection as in RFC 5880 (BFD, 2010, asynchronous mode);
//! simultaneous open resolved by identity as in RFC 4271 (BGP, 2006, section 6.8).

use crate::{
    kernel::{
        address::Address,
        deadlines::Deadlines,
        id::{DialId, InstanceId, LinkId, NodeId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        planted::{self, Planted},
        rng::Rng,
        time::{Duration, Time},
    },
    overlay::dialer::{COURTESY, Destination, Dialer},
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::{collections::BTreeMap, vec::Vec};

mod check;
mod contract;
pub use contract::{Command, Config, Event, Message, Stats};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
enum Timer {
    Ping(NodeId),
    Dial,
    Save,
}

/// A routed link.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
struct Peer {
    identity: PeerIdentity,
    link: LinkId,
    dialled: bool,
    /// Where our dial led, until the first pong shows that the link holds.
    unsettled: Option<Destination>,
    heard_at: Time,
    pinged: Option<(u64, Time)>,
    rtt: Option<Duration>,
    /// Another process showed this identity: the ping that asks the peer whether it still runs.
    contest: Option<Contest>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
struct Contest {
    nonce: u64,
    asked_at: Time,
    answered: bool,
}

/// An answer is worth so long: after it the peer is asked anew.
const CONTEST_WORTH: Duration = Duration::from_secs(10);

/// The links of one node.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Links {
    config: Config,
    id: NodeId,
    instance: InstanceId,
    role: Role,
    peers: BTreeMap<NodeId, Peer>,
    by_link: BTreeMap<LinkId, NodeId>,
    targets: BTreeMap<NodeId, Vec<Address>>,
    dialer: Dialer,
    stopped: bool,
    saved_at: Option<Time>,
    next_nonce: u64,
    rng: Rng,
    now: Time,
    deadlines: Deadlines<Timer>,
    outbox: Outbox<Message, Event>,
    stats: Stats,
}

impl Links {
    /// No links yet.
    #[must_use]
    pub fn new(config: Config, id: NodeId, instance: InstanceId, role: Role, rng: Rng) -> Self {
        let sends_max = usize::try_from(config.links_max)
            .unwrap_or(usize::MAX)
            .saturating_mul(2);
        let dialer = Dialer::new(config.dialer.clone());
        Self {
            config,
            id,
            instance,
            role,
            peers: BTreeMap::new(),
            by_link: BTreeMap::new(),
            targets: BTreeMap::new(),
            dialer,
            stopped: false,
            saved_at: None,
            next_nonce: 1,
            rng,
            now: Time::ZERO,
            deadlines: Deadlines::new(),
            outbox: Outbox::new(sends_max),
            stats: Stats::default(),
        }
    }

    /// Whether its settings can be used: they may come from a file.
    ///
    /// # Errors
    /// Which setting is out of range.
    #[cfg(feature = "recording")]
    pub fn check_settings(&self) -> Result<(), &'static str> {
        self.config.validate()
    }

    /// The peers with a routed link, in identity order.
    pub fn peers(&self) -> impl Iterator<Item = &PeerIdentity> {
        self.peers.values().map(|peer| &peer.identity)
    }

    /// Whether a peer has a routed link.
    #[must_use]
    pub fn is_linked(&self, peer: NodeId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// The smoothed round-trip time of a peer's link; unknown before the first pong.
    #[must_use]
    pub fn rtt(&self, peer: NodeId) -> Option<Duration> {
        self.peers.get(&peer)?.rtt
    }

    /// When something was last heard on a peer's link.
    #[must_use]
    pub fn heard_at(&self, peer: NodeId) -> Option<Time> {
        Some(self.peers.get(&peer)?.heard_at)
    }

    /// Destinations and how dialling them goes.
    #[must_use]
    pub const fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    fn on_up(&mut self, link: LinkId, identity: PeerIdentity, dial: Option<DialId>) {
        if self.by_link.contains_key(&link) {
            return;
        }
        let dialled = dial.is_some();
        let via = dial.and_then(|dial| self.dialer.succeeded(dial));
        if identity.id == self.id {
            let reason = if identity.instance == self.instance {
                CloseReason::SelfDial
            } else {
                CloseReason::IdentityInUse {
                    incarnation: identity.incarnation,
                }
            };
            if let Some(via) = &via {
                self.dialer.forget(via);
            }
            self.refuse(link, None, reason);
            return;
        }
        if self.stopped {
            self.refuse(link, None, CloseReason::Leaving);
            return;
        }
        match self.peers.get(&identity.id).cloned() {
            None => self.accept(link, identity, dialled, via),
            Some(old) if old.identity.instance == identity.instance => {
                self.resolve_duplicate(&old, link, identity, dialled);
            }
            Some(old) => self.resolve_conflict(&old, link, identity, dialled, via),
        }
    }

    /// Closes a link that was never routed; a dial of ours that led to it counts as failed.
    fn refuse(&mut self, link: LinkId, via: Option<Destination>, reason: CloseReason) {
        if let Some(via) = via {
            self.dialer.penalise(self.now, &via, &reason, &mut self.rng);
        }
        self.outbox.event(Event::Close { link, reason });
    }

    fn accept(
        &mut self,
        link: LinkId,
        identity: PeerIdentity,
        dialled: bool,
        via: Option<Destination>,
    ) {
        let links = u32::try_from(self.by_link.len()).unwrap_or(u32::MAX);
        if links >= self.config.links_max {
            self.stats.refused = self.stats.refused.saturating_add(1);
            self.refuse(link, via, CloseReason::Busy);
            return;
        }
        self.route(link, identity, dialled, via);
        self.outbox.event(Event::PeerUp(identity));
    }

    /// Makes `link` the peer's link.
    fn route(
        &mut self,
        link: LinkId,
        identity: PeerIdentity,
        dialled: bool,
        unsettled: Option<Destination>,
    ) {
        let peer = identity.id;
        self.by_link.insert(link, peer);
        self.outbox.event(Event::Route { peer, link });
        self.deadlines.set(Timer::Ping(peer), self.now);
        let heard_at = self.now;
        self.peers.insert(
            peer,
            Peer {
                identity,
                link,
                dialled,
                unsettled,
                heard_at,
                pinged: None,
                rtt: None,
                contest: None,
            },
        );
    }

    /// RFC 4271, section 6.8: of two connections opened by different ends, one end's stays.
    fn resolve_duplicate(&mut self, old: &Peer, link: LinkId, new: PeerIdentity, dialled: bool) {
        self.stats.duplicates = self.stats.duplicates.saturating_add(1);
        let ours_stays = self.id < new.id;
        let old_stays = old.dialled != dialled && old.dialled == ours_stays;
        if old_stays {
            self.outbox.event(Event::Close {
                link,
                reason: CloseReason::Duplicate,
            });
            return;
        }
        self.by_link.remove(&old.link);
        self.route(link, new, dialled, None);
        if planted::is(Planted::SupersededKept) {
            return;
        }
        self.outbox.event(Event::Close {
            link: old.link,
            reason: CloseReason::Duplicate,
        });
    }

    /// Asks a peer whether it still runs, and answers whether it has said so just now. A half-open
    /// link to a process that lost power must not stop the next one, whose store may have forgotten
    /// the incarnation.
    fn still_runs(&mut self, peer: NodeId) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        let contest = known
            .contest
            .filter(|contest| self.now.since(contest.asked_at) <= CONTEST_WORTH);
        if let Some(contest) = contest {
            return contest.answered;
        }
        let nonce = self.next_nonce;
        self.next_nonce = nonce.wrapping_add(1);
        known.contest = Some(Contest {
            nonce,
            asked_at: self.now,
            answered: false,
        });
        self.outbox.send(peer, Message::Ping { nonce });
        false
    }

    /// Two processes with one identity: the later incarnation stays, the other learns why.
    fn resolve_conflict(
        &mut self,
        old: &Peer,
        link: LinkId,
        new: PeerIdentity,
        dialled: bool,
        via: Option<Destination>,
    ) {
        if new.incarnation <= old.identity.incarnation {
            if !self.still_runs(new.id) {
                self.refuse(link, via, CloseReason::Contested);
                return;
            }
            let reason = CloseReason::IdentityInUse {
                incarnation: old.identity.incarnation,
            };
            self.outbox.event(Event::Prove {
                peer: new.id,
                link,
                routed: old.link,
            });
            self.refuse(link, via, reason.clone());
            self.outbox.event(Event::IdentityConflict {
                identity: new.id,
                reason,
                told_by: None,
            });
            return;
        }
        let reason = CloseReason::IdentityInUse {
            incarnation: new.incarnation,
        };
        self.outbox.event(Event::Close {
            link: old.link,
            reason,
        });
        self.end(old.link, CloseReason::Superseded);
        self.accept(link, new, dialled, via);
    }

    /// A peer that says that a newer run of it took over was itself still running; so were we, if it is
    /// right that our identity is in use. That may be a lie: it is told on as hearsay.
    fn on_down(&mut self, link: LinkId, reason: CloseReason) {
        let conflict = match (&reason, self.by_link.get(&link)) {
            (CloseReason::IdentityInUse { .. }, Some(peer)) => Some((self.id, Some(*peer))),
            (CloseReason::Superseded, Some(peer)) => Some((*peer, None)),
            (_, _) => None,
        };
        if let Some((identity, told_by)) = conflict {
            let reason = reason.clone();
            self.outbox.event(Event::IdentityConflict {
                identity,
                reason,
                told_by,
            });
        }
        self.end(link, reason);
    }

    /// Forgets a link; if it was the peer's routed one, the peer is down.
    fn end(&mut self, link: LinkId, reason: CloseReason) {
        let Some(peer) = self.by_link.remove(&link) else {
            return;
        };
        if self
            .peers
            .get(&peer)
            .is_none_or(|routed| routed.link != link)
        {
            return;
        }
        let Some(gone) = self.peers.remove(&peer) else {
            return;
        };
        self.deadlines.clear(&Timer::Ping(peer));
        let abrupt = matches!(reason, CloseReason::Lost | CloseReason::Silent);
        if let Some(via) = gone.unsettled.filter(|_| !self.stopped) {
            self.dialer.penalise(self.now, &via, &reason, &mut self.rng);
        } else if abrupt {
            self.dialer.hurry(peer);
        }
        self.outbox.event(Event::Unroute { peer });
        self.outbox.event(Event::PeerDown {
            peer: gone.identity,
            reason,
            abrupt,
        });
        self.want_targets();
    }

    fn on_dial_failed(&mut self, dial: DialId, reason: CloseReason) {
        self.stats.dials_failed = self.stats.dials_failed.saturating_add(1);
        if let CloseReason::IdentityInUse { .. } = reason {
            self.outbox.event(Event::IdentityConflict {
                identity: self.id,
                reason: reason.clone(),
                told_by: None,
            });
        }
        let failed = self.dialer.failed(self.now, dial, &reason, &mut self.rng);
        let Some((destination, address, news)) = failed else {
            return;
        };
        let expect = match &destination {
            Destination::Member(peer) => Some(*peer),
            Destination::Entry(_) => None,
        };
        if let Some(peer) = expect.filter(|_| reason == CloseReason::ConnectionRefused) {
            self.outbox.event(Event::DialRefused { peer });
        }
        if reason == CloseReason::SelfDial {
            self.dialer.forget(&destination);
        }
        let expected = matches!(reason, CloseReason::Duplicate | CloseReason::SelfDial);
        if news && !expected {
            self.outbox.event(Event::DialFailed {
                address,
                expect,
                reason,
            });
        }
    }

    fn on_targets(&mut self, targets: Vec<(NodeId, Vec<Address>)>) {
        self.targets = targets
            .into_iter()
            .filter(|(peer, _)| *peer != self.id)
            .collect();
        let wanted = &self.targets;
        self.dialer.retain_members(|peer| wanted.contains_key(peer));
        self.want_targets();
    }

    fn want_targets(&mut self) {
        for (peer, addresses) in &self.targets {
            let courtesy = match self.role {
                Role::Relay if self.id > *peer => self.rng.jitter(COURTESY / 2, 500),
                Role::Relay | Role::Tab => Duration::ZERO,
            };
            let at = self.now + courtesy;
            self.dialer
                .want(Destination::Member(*peer), addresses, at, false);
        }
        self.schedule_dial();
    }

    fn on_stop(&mut self, reason: &CloseReason) {
        self.stopped = true;
        self.targets.clear();
        let links: Vec<LinkId> = self.by_link.keys().copied().collect();
        for link in links {
            self.outbox.event(Event::Close {
                link,
                reason: reason.clone(),
            });
            self.end(link, reason.clone());
        }
        self.deadlines.clear(&Timer::Dial);
        if self.deadlines.clear(&Timer::Save).is_some() {
            self.outbox.event(Event::BackoffsChanged);
        }
    }

    /// A member is worth dialling while it has no link; an entry while nobody has.
    #[must_use]
    pub fn wants(&self, destination: &Destination) -> bool {
        match destination {
            Destination::Member(peer) => !self.peers.contains_key(peer),
            Destination::Entry(_) => !self
                .peers
                .values()
                .any(|peer| peer.identity.role == Role::Relay),
        }
    }

    fn schedule_dial(&mut self) {
        self.schedule_save();
        let next = self.dialer.next_at(self.now, |d| self.wants(d));
        match next.filter(|_| !self.stopped) {
            Some(at) => self.deadlines.set(Timer::Dial, at),
            None => {
                self.deadlines.clear(&Timer::Dial);
            }
        }
    }

    fn schedule_save(&mut self) {
        let wanted = self.dialer.take_changed() && !self.stopped;
        if wanted && self.deadlines.at(&Timer::Save).is_none() {
            let earliest = self.saved_at.map(|at| at + self.config.save_interval);
            let at = earliest.map_or(self.now, |at| at.max(self.now));
            self.deadlines.set(Timer::Save, at);
        }
    }

    fn on_dial_timer(&mut self) {
        let peers = &self.peers;
        let linked_relay = peers.values().any(|peer| peer.identity.role == Role::Relay);
        let worth = |destination: &Destination| match destination {
            Destination::Member(peer) => !peers.contains_key(peer),
            Destination::Entry(_) => !linked_relay,
        };
        let mut started = Vec::new();
        while let Some(dial) = self.dialer.start(self.now, worth) {
            started.push(dial);
        }
        for dial in started {
            self.stats.dials = self.stats.dials.saturating_add(1);
            self.outbox.event(Event::Dial {
                dial: dial.dial,
                address: dial.address,
                expect: dial.expect,
            });
        }
        self.schedule_dial();
    }

    fn interval_to(&self, role: Role) -> Duration {
        match (self.role, role) {
            (Role::Relay, Role::Relay) => self.config.ping_interval,
            (Role::Relay | Role::Tab, Role::Relay | Role::Tab) => self.config.ping_interval_tab,
        }
    }

    /// RFC 5880: the session is down when nothing came for a whole detection time: nothing since
    /// before the ping that was sent two intervals ago.
    fn on_ping_timer(&mut self, peer: NodeId) {
        let Some(role) = self.peers.get(&peer).map(|routed| routed.identity.role) else {
            return;
        };
        let interval = self.interval_to(role);
        let listens_only = self.role == Role::Tab;
        let patience = if listens_only {
            interval * 3
        } else {
            interval * 3 / 2
        };
        let Some(routed) = self.peers.get_mut(&peer) else {
            return;
        };
        let link = routed.link;
        let forgiven = planted::is(Planted::SilenceForgiven);
        if self.now.since(routed.heard_at) > patience && !forgiven {
            self.stats.silent = self.stats.silent.saturating_add(1);
            self.outbox.event(Event::Close {
                link,
                reason: CloseReason::Silent,
            });
            self.end(link, CloseReason::Silent);
            return;
        }
        if !listens_only || routed.rtt.is_none() || self.now.since(routed.heard_at) > interval {
            let nonce = self.next_nonce;
            self.next_nonce = nonce.wrapping_add(1);
            routed.pinged = Some((nonce, self.now));
            self.outbox.send(peer, Message::Ping { nonce });
        }
        self.deadlines.set(Timer::Ping(peer), self.now + interval);
    }

    /// A timer that is far too late says that this process did not run (a suspended laptop, a
    /// throttled tab): the peers' silence meanwhile means nothing.
    fn forgive_silence_if_stalled(&mut self) {
        let late = self
            .deadlines
            .next()
            .map_or(Duration::ZERO, |due| self.now.since(due));
        if late > self.config.ping_interval / 4 {
            for peer in self.peers.values_mut() {
                peer.heard_at = self.now;
            }
        }
    }

    fn on_pong(&mut self, from: NodeId, nonce: u64) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if let Some(contest) = &mut peer.contest {
            contest.answered |= contest.nonce == nonce;
        }
        let Some((_, sent_at)) = peer.pinged.filter(|(expected, _)| *expected == nonce) else {
            return;
        };
        let sample = self.now.since(sent_at);
        // RFC 6298, section 2: the smoothed round-trip time moves by an eighth of the difference.
        peer.rtt = Some(
            peer.rtt
                .map_or(sample, |old| (old.saturating_mul(7) + sample) / 8),
        );
        peer.pinged = None;
        if let Some(via) = peer.unsettled.take() {
            self.dialer.settle(&via);
        }
        self.dialer.settle(&Destination::Member(from));
    }

    fn heard(&mut self, from: NodeId) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard_at = self.now;
        }
    }
}

impl Machine for Links {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Message { from, message } => {
                self.heard(from);
                match message {
                    Message::Ping { nonce } => {
                        if self.is_linked(from) {
                            self.outbox.send(from, Message::Pong { nonce });
                        }
                        return;
                    }
                    Message::Pong { nonce } => self.on_pong(from, nonce),
                }
            }
            Input::Command(command) => match command {
                Command::Up { link, peer, dial } => self.on_up(link, peer, dial),
                Command::Down { link, reason } => self.on_down(link, reason),
                Command::DialFailed { dial, reason } => self.on_dial_failed(dial, reason),
                Command::Targets(targets) => self.on_targets(targets),
                Command::Try { peer, addresses } => {
                    if peer != self.id && !self.is_linked(peer) {
                        let member = Destination::Member(peer);
                        self.dialer.want(member, &addresses, self.now, true);
                    }
                }
                Command::Entry(address) => self.dialer.want_entry(address, self.now),
                Command::Remember(backoffs) => self.dialer.remember(self.now, backoffs),
                // The most frequent input: neither this nor a ping changes what is worth dialling.
                Command::Heard(from) => {
                    self.heard(from);
                    return;
                }
                Command::NetworkChanged => self.dialer.reset_backoff(),
                Command::Stop(reason) => self.on_stop(&reason),
            },
        }
        self.schedule_dial();
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.forgive_silence_if_stalled();
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::Ping(peer) => self.on_ping_timer(peer),
                Timer::Save => {
                    self.saved_at = Some(self.now);
                    self.outbox.event(Event::BackoffsChanged);
                }
                Timer::Dial => {
                    self.on_dial_timer();
                    break;
                }
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

#[cfg(test)]
mod tests;
