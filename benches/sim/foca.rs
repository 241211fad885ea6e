//! foca in a plain simulator: the same wheel and the same latencies, nothing else.

use crate::Members;
use foca::{
    Config, Foca, Identity, Member, NoCustomBroadcast, Notification, PostcardCodec, Runtime, Timer,
};
use rand::{SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::{rng::Rng, time::Time},
    sim::{network::PathConfig, wheel::Wheel},
};
use std::{num::NonZeroU32, time::Duration};

/// A member is its number: as small as an identity can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Id(u16);

impl Identity for Id {
    type Addr = u16;

    fn renew(&self) -> Option<Self> {
        None
    }

    fn addr(&self) -> u16 {
        self.0
    }

    fn win_addr_conflict(&self, _: &Self) -> bool {
        true
    }
}

enum Happening {
    Packet(Vec<u8>),
    Timer(Timer<Id>),
}

type Node = Foca<Id, PostcardCodec, SmallRng, NoCustomBroadcast>;

pub(crate) struct World {
    nodes: Vec<Option<Node>>,
    outside: Outside,
    events: u64,
}

/// All that is around the nodes.
struct Outside {
    wheel: Wheel<(u16, Happening)>,
    now: Time,
    rng: Rng,
    path: PathConfig,
    /// Whose end is watched, and how many nodes were told of it.
    watched: Option<Id>,
    told: usize,
}

/// What one node sees of it.
struct Within<'a> {
    outside: &'a mut Outside,
    host: u16,
}

impl Runtime<Id> for Within<'_> {
    fn notify(&mut self, notification: Notification<'_, Id>) {
        if let Notification::MemberDown(id) = notification
            && Some(*id) == self.outside.watched
        {
            self.outside.told += 1;
        }
    }

    fn send_to(&mut self, to: Id, data: &[u8]) {
        let Outside {
            wheel,
            now,
            rng,
            path,
            ..
        } = &mut *self.outside;
        let at = *now + path.latency_min + rng.span_below(path.latency_spread);
        wheel.push(at, (to.0, Happening::Packet(data.to_vec())));
    }

    fn submit_after(&mut self, event: Timer<Id>, after: Duration) {
        let at = self.outside.now + after;
        self.outside
            .wheel
            .push(at, (self.host, Happening::Timer(event)));
    }
}

impl World {
    pub(crate) fn new(count: u16) -> Self {
        let size = NonZeroU32::new(u32::from(count)).expect("there are nodes");
        let mut world = Self {
            nodes: Vec::new(),
            outside: Outside {
                wheel: Wheel::default(),
                now: Time::ZERO,
                rng: Rng::from_number(1),
                path: PathConfig::default(),
                watched: None,
                told: 0,
            },
            events: 0,
        };
        for host in 0..count {
            let rng = SmallRng::seed_from_u64(u64::from(host));
            let mut node = Foca::new(Id(host), Config::new_lan(size), rng, PostcardCodec);
            // Nodes start within a second, as ours do; their probes would all come at once otherwise.
            world.outside.now = Time::from_micros(u64::from(host) * 1_000_000 / u64::from(count));
            let others = (0..count).filter(|other| *other != host);
            let within = Within {
                outside: &mut world.outside,
                host,
            };
            node.apply_many(others.map(|other| Member::alive(Id(other))), false, within)
                .expect("members are taken");
            world.nodes.push(Some(node));
        }
        world
    }
}

impl Members for World {
    fn run_for(&mut self, span: Duration) {
        let until = self.outside.now + span;
        while let Some((at, (host, happening))) = self.outside.wheel.pop(until) {
            self.outside.now = at;
            self.events += 1;
            let Some(node) = &mut self.nodes[usize::from(host)] else {
                continue;
            };
            let within = Within {
                outside: &mut self.outside,
                host,
            };
            // An error is about a packet or a timer that came too late: foca asks to ignore it.
            let _ = match happening {
                Happening::Packet(data) => node.handle_data(&data, within),
                Happening::Timer(timer) => node.handle_timer(timer, within),
            };
        }
        self.outside.now = until;
    }

    fn now(&self) -> Time {
        self.outside.now
    }

    fn events(&self) -> u64 {
        self.events
    }

    fn crash(&mut self, node: u16) {
        self.outside.watched = Some(Id(node));
        self.nodes[usize::from(node)] = None;
    }

    fn all_know(&self, _: u16) -> bool {
        self.outside.told == self.nodes.len() - 1
    }
}
