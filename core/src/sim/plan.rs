//! What a seed does: the size of the mesh, its network, the work, and the faults.
//!
//! Source: Groce et al., "Swarm Testing", ISSTA 2012: each run first draws *which* classes of faults
//! it has at all, since many bugs show only where some other class is absent.

use crate::{
    kernel::{id::Role, rng::Rng, time::Duration},
    sim::{
        fault::{Damage, Fault, Join, Lie, Pairs, PathFault, Planned, Shape},
        host::HostId,
        network::PathConfig,
    },
};
use alloc::{format, string::String, vec::Vec};

/// What is expected of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Faults from which the mesh has to recover completely: nothing acknowledged is lost, all agree
    /// in the end, everyone is known to be alive.
    #[default]
    Bounded,
    /// Anything at all: nothing may panic, grow without bound, or contradict itself.
    Unbounded,
}

/// How much of a node is simulated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// All of it, down to the bytes on streams: codecs, ciphers, fragments.
    #[default]
    Bytes,
    /// Messages as values, each on its own: they may be lost, doubled and reordered.
    Typed,
}

/// One run, completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Everything that is not written here follows from this.
    pub seed: u64,
    /// What it was drawn with.
    pub wish: Wish,
    /// What is expected.
    pub mode: Mode,
    /// How much of a node is simulated.
    pub level: Level,
    /// How many relays.
    pub relays: HostId,
    /// How many tabs; their numbers follow the relays'.
    pub tabs: HostId,
    /// Each node has settings of its own, far apart from the next one's.
    pub is_wide: bool,
    /// How every path behaves.
    pub network: PathConfig,
    /// Writes a minute, all hosts together.
    pub writes_per_minute: u32,
    /// How long things go wrong.
    pub chaos: Duration,
    /// What goes wrong.
    pub faults: Vec<Planned>,
    /// What the outcome may be at most, besides what the mode demands.
    pub limits: Vec<(Figure, u64)>,
    /// A violation is reported at the end, whatever happens: guards the harness.
    pub canary: bool,
}

/// A figure of an outcome that a scenario may limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The longest time from the end of a process to a verdict about it, in milliseconds.
    DetectionMs,
    /// The time from healing until all is well, in milliseconds.
    HealMs,
    /// Verdicts about the living while nothing was wrong.
    FalseDeaths,
    /// Verdicts about processes that were down.
    TrueDeaths,
}

/// What may be asked of [`Plan::draw`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// So many nodes in all; drawn from 5 to 40 otherwise.
    pub nodes: Option<HostId>,
    /// What is expected; drawn otherwise: one run in four is unbounded.
    pub mode: Option<Mode>,
    /// No disk is damaged, lies or goes back in time.
    pub sound_disks: bool,
    /// See [`Plan::canary`].
    pub canary: bool,
}

/// How many classes of faults can be drawn.
const CLASSES: u32 = 53;
/// Classes that often cannot happen (a mesh without tabs, a host that is down or lies already) are drawn
/// more often.
const RARE: [u32; 18] = [
    23, 31, 32, 33, 34, 35, 36, 38, 40, 41, 42, 44, 45, 46, 47, 48, 49, 51,
];
/// The first class of lies; the others follow.
const LIES: u32 = 41;
/// Fewer relays than this are lost to one that lies.
const RELAYS_WITH_LIAR_MIN: HostId = 3;
/// Of a thousand meshes, in so many nothing is wrong but lies: there most is asked of the honest.
const LIES_ONLY_PERMILLE: u32 = 120;
/// Of a thousand meshes, so many are apart until everything is healed. Whoever starts after a cut dials
/// all it knows; here nobody may, and those who took each other for dead have to try the dead.
const APART_PERMILLE: u32 = 120;
/// For so long at least, and less than twice as long, in seconds: 99 of 100 verdicts take no longer.
const APART_SECONDS: u64 = 15;
/// Of a thousand meshes, so many have nodes of several versions.
const MIXED_PERMILLE: u32 = 200;
/// Of a thousand meshes, so many have nodes with settings far apart.
const WIDE_PERMILLE: u32 = 100;
/// Of a thousand meshes, in so many hosts join during the chaos; of as many others, one whose store is full.
const JOINS_PERMILLE: u32 = 450;
/// Of a thousand joins, in so many the relay that gave the invite is killed as they begin.
const INVITER_KILLED_PERMILLE: u32 = 400;
/// Within so many outputs, less than a handshake and a welcome make.
const INVITER_KILLED_WITHIN: u64 = 40;
/// Nobody has this number: nobody answers at its address.
const NOBODY: HostId = 9_999;
/// Ranges of protocol versions that have one in common with this one: as it was, is and will be.
const COMPATIBLE: [(u16, u16); 4] = [(0, 1), (1, 1), (1, 2), (0, 3)];
/// Ranges that have none.
const INCOMPATIBLE: [(u16, u16); 2] = [(0, 0), (2, 3)];

impl Plan {
    /// What a seed does.
    #[must_use]
    pub fn draw(seed: u64, wish: Wish) -> Self {
        let mut rng = Rng::from_number(seed).fork("plan");
        let drawn = if rng.chance(250) {
            Mode::Unbounded
        } else {
            Mode::Bounded
        };
        let mode = wish.mode.unwrap_or(drawn);
        // Small meshes are quick and find most; large ones are rare.
        let size = [5 + rng.below(6), 5 + rng.below(16), 5 + rng.below(36)];
        let drawn = size[match rng.below(100) {
            0..=2 => 2,
            3..=14 => 1,
            _ => 0,
        }];
        let nodes = wish
            .nodes
            .unwrap_or_else(|| HostId::try_from(drawn).unwrap_or(5))
            .max(1);
        let tabs = if rng.chance(600) {
            rng.below(u64::from(nodes) / 2 + 1)
        } else {
            0
        };
        let tabs = HostId::try_from(tabs).unwrap_or(0).min(nodes - 1);
        let mut plan = Self {
            seed,
            wish,
            mode,
            level: if rng.chance(250) {
                Level::Bytes
            } else {
                Level::Typed
            },
            relays: nodes - tabs,
            tabs,
            is_wide: rng.chance(WIDE_PERMILLE),
            network: draw_network(&mut rng),
            writes_per_minute: [60, 300, 1_200][rng.index(3)],
            chaos: Duration::from_secs(20 + rng.below(41)),
            faults: Vec::new(),
            limits: Vec::new(),
            canary: wish.canary,
        };
        plan.draw_faults(&mut rng);
        plan.draw_joins(&mut Rng::from_number(seed).fork("joins"));
        plan
    }

    /// The command that runs it again.
    #[must_use]
    pub fn command(&self) -> String {
        let mut command = format!("sporenet sim --seed {}", self.seed);
        if let Some(nodes) = self.wish.nodes {
            command.push_str(&format!(" --nodes {nodes}"));
        }
        match self.wish.mode {
            Some(Mode::Bounded) if self.wish.sound_disks => {
                command.push_str(" --profile sound-disks");
            }
            Some(mode) => command.push_str(&format!(" --profile {}", mode_name(mode))),
            None => {}
        }
        if self.canary {
            command.push_str(" --canary");
        }
        command
    }

    /// All hosts.
    #[must_use]
    pub const fn nodes(&self) -> HostId {
        self.relays + self.tabs
    }

    fn draw_faults(&mut self, rng: &mut Rng) {
        let mut classes: Vec<u32> = (0..CLASSES).filter(|_| rng.chance(350)).collect();
        if self.wish.sound_disks {
            classes.retain(|class| !(31..=35).contains(class) && ![38, 40].contains(class));
        }
        let lies_only = rng.chance(LIES_ONLY_PERMILLE);
        if lies_only {
            classes = (LIES..CLASSES).collect();
        }
        classes.extend(
            RARE.iter()
                .filter(|class| classes.contains(class))
                .collect::<Vec<_>>(),
        );
        if classes.is_empty() {
            return;
        }
        let victim = self.draw_relay(rng);
        let liar = self.draw_other_relay(victim, rng);
        for _ in 0..12 + rng.below(38) {
            let class = classes[rng.index(classes.len())];
            let fault = if (LIES..CLASSES).contains(&class) {
                self.draw_lie(class, liar, rng)
            } else {
                self.draw_fault(class, victim, rng)
            };
            let mut lasts =
                Duration::from_millis(1 << rng.below(15)) + rng.span_below(Duration::from_secs(2));
            if matches!(fault, Fault::Sybil(..)) {
                lasts += Duration::from_secs(4); // They have to join first.
            }
            let at = rng.span_below(self.chaos);
            if matches!(&fault, Fault::Cut(_, pairs) if pairs.is_empty()) {
                continue; // A small mesh has cuts that cut nothing.
            }
            self.faults.push(Planned { at, lasts, fault });
        }
        if self.mode == Mode::Unbounded && rng.chance(800) {
            let (at, fault) = (rng.span_below(self.chaos), Fault::Twin(self.draw_host(rng)));
            let lasts = Duration::ZERO;
            self.faults.push(Planned { at, lasts, fault });
        }
        if !lies_only && rng.chance(APART_PERMILLE) {
            self.keep_apart(rng);
        }
        if rng.chance(MIXED_PERMILLE) {
            self.mix_versions(rng);
        }
        self.faults.sort_by_key(|planned| planned.at);
    }

    /// New hosts join in the first three quarters of the chaos.
    fn draw_joins(&mut self, rng: &mut Rng) {
        let mut joins = Vec::new();
        if rng.chance(JOINS_PERMILLE) {
            let count = 1 + rng.below(2);
            joins.extend((0..count).map(|_| false));
        }
        if rng.chance(JOINS_PERMILLE) {
            joins.push(true);
        }
        for is_full in joins {
            let join = self.draw_join(is_full, rng);
            let at = rng.span_below(self.chaos * 3 / 4);
            let lasts = if is_full {
                Duration::from_millis(100 << rng.below(8))
            } else {
                Duration::ZERO
            };
            // The handshake has begun when the next fault does.
            let next = at + Duration::from_micros(1);
            let kill = Fault::CrashAfter(join.inviter, rng.below(INVITER_KILLED_WITHIN) as u32);
            let fault = Fault::Join(join);
            self.faults.push(Planned { at, lasts, fault });
            if rng.chance(INVITER_KILLED_PERMILLE) {
                self.faults.push(Planned {
                    at: next,
                    lasts: Duration::from_secs(1 + rng.below(15)),
                    fault: kill,
                });
            }
        }
        self.faults.sort_by_key(|planned| planned.at);
    }

    /// One to three entry points, the inviter among them; some of the others do not answer.
    fn draw_join(&self, is_full: bool, rng: &mut Rng) -> Join {
        let inviter = self.draw_relay(rng);
        let role = if rng.chance(500) {
            Role::Tab
        } else {
            Role::Relay
        };
        let uses = if rng.chance(500) {
            0
        } else {
            1 + rng.below(3) as u16
        };
        let mut entries = Vec::from([inviter]);
        for _ in 0..rng.below(3) {
            let other = self.draw_relay(rng);
            entries.push(if rng.chance(300) { NOBODY } else { other });
        }
        entries.sort_unstable();
        entries.dedup();
        Join {
            inviter,
            role,
            uses,
            entries,
            is_full,
        }
    }

    /// One host is alone, or two halves are apart, until everything is healed.
    fn keep_apart(&mut self, rng: &mut Rng) {
        let fault = self.draw_cut(rng.below(2) as u32, rng);
        let span = Duration::from_secs(APART_SECONDS + rng.below(APART_SECONDS));
        if !matches!(&fault, Fault::Cut(_, pairs) if pairs.is_empty()) {
            self.faults.push(Planned {
                at: self.chaos.saturating_sub(span),
                lasts: self.chaos,
                fault,
            });
        }
    }

    /// About half of the hosts speak other versions than the rest until the end.
    fn mix_versions(&mut self, rng: &mut Rng) {
        for host in 0..self.nodes() {
            if rng.chance(500) {
                let (oldest, newest) = COMPATIBLE[rng.index(COMPATIBLE.len())];
                self.faults.push(Planned {
                    at: rng.span_below(self.chaos / 4),
                    lasts: self.chaos,
                    fault: Fault::Upgrade(host, oldest, newest),
                });
            }
        }
    }

    fn draw_other_relay(&self, than: HostId, rng: &mut Rng) -> HostId {
        let relay = self.draw_relay(rng);
        if relay == than {
            (relay + 1) % self.relays
        } else {
            relay
        }
    }

    fn draw_relay(&self, rng: &mut Rng) -> HostId {
        HostId::try_from(rng.below(u64::from(self.relays))).unwrap_or(0)
    }

    fn draw_host(&self, rng: &mut Rng) -> HostId {
        HostId::try_from(rng.below(u64::from(self.nodes()))).unwrap_or(0)
    }

    /// Stored state is damaged at one relay only (`victim`) where all has to be well in the end: the
    /// others hold what it loses.
    fn draw_fault(&self, class: u32, victim: HostId, rng: &mut Rng) -> Fault {
        let unbounded = self.mode == Mode::Unbounded;
        let host = self.draw_host(rng);
        let harmed = if unbounded {
            self.draw_relay(rng)
        } else {
            victim
        };
        let days = |rng: &mut Rng| rng.below(7_300_000) as i64 * 86_400 - 315_360_000_000;
        match class {
            0..=6 => self.draw_cut(class, rng),
            7 => Fault::Flap(50 << rng.below(9), self.draw_some_pairs(rng)),
            8 => Fault::Reset(self.draw_some_pairs(rng)),
            9..=16 => Fault::Path(draw_path_fault(class, rng), self.draw_some_pairs(rng)),
            17 => Fault::Crash(host),
            18 => Fault::PowerOff(host),
            19 => Fault::CrashAfter(host, rng.below(400) as u32),
            20 => Fault::Tear(host),
            21 => Fault::Stop(host),
            22 => Fault::Sleep(host),
            23 => Fault::Hide(self.relays + rng.below(u64::from(self.tabs).max(1)) as HostId),
            24 => Fault::Leave(host),
            25 if unbounded => Fault::Wall(host, days(rng)),
            25 => Fault::Wall(host, seconds_or_hours(rng.below(50_000) as i64 - 25_000)),
            26 => Fault::Freeze(host),
            27 => Fault::Drift(host, 950_000 + rng.below(100_000) as u32),
            28 => Fault::Full(host),
            29 => Fault::Fail(host),
            30 => Fault::Slow(host, 1 << rng.below(11)),
            31 => Fault::Lie(harmed),
            32 => Fault::Harm(Damage::Rot, harmed),
            33 => Fault::Harm(Damage::Lost, harmed),
            34 => Fault::Harm(Damage::Misdirected, harmed),
            37 => Fault::Path(draw_path_fault(class, rng), self.draw_some_pairs(rng)),
            38 => Fault::Decay(harmed),
            39 => {
                let agrees = rng.chance(800);
                let ranges: &[(u16, u16)] = if agrees { &COMPATIBLE } else { &INCOMPATIBLE };
                let (oldest, newest) = ranges[rng.index(ranges.len())];
                Fault::Upgrade(host, oldest, newest)
            }
            36 if unbounded => Fault::Twin(host),
            36 if self.wish.sound_disks => Fault::Crash(host),
            40 => Fault::Harm(Damage::Entry, harmed),
            _ => Fault::Harm(Damage::Stale, harmed),
        }
    }

    /// One relay lies where all has to be well in the end, and not the one whose disk is damaged.
    fn draw_lie(&self, class: u32, liar: HostId, rng: &mut Rng) -> Fault {
        if self.relays < RELAYS_WITH_LIAR_MIN {
            return Fault::Crash(self.draw_host(rng));
        }
        let host = match self.mode {
            Mode::Bounded => liar,
            Mode::Unbounded => self.draw_host(rng),
        };
        let Some(lie) = Lie::ALL.get((class - LIES) as usize).copied() else {
            return Fault::Sybil(self.draw_relay(rng), 1 + rng.below(4) as u16);
        };
        let rate = match lie {
            Lie::Flood => 20 + rng.below(100),
            Lie::Swallow => [1_000, 500 + rng.below(500)][rng.index(2)],
            Lie::Pose => 1,
            Lie::Accuse
            | Lie::Resurrect
            | Lie::Inflate
            | Lie::Stamp
            | Lie::Oversize
            | Lie::Equivocate
            | Lie::Replay
            | Lie::Forge => 1 + rng.below(6),
        };
        Fault::Liar(host, lie, rate as u32)
    }

    fn draw_cut(&self, class: u32, rng: &mut Rng) -> Fault {
        let mut hosts: Vec<HostId> = (0..self.nodes()).collect();
        rng.shuffle(&mut hosts);
        let half = 1 + rng.index(hosts.len());
        let place = |host: HostId| hosts.iter().position(|other| *other == host).unwrap_or(0);
        let count = hosts.len();
        let (shape, apart): (Shape, alloc::boxed::Box<dyn Fn(usize, usize) -> bool>) = match class {
            0 => (
                Shape::Isolation,
                alloc::boxed::Box::new(|a, b| (a == 0) != (b == 0)),
            ),
            1 => (
                Shape::Split,
                alloc::boxed::Box::new(move |a, b| (a < half) != (b < half)),
            ),
            2 => (
                Shape::Bridge,
                alloc::boxed::Box::new(move |a, b| a != 0 && b != 0 && (a < half) != (b < half)),
            ),
            3 => (
                Shape::Ring,
                alloc::boxed::Box::new(move |a, b| (a + 1) % count != b && (b + 1) % count != a),
            ),
            4 => (Shape::Star, alloc::boxed::Box::new(|a, b| a != 0 && b != 0)),
            5 => {
                let salt = rng.next_u64();
                let coin = move |a: usize, b: usize| {
                    let key = salt ^ ((a as u64) << 32) ^ b as u64;
                    key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 == 0
                };
                (Shape::Random, alloc::boxed::Box::new(coin))
            }
            _ => (
                Shape::OneWay,
                alloc::boxed::Box::new(|a, b| a == 0 && b == 1),
            ),
        };
        let mut pairs = Pairs::new();
        for from in 0..self.nodes() {
            for to in (0..self.nodes()).filter(|to| *to != from) {
                if apart(place(from), place(to)) {
                    pairs.push((from, to));
                }
            }
        }
        Fault::Cut(shape, pairs)
    }

    /// The paths of one host, or of one pair, or all.
    fn draw_some_pairs(&self, rng: &mut Rng) -> Pairs {
        let (one, two) = (self.draw_host(rng), self.draw_host(rng));
        let what = rng.below(3);
        let hosts = 0..self.nodes();
        let all = hosts
            .clone()
            .flat_map(|a| hosts.clone().map(move |b| (a, b)));
        let all = all.filter(|(a, b)| a != b);
        let chosen: Pairs = all
            .filter(|(a, b)| match what {
                0 => (*a, *b) == (one, two) || (*b, *a) == (one, two),
                1 => *a == one || *b == one,
                _ => true,
            })
            .collect();
        if chosen.is_empty() {
            let other = if one == 0 { 1 } else { 0 };
            return [(one, other), (other, one)].into();
        }
        chosen
    }
}

/// A wall clock that is seconds off, or hours behind. Not hours ahead: what such a host writes while no
/// peer tells it the time is held back for hours, and has to be.
const fn seconds_or_hours(drawn_ms: i64) -> i64 {
    if drawn_ms < -20_000 {
        drawn_ms * 1_000
    } else {
        drawn_ms
    }
}

fn draw_path_fault(class: u32, rng: &mut Rng) -> PathFault {
    let mut upto = |most: u64| rng.below(most) as u32 + 1;
    match class {
        9 => PathFault::Delay(upto(2_000)),
        10 => PathFault::Tail(upto(200)),
        11 => PathFault::Loss(upto(500)),
        12 => PathFault::Burst(upto(100)),
        13 => PathFault::Duplicate(upto(50)),
        14 => PathFault::Reorder(upto(50)),
        15 => PathFault::Corrupt(upto(50)),
        37 => PathFault::Tamper(upto(50)),
        _ => PathFault::Bandwidth(1_000 << upto(9)),
    }
}

fn draw_network(rng: &mut Rng) -> PathConfig {
    let usual = PathConfig::default();
    match rng.below(4) {
        0 | 1 => usual,
        2 => PathConfig {
            latency_min: Duration::from_millis(10 + rng.below(60)),
            latency_spread: Duration::from_millis(1 + rng.below(40)),
            tail_permille: rng.below(10) as u32,
            ..usual
        },
        _ => PathConfig {
            loss_permille: rng.below(50) as u32,
            ..usual
        },
    }
}

/// A readable name of a mode.
#[must_use]
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Bounded => "bounded",
        Mode::Unbounded => "unbounded",
    }
}
