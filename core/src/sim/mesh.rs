//! Several endpoints joined by a network with latency, cuts, crashes and restarts.

use crate::{
    kernel::{
        address::{Address, Transport},
        bytes::Bytes,
        id::{LinkId, NodeId, RequestId, Role, Ticket},
        rng::Rng,
        store::StoreBatch,
        text::{Key, Name, Namespace},
        time::{Duration, Time, WallTime},
    },
    membership::{join_link::JoinLink, member::MemberState},
    node::{
        Node,
        command::Command,
        config::Config,
        endpoint::{Endpoint, EndpointInput, EndpointOutput},
        event::Reply,
        setup::{Setup, StartError},
    },
    replication::write::AckLevel,
    sim::disk::Disk,
    wire::close::CloseReason,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};

/// When the wall clocks of all simulated hosts start: 2026-01-01 UTC.
const WALL_START: WallTime = WallTime::from_millis(1_767_225_600_000);

/// What a host of the mesh is called: its place in the order of creation.
pub type HostId = u16;

#[derive(Clone, Debug)]
enum Happening {
    Opened { link: LinkId },
    Ended { link: LinkId, reason: CloseReason },
    Received { link: LinkId, message: Bytes },
    Durable { batch: StoreBatch },
    Loaded { ticket: Ticket, sequences: Vec<u64> },
    Clock,
}

#[derive(Debug)]
struct Host {
    config: Config,
    disk: Disk,
    endpoint: Option<Endpoint>,
    /// Raised at every start and crash: what was on its way to an earlier run is dropped.
    run: u32,
    join: Option<JoinLink>,
    /// The other end of each open connection, and when the last message on it arrives.
    connections: BTreeMap<LinkId, (HostId, LinkId, Time)>,
    replies: BTreeMap<RequestId, Reply>,
    next_request: RequestId,
    paused: bool,
}

/// The mesh.
#[derive(Debug)]
pub struct Mesh {
    hosts: Vec<Host>,
    queue: BTreeMap<(Time, u64), (HostId, u32, Happening)>,
    sequence: u64,
    cuts: BTreeSet<(HostId, HostId)>,
    now: Time,
    rng: Rng,
    trace: blake3::Hasher,
    outputs: u64,
}

impl Mesh {
    /// An empty mesh; everything that follows depends on `seed` alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            hosts: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            cuts: BTreeSet::new(),
            now: Time::from_millis(1),
            rng: Rng::from_number(seed).fork("mesh"),
            trace: blake3::Hasher::new(),
            outputs: 0,
        }
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// A hash over every output of every node so far, with its time.
    #[must_use]
    pub fn trace_hash(&self) -> String {
        format!("{}", self.trace.finalize())
    }

    /// Outputs so far.
    #[must_use]
    pub const fn outputs(&self) -> u64 {
        self.outputs
    }

    /// Creates a host without starting it.
    pub fn add(&mut self, role: Role, join: Option<JoinLink>) -> HostId {
        let host = HostId::try_from(self.hosts.len()).unwrap_or(HostId::MAX);
        let addresses = match role {
            Role::Relay => address_of(host).into_iter().collect(),
            Role::Tab => Vec::new(),
        };
        self.hosts.push(Host {
            config: Config {
                role,
                name: Name::clean(&format!("{role}-{host}")),
                zone: None,
                location: None,
                addresses,
                version: "sim".into(),
                network_name: Name::clean("rehearsal"),
                entries: Vec::new(),
            },
            disk: Disk::default(),
            endpoint: None,
            run: 0,
            join,
            connections: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_request: RequestId(1),
            paused: false,
        });
        host
    }

    /// Starts or restarts a host's process from its disk.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn start(&mut self, host: HostId) -> Result<(), StartError> {
        let entropy = self.rng.bytes32();
        let (now, wall) = (self.now, self.wall());
        let Some(state) = self.hosts.get_mut(usize::from(host)) else {
            return Ok(());
        };
        let setup = Setup {
            config: state.config.clone(),
            entropy,
            wall,
            stored: state.disk.stored(),
            join: state.join.clone(),
        };
        state.endpoint = Some(Endpoint::start(setup, now)?);
        state.run = state.run.wrapping_add(1);
        self.after(Duration::from_secs(1), host, Happening::Clock);
        self.drain(host);
        Ok(())
    }

    /// Creates and starts a host.
    ///
    /// # Errors
    /// As [`Endpoint::start`].
    pub fn launch(&mut self, role: Role, join: Option<JoinLink>) -> Result<HostId, StartError> {
        let host = self.add(role, join);
        self.start(host)?;
        Ok(host)
    }

    /// A new host with a copy of another's disk, as after copying a data directory; not started.
    pub fn copy(&mut self, host: HostId) -> HostId {
        let copied = self.hosts.get(usize::from(host));
        let (role, disk) = copied.map_or_else(
            || (Role::Relay, Disk::default()),
            |state| (state.config.role, state.disk.clone()),
        );
        let copy = self.add(role, None);
        if let Some(state) = self.hosts.get_mut(usize::from(copy)) {
            state.disk = disk;
        }
        copy
    }

    /// Kills a host's process: its connections break, what was not durable is gone.
    pub fn crash(&mut self, host: HostId) {
        let Some(state) = self.hosts.get_mut(usize::from(host)) else {
            return;
        };
        state.endpoint = None;
        state.run = state.run.wrapping_add(1);
        for (_, (other, link, _)) in core::mem::take(&mut state.connections) {
            self.end_other(other, link, CloseReason::Lost);
        }
    }

    /// Stops a process without killing it; it handles nothing until [`Mesh::resume`].
    pub fn pause(&mut self, host: HostId) {
        self.set_paused(host, true);
    }

    /// Lets a paused process go on: all that came meanwhile comes at once.
    pub fn resume(&mut self, host: HostId) {
        self.set_paused(host, false);
    }

    fn set_paused(&mut self, host: HostId, paused: bool) {
        if let Some(state) = self.hosts.get_mut(usize::from(host)) {
            state.paused = paused;
        }
    }

    /// Drops everything between two hosts, without telling them.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cuts.insert((a.min(b), a.max(b)));
    }

    /// Lets two hosts reach each other again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.cuts.remove(&(a.min(b), a.max(b)));
    }

    /// A running host's node.
    #[must_use]
    pub fn node(&self, host: HostId) -> Option<&Node> {
        Some(self.hosts.get(usize::from(host))?.endpoint.as_ref()?.node())
    }

    /// What one host believes of another; `None` while either does not run or does not know.
    #[must_use]
    pub fn believes(&self, host: HostId, of: NodeId) -> Option<MemberState> {
        let id = format!("{of}");
        let members = self.node(host)?.members(self.now);
        members
            .into_iter()
            .find(|member| member.id == id)
            .map(|member| member.state)
    }

    /// The value of a key at a host.
    #[must_use]
    pub fn read(&self, host: HostId, namespace: &str, key: &str) -> Option<Bytes> {
        self.node(host)?.entry(namespace, key)?.value
    }

    /// Asks a host to write; the answer comes through [`Mesh::reply`].
    pub fn write(
        &mut self,
        host: HostId,
        namespace: &str,
        key: &str,
        value: Option<&[u8]>,
        level: AckLevel,
    ) -> RequestId {
        let request = self.number_request(host);
        if let (Ok(namespace), Ok(key)) = (Namespace::new(namespace), Key::new(key)) {
            let value = value.map(Bytes::from);
            self.command(
                host,
                Command::Write {
                    request,
                    namespace,
                    key,
                    value,
                    level,
                },
            );
        }
        request
    }

    /// Asks a relay for an invite and runs until it is there.
    pub fn invite(&mut self, host: HostId, uses_max: Option<u16>) -> Option<JoinLink> {
        let request = self.number_request(host);
        let ttl = Duration::from_secs(3_600);
        self.command(
            host,
            Command::Invite {
                request,
                ttl,
                uses_max,
                role: None,
            },
        );
        self.run_for(Duration::from_millis(100));
        match self.reply(host, request)? {
            Reply::Invited { invitation, key } => Some(self.node(host)?.join_link(invitation, key)),
            Reply::Written { .. } | Reply::Refused(_) => None,
        }
    }

    fn number_request(&mut self, host: HostId) -> RequestId {
        let Some(state) = self.hosts.get_mut(usize::from(host)) else {
            return RequestId(0);
        };
        let request = state.next_request;
        state.next_request = request.next();
        request
    }

    /// The answer to a request, once it is there.
    #[must_use]
    pub fn reply(&self, host: HostId, request: RequestId) -> Option<&Reply> {
        self.hosts.get(usize::from(host))?.replies.get(&request)
    }

    /// Gives a host a command.
    pub fn command(&mut self, host: HostId, command: Command) {
        self.input(host, EndpointInput::Command(command));
    }

    /// Lets virtual time pass.
    pub fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(next) = self.next_at().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.happen();
            self.run_timers();
        }
        self.now = until;
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

    fn wall(&self) -> WallTime {
        WALL_START.plus(self.now.since(Time::ZERO))
    }

    fn runs(&self, host: HostId) -> bool {
        let state = self.hosts.get(usize::from(host));
        state.is_some_and(|state| state.endpoint.is_some() && !state.paused)
    }

    fn next_at(&self) -> Option<Time> {
        let queued = self
            .queue
            .iter()
            .find(|(_, (host, run, _))| self.is_current(*host, *run) && self.runs(*host))
            .map(|((at, _), _)| *at);
        let timers = self
            .hosts
            .iter()
            .filter(|state| !state.paused)
            .filter_map(|state| Some(state.endpoint.as_ref()?.poll_timeout()?.max(self.now)));
        timers.chain(queued).min()
    }

    fn is_current(&self, host: HostId, run: u32) -> bool {
        self.hosts
            .get(usize::from(host))
            .is_some_and(|state| state.run == run)
    }

    /// Everything that is due at this moment, in order; what a paused host gets waits.
    fn happen(&mut self) {
        let due: Vec<(Time, u64)> = self
            .queue
            .range(..=(self.now, u64::MAX))
            .filter(|(_, (host, run, _))| self.runs(*host) || !self.is_current(*host, *run))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let Some((host, run, happening)) = self.queue.remove(&key) else {
                continue;
            };
            if self.is_current(host, run) {
                self.deliver(host, happening);
            }
        }
    }

    fn deliver(&mut self, host: HostId, happening: Happening) {
        let input = match happening {
            Happening::Opened { link } => EndpointInput::Opened { link },
            Happening::Ended { link, reason } => {
                if let Some(state) = self.hosts.get_mut(usize::from(host)) {
                    state.connections.remove(&link);
                }
                EndpointInput::Ended { link, reason }
            }
            Happening::Received { link, message } => EndpointInput::Received { link, message },
            Happening::Durable { batch } => {
                if let Some(state) = self.hosts.get_mut(usize::from(host)) {
                    state.disk.apply(&batch.ops);
                }
                EndpointInput::Command(Command::Persisted(batch.ticket))
            }
            Happening::Loaded { ticket, sequences } => {
                let state = self.hosts.get(usize::from(host));
                let records = state.map_or_else(Vec::new, |state| state.disk.load(&sequences));
                EndpointInput::Command(Command::Loaded { ticket, records })
            }
            Happening::Clock => {
                self.after(Duration::from_secs(1), host, Happening::Clock);
                EndpointInput::Command(Command::WallClock(self.wall()))
            }
        };
        self.input(host, input);
    }

    fn run_timers(&mut self) {
        for host in 0..HostId::try_from(self.hosts.len()).unwrap_or(HostId::MAX) {
            if !self.runs(host) {
                continue;
            }
            let now = self.now;
            let Some(state) = self.hosts.get_mut(usize::from(host)) else {
                continue;
            };
            let Some(endpoint) = &mut state.endpoint else {
                continue;
            };
            if endpoint.poll_timeout().is_some_and(|at| at <= now) {
                endpoint.handle_timeout(now);
                self.drain(host);
            }
        }
    }

    fn input(&mut self, host: HostId, input: EndpointInput) {
        let now = self.now;
        let Some(state) = self.hosts.get_mut(usize::from(host)) else {
            return;
        };
        let Some(endpoint) = &mut state.endpoint else {
            return;
        };
        endpoint.handle_input(now, input);
        self.drain(host);
    }

    fn drain(&mut self, host: HostId) {
        while let Some(output) = self
            .hosts
            .get_mut(usize::from(host))
            .and_then(|state| state.endpoint.as_mut())
            .and_then(Endpoint::poll_output)
        {
            self.record(host, &output);
            self.act(host, output);
        }
    }

    fn record(&mut self, host: HostId, output: &EndpointOutput) {
        self.outputs = self.outputs.saturating_add(1);
        self.trace.update(&self.now.as_micros().to_le_bytes());
        self.trace.update(&host.to_le_bytes());
        if let EndpointOutput::Transmit { message, .. } = output {
            self.trace.update(message);
        }
        self.trace.update(format!("{output:?}").as_bytes());
    }

    fn act(&mut self, host: HostId, output: EndpointOutput) {
        match output {
            EndpointOutput::Connect { link, address } => self.connect(host, link, &address),
            EndpointOutput::Transmit { link, message } => self.transmit(host, link, message),
            EndpointOutput::Disconnect { link, .. } => {
                let state = self.hosts.get_mut(usize::from(host));
                let other = state.and_then(|state| state.connections.remove(&link));
                if let Some((other, link, _)) = other {
                    self.end_other(other, link, CloseReason::Lost);
                }
            }
            EndpointOutput::Persist(batch) => {
                let span = Duration::from_micros(self.rng.below(2_000).saturating_add(100));
                self.after(span, host, Happening::Durable { batch });
            }
            EndpointOutput::Load { ticket, sequences } => {
                let span = Duration::from_micros(self.rng.below(1_000).saturating_add(50));
                self.after(span, host, Happening::Loaded { ticket, sequences });
            }
            EndpointOutput::Reply { request, reply } => {
                if let Some(state) = self.hosts.get_mut(usize::from(host)) {
                    state.replies.insert(request, reply);
                }
            }
            EndpointOutput::Departed => self.crash(host),
            EndpointOutput::Changed { .. }
            | EndpointOutput::Timeline(_)
            | EndpointOutput::Admitted
            | EndpointOutput::Fenced { .. } => {}
        }
    }

    fn connect(&mut self, host: HostId, link: LinkId, address: &Address) {
        let other = address.port().wrapping_sub(FIRST_PORT);
        let latency = self.latency();
        if self.is_cut(host, other) || self.hosts.get(usize::from(other)).is_none() {
            let reason = CloseReason::Unreachable;
            self.after(
                Duration::from_secs(5),
                host,
                Happening::Ended { link, reason },
            );
            return;
        }
        let now = self.now;
        let state = self.hosts.get_mut(usize::from(other));
        let accepted = state.and_then(|state| state.endpoint.as_mut()?.accept(now));
        let Some(their_link) = accepted else {
            let reason = CloseReason::ConnectionRefused;
            self.after(latency, host, Happening::Ended { link, reason });
            return;
        };
        for (from, link, to, their) in [
            (host, link, other, their_link),
            (other, their_link, host, link),
        ] {
            if let Some(state) = self.hosts.get_mut(usize::from(from)) {
                state.connections.insert(link, (to, their, now));
            }
        }
        self.after(latency, host, Happening::Opened { link });
    }

    fn transmit(&mut self, host: HostId, link: LinkId, message: Bytes) {
        let arrives = self.now + self.latency();
        let Some(state) = self.hosts.get_mut(usize::from(host)) else {
            return;
        };
        let Some((other, their_link, last)) = state.connections.get_mut(&link) else {
            return;
        };
        let (other, their_link, at) = (*other, *their_link, arrives.max(*last));
        *last = at;
        if !self.is_cut(host, other) {
            self.at(
                at,
                other,
                Happening::Received {
                    link: their_link,
                    message,
                },
            );
        }
    }

    fn end_other(&mut self, other: HostId, link: LinkId, reason: CloseReason) {
        // After the last message on its way, as a connection's end is.
        let last = self
            .queue
            .iter()
            .filter(|(_, (host, _, happening))| {
                *host == other
                    && matches!(happening, Happening::Received { link: to, .. } if *to == link)
            })
            .map(|((at, _), _)| *at)
            .max();
        let at = last.unwrap_or(self.now).max(self.now + self.latency());
        self.at(at, other, Happening::Ended { link, reason });
    }

    fn is_cut(&self, a: HostId, b: HostId) -> bool {
        self.cuts.contains(&(a.min(b), a.max(b)))
    }

    fn latency(&mut self) -> Duration {
        Duration::from_micros(self.rng.below(4_000).saturating_add(500))
    }

    fn after(&mut self, span: Duration, host: HostId, happening: Happening) {
        self.at(self.now + span, host, happening);
    }

    fn at(&mut self, at: Time, host: HostId, happening: Happening) {
        let run = self
            .hosts
            .get(usize::from(host))
            .map_or(0, |state| state.run);
        self.sequence = self.sequence.saturating_add(1);
        self.queue
            .insert((at, self.sequence), (host, run, happening));
    }
}

/// Host n listens on this port plus n.
const FIRST_PORT: u16 = 10_000;

fn address_of(host: HostId) -> Option<Address> {
    Address::new(Transport::Tcp, "sim", FIRST_PORT.checked_add(host)?).ok()
}
