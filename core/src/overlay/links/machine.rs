//! The machine: its state, the constructor, the questions, its steps and the four verbs.
//!
//! Source: the papers on the page of [`links`](super).

use super::{
    Command, Config, Event, Message, Stats,
    arriving::Arrival,
    clocks::Reading,
    path::{Beats, Pings},
    standby::Standby,
};
use crate::{
    kernel::{
        address::Address,
        deadlines::Deadlines,
        id::{DialId, InstanceId, LinkId, NodeId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        planted::{self, Planted},
        rng::Rng,
        time::{Duration, Time, WallTime},
    },
    overlay::dialer::{Destination, Dialer},
    wire::{close::CloseReason, identity::PeerIdentity},
};
use alloc::{collections::BTreeMap, vec::Vec};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(super) enum Timer {
    /// The next ping of a peer, and the look at how long it was silent.
    Ping(NodeId),
    /// A link under an invite waits no longer.
    Arrival(LinkId),
    /// The next dial is due.
    Dial,
    /// The backoffs changed: store them.
    Save,
}

/// A routed link.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Peer {
    pub(super) identity: PeerIdentity,
    pub(super) link: LinkId,
    /// Whether this node dialled; both ends need it to agree on which of two links stays.
    pub(super) dialled: bool,
    /// Where our dial led, until the first pong shows that the link holds.
    pub(super) unsettled: Option<Destination>,
    pub(super) heard_at: Time,
    /// The ping without a pong yet, and when it went out.
    pub(super) pinged: Option<(u64, Time)>,
    /// What its wall clock said; unknown before the first answer.
    pub(super) clock: Option<Reading>,
    /// What pings have shown of the path.
    pub(super) pings: Pings,
    /// How regularly it is heard.
    pub(super) beats: Beats,
    /// Another process showed this identity: the ping that asks the peer whether it still runs.
    pub(super) contest: Option<Contest>,
}

#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Contest {
    /// The number of the ping that asks it.
    pub(super) nonce: u64,
    pub(super) asked_at: Time,
    pub(super) answered: bool,
}

/// How long a peer's answer that it still runs counts. After that the peer is asked again.
const CONTEST_WORTH: Duration = Duration::from_secs(10);

/// The links of one node.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Links {
    pub(super) config: Config,
    pub(super) id: NodeId,
    pub(super) instance: InstanceId,
    pub(super) role: Role,
    pub(super) peers: BTreeMap<NodeId, Peer>,
    /// Whose routed link it is: the other way round of `peers`.
    pub(super) by_link: BTreeMap<LinkId, NodeId>,
    /// Links under an invite's key, until one side has let the other in.
    pub(super) arriving: BTreeMap<LinkId, Arrival>,
    /// Links that peers opened beside the one that is routed, until they say something there.
    pub(super) standby: BTreeMap<NodeId, Standby>,
    /// Whether this node was let in during this run.
    pub(super) joined: bool,
    /// Whom to be linked to, always, and where they accept links.
    pub(super) targets: BTreeMap<NodeId, Vec<Address>>,
    pub(super) dialer: Dialer,
    pub(super) stopped: bool,
    /// When the backoffs were stored last.
    pub(super) saved_at: Option<Time>,
    pub(super) next_nonce: u64,
    pub(super) rng: Rng,
    pub(super) now: Time,
    /// The last reading of the wall clock, and when it came.
    pub(super) wall: (WallTime, Time),
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Message, Event>,
    pub(super) stats: Stats,
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
            arriving: BTreeMap::new(),
            standby: BTreeMap::new(),
            joined: false,
            targets: BTreeMap::new(),
            dialer,
            stopped: false,
            saved_at: None,
            next_nonce: 1,
            rng,
            now: Time::ZERO,
            wall: (WallTime::default(), Time::ZERO),
            deadlines: Deadlines::new(),
            outbox: Outbox::new(sends_max),
            stats: Stats::default(),
        }
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

    /// A peer's link.
    #[must_use]
    pub fn link_of(&self, peer: NodeId) -> Option<LinkId> {
        Some(self.peers.get(&peer)?.link)
    }

    /// The smoothed round-trip time of a peer's link; unknown before the first pong.
    #[must_use]
    pub fn rtt(&self, peer: NodeId) -> Option<Duration> {
        Some(self.peers.get(&peer)?.pings.times?.smoothed)
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

    pub(super) fn on_up(&mut self, link: LinkId, identity: PeerIdentity, dial: Option<DialId>) {
        // A link comes up once; one under an invite is up when one side has let the other in.
        if self.holds(link) {
            return;
        }
        let dialled = dial.is_some();
        // Whatever becomes of the link, the dial has ended: it is answered exactly once.
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
                // That address leads to this identity: to dial it again would lead here again.
                self.dialer.forget(via);
            }
            self.refuse(link, None, reason);
            return;
        }
        if self.stopped {
            // No penalty: it is this node that leaves.
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
        // Only new peers count against the bound: a link in place of another takes no further room.
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
    pub(super) fn route(
        &mut self,
        link: LinkId,
        identity: PeerIdentity,
        dialled: bool,
        unsettled: Option<Destination>,
    ) {
        let peer = identity.id;
        self.by_link.insert(link, peer);
        // At once: only the pong shows that the link holds, so that failures are forgiven.
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
                clock: None,
                pings: Pings::default(),
                beats: Beats::default(),
                contest: None,
            },
        );
    }

    /// RFC 4271, section 6.8: of two connections opened by different ends, one end's stays.
    fn resolve_duplicate(&mut self, old: &Peer, link: LinkId, new: PeerIdentity, dialled: bool) {
        self.stats.duplicates = self.stats.duplicates.saturating_add(1);
        // BGP keeps the connection of the higher identifier, we the one of the smaller: any rule
        // will do on which both ends agree without a word.
        let ours_stays = self.id < new.id;
        // The same end would not dial again unless it had lost the old link, even if that looks
        // whole from here: the newer stays.
        let old_stays = old.dialled != dialled && old.dialled == ours_stays;
        if old_stays {
            self.outbox.event(Event::Close {
                link,
                reason: CloseReason::Duplicate,
            });
            return;
        }
        // The peer may have meant somebody else, who used to have our address: then it closes the
        // link as soon as it knows who we are. The good link stays until the peer says something
        // on the new one.
        if dialled {
            self.replace(old.link, link, new, true);
        } else {
            self.stand_by(link, new);
        }
    }

    /// Asks a peer whether it still runs, and answers whether it has said so just now. A half-open
    /// link to a process that lost power must not stop the next one, whose store may have forgotten
    /// the incarnation.
    fn still_runs(&mut self, peer: NodeId) -> bool {
        let Some(known) = self.peers.get_mut(&peer) else {
            return false;
        };
        // The peer was asked already: it is not pinged for every newcomer that shows its identity.
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
        // Not yet. The newcomer is turned away for now and dials again; then there is an answer, or
        // the old link was silent for too long and is gone.
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
            // What the living process signed about itself goes over the link that is refused: the
            // newcomer need not take our word.
            self.outbox.event(Event::Prove { peer: new.id, link });
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
        // What the old process opened goes with it.
        self.close_standby(new.id, &CloseReason::Superseded);
        // Down before up: the owner never counts one peer twice.
        self.end(old.link, CloseReason::Superseded);
        self.accept(link, new, dialled, via);
    }

    /// A link ended. Two reasons tell of two processes with one identity. `Superseded`: the peer says that
    /// a newer run of it took over. `IdentityInUse`: the peer says that our identity runs elsewhere; it may
    /// lie, so the node hears who said it.
    fn on_down(&mut self, link: LinkId, reason: CloseReason) {
        if self.end_arrival(link, &reason) || self.end_standby(link) {
            return;
        }
        let conflict = match (&reason, self.by_link.get(&link)) {
            // It comes over a routed link, so it is the peer's word and no more than that.
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
            // Another link has taken its place: the peer is not down.
            .is_none_or(|routed| routed.link != link)
        {
            return;
        }
        if self.take_over(peer, &reason) {
            return;
        }
        let Some(gone) = self.peers.remove(&peer) else {
            return;
        };
        self.deadlines.clear(&Timer::Ping(peer));
        // A peer that leaves, parks or closes says so. Silence is the only sign of one that can't.
        let abrupt = matches!(reason, CloseReason::Lost | CloseReason::Silent);
        // It ended before the first pong: as good as a failed dial. Otherwise a peer that lets us
        // in only to throw us out would be dialled in a circle.
        if let Some(via) = gone.unsettled.filter(|_| !self.stopped) {
            self.dialer.penalise(self.now, &via, &reason, &mut self.rng);
        } else if abrupt {
            // Its process may be gone, and a refused redial is the evidence of that: ask at once.
            self.dialer.hurry(peer);
        }
        self.outbox.event(Event::PeerDown {
            peer: gone.identity,
            reason,
            abrupt,
        });
        self.want_targets();
    }

    fn on_stop(&mut self, reason: &CloseReason) {
        self.stopped = true;
        // Before the links end, since `end` asks for every target that has no link.
        self.targets.clear();
        self.close_arrivals(reason);
        self.close_standbys(reason);
        let links: Vec<LinkId> = self.by_link.keys().copied().collect();
        for link in links {
            self.outbox.event(Event::Close {
                link,
                reason: reason.clone(),
            });
            self.end(link, reason.clone());
        }
        self.deadlines.clear(&Timer::Dial);
        let unsaved = self.deadlines.clear(&Timer::Save).is_some();
        // The process that took over may have the same store: it is no longer this one's to write.
        if unsaved && *reason != CloseReason::Superseded {
            self.save_backoffs();
        }
    }

    pub(super) fn interval_to(&self, role: Role) -> Duration {
        match (self.role, role) {
            (Role::Relay, Role::Relay) => self.config.ping_interval,
            (Role::Relay | Role::Tab, Role::Relay | Role::Tab) => self.config.ping_interval_tab,
        }
    }

    /// Closes a link on which nothing came for a whole detection time (RFC 5880, section 6.8.4), or pings.
    /// A relay waits one and a half intervals since the last word, a tab three.
    fn on_ping_timer(&mut self, peer: NodeId) {
        let Some(role) = self.peers.get(&peer).map(|routed| routed.identity.role) else {
            return;
        };
        let interval = self.interval_to(role);
        let listens_only = self.role == Role::Tab;
        // The timer looks once in an interval. One and a half are over at its second look after the
        // last word, with half an interval left for a slow pong; exactly two could need a third
        // look.
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
        // A tab pings until the first pong shows that the link holds, and when a relay that should
        // have pinged did not. Otherwise it spares its battery.
        // It also asks what time it is now and then.
        let is_time_old = routed.clock.is_none_or(|clock| clock.is_old(self.now));
        let is_quiet = self.now.since(routed.heard_at) > interval;
        if !listens_only || routed.pings.times.is_none() || is_quiet || is_time_old {
            let nonce = self.next_nonce;
            self.next_nonce = nonce.wrapping_add(1);
            if routed.pinged.replace((nonce, self.now)).is_some() {
                routed.pings.miss();
            }
            self.outbox.send(peer, Message::Ping { nonce });
        }
        self.deadlines.set(Timer::Ping(peer), self.now + interval);
    }

    /// This process did not run for a while (a suspended laptop, a throttled tab) if a timer is far too
    /// late. The silence of peers in that time proves nothing, so their clocks start anew.
    fn forgive_silence_if_stalled(&mut self) {
        let late = self
            .deadlines
            .next()
            .map_or(Duration::ZERO, |due| self.now.since(due));
        // A quarter of an interval is more than a busy machine is late, and less than would make an
        // honest peer's pong look too late.
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
            // Before the check below: the ping of a contest is not the one that measures the time.
            contest.answered |= contest.nonce == nonce;
        }
        // Only the latest ping counts: a pong that was guessed or is too old forgives and measures
        // nothing.
        let Some((_, sent_at)) = peer.pinged.filter(|(expected, _)| *expected == nonce) else {
            return;
        };
        peer.pings.answer(self.now.since(sent_at));
        peer.pinged = None;
        if let Some(via) = peer.unsettled.take() {
            self.dialer.settle(&via);
        }
        // The peer may have dialled us while our own dials failed: those failures are forgiven as
        // well.
        self.dialer.settle(&Destination::Member(from));
    }

    /// A relay hears pongs in its turn, a tab the pings of relays.
    fn beat(&mut self, from: NodeId, listens_as: Role) {
        if self.role == listens_as
            && let Some(peer) = self.peers.get_mut(&from)
        {
            peer.beats.beat(self.now);
        }
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
                            self.beat(from, Role::Tab);
                            // Before the pong, with which the ping is over for the other end.
                            if let Some(wall) = self.wall_now() {
                                self.outbox.send(from, Message::Wall { nonce, wall });
                            }
                            self.outbox.send(from, Message::Pong { nonce });
                        }
                        return;
                    }
                    Message::Pong { nonce } => {
                        self.beat(from, Role::Relay);
                        self.on_pong(from, nonce);
                    }
                    Message::Wall { nonce, wall } => {
                        self.on_wall(from, nonce, wall);
                        return;
                    }
                }
            }
            Input::Command(command) => match command {
                Command::Up { link, peer, dial } => self.on_up(link, peer, dial),
                Command::Arrived { link, peer, dial } => self.on_arrived(link, peer, dial),
                Command::Admitted { link } => self.on_admitted(link),
                Command::Joined => self.on_joined(),
                Command::Spoke { link } => {
                    self.on_spoke(link);
                    return;
                }
                Command::Down { link, reason } => self.on_down(link, reason),
                Command::DialFailed { dial, reason } => self.on_dial_failed(dial, reason),
                Command::Targets(targets) => self.on_targets(targets),
                Command::Try { peer, addresses } => {
                    if peer != self.id && !self.is_linked(peer) {
                        let member = Destination::Member(peer);
                        // Once: whoever is only tried is not dialled again.
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
                Command::WallClock(wall) => {
                    self.on_wall_clock(wall);
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
                Timer::Arrival(link) => {
                    self.on_arrival_timeout(link);
                    self.schedule_dial();
                }
                Timer::Save => {
                    self.saved_at = Some(self.now);
                    self.save_backoffs();
                }
                Timer::Dial => {
                    self.on_dial_timer();
                    // It sets itself again. What else is due comes with the next wake-up, which is
                    // at once.
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
