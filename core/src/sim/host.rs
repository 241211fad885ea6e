//! One simulated machine: its process, disk, clocks, and the ends of its connections.

use crate::{
    kernel::{
        address::{Address, Transport},
        id::{LinkId, NodeId, RequestId, Role},
        rng::Rng,
        text::{Name, Text},
        time::Time,
    },
    membership::join_link::JoinLink,
    node::{
        alert_views::Notification,
        config::Config,
        contract::{HostInput, Signal},
        endpoint::EndpointInput,
        tuning::Tuning,
    },
    observe::{
        alerts::{
            Delivered,
            record::{Channel, Grade},
        },
        vitals::Sample,
    },
    sim::{clock::HostClock, disk::Disk, shell::Shell, world::World},
};
use alloc::{boxed::Box, collections::BTreeMap, format, vec::Vec};

/// What a host is called: its place in the order of creation.
pub type HostId = u16;

/// The first hosts keep what they measure over time.
const HISTORIES_MAX: HostId = 16;
/// As many bytes of it: enough that some series give way.
const HISTORY_BYTES: u64 = 64 << 10;

/// Host n listens on this port plus n.
const FIRST_PORT: u16 = 10_000;

/// What a host measures of itself, every second.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Measures {
    /// Anything, and not always everything.
    #[default]
    Drawn,
    /// The same each time.
    Fixed(Box<Sample>),
    /// Nothing: then it watches nothing either.
    Nothing,
}

/// What comes to a host at some moment.
#[derive(Clone, Debug)]
pub(super) enum Happening<P> {
    /// A timer of its node may be due.
    Timer,
    /// The second is over: the node learns the wall clock.
    Clock,
    /// The disk is through with its oldest batch.
    DiskDone,
    /// An input of the node.
    Input(EndpointInput<P>),
}

/// One end of an open connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// The same at both ends, and never used again.
    pub id: u64,
    pub other: HostId,
    pub their_link: LinkId,
    /// When the last packet on it arrives.
    pub last: Time,
}

/// A process that stands still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paused {
    pub since: Time,
    /// The monotonic clock counts meanwhile.
    pub counts: bool,
}

#[derive(Debug)]
pub(super) struct Host<S, P> {
    pub config: Config,
    pub tuning: Tuning,
    pub disk: Disk,
    /// How many times slower than usual the disk is.
    pub disk_slowness: u32,
    pub clock: HostClock,
    pub measures: Measures,
    pub shell: Option<S>,
    /// Raised at every start and crash: what was on its way to an earlier run is dropped.
    pub run: u32,
    pub join: Option<JoinLink>,
    pub connections: BTreeMap<LinkId, Connection>,
    pub next_request: RequestId,
    pub paused: Option<Paused>,
    /// What came while it stood still.
    pub inbox: Vec<Happening<P>>,
    /// When the earliest timer on the wheel is, in the world's time.
    pub timer_at: Option<Time>,
    /// Its identity, once it ran.
    pub id: Option<NodeId>,
    /// Since when it is up or down.
    pub turned_at: Time,
    /// Crashes after so many further outputs.
    pub fuse: Option<u32>,
    /// The protocol versions that its node claims to speak, in place of its own.
    pub versions: Option<(u16, u16)>,
}

impl<S: Shell> World<S> {
    /// Changes what a host measures of itself from its next second on.
    pub fn set_measures(&mut self, host: HostId, measures: Measures) {
        self.host_mut(host).measures = measures;
    }
}

impl<S, P> Host<S, P> {
    pub(super) fn new(number: HostId, role: Role, join: Option<JoinLink>) -> Self {
        let addresses = match role {
            Role::Relay => address_of(number).into_iter().collect(),
            Role::Tab => Vec::new(),
        };
        Self {
            config: Config {
                role,
                name: Name::clean(&format!("{role}-{number}")),
                zone: None,
                location: None,
                addresses,
                version: "sim".into(),
                network_name: Name::clean("sim"),
                entries: Vec::new(),
                // In large meshes thousands of histories would take all memory.
                history_bytes_max: if number < HISTORIES_MAX {
                    HISTORY_BYTES
                } else {
                    0
                },
            },
            tuning: Tuning::of(role),
            disk: Disk::default(),
            disk_slowness: 1,
            clock: HostClock::default(),
            measures: Measures::default(),
            shell: None,
            run: 0,
            join,
            connections: BTreeMap::new(),
            next_request: RequestId(1),
            paused: None,
            inbox: Vec::new(),
            timer_at: None,
            id: None,
            turned_at: Time::ZERO,
            fuse: None,
            versions: None,
        }
    }

    /// Whether its process exists and moves.
    pub(super) const fn runs(&self) -> bool {
        self.shell.is_some() && self.paused.is_none()
    }

    pub(super) const fn number_request(&mut self) -> RequestId {
        let request = self.next_request;
        self.next_request = request.next();
        request
    }
}

impl<P> Happening<P> {
    pub(super) fn host(input: impl Into<HostInput>) -> Self {
        Self::Input(EndpointInput::Host(input.into()))
    }
}

/// Where a host listens.
pub(super) fn address_of(host: HostId) -> Option<Address> {
    Address::new(Transport::Tcp, "sim", FIRST_PORT.checked_add(host)?).ok()
}

/// Which host listens at an address.
pub(super) const fn host_at(address: &Address) -> HostId {
    address.port().wrapping_sub(FIRST_PORT)
}

/// What a host tells its node every second: what it measured, and over which channel a relay notifies.
pub(super) fn signals(
    measures: &Measures,
    now: Time,
    host: HostId,
    role: Role,
) -> impl Iterator<Item = Signal> + use<> {
    let sample = match measures {
        Measures::Drawn => Some(Box::new(drawn_sample(now, host))),
        Measures::Fixed(sample) => Some(sample.clone()),
        Measures::Nothing => None,
    };
    let channel = Channel {
        name: Name::clean("ops"),
        kind: Text::clean("log"),
        grade_min: Grade::Low,
    };
    let channels = (role == Role::Relay).then(|| Signal::Channels(Vec::from([channel])));
    sample.map(Signal::Vitals).into_iter().chain(channels)
}

/// What a host tells its node of a notification: it always arrives.
pub(super) fn delivered(notification: &Notification) -> Signal {
    Signal::Delivered(Delivered {
        key: notification.key.clone(),
        error: None,
    })
}

fn drawn_sample(now: Time, host: HostId) -> Sample {
    let mut rng = Rng::from_number(now.as_micros() ^ u64::from(host).wrapping_shl(48));
    Sample {
        cpu_permille: Some(rng.below(1_001)),
        memory_used_kib: Some(rng.below(1 << 22)),
        memory_limit_kib: Some(1 << 22),
        journal_latency_ms: rng.chance(500).then(|| rng.below(100)),
        ..Sample::default()
    }
}
