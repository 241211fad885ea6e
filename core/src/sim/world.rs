//! Several nodes on simulated machines, joined by a simulated network, under virtual time.

pub use crate::sim::host::{HostId, Measures};
use crate::{
    kernel::{
        bytes::Bytes,
        id::{NodeId, RequestId, Role},
        memo::Simulating,
        rng::Rng,
        time::{Duration, Time},
    },
    membership::{join_link::JoinLink, member::MemberState},
    node::{
        Node,
        contract::{HostInput, HostOutput, Notice, Reply, Signal, StoreInput, StoreOutput},
        endpoint::{EndpointInput, EndpointOutput},
        setup::{Setup, StartError},
    },
    sim::{
        clock::HostClock,
        disk::{Disk, DiskMode, Image},
        host::{Connection, Happening, Host, Paused, delivered, host_at, signals},
        network::{Network, PathConfig},
        settings,
        shell::Shell,
        trace::Trace,
        wheel::Wheel,
    },
    wire::close::CloseReason,
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    format,
    string::String,
    vec::Vec,
};

/// Something that a host's process said or did, in the order in which it happened.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When, in the world's time.
    pub at: Time,
    /// Where.
    pub host: HostId,
    /// What.
    pub what: What,
}

/// See [`Observation`].
#[derive(Clone, Debug)]
pub enum What {
    /// Its process started.
    Started,
    /// Its process ended: killed, or because it left.
    Ended,
    /// Its node told it something; store effects are left out.
    Told(HostOutput),
}

/// The most observations that wait to be taken; older ones are dropped, nobody looks at them.
const OBSERVATIONS_MAX: usize = 1 << 16;

/// What waits at a cut.
#[derive(Debug)]
pub(super) struct Held<P> {
    /// The run of the process that it is for.
    pub run: u32,
    /// When the last packet before it arrives.
    pub after: Time,
    pub input: EndpointInput<P>,
}

/// The world.
#[derive(Debug)]
pub struct World<S: Shell> {
    pub(super) hosts: Vec<Host<S, S::Packet>>,
    pub(super) wheel: Wheel<(HostId, u32, Happening<S::Packet>)>,
    pub(super) network: Network,
    /// What a cut holds back on streams, oldest first.
    pub(super) held: BTreeMap<(HostId, HostId), VecDeque<Held<S::Packet>>>,
    /// What someone on the paths remembers.
    pub(super) overheard: Vec<S::Packet>,
    pub(super) now: Time,
    pub(super) rng: Rng,
    /// Absent where nobody asks for it.
    trace: Option<Trace>,
    pub(super) next_connection: u64,
    is_wide: bool,
    outputs: u64,
    pub(super) outputs_most: u64,
    pub(super) events: u64,
    pub(super) at_once: u64,
    pub(super) contradiction: Option<String>,
    /// Absent where nobody takes them.
    observations: Option<VecDeque<Observation>>,
    pub(super) replies: BTreeMap<(HostId, RequestId), Reply>,
}

impl<S: Shell> World<S> {
    /// An empty world; everything that follows depends on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hosts: Vec::new(),
            wheel: Wheel::default(),
            network: Network::default(),
            held: BTreeMap::new(),
            overheard: Vec::new(),
            now: Time::from_millis(1),
            rng: Rng::from_number(seed).fork("world"),
            trace: Some(Trace::default()),
            next_connection: 1,
            is_wide: false,
            outputs: 0,
            outputs_most: 0,
            events: 0,
            at_once: 0,
            contradiction: None,
            observations: Some(VecDeque::new()),
            replies: BTreeMap::new(),
        }
    }

    /// From now on each new host has settings of its own, far apart from the next one's.
    pub const fn draw_settings_wide(&mut self) {
        self.is_wide = true;
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// A hash over every output of every node so far, with its time; empty without a trace.
    #[must_use]
    pub fn trace_hash(&self) -> String {
        self.trace.as_ref().map_or_else(String::new, Trace::hash)
    }

    /// Keeps neither trace nor observations from now on: in a large mesh they cost time and memory.
    pub fn forgo_records(&mut self) {
        self.trace = None;
        self.observations = None;
    }

    /// Outputs of all nodes so far.
    #[must_use]
    pub const fn outputs(&self) -> u64 {
        self.outputs
    }

    /// Events taken from the wheel so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The paths between the hosts.
    pub const fn network(&mut self) -> &mut Network {
        &mut self.network
    }

    /// A host's disk.
    pub fn disk(&mut self, host: HostId) -> &mut Disk {
        &mut self.host_mut(host).disk
    }

    /// A host's clocks.
    pub fn clock(&mut self, host: HostId) -> &mut HostClock {
        &mut self.host_mut(host).clock
    }

    /// Makes a host's disk so many times slower than usual.
    pub fn slow_disk(&mut self, host: HostId, times: u32) {
        self.host_mut(host).disk_slowness = times;
    }

    /// Changes what a host's store does.
    pub fn set_disk_mode(&mut self, host: HostId, mode: DiskMode) {
        self.host_mut(host).disk.set_mode(mode);
    }

    /// Takes the oldest observation.
    pub fn observe(&mut self) -> Option<Observation> {
        self.observations.as_mut()?.pop_front()
    }

    /// All hosts, in the order of creation.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<S> {
        0..HostId::try_from(self.hosts.len()).unwrap_or(HostId::MAX)
    }

    /// Whether a host's process exists and moves.
    #[must_use]
    pub fn runs(&self, host: HostId) -> bool {
        self.hosts[usize::from(host)].runs()
    }

    /// Whether a host's process exists.
    #[must_use]
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts[usize::from(host)].shell.is_some()
    }

    /// When a host's process last started or ended.
    #[must_use]
    pub fn turned_at(&self, host: HostId) -> Time {
        self.hosts[usize::from(host)].turned_at
    }

    /// A host's identity, once it ran.
    #[must_use]
    pub fn id(&self, host: HostId) -> Option<NodeId> {
        self.hosts[usize::from(host)].id
    }

    /// Relay or tab.
    #[must_use]
    pub fn role(&self, host: HostId) -> Role {
        self.hosts[usize::from(host)].config.role
    }

    /// What a host's monotonic clock says.
    #[must_use]
    pub fn local(&self, host: HostId) -> Time {
        self.hosts[usize::from(host)].clock.local(self.now)
    }

    /// How every path without a setting of its own behaves.
    #[must_use]
    pub const fn usual_path(&self) -> PathConfig {
        self.network.usual()
    }

    /// Creates a host without starting it.
    pub fn add(&mut self, role: Role, join: Option<JoinLink>) -> HostId {
        let number = HostId::try_from(self.hosts.len()).unwrap_or(HostId::MAX);
        let mut host = Host::new(number, role, join);
        if self.is_wide {
            let mut rng = self.rng.fork("settings").fork(&format!("{number}"));
            host.tuning = settings::draw(role, &mut rng);
        }
        self.hosts.push(host);
        number
    }

    /// Starts or restarts a host's process from its disk.
    ///
    /// # Errors
    /// As [`Node::start`](crate::node::Node::start); the host stays down.
    pub fn start(&mut self, host: HostId) -> Result<(), StartError> {
        let _simulating = Simulating::begin();
        let entropy = self.rng.bytes32();
        let now = self.now;
        let state = self.host_mut(host);
        let setup = Setup {
            may_found: true,
            config: state.config.clone(),
            entropy,
            wall: state.clock.wall(now),
            stored: state.disk.image().stored(),
            join: state.join.clone(),
        };
        let mut shell = S::start(setup, state.tuning.clone(), state.clock.local(now))?;
        shell.node_mut().mask_mut().versions = state.versions;
        state.id = Some(shell.node().id());
        state.shell = Some(shell);
        state.run = state.run.wrapping_add(1);
        state.turned_at = now;
        state.timer_at = None;
        self.notice(host, What::Started);
        self.after(Duration::from_secs(1), host, Happening::Clock);
        self.drain(host);
        self.examine(host);
        self.examine_tail(host);
        Ok(())
    }

    /// What would come back at a host if it started from an image now; the world does not change.
    ///
    /// # Errors
    /// As [`Node::start`](crate::node::Node::start).
    pub fn recover(&self, host: HostId, image: &Image) -> Result<S, StartError> {
        let state = &self.hosts[usize::from(host)];
        let setup = Setup {
            may_found: true,
            config: state.config.clone(),
            entropy: [7; 32],
            wall: state.clock.wall(self.now),
            stored: image.stored(),
            join: state.join.clone(),
        };
        S::start(setup, state.tuning.clone(), state.clock.local(self.now))
    }

    /// Creates and starts a host.
    ///
    /// # Errors
    /// As [`World::start`].
    pub fn launch(&mut self, role: Role, join: Option<JoinLink>) -> Result<HostId, StartError> {
        let host = self.add(role, join);
        self.start(host)?;
        Ok(host)
    }

    /// A new host with a copy of another's disk, as after copying a data directory; not started.
    pub fn copy(&mut self, host: HostId) -> HostId {
        let copy = self.add(self.role(host), None);
        let image = self.disk(host).image().clone();
        self.disk(copy).restore(image);
        copy
    }

    /// Kills a host's process: its connections break, what was not durable is gone.
    pub fn crash(&mut self, host: HostId) -> bool {
        for connection in self.end_process(host) {
            self.end_other(host, &connection, CloseReason::Lost);
        }
        let rng = &mut self.rng;
        self.hosts[usize::from(host)].disk.crash(rng)
    }

    /// Takes a host's power away: as a crash, but nobody is told that the connections are gone.
    pub fn power_off(&mut self, host: HostId) -> bool {
        self.end_process(host);
        let rng = &mut self.rng;
        self.hosts[usize::from(host)].disk.crash(rng)
    }

    /// Crashes a host after so many further outputs of its node.
    pub fn crash_after(&mut self, host: HostId, outputs: u32) {
        self.host_mut(host).fuse = Some(outputs);
    }

    fn end_process(&mut self, host: HostId) -> Vec<Connection> {
        let now = self.now;
        let state = self.host_mut(host);
        if state.shell.take().is_some() {
            state.turned_at = now;
            self.notice(host, What::Ended);
        }
        let state = self.host_mut(host);
        state.run = state.run.wrapping_add(1);
        state.paused = None;
        state.fuse = None;
        state.inbox.clear();
        core::mem::take(&mut state.connections)
            .into_values()
            .collect()
    }

    /// Stops a process without killing it; it handles nothing until [`World::resume`]. `counts` says
    /// whether the monotonic clock goes on meanwhile (a stopped process) or not (a machine asleep).
    pub fn pause(&mut self, host: HostId, counts: bool) {
        let since = self.now;
        let state = self.host_mut(host);
        if state.shell.is_some() && state.paused.is_none() {
            state.paused = Some(Paused { since, counts });
        }
    }

    /// Lets a paused process go on: all that came meanwhile comes at once.
    pub fn resume(&mut self, host: HostId) {
        let now = self.now;
        let state = self.host_mut(host);
        let Some(paused) = state.paused.take() else {
            return;
        };
        if !paused.counts {
            state.clock.forget(paused.since, now);
        }
        let run = state.run;
        state.timer_at = None;
        self.wheel.push(now, (host, run, Happening::Clock));
        for happening in core::mem::take(&mut self.host_mut(host).inbox) {
            self.wheel.push(now, (host, run, happening));
        }
        self.arm(host);
    }

    /// Lets nothing through from one host to another. A stream holds what it is given, and sends it
    /// when the cut is healed.
    pub fn cut_one_way(&mut self, from: HostId, to: HostId) {
        self.network.cut(from, to);
    }

    /// Takes one cut of a direction back.
    pub fn heal_one_way(&mut self, from: HostId, to: HostId) {
        if self.network.uncut(from, to) {
            self.release(from, to);
        }
    }

    /// Lets nothing through between two hosts.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// Lets two hosts reach each other again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.heal_one_way(a, b);
        self.heal_one_way(b, a);
    }

    /// Makes every path whole and usual again.
    pub fn heal_all(&mut self) {
        for (from, to) in self.network.mend() {
            self.release(from, to);
        }
    }

    /// A running host's node.
    #[must_use]
    pub fn node(&self, host: HostId) -> Option<&Node> {
        Some(self.hosts.get(usize::from(host))?.shell.as_ref()?.node())
    }

    /// A running host's node, to start and save its recording.
    pub fn node_mut(&mut self, host: HostId) -> Option<&mut Node> {
        let host = self.hosts.get_mut(usize::from(host))?;
        Some(host.shell.as_mut()?.node_mut())
    }

    /// What one host believes of another; `None` while it does not run or does not know.
    #[must_use]
    pub fn believes(&self, host: HostId, of: NodeId) -> Option<MemberState> {
        self.node(host)?.state_of(of)
    }

    /// The value of a key at a host.
    #[must_use]
    pub fn read(&self, host: HostId, namespace: &str, key: &str) -> Option<Bytes> {
        self.node(host)?.entry(namespace, key)?.value
    }

    /// Tells a host's node something; a paused one gets it when it goes on.
    pub fn command(&mut self, host: HostId, input: impl Into<HostInput>) {
        self.happen(host, Happening::host(input));
    }

    /// Lets virtual time pass.
    pub fn run_for(&mut self, span: Duration) {
        self.run_to(self.now + span);
    }

    /// Lets virtual time pass until a moment.
    pub fn run_to(&mut self, until: Time) {
        let _simulating = Simulating::begin();
        while let Some((at, (host, run, happening))) = self.wheel.pop(until) {
            self.count_event(at);
            if self.hosts[usize::from(host)].run == run {
                self.happen(host, happening);
            }
        }
        self.now = self.now.max(until);
    }

    /// Lets virtual time pass until a condition holds; false if it does not within `patience`.
    pub fn run_until(&mut self, patience: Duration, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now + patience;
        while !holds(self) {
            if self.now >= until {
                return false;
            }
            self.run_for(Duration::from_millis(50));
        }
        true
    }

    pub(super) fn host_mut(&mut self, host: HostId) -> &mut Host<S, S::Packet> {
        &mut self.hosts[usize::from(host)]
    }

    fn notice(&mut self, host: HostId, what: What) {
        let at = self.now;
        let Some(observations) = &mut self.observations else {
            return;
        };
        if observations.len() >= OBSERVATIONS_MAX {
            observations.pop_front();
        }
        observations.push_back(Observation { at, host, what });
    }

    fn happen(&mut self, host: HostId, happening: Happening<S::Packet>) {
        let now = self.now;
        let state = self.host_mut(host);
        let happening = match happening {
            Happening::DiskDone => match state.disk.finish() {
                Some((batch, Ok(()))) => Happening::host(StoreInput::Persisted(batch.ticket)),
                Some((batch, Err(mode))) => Happening::host(StoreInput::PersistFailed {
                    ticket: batch.ticket,
                    full: mode == DiskMode::Full,
                }),
                None => return,
            },
            other @ (Happening::Timer | Happening::Clock | Happening::Input(_)) => other,
        };
        if state.paused.is_some() {
            if matches!(happening, Happening::Input(_)) {
                state.inbox.push(happening);
            }
            return;
        }
        let local = state.clock.local(now);
        let Some(shell) = &mut state.shell else {
            return;
        };
        match happening {
            Happening::Timer => {
                // One that an earlier timer overtook; the node was asked again since.
                if state.timer_at != Some(now) {
                    return;
                }
                state.timer_at = None;
                if shell.poll_timeout().is_some_and(|at| at <= local) {
                    shell.handle_timeout(local);
                }
            }
            Happening::Clock => {
                let wall = Signal::WallClock(state.clock.wall(now));
                shell.handle_input(local, EndpointInput::Host(wall.into()));
                for signal in signals(&state.measures, now, host, state.config.role) {
                    shell.handle_input(local, EndpointInput::Host(signal.into()));
                }
                self.after(Duration::from_secs(1), host, Happening::Clock);
            }
            Happening::Input(input) => {
                if let EndpointInput::Ended { link, .. } = &input {
                    state.connections.remove(link);
                }
                shell.handle_input(local, input);
            }
            Happening::DiskDone => {}
        }
        self.drain(host);
    }

    pub(super) fn drain(&mut self, host: HostId) {
        let before = self.outputs;
        while let Some(output) = self.hosts[usize::from(host)]
            .shell
            .as_mut()
            .and_then(S::poll_output)
        {
            self.outputs += 1;
            if let Some(trace) = &mut self.trace {
                trace.output::<S>(self.now, host, &output);
            }
            let state = self.host_mut(host);
            if let Some(fuse) = &mut state.fuse {
                if *fuse == 0 {
                    self.crash(host);
                    return;
                }
                *fuse -= 1;
            }
            self.act(host, output);
        }
        self.outputs_most = self.outputs_most.max(self.outputs - before);
        self.arm(host);
    }

    /// Puts the node's next timer on the wheel, if it is earlier than the one that is there.
    pub(super) fn arm(&mut self, host: HostId) {
        let now = self.now;
        let state = self.host_mut(host);
        if state.paused.is_some() {
            return;
        }
        let Some(due) = state.shell.as_ref().and_then(S::poll_timeout) else {
            return;
        };
        let at = state.clock.world(due).max(now);
        if state.timer_at.is_none_or(|armed| at < armed) {
            state.timer_at = Some(at);
            let run = state.run;
            self.wheel.push(at, (host, run, Happening::Timer));
        }
    }

    fn act(&mut self, host: HostId, output: EndpointOutput<S::Packet>) {
        match output {
            EndpointOutput::Connect { link, address } => {
                self.connect(host, link, host_at(&address))
            }
            EndpointOutput::Transmit { link, message } => self.transmit(host, link, message),
            EndpointOutput::Disconnect { link, .. } => {
                if let Some(connection) = self.host_mut(host).connections.remove(&link) {
                    self.end_other(host, &connection, CloseReason::Lost);
                }
            }
            EndpointOutput::Host(output) => self.on_host_output(host, output),
        }
    }

    fn on_host_output(&mut self, host: HostId, output: HostOutput) {
        match output {
            HostOutput::Store(StoreOutput::Persist(batch)) => {
                let span = Duration::from_micros(self.rng.below(2_000) + 100);
                let state = self.host_mut(host);
                state.disk.submit(batch);
                let span = span * state.disk_slowness;
                self.after(span, host, Happening::DiskDone);
            }
            HostOutput::Store(StoreOutput::Load { ticket, sequences }) => {
                let span = Duration::from_micros(self.rng.below(1_000) + 50);
                let state = self.host_mut(host);
                let records = state.disk.load(&sequences);
                let span = span * state.disk_slowness;
                let loaded = StoreInput::Loaded { ticket, records };
                self.after(span, host, Happening::host(loaded));
            }
            HostOutput::Notice(entry) if entry.notice == Notice::Departed => {
                self.notice(host, What::Told(HostOutput::Notice(entry)));
                self.examine(host);
                self.crash(host);
            }
            HostOutput::Reply { id, reply } => {
                self.replies.insert((host, id), reply.clone());
                self.notice(host, What::Told(HostOutput::Reply { id, reply }));
            }
            HostOutput::Notify(notification) => {
                let span = Duration::from_millis(self.rng.below(500) + 10);
                self.after(span, host, Happening::host(delivered(&notification)));
                self.notice(host, What::Told(HostOutput::Notify(notification)));
            }
            told @ (HostOutput::Changed(_) | HostOutput::Notice(_)) => {
                self.notice(host, What::Told(told));
            }
        }
    }

    pub(super) fn after(&mut self, span: Duration, host: HostId, happening: Happening<S::Packet>) {
        let run = self.hosts[usize::from(host)].run;
        self.wheel.push(self.now + span, (host, run, happening));
    }
}
