//! `Node`: the machines as named fields, and the four verbs.
//!
//! | phase | what it does |
//! |---|---|
//! | joining | dials its entry points under an invite's key and waits to be let in; takes no writes |
//! | running | everything |
//! | fenced | its identity runs elsewhere: no links, no writes; it still answers questions |
//! | leaving | has said goodbye; waits until what is written is durable |
//!
//! Source: DESIGN 4.2.

use crate::{
    kernel::{
        crypto::Keypair,
        id::{DialId, InstanceId, LinkId, NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        time::{Duration, Time, WallTime},
    },
    membership::{admission, admission::Admission, swim, swim::Swim, why::Why},
    node::{
        command::Command,
        config::Config,
        event::Event,
        message::Message,
        setup::{Setup, StartError},
        snapshot::Severity,
        timeline::Timeline,
        tuning::Tuning,
    },
    overlay::links::{self, Links},
    recovery::{journal, journal::Journal, record::Origin},
    replication::replica::{self, Replica},
    wire::{
        close::CloseReason,
        identity::PeerIdentity,
        invitation::Invitation,
        session::{SessionLimits, SessionParams, VERSIONS},
    },
};
#[cfg(feature = "recording")]
use alloc::boxed::Box;
use alloc::{
    borrow::Cow,
    collections::BTreeMap,
    string::{String, ToString},
};

/// Traffic of a peer is told to membership at most this often: fresh evidence of life need not be
/// fresher than a fraction of the probe period.
const HEARD_INTERVAL: Duration = Duration::from_millis(200);

/// Where a node is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Phase {
    Joining,
    Running,
    Fenced { why: String },
    Leaving { flushed: bool },
    Departed,
}

/// Counters of what the node itself decides.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Counters {
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) messages_from_strangers: u64,
    pub(super) offences: u64,
    /// Refused handshakes and links by reason; bounded by the number of reasons.
    pub(super) refusals: BTreeMap<Cow<'static, str>, u64>,
}

/// One node of the mesh: the sum of all machines.
#[derive(Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Node {
    pub(super) config: Config,
    pub(super) keypair: Keypair,
    pub(super) network: NetworkId,
    pub(super) instance: InstanceId,
    pub(super) journal: Journal,
    pub(super) links: Links,
    pub(super) admission: Admission,
    pub(super) swim: Swim,
    pub(super) replica: Replica,
    pub(super) phase: Phase,
    /// When a newcomer no longer waits to get to know the members.
    pub(super) acquainted_by: Option<Time>,
    pub(super) timeline: Timeline,
    pub(super) wall: WallTime,
    pub(super) wall_at: Time,
    pub(super) now: Time,
    pub(super) started_at: Time,
    pub(super) counters: Counters,
    pub(super) outbox: Outbox<Message, Event>,
    #[cfg(feature = "recording")]
    #[serde(skip)]
    pub(super) recorder: Option<Box<super::recording::recorder::Recorder>>,
    #[cfg(any(test, feature = "sim"))]
    #[cfg_attr(feature = "recording", serde(skip))]
    pub(super) mask: super::mask::Mask,
}

impl Node {
    /// Starts a node: restores what is stored, founds a network or begins to join one.
    ///
    /// # Errors
    /// [`StartError`] when a setting is out of range, the stored state is damaged beyond what replay
    /// repairs, or there is no network to belong to. Nothing was changed.
    pub fn start(setup: Setup, now: Time) -> Result<Self, StartError> {
        let tuning = Tuning::of(setup.config.role);
        super::start::start(setup, tuning, now)
    }

    /// The same with other settings than the usual ones.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_tuned(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError> {
        super::start::start(setup, tuning, now)
    }

    /// Its identity.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.keypair.id()
    }

    /// Its network.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// This run of the process.
    #[must_use]
    pub const fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Whether it belongs to the network, rather than waiting to be let in.
    #[must_use]
    pub const fn is_admitted(&self) -> bool {
        !matches!(self.phase, Phase::Joining)
    }

    /// Whether it belongs to the network and knows the members as far as it can: a newcomer that was
    /// just let in asks first, for at most 2 s.
    #[must_use]
    pub fn is_acquainted(&self, now: Time) -> bool {
        let asked = |by| self.swim.has_compared() || now >= by;
        self.is_admitted() && self.acquainted_by.is_none_or(asked)
    }

    /// What a new handshake says and proves. Take it anew for each: the incarnation moves.
    #[must_use]
    pub fn session_params(&self) -> SessionParams {
        let params = SessionParams {
            network: self.network,
            #[cfg(not(feature = "recording"))]
            keypair: self.keypair.clone(),
            #[cfg(feature = "recording")]
            keypair: self.keypair.apart(),
            incarnation: self.swim.incarnation(),
            instance: self.instance,
            role: self.config.role,
            versions: VERSIONS,
            features: 0,
            limits: SessionLimits::default(),
        };
        #[cfg(any(test, feature = "sim"))]
        let params = self.mask.disguise(params);
        params
    }

    /// The wall clock now, carried on from the last reading.
    #[must_use]
    pub fn wall_now(&self) -> WallTime {
        self.wall.plus(self.now.since(self.wall_at))
    }

    fn on_command(&mut self, command: Command) {
        let now = self.now;
        match command {
            Command::LinkUp {
                link,
                peer,
                dial,
                invitation,
            } => {
                self.on_link_up(link, peer, dial, invitation);
            }
            Command::LinkDown { link, reason } => self.on_link_down(link, reason),
            Command::DialFailed { dial, reason } => {
                self.tell_links(links::Command::DialFailed { dial, reason });
            }
            Command::HandshakeRefused { reason } => self.on_refused(&reason, "an incoming link"),
            Command::KeyWanted { link, hint } => {
                self.tell_admission(admission::Command::KeyWanted { link, hint });
            }
            Command::WallClock(wall) => {
                self.wall = wall;
                self.wall_at = now;
                self.tell_links(links::Command::WallClock(wall));
                self.tell_admission(admission::Command::WallClock(wall));
                self.tell_replica(replica::Command::WallClock(wall));
            }
            Command::NetworkChanged => self.tell_links(links::Command::NetworkChanged),
            Command::Persisted(ticket) => self.tell_journal(journal::Command::Persisted(ticket)),
            Command::PersistFailed { ticket, full } => {
                self.tell_journal(journal::Command::Failed { ticket, full });
            }
            Command::Loaded { ticket, records } => {
                self.tell_journal(journal::Command::Loaded { ticket, records });
            }
            Command::Write {
                request,
                namespace,
                key,
                value,
                level,
            } => {
                self.tell_replica(replica::Command::Write {
                    request,
                    namespace,
                    key,
                    value,
                    level,
                });
            }
            Command::Open(namespace) => self.tell_replica(replica::Command::Open(namespace)),
            Command::Close(namespace) => self.tell_replica(replica::Command::Close(namespace)),
            Command::Invite {
                request,
                ttl,
                uses_max,
                role,
            } => {
                self.tell_admission(admission::Command::Invite {
                    request,
                    ttl,
                    uses_max,
                    role,
                });
            }
            Command::Park => self.tell_swim(swim::Command::Park),
            Command::Unpark => self.tell_swim(swim::Command::Unpark),
            Command::Leave | Command::Stop => self.leave(),
        }
    }

    fn on_link_up(
        &mut self,
        link: LinkId,
        peer: PeerIdentity,
        dial: Option<DialId>,
        invitation: Option<Invitation>,
    ) {
        let Some(invitation) = invitation else {
            self.tell_links(links::Command::Up { link, peer, dial });
            return;
        };
        self.tell_links(links::Command::Arrived { link, peer, dial });
        if !self.links.holds(link) {
            return;
        }
        if dial.is_some() {
            let peer = peer.id;
            self.tell_admission(admission::Command::Entered { link, peer });
        } else {
            self.tell_spore();
            self.tell_admission(admission::Command::Arrived {
                link,
                peer,
                invitation,
            });
        }
    }

    fn on_link_down(&mut self, link: LinkId, reason: CloseReason) {
        self.tell_admission(admission::Command::LinkDown { link });
        self.tell_links(links::Command::Down { link, reason });
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        self.counters.messages_in = self.counters.messages_in.saturating_add(1);
        if !self.links.is_linked(from) {
            self.on_message_before_admission(from, message);
            return;
        }
        self.tell_links(links::Command::Heard(from));
        let told_at = self.swim.heard_at(from).unwrap_or_default();
        if self.now.since(told_at) >= HEARD_INTERVAL {
            self.tell_swim(swim::Command::Heard { peer: from });
        }
        let now = self.now;
        match message {
            Message::Links(message) => {
                self.links
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Swim(message) => {
                self.swim
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Replica(message) => {
                self.replica
                    .handle_input(now, Input::Message { from, message });
            }
            Message::Admission(message) => {
                self.admission
                    .handle_input(now, Input::Message { from, message });
            }
        }
    }

    /// Before we are let in, only the relay that we dialled under the invite may talk, and only
    /// about that.
    fn on_message_before_admission(&mut self, from: NodeId, message: Message) {
        let invited = self.phase == Phase::Joining && self.links.may_welcome(from);
        match message {
            Message::Admission(message) if invited => {
                let input = Input::Message { from, message };
                self.admission.handle_input(self.now, input);
            }
            Message::Admission(_) | Message::Links(_) | Message::Swim(_) | Message::Replica(_) => {
                let count = &mut self.counters.messages_from_strangers;
                *count = count.saturating_add(1);
            }
        }
    }

    fn leave(&mut self) {
        if matches!(self.phase, Phase::Leaving { .. } | Phase::Departed) {
            return;
        }
        let why = "it is leaving the mesh".to_string();
        self.tell_replica(replica::Command::Freeze { why });
        let was_member = self.phase == Phase::Running;
        self.phase = Phase::Leaving { flushed: false };
        if was_member {
            self.tell_swim(swim::Command::Leave);
        } else {
            self.finish_leaving();
        }
    }

    /// Membership has said goodbye: close the links, then wait for the journal.
    pub(super) fn finish_leaving(&mut self) {
        self.phase = Phase::Leaving { flushed: true };
        self.tell_links(links::Command::Stop(CloseReason::Leaving));
    }

    /// Another process carries this identity: no more links and writes from here.
    pub(super) fn fence(&mut self, why: String) {
        if matches!(
            self.phase,
            Phase::Fenced { .. } | Phase::Leaving { .. } | Phase::Departed
        ) {
            return;
        }
        self.phase = Phase::Fenced { why: why.clone() };
        self.tell_replica(replica::Command::Freeze { why: why.clone() });
        self.tell_links(links::Command::Stop(CloseReason::Superseded));
        self.note(Severity::Error, "fenced", Some(self.id()), why.clone());
        self.outbox.event(Event::Fenced { why });
    }

    pub(super) fn close(&mut self, link: LinkId, reason: CloseReason) {
        self.outbox.event(Event::Close { link, reason });
    }

    pub(super) fn on_refused(&mut self, reason: &CloseReason, what: &str) {
        let count = self
            .counters
            .refusals
            .entry(reason.code().into())
            .or_default();
        *count = count.saturating_add(1);
        let severity = if reason.is_security() {
            Severity::Warn
        } else {
            Severity::Info
        };
        let text = alloc::format!("Refused {what}: {reason}.");
        self.note(severity, "link_refused", None, text);
    }

    /// Puts an entry on the timeline.
    pub(super) fn note(
        &mut self,
        severity: Severity,
        code: &str,
        subject: Option<NodeId>,
        text: String,
    ) {
        let at = (self.now, self.wall_now());
        let entry = self.timeline.add(at, severity, code, subject, text);
        self.outbox.event(Event::Timeline(entry));
    }

    /// What people call a node: its name with its short identity.
    pub(super) fn display_name(&self, id: NodeId) -> String {
        self.swim.record(&id).map_or_else(
            || id.short(),
            |record| alloc::format!("{} ({})", record.name, id.short()),
        )
    }

    /// Why a member is believed to be what it is.
    pub(super) fn say_why(&self, why: &Why) -> String {
        why.in_words(|id| self.display_name(id))
    }

    pub(super) fn tell_links(&mut self, command: links::Command) {
        self.links.handle_input(self.now, Input::Command(command));
    }

    pub(super) fn tell_swim(&mut self, command: swim::Command) {
        self.swim.handle_input(self.now, Input::Command(command));
    }

    pub(super) fn tell_replica(&mut self, command: replica::Command) {
        self.replica.handle_input(self.now, Input::Command(command));
    }

    pub(super) fn tell_admission(&mut self, command: admission::Command) {
        self.admission
            .handle_input(self.now, Input::Command(command));
    }

    /// Tells admission what a newcomer should know of the members.
    pub(super) fn tell_spore(&mut self) {
        let spore = self.spore();
        self.tell_admission(admission::Command::SporeChanged(spore));
    }

    pub(super) fn tell_journal(&mut self, command: journal::Command) {
        self.journal.handle_input(self.now, Input::Command(command));
    }

    /// Makes a value of the node itself durable; nothing depends on when.
    pub(super) fn put(&mut self, key: &str, value: &impl serde::Serialize) {
        self.tell_journal(journal::Command::Put {
            origin: Origin::Node,
            token: 0,
            key: key.into(),
            value: crate::kernel::crypto::encode(value).into(),
        });
    }

    /// Whether another process took this identity over. A fenced node judges nobody: it has no links
    /// to judge by.
    #[must_use]
    pub const fn is_fenced(&self) -> bool {
        matches!(self.phase, Phase::Fenced { .. })
    }

    pub(super) const fn is_tab(&self) -> bool {
        matches!(self.config.role, Role::Tab)
    }
}

/// Runs a machine's timers if one is due: most of the time it is only one machine's.
fn wake<M: Machine>(machine: &mut M, now: Time) {
    if machine.poll_timeout().is_some_and(|at| at <= now) {
        machine.handle_timeout(now);
    }
}

impl Node {
    fn take_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        if self.phase == Phase::Departed {
            return;
        }
        match input {
            Input::Message { from, message } => {
                #[cfg(any(test, feature = "sim"))]
                self.mask.hear(&message);
                self.on_message(from, message);
            }
            Input::Command(command) => self.on_command(command),
        }
        self.pump();
    }

    fn take_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        if self.phase == Phase::Departed {
            return;
        }
        let now = self.now;
        wake(&mut self.links, now);
        wake(&mut self.admission, now);
        if !self.is_fenced() {
            wake(&mut self.swim, now);
        }
        wake(&mut self.replica, now);
        wake(&mut self.journal, now);
        self.pump();
    }
}

impl Machine for Node {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        #[cfg(feature = "recording")]
        self.record_before(now, Some(&input));
        self.take_input(now, input);
        #[cfg(feature = "recording")]
        self.record_after();
    }

    fn handle_timeout(&mut self, now: Time) {
        #[cfg(feature = "recording")]
        self.record_before(now, None);
        self.take_timeout(now);
        #[cfg(feature = "recording")]
        self.record_after();
    }

    fn poll_timeout(&self) -> Option<Time> {
        let timers = [
            self.links.poll_timeout(),
            self.admission.poll_timeout(),
            self.swim.poll_timeout().filter(|_| !self.is_fenced()),
            self.replica.poll_timeout(),
            self.journal.poll_timeout(),
        ];
        let timer = timers
            .into_iter()
            .flatten()
            .min()
            .filter(|_| self.phase != Phase::Departed);
        self.outbox.or_timer(timer)
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        #[cfg(any(test, feature = "sim"))]
        let output = self.pop_output();
        #[cfg(not(any(test, feature = "sim")))]
        let output = self.outbox.pop();
        if let Some(Output::Send { .. }) = output {
            self.counters.messages_out = self.counters.messages_out.saturating_add(1);
        }
        #[cfg(feature = "recording")]
        self.record_output(output.as_ref());
        output
    }
}
