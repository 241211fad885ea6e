//! `Node`: the machines as named fields, and the four verbs.
//!
//! An input goes to its machine; then [`Node::pump`] drains all machines until nothing moves.
//!
//! Source: docs/design.md, "The shape of the core".

use crate::{
    kernel::{
        component::Component,
        crypto::Keypair,
        id::{InstanceId, NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        time::{Time, WallTime},
    },
    membership::{admission::Admission, swim::Swim},
    node::{
        contract::{Command, Event},
        envelope::Envelope,
        life::{ClockWatch, History, Measured, Phase, Unsaved},
        read::timeline::Timeline,
        route::OwnWrites,
        start::{
            config::Config,
            setup::{Setup, StartError},
            tuning::Tuning,
        },
    },
    observe::{alerts::Alerts, vitals::Vitals},
    overlay::{links::Links, reach::Reach},
    recovery::journal::Journal,
    replication::replica::Replica,
    wire::session::{SessionLimits, SessionParams, VERSIONS},
};
use alloc::boxed::Box;
use alloc::{borrow::Cow, collections::BTreeMap};

/// Counters of what the node itself decides.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Counters {
    pub(super) messages_in: u64,
    pub(super) messages_out: u64,
    pub(super) messages_from_strangers: u64,
    /// Messages that found no link.
    pub(super) unsent: u64,
    /// Frames of a kind that this version does not know.
    pub(super) unknown: u64,
    /// Frames that are no message of their kind.
    pub(super) undecodable: u64,
    pub(super) offences: u64,
    /// Refused handshakes and links by reason; bounded by the number of reasons.
    pub(super) refusals: BTreeMap<Cow<'static, str>, u64>,
}

/// One node of the mesh: the sum of all machines.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
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
    pub(super) reach: Reach,
    pub(super) vitals: Vitals,
    pub(super) alerts: Alerts,
    pub(super) phase: Phase,
    /// When a newcomer no longer waits to get to know the members.
    pub(super) acquainted_by: Option<Time>,
    pub(super) unsaved: Unsaved,
    /// Whether the store's files are gone from their place.
    pub(super) store_lost: bool,
    pub(super) timeline: Timeline,
    pub(super) wall: WallTime,
    pub(super) wall_at: Time,
    pub(super) clock: ClockWatch,
    pub(super) measured: Measured,
    pub(super) own_writes: OwnWrites,
    pub(super) now: Time,
    pub(super) started_at: Time,
    pub(super) counters: Counters,
    pub(super) outbox: Outbox<Envelope, Event>,
    #[serde(skip)]
    pub(super) history: History,
    #[serde(skip)]
    pub(super) recorder: Option<Box<super::recording::recorder::Recorder>>,
    #[cfg(any(test, feature = "sim"))]
    #[serde(skip)]
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
        crate::node::start::start(setup, tuning, now)
    }

    /// The same with other settings than the usual ones.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub fn start_tuned(setup: Setup, tuning: Tuning, now: Time) -> Result<Self, StartError> {
        crate::node::start::start(setup, tuning, now)
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

    /// What a new handshake says and proves. Take it anew for each: the incarnation moves.
    #[must_use]
    pub fn session_params(&self) -> SessionParams {
        let params = SessionParams {
            network: self.network,
            // Sessions are not recorded (ADR 0013): their signatures must not get onto the tape.
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

    pub(super) const fn is_tab(&self) -> bool {
        matches!(self.config.role, Role::Tab)
    }
}

impl Node {
    /// All machines, in the order in which timers run and outputs are drained: links first, so that a
    /// link exists before anything is sent over it; the journal last, so that everything one input makes
    /// durable shares a batch. Whoever walks over all machines walks this list.
    pub(super) fn components(&self) -> [&dyn Component; 8] {
        [
            &self.links,
            &self.admission,
            &self.swim,
            &self.replica,
            &self.reach,
            &self.vitals,
            &self.alerts,
            &self.journal,
        ]
    }

    /// The same list, to run timers.
    pub(super) fn components_mut(&mut self) -> [&mut dyn Component; 8] {
        [
            &mut self.links,
            &mut self.admission,
            &mut self.swim,
            &mut self.replica,
            &mut self.reach,
            &mut self.vitals,
            &mut self.alerts,
            &mut self.journal,
        ]
    }

    /// The machine whose timers do not run. A fenced node has no links: its membership would take
    /// everybody for dead.
    fn rests(&self) -> Option<&'static str> {
        self.is_fenced().then(|| self.swim.name())
    }

    fn take_input(&mut self, now: Time, input: Input<Envelope, Command>) {
        // Time never goes back (`Machine`): an earlier `now` counts as the latest one seen.
        self.now = self.now.max(now);
        // The host was told that it may exit. Whatever comes now could not become durable.
        if self.phase == Phase::Departed {
            return;
        }
        match input {
            Input::Message { from, message } => self.on_envelope(from, message),
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
        let rests = self.rests();
        // All due timers first, then one pump: what they make durable together shares a batch.
        for machine in self.components_mut() {
            if Some(machine.name()) != rests {
                machine.wake(now);
            }
        }
        self.pump();
    }
}

impl Machine for Node {
    type Message = Envelope;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Envelope, Command>) {
        self.record_before(now, Some(&input));
        self.take_input(now, input);
        self.record_after();
    }

    fn handle_timeout(&mut self, now: Time) {
        self.record_before(now, None);
        self.take_timeout(now);
        self.record_after();
    }

    fn poll_timeout(&self) -> Option<Time> {
        if self.phase == Phase::Departed {
            // No timer runs any more; only output that nobody has taken yet is due.
            return self.outbox.or_timer(None);
        }
        let rests = self.rests();
        let awake = self.components().into_iter();
        let awake = awake.filter(|machine| Some(machine.name()) != rests);
        let timer = awake.filter_map(|machine| machine.due_at()).min();
        self.outbox.or_timer(timer)
    }

    fn poll_output(&mut self) -> Option<Output<Envelope, Event>> {
        #[cfg(any(test, feature = "sim"))]
        let output = self.pop_output();
        #[cfg(not(any(test, feature = "sim")))]
        let output = self.outbox.pop();
        // Counted where it leaves: the outbox may drop a send, and a mask may swallow one.
        if let Some(Output::Send { .. }) = output {
            self.counters.messages_out = self.counters.messages_out.saturating_add(1);
        }
        self.record_output(output.as_ref());
        output
    }
}
