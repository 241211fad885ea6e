//! The machine: its state, the constructor, the questions and the four verbs.
//!
//! Source: the papers on the page of [`swim`](super).

use super::{
    Command, Config, Event, Identity, Message, Stats, false_accusations::FalseAccusations,
    own_record, peers::Peers, probe,
};
use crate::{
    kernel::{
        address::Address,
        crypto::{Signed, Verified},
        deadlines::Deadlines,
        id::{Incarnation, NodeId},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        rng::Rng,
        time::Time,
    },
    membership::{
        dissemination::RumourQueue,
        local_health::LocalHealth,
        member::{MemberRecord, MemberState, Standing},
        roster::{Counts, MemberView, Roster},
        why::Why,
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// Notices stalls.
    Pulse,
    /// Fresh rumours waited long enough for others: tell them.
    Flush,
    /// The pause after the last refutation is over: the next one may go out.
    Refute,
    /// Asks again for incarnations that the store did not take.
    Reserve,
    /// The members' records changed a while ago: store them.
    RosterChanged,
    /// The next attempt at relays that are dead, parked or out of reach.
    Try,
    /// Goodbye had its time to reach the peers.
    Depart,
    /// The next probe of a neighbour.
    Probe(NodeId),
    /// The direct ping has no answer: ask helpers.
    Ask(NodeId),
    /// The period is over.
    Verdict(NodeId),
    /// The helper's own ping has no answer.
    Help(u64),
    /// A suspect's window is over.
    Suspicion(NodeId),
    /// Half of a suspect's window is over: ask whether it refuted.
    Inquiry(NodeId),
    /// The next comparison of tables with a peer.
    Compare(NodeId),
    /// The next lease for a tab that this relay holds.
    Renew(NodeId),
    /// A tab without its link had its time to come back.
    Grace(NodeId),
    /// The next lease of a tab runs out.
    LeaseEnd(NodeId),
    /// In a tab: a chosen home had its time to be linked.
    Patience(NodeId),
    /// In a tab: a relay is avoided no longer.
    Forgive(NodeId),
}

/// Membership: one node's view of who belongs and who is alive.
///
/// ```
/// use sporenet_core::{
///     kernel::{
///         crypto::Keypair, id::*, machine::*, persist::Persisted, rng::Rng, text::Name, time::Time,
///     },
///     membership::swim::{Command, Config, Event, Identity, Swim},
/// };
/// let identity = Identity {
///     keypair: Keypair::from_seed(&[1; 32]),
///     network: NetworkId::from_bytes([2; 32]),
///     instance: InstanceId(3),
///     role: Role::Relay,
///     name: Name::new("first")?,
///     zone: None,
///     location: None,
///     addresses: vec!["tcp://127.0.0.1:7600".parse()?],
/// };
/// let rng = Rng::from_number(4);
/// let mut swim = Swim::new(Config::default(), identity, Incarnation(1), vec![], rng, Time::ZERO);
/// // It may not speak for itself before its incarnation is durable.
/// let Some(Output::Event(Event::Persist(asked))) = swim.poll_output() else {
///     panic!("it asks for nothing");
/// };
/// let done = Persisted { token: asked.token, sequence: None };
/// swim.handle_input(Time::ZERO, Input::Command(Command::Persisted(done)));
/// assert_eq!(swim.counts().alive, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Swim {
    pub(super) config: Config,
    pub(super) identity: Identity,
    pub(super) me: NodeId,
    /// Its word about itself as signed last; told only while `may_announce` holds.
    pub(super) own: Verified<MemberRecord>,
    pub(super) ownership: own_record::Ownership,
    pub(super) roster: Roster,
    pub(super) health: LocalHealth,
    pub(super) peers: Peers,
    /// Abrupt losses of links, for evidence of crashes.
    pub(super) lost: BTreeMap<NodeId, Time>,
    /// Whom it should be linked to, as the owner was told last.
    pub(super) neighbours: Vec<(NodeId, Vec<Address>)>,
    pub(super) neighbours_dirty: bool,
    /// The neighbours of a relay, which it observes; empty in a tab.
    pub(super) watches: BTreeMap<NodeId, probe::Watch>,
    pub(super) probes: BTreeMap<NodeId, probe::Probe>,
    /// Pings on others' behalf, by the sequence of this node's own ping.
    pub(super) helping: BTreeMap<u64, probe::Help>,
    pub(super) sequence: u64,
    pub(super) rumours: RumourQueue,
    pub(super) false_accusations: FalseAccusations,
    /// The tabs that this relay vouches for: linked, or gone for less than `lease_grace`.
    pub(super) held: BTreeSet<NodeId>,
    pub(super) lease_sequence: u64,
    /// In a tab: relays that it lost or could not reach moments ago.
    pub(super) avoided: BTreeSet<NodeId>,
    /// The member that was tried last; the next try goes on after it.
    pub(super) try_after: Option<NodeId>,
    /// Members whose state changed during this step: what it was, and whether to report it anyway.
    pub(super) changes: BTreeMap<NodeId, (Option<MemberState>, bool)>,
    pub(super) roster_dirty: bool,
    /// Whether tables were compared with a peer in this run.
    pub(super) compared: bool,
    pub(super) rng: Rng,
    pub(super) now: Time,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Message, Event>,
    pub(super) stats: Stats,
}

impl Swim {
    /// Membership at the start of a process.
    ///
    /// `incarnation` is the first of this run: one above the durable bound. `known` are records out
    /// of the store or a spore, in any order; those whose signature does not hold are ignored. No
    /// `Changed` is reported for what is known at the start.
    #[must_use]
    pub fn new(
        config: Config,
        mut identity: Identity,
        incarnation: Incarnation,
        known: Vec<Signed<MemberRecord>>,
        mut rng: Rng,
        now: Time,
    ) -> Self {
        let me = identity.keypair.id();
        own_record::trim_addresses(&mut identity);
        // Signed now, told only when the incarnation is durable.
        let own = own_record::sign(&identity, incarnation, Standing::Present);
        let mut roster = Roster::new(
            usize::try_from(config.members_max).unwrap_or(usize::MAX),
            config.rings,
        );
        roster.insert(own.clone(), MemberState::Alive, Why::ThisNode, now);
        let mut swim = Self {
            me,
            own,
            ownership: own_record::Ownership::new(),
            roster,
            health: LocalHealth::new(config.health_max),
            peers: Peers::new(),
            lost: BTreeMap::new(),
            neighbours: Vec::new(),
            neighbours_dirty: true,
            watches: BTreeMap::new(),
            probes: BTreeMap::new(),
            helping: BTreeMap::new(),
            // Half of the range stays free, so that the count never wraps in a run.
            sequence: rng.next_u64() >> 1,
            rumours: RumourQueue::new(usize::try_from(config.rumours_max).unwrap_or(usize::MAX)),
            false_accusations: FalseAccusations::new(config.false_accusation_decay),
            held: BTreeSet::new(),
            // Members order a home's leases by sequence alone. Every start has a higher
            // incarnation, so this run begins above all leases of earlier ones, as long as they
            // were fewer than 16 million each.
            lease_sequence: incarnation.0.saturating_mul(1 << 24),
            avoided: BTreeSet::new(),
            try_after: Some(me),
            changes: BTreeMap::new(),
            roster_dirty: false,
            compared: false,
            rng,
            now,
            deadlines: Deadlines::new(),
            outbox: Outbox::new(usize::try_from(config.sends_max).unwrap_or(usize::MAX)),
            stats: Stats::default(),
            config,
            identity,
        };
        swim.reserve_incarnations();
        swim.learn(known);
        // What is known at the start is no change to report, and stored or at hand already.
        swim.changes.clear();
        swim.roster_dirty = false;
        swim.deadlines
            .set(Timer::Pulse, now + swim.config.probe_period);
        swim.schedule_try();
        swim.settle();
        swim
    }

    /// This node's incarnation, as signed last.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.own.incarnation
    }

    /// This node's word about itself.
    #[must_use]
    pub const fn own_record(&self) -> &Verified<MemberRecord> {
        &self.own
    }

    /// What a member is believed to be; `None` if it is not known.
    #[must_use]
    pub fn state(&self, member: &NodeId) -> Option<MemberState> {
        self.roster.get(member).map(|known| known.state())
    }

    /// A member's word about itself.
    #[must_use]
    pub fn record(&self, member: &NodeId) -> Option<&Verified<MemberRecord>> {
        self.roster.get(member).map(|known| known.record())
    }

    /// When something was last heard on a peer's link, as far as it was told; `None` without a link.
    #[must_use]
    pub fn heard_at(&self, peer: NodeId) -> Option<Time> {
        self.peers.heard_at(peer)
    }

    /// The peers that it counts on a link to.
    pub fn linked(&self) -> impl Iterator<Item = NodeId> {
        self.peers.iter()
    }

    /// Every member, this node included, in the order of identities.
    pub fn members(&self) -> impl Iterator<Item = MemberView<'_>> {
        self.roster.iter().map(|(_, member)| MemberView {
            record: member.record(),
            state: member.state(),
            since: member.since(),
            why: member.why(),
            homes: self.homes_of(member),
        })
    }

    /// How many members are in which state, this node included.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.roster.counts()
    }

    /// Whether tables were compared with a peer in this run, so that a newcomer knows who else is
    /// there.
    #[must_use]
    pub const fn has_compared(&self) -> bool {
        self.compared
    }

    /// How many relays take part (alive or suspect), this node included.
    #[must_use]
    pub fn relays_alive(&self) -> u32 {
        u32::try_from(self.roster.rings().len()).unwrap_or(u32::MAX)
    }

    /// Who is whose ring neighbour among the relays that take part, each pair once.
    #[must_use]
    pub fn ring_edges(&self) -> Vec<(NodeId, NodeId)> {
        self.roster.rings().edges()
    }

    /// 1 while this node trusts its own timing, up to 9.
    #[must_use]
    pub const fn health_multiplier(&self) -> u32 {
        self.health.multiplier()
    }

    /// The records worth keeping for the next start: all but those of tabs that left, of members that
    /// were given up, and this node's.
    #[must_use]
    pub fn records_to_persist(&self) -> Vec<Signed<MemberRecord>> {
        let others = self.roster.iter().filter(|(id, _)| **id != self.me);
        others
            .filter(|(_, member)| member.is_relay() || member.state() != MemberState::Left)
            .filter(|(_, member)| !matches!(member.why(), Why::Forgotten { .. }))
            .map(|(_, member)| member.record().to_signed())
            .collect()
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        let (members_refused, members_evicted) = self.roster.overflow();
        Stats {
            members_refused,
            members_evicted,
            rumours_dropped: self.rumours.dropped(),
            sends_dropped: self.outbox.sends_dropped(),
            ..self.stats
        }
    }

    /// Takes a table of members in place of its own, with itself in it: for simulated meshes that begin
    /// with one table.
    #[cfg(any(test, feature = "sim"))]
    pub fn acquaint(&mut self, now: Time, members: &Roster) {
        self.now = self.now.max(now);
        self.roster = members.clone();
        let (own, why) = (self.own.clone(), Why::ThisNode);
        self.roster.insert(own, MemberState::Alive, why, self.now);
        self.neighbours_dirty = true;
        self.settle();
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }
}

impl Machine for Swim {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.advance(now);
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::Command(command) => self.on_command(command),
        }
        self.settle();
    }

    fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        // At the end of time `now` plus a span saturates to `now`, so a timer that sets itself
        // again is due at once. The bound ends this loop even then.
        for _ in 0..self.deadlines.len().saturating_mul(2) {
            let Some(timer) = self.deadlines.pop_due(self.now) else {
                break;
            };
            self.on_timer(timer);
        }
        self.settle();
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.outbox.pop()
    }
}

impl Swim {
    /// Takes the time; a wake-up far too late is a stall.
    fn advance(&mut self, now: Time) {
        // Time never goes back in here, whatever the owner's clock does.
        self.now = self.now.max(now);
        // Who has left waits for its departure only and judges nobody.
        let due = self.deadlines.next().filter(|_| !self.has_left());
        if let Some(due) = due.filter(|due| self.now > *due + self.config.stall) {
            self.on_stall(self.now.since(due));
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::PeerUp { peer, role } => self.on_peer_up(peer, role),
            Command::PeerDown { peer, abrupt } => self.on_peer_down(peer, abrupt),
            Command::DialRefused { peer } => self.on_dial_refused(peer),
            Command::Elsewhere { peer, address } => self.on_elsewhere(peer, &address),
            Command::Heard { peer } => self.heard(peer),
            Command::Learned(records) => self.learn(records),
            Command::Forget(member) => self.forget(member),
            Command::Leave => self.leave(),
            Command::Park => self.set_standing(Standing::Parked),
            Command::Unpark => self.set_standing(Standing::Present),
            Command::Addresses(addresses) => self.set_addresses(addresses),
            Command::Persisted(done) => self.on_persisted(done),
            Command::PersistFailed(failed) => self.on_persist_failed(failed),
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        if self.has_left() {
            return;
        }
        if !self.peers.contains(from) {
            // The link is beyond `links_max`, or went down before this message was delivered.
            self.stats.unlinked = self.stats.unlinked.saturating_add(1);
            return;
        }
        // Whatever it says, it is evidence that the sender lives.
        self.heard(from);
        match message {
            Message::Ping {
                sequence,
                accusations,
                rumours,
            } => self.on_ping(from, sequence, accusations, rumours),
            Message::Ack { sequence, rumours } => self.on_ack(from, sequence, rumours),
            Message::PingReq {
                sequence,
                target,
                rumours,
            } => self.on_ping_req(from, sequence, target, rumours),
            Message::Nack { sequence } => self.on_nack(from, sequence),
            Message::Gossip { rumours } => self.on_rumours(from, rumours),
            Message::TableDigest { hash } => self.on_table_digest(from, hash),
            Message::TablePage {
                after,
                through,
                entries,
            } => self.on_table_page(from, after, through, &entries),
            Message::TableDiff {
                through,
                entries,
                want,
            } => self.on_table_diff(from, through, entries, &want),
            Message::TableEntries { entries } => self.on_table_entries(from, entries),
        }
        // Only now, since the message itself may have brought the refutation.
        self.tell_if_accused(from);
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            // The pulse has no work of its own. It sees to it that some timer is due in every
            // period, so that a sleep shows as a late one.
            Timer::Pulse => self
                .deadlines
                .set(Timer::Pulse, self.now + self.config.probe_period),
            Timer::Flush => self.on_flush(),
            Timer::Refute => self.on_refute(),
            Timer::Reserve => self.reserve_incarnations(),
            Timer::RosterChanged => self.persist_roster(),
            Timer::Try => self.on_try(),
            Timer::Depart => self.outbox.event(Event::Departed),
            Timer::Probe(neighbour) => self.on_probe(neighbour),
            Timer::Ask(neighbour) => self.ask_helpers(neighbour),
            Timer::Verdict(neighbour) => self.on_verdict(neighbour),
            Timer::Help(sequence) => self.on_help_timeout(sequence),
            Timer::Suspicion(member) => self.on_suspicion_end(member),
            Timer::Inquiry(member) => self.on_inquiry(member),
            Timer::Compare(peer) => self.on_compare(peer),
            Timer::Renew(tab) => self.on_renew(tab),
            Timer::Grace(tab) => self.detach(tab),
            Timer::LeaseEnd(tab) => self.update_tab(tab),
            Timer::Patience(relay) => self.on_patience_end(relay),
            Timer::Forgive(relay) => self.forgive(relay),
        }
    }

    /// Ends a step: what follows from everything that changed in it.
    fn settle(&mut self) {
        if self.neighbours_dirty && !self.has_left() {
            self.neighbours_dirty = false;
            self.refresh_neighbours();
        }
        for (member, (from, anyway)) in core::mem::take(&mut self.changes) {
            let Some(known) = self.roster.get(&member) else {
                continue;
            };
            let (to, why) = (known.state(), known.why().clone());
            // A member that changed and changed back within one step did not change for the owner.
            if from != Some(to) || anyway {
                self.outbox.event(Event::Changed {
                    member,
                    from,
                    to,
                    why,
                });
            }
        }
        if self.rumours.has_fresh() && !self.has_left() {
            let at = self.now + self.config.gossip_delay;
            // An earlier flush stands: a stream of new rumours must not put it off for ever.
            self.deadlines.set_earlier(Timer::Flush, at);
        }
        if core::mem::take(&mut self.roster_dirty) {
            let at = self.now + self.config.roster_interval;
            self.deadlines.set_earlier(Timer::RosterChanged, at);
        }
    }

    /// This node slept: whatever waited for others waits anew.
    ///
    /// Source: Lifeguard, section III (the slow node itself is the usual cause of false positives).
    fn on_stall(&mut self, by: Duration) {
        self.stats.stalls = self.stats.stalls.saturating_add(1);
        self.outbox.event(Event::Stalled { by });
        self.health.worsen(2);
        let mut overdue = Vec::new();
        // What is overdue is due now instead. Otherwise every further input before the timers ran
        // would count as one more stall.
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            overdue.push(timer);
        }
        for timer in overdue {
            self.deadlines.set(timer, self.now);
        }
        self.drop_probes();
        // A link may have been lost because this node slept: no evidence of a crash.
        self.lost.clear();
        let members: Vec<NodeId> = self.roster.iter().map(|(id, _)| *id).collect();
        for id in members {
            let Some(member) = self.roster.get_mut(&id) else {
                continue;
            };
            // `now − by` is when the late timer was due: since then renewals may have been missed.
            member.leases.extend(self.now - by, by);
            let end = member.leases.next_end(self.now);
            if let Some(suspicion) = &mut member.suspicion {
                // The suspect may have refuted while this node did not listen: it gets its whole
                // window again.
                suspicion.restart(self.now);
            }
            if let Some(end) = end {
                self.deadlines.set(Timer::LeaseEnd(id), end);
            }
            self.time_suspicion(id);
        }
        self.announce();
    }
}
