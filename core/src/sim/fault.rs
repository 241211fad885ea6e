//! What goes wrong, when, and for how long: values with a readable form.
//!
//! One fault a line: `at 12.5 for 3 cut bridge 0>3 3>0`. Times are in seconds from the start of the
//! chaos; a fault that happens at once needs no `for`. Hosts are numbers in the order of their start.

mod text;

pub(super) use text::{parse_seconds, seconds};

use crate::{
    kernel::{id::Role, time::Duration},
    sim::{host::HostId, network::PathConfig},
};
use alloc::vec::Vec;

/// Directions between hosts.
pub type Pairs = Vec<(HostId, HostId)>;

/// The form of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// One host apart.
    Isolation,
    /// Two halves.
    Split,
    /// Two halves, and one host that reaches both.
    Bridge,
    /// Each reaches only its neighbours on a ring.
    Ring,
    /// All reach only one.
    Star,
    /// Some directions at random.
    Random,
    /// One direction between two hosts.
    OneWay,
}

/// What a path does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// So many milliseconds more on the way.
    Delay(u32),
    /// So many of a thousand take twenty times as long.
    Tail(u32),
    /// So many of a thousand are lost.
    Loss(u32),
    /// So many of a thousand begin a burst of losses.
    Burst(u32),
    /// So many of a thousand arrive twice.
    Duplicate(u32),
    /// So many of a thousand are overtaken.
    Reorder(u32),
    /// So many of a thousand arrive with a flipped bit.
    Corrupt(u32),
    /// So many bytes a second.
    Bandwidth(u32),
    /// So many of a thousand are changed, cut, mixed, held back or sent again by someone on the path
    /// who has no keys.
    Tamper(u32),
}

impl PathFault {
    /// Makes a path worse by what this fault adds to it. Two faults of one kind add up: their chances
    /// as those of independent events, their delays as they are; the narrower bandwidth counts.
    pub(super) fn worsen(self, path: &mut PathConfig) {
        let add = |to: &mut u32, permille: u32| {
            let spared = (1_000 - (*to).min(1_000)) * (1_000 - permille.min(1_000)) / 1_000;
            *to = 1_000 - spared;
        };
        match self {
            Self::Delay(ms) => path.latency_min += Duration::from_millis(u64::from(ms)),
            Self::Tail(permille) => add(&mut path.tail_permille, permille),
            Self::Loss(permille) => add(&mut path.loss_permille, permille),
            Self::Burst(permille) => add(&mut path.burst_permille, permille),
            Self::Duplicate(permille) => add(&mut path.duplicate_permille, permille),
            Self::Reorder(permille) => add(&mut path.reorder_permille, permille),
            Self::Corrupt(permille) => add(&mut path.corrupt_permille, permille),
            Self::Tamper(permille) => add(&mut path.tamper_permille, permille),
            Self::Bandwidth(bytes) => {
                let unlimited = path.bandwidth == 0;
                let bytes = u64::from(bytes);
                path.bandwidth = if unlimited {
                    bytes
                } else {
                    path.bandwidth.min(bytes)
                };
            }
        }
    }
}

/// What a liar does: a member with a genuine identity that breaks the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Says of the living that they do not answer.
    Accuse,
    /// Says of the dead and the departed that they are alive.
    Resurrect,
    /// Takes ever higher incarnations, near the highest there is.
    Inflate,
    /// Signs writes of the far future and the far past.
    Stamp,
    /// Signs batches that are too large, malformed, or said many times over.
    Oversize,
    /// Signs two batches with one sequence and tells different peers different ones.
    Equivocate,
    /// Says again what others said earlier.
    Replay,
    /// Speaks in the names of others, whose keys it does not have.
    Forge,
    /// Swallows what it should say; it still answers pings.
    Swallow,
    /// Says one kind of message far too often.
    Flood,
    /// Dials as another member, whose key it does not have.
    Pose,
}

impl Lie {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Accuse,
        Self::Resurrect,
        Self::Inflate,
        Self::Stamp,
        Self::Oversize,
        Self::Equivocate,
        Self::Replay,
        Self::Forge,
        Self::Swallow,
        Self::Flood,
        Self::Pose,
    ];
}

impl Lie {
    const fn class(self) -> &'static str {
        match self {
            Self::Accuse => "false accusation",
            Self::Resurrect => "resurrection",
            Self::Inflate => "inflated incarnation",
            Self::Stamp => "false stamp",
            Self::Oversize => "malformed batch",
            Self::Equivocate => "equivocation",
            Self::Replay => "replay",
            Self::Forge => "forgery",
            Self::Swallow => "black hole",
            Self::Flood => "flood",
            Self::Pose => "impostor",
        }
    }
}

/// What happens to a stored image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// A flipped bit.
    Rot,
    /// A flipped bit of a named entry.
    Entry,
    /// A journal record is gone.
    Lost,
    /// A journal record stands where another one was.
    Misdirected,
    /// An earlier image is put back, as from a backup.
    Stale,
}

/// A new host that joins under an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The relay that gives the invite.
    pub inviter: HostId,
    /// What the new host is.
    pub role: Role,
    /// How many may join under the invite; 0 is no limit. A limited one is honoured by the inviter alone.
    pub uses: u16,
    /// Whose addresses its link names. A number beyond all hosts is an address where nobody answers.
    pub entries: Vec<HostId>,
    /// Its store has no room from its first write on, for as long as the fault lasts.
    pub is_full: bool,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing passes in these directions.
    Cut(Shape, Pairs),
    /// Cut and healed again and again, with this period in milliseconds.
    Flap(u32, Pairs),
    /// Connections between these hosts break.
    Reset(Pairs),
    /// These directions are bad.
    Path(PathFault, Pairs),
    /// The process is killed and later started.
    Crash(HostId),
    /// The machine loses power: nobody is told; later it is started.
    PowerOff(HostId),
    /// The process is killed after so many further outputs, and later started.
    CrashAfter(HostId, u32),
    /// As a crash, on a store that is not atomic.
    Tear(HostId),
    /// The process stands still; its clock goes on.
    Stop(HostId),
    /// The machine sleeps; its monotonic clock too.
    Sleep(HostId),
    /// The tab is hidden, and later visible again.
    Hide(HostId),
    /// The node leaves the mesh, and later comes back.
    Leave(HostId),
    /// The wall clock is so many milliseconds off.
    Wall(HostId, i64),
    /// The wall clock stands still.
    Freeze(HostId),
    /// The monotonic clock makes so many microseconds of a million.
    Drift(HostId, u32),
    /// The store has no room.
    Full(HostId),
    /// The store fails every write.
    Fail(HostId),
    /// The store is so many times slower.
    Slow(HostId, u32),
    /// The store says that writes are durable, and they are not; it ends with a loss of power.
    Lie(HostId),
    /// The process is killed, its stored image damaged, and it is started again later.
    Harm(Damage, HostId),
    /// A copy of the host's data directory is started beside it.
    Twin(HostId),
    /// A bit of what is stored flips while the process runs.
    Decay(HostId),
    /// The node is started again as one that speaks protocol versions from this one to that one, and
    /// later as what it was.
    Upgrade(HostId, u16, u16),
    /// The node lies: so many times a second, or of a thousand messages (swallow).
    Liar(HostId, Lie, u32),
    /// So many new identities join with one invite of this host, and lie; later all are gone.
    Sybil(HostId, u16),
    /// A new host joins, and is honest.
    Join(Join),
}

impl Fault {
    /// Its class, by which faults are counted.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Cut(Shape::Isolation, _) => "isolation",
            Self::Cut(Shape::Split, _) => "split",
            Self::Cut(Shape::Bridge, _) => "bridge",
            Self::Cut(Shape::Ring, _) => "ring",
            Self::Cut(Shape::Star, _) => "star",
            Self::Cut(Shape::Random, _) => "random cut",
            Self::Cut(Shape::OneWay, _) => "one-way cut",
            Self::Flap(..) => "flap",
            Self::Reset(_) => "reset",
            Self::Path(PathFault::Delay(_), _) => "delay",
            Self::Path(PathFault::Tail(_), _) => "long tail",
            Self::Path(PathFault::Loss(_), _) => "loss",
            Self::Path(PathFault::Burst(_), _) => "burst",
            Self::Path(PathFault::Duplicate(_), _) => "duplicate",
            Self::Path(PathFault::Reorder(_), _) => "reorder",
            Self::Path(PathFault::Corrupt(_), _) => "corrupt",
            Self::Path(PathFault::Bandwidth(_), _) => "bandwidth",
            Self::Path(PathFault::Tamper(_), _) => "tamper",
            Self::Crash(_) => "crash",
            Self::PowerOff(_) => "power off",
            Self::CrashAfter(..) => "crash at output",
            Self::Tear(_) => "torn write",
            Self::Stop(_) => "stop",
            Self::Sleep(_) => "sleep",
            Self::Hide(_) => "hide",
            Self::Leave(_) => "leave",
            Self::Wall(..) => "wall clock",
            Self::Freeze(_) => "frozen clock",
            Self::Drift(..) => "drift",
            Self::Full(_) => "disk full",
            Self::Fail(_) => "disk fails",
            Self::Slow(..) => "disk slow",
            Self::Lie(_) => "disk lies",
            Self::Harm(Damage::Rot, _) => "bit rot",
            Self::Harm(Damage::Entry, _) => "rotten entry",
            Self::Harm(Damage::Lost, _) => "lost record",
            Self::Harm(Damage::Misdirected, _) => "misdirected",
            Self::Harm(Damage::Stale, _) => "stale image",
            Self::Twin(_) => "twin",
            Self::Decay(_) => "decay",
            Self::Upgrade(..) => "upgrade",
            Self::Liar(_, lie, _) => lie.class(),
            Self::Sybil(..) => "sybil",
            Self::Join(Join { is_full: false, .. }) => "join",
            Self::Join(Join { is_full: true, .. }) => "join full",
        }
    }
}

/// A fault with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it begins, after the start of the chaos.
    pub at: Duration,
    /// How long it lasts; of no meaning for what happens at once.
    pub lasts: Duration,
    /// What.
    pub fault: Fault,
}
