//! Our membership alone in the same plain simulator as foca: no replication, no journal, no sessions.
//! An owner opens the links that each machine asks for and tells it of their ends, nothing else.

use crate::Members;
use sporenet_core::{
    kernel::{
        crypto::Keypair,
        id::{Incarnation, InstanceId, NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        persist::Persisted,
        rng::Rng,
        text::Name,
        time::Time,
    },
    membership::{
        member::MemberState,
        roster::Roster,
        swim::{Command, Config, Event, Identity, Message, Swim},
        why::Why,
    },
    sim::{network::PathConfig, typed::Typed, wheel::Wheel, world::World as Known},
};
use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

enum Happening {
    /// A message on its way.
    Message(u16, Message),
    /// What its owner tells it.
    Command(Command),
    /// A timer, unless it was set anew since.
    Wake,
    /// Dials another.
    Dial(u16),
}

struct Node {
    /// `None` once it has crashed.
    swim: Option<Swim>,
    id: NodeId,
    /// The next wake-up in the wheel.
    wake: Time,
    /// Whom it wants to be linked to, and whom it is linked to.
    wanted: BTreeSet<u16>,
    linked: BTreeSet<u16>,
}

pub(crate) struct World {
    nodes: Vec<Node>,
    numbers: HashMap<NodeId, u16>,
    wheel: Wheel<(u16, Happening)>,
    now: Time,
    rng: Rng,
    path: PathConfig,
    events: u64,
    /// While a simulated world lives, signatures that held before are not checked again.
    _known: Known<Typed>,
}

/// Until an owner knows that a link is there or gone.
const NOTICE: Duration = Duration::from_millis(1);
/// Until a link that was lost is dialled again.
const REDIAL: Duration = Duration::from_millis(100);

impl World {
    pub(crate) fn new(count: u16) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            numbers: HashMap::new(),
            wheel: Wheel::default(),
            now: Time::ZERO,
            rng: Rng::from_number(1),
            path: PathConfig::default(),
            events: 0,
            _known: Known::new(1),
        };
        let config = Config::default();
        let mut members = Roster::new(usize::from(count), config.rings);
        for host in 0..count {
            let swim = world.machine(host, config);
            let record = swim.own_record().clone();
            let incarnation = record.incarnation;
            let why = Why::Joined { incarnation };
            members.insert(record, MemberState::Alive, why, Time::ZERO);
            let id = swim.own_record().id;
            world.numbers.insert(id, host);
            world.nodes.push(Node {
                swim: Some(swim),
                id,
                wake: Time::MAX,
                wanted: BTreeSet::new(),
                linked: BTreeSet::new(),
            });
        }
        for host in 0..count {
            // Nodes start within a second, as foca's do.
            world.now = Time::from_micros(u64::from(host) * 1_000_000 / u64::from(count));
            if let Some(swim) = &mut world.nodes[usize::from(host)].swim {
                swim.acquaint(world.now, &members);
            }
            world.drain(host);
        }
        world
    }

    fn machine(&mut self, host: u16, config: Config) -> Swim {
        let port = format!("tcp://10.{}.{}.1:7600", host >> 8, host & 255);
        let identity = Identity {
            keypair: Keypair::from_seed(&self.rng.bytes32()),
            network: NetworkId::from_bytes([7; 32]),
            instance: InstanceId(1),
            role: Role::Relay,
            name: Name::new(&format!("n{host}")).expect("it is short"),
            zone: None,
            location: None,
            addresses: vec![port.parse().expect("an address")],
        };
        let rng = Rng::from_number(u64::from(host));
        Swim::new(config, identity, Incarnation(1), vec![], rng, self.now)
    }

    fn after(&mut self, span: Duration, host: u16, happening: Happening) {
        self.wheel.push(self.now + span, (host, happening));
    }

    fn happen(&mut self, host: u16, happening: Happening) {
        if let Happening::Dial(to) = happening {
            return self.dial(host, to);
        }
        let now = self.now;
        let input = match happening {
            Happening::Message(from, message) => {
                if !self.nodes[usize::from(host)].linked.contains(&from) {
                    return;
                }
                let from = self.nodes[usize::from(from)].id;
                Some(Input::Message { from, message })
            }
            Happening::Command(command) => Some(Input::Command(command)),
            Happening::Wake | Happening::Dial(_) => None,
        };
        let node = &mut self.nodes[usize::from(host)];
        let Some(swim) = &mut node.swim else {
            return;
        };
        match input {
            Some(input) => swim.handle_input(now, input),
            None if node.wake != now => return,
            None => {
                node.wake = Time::MAX;
                swim.handle_timeout(now);
            }
        }
        self.events += 1;
        self.drain(host);
    }

    /// Carries out what a machine says, and arms its next timer.
    fn drain(&mut self, host: u16) {
        while let Some(output) = self.nodes[usize::from(host)]
            .swim
            .as_mut()
            .and_then(Swim::poll_output)
        {
            match output {
                Output::Send { to, message } => {
                    let span =
                        self.path.latency_min + self.rng.span_below(self.path.latency_spread);
                    let to = self.numbers[&to];
                    self.after(span, to, Happening::Message(host, message));
                }
                Output::Event(event) => self.tell(host, event),
            }
        }
        let node = &mut self.nodes[usize::from(host)];
        let next = node.swim.as_ref().and_then(Swim::poll_timeout);
        if let Some(at) = next.map(|at| at.max(self.now))
            && at < node.wake
        {
            node.wake = at;
            self.wheel.push(at, (host, Happening::Wake));
        }
    }

    fn tell(&mut self, host: u16, event: Event) {
        match event {
            Event::Persist(request) => {
                let token = request.token;
                let done = Persisted {
                    token,
                    sequence: None,
                };
                self.after(NOTICE, host, Happening::Command(Command::Persisted(done)));
            }
            Event::Neighbours(list) => {
                let wanted = list.iter().map(|(id, _)| self.numbers[id]).collect();
                self.nodes[usize::from(host)].wanted = wanted;
                self.keep_links(host);
            }
            Event::Try { member, .. } => {
                let to = self.numbers[&member];
                self.after(NOTICE, host, Happening::Dial(to));
            }
            Event::Changed { .. }
            | Event::RosterChanged
            | Event::Stalled { .. }
            | Event::Offence { .. }
            | Event::Conflict { .. }
            | Event::Departed => {}
        }
    }

    /// Opens the links that a node wants, and ends those that neither end wants any more.
    fn keep_links(&mut self, host: u16) {
        let node = &self.nodes[usize::from(host)];
        let missing: Vec<u16> = node.wanted.difference(&node.linked).copied().collect();
        let spare: Vec<u16> = node.linked.difference(&node.wanted).copied().collect();
        for to in missing {
            self.after(NOTICE, host, Happening::Dial(to));
        }
        for to in spare {
            if !self.nodes[usize::from(to)].wanted.contains(&host) {
                self.unlink(host, to, false);
            }
        }
    }

    fn dial(&mut self, from: u16, to: u16) {
        let [one, other] = [from, to].map(|host| &self.nodes[usize::from(host)]);
        if one.swim.is_none() || one.linked.contains(&to) {
            return;
        }
        let (peer, role) = (other.id, Role::Relay);
        if other.swim.is_none() {
            let refused = Command::DialRefused { peer };
            return self.after(NOTICE, from, Happening::Command(refused));
        }
        let back = one.id;
        for (at, with, peer) in [(from, to, peer), (to, from, back)] {
            self.nodes[usize::from(at)].linked.insert(with);
            let up = Command::PeerUp { peer, role };
            self.after(NOTICE, at, Happening::Command(up));
        }
    }

    fn unlink(&mut self, one: u16, other: u16, abrupt: bool) {
        for (at, with) in [(one, other), (other, one)] {
            let peer = self.nodes[usize::from(with)].id;
            self.nodes[usize::from(at)].linked.remove(&with);
            let down = Command::PeerDown { peer, abrupt };
            self.after(NOTICE, at, Happening::Command(down));
        }
    }
}

impl Members for World {
    fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((at, (host, happening))) = self.wheel.pop(until) {
            self.now = at;
            self.happen(host, happening);
        }
        self.now = until;
    }

    fn now(&self) -> Time {
        self.now
    }

    fn events(&self) -> u64 {
        self.events
    }

    /// The process is gone at once; its peers see their links break and dial again.
    fn crash(&mut self, host: u16) {
        self.nodes[usize::from(host)].swim = None;
        let linked = self.nodes[usize::from(host)].linked.clone();
        assert!(!linked.is_empty(), "the machines asked for links");
        for other in linked {
            self.unlink(host, other, true);
            let span = self.rng.jitter(REDIAL, 500);
            self.after(span, other, Happening::Dial(host));
        }
    }

    fn all_know(&self, crashed: u16) -> bool {
        let id = self.nodes[usize::from(crashed)].id;
        let mut machines = self.nodes.iter().filter_map(|node| node.swim.as_ref());
        machines.all(|swim| swim.state(&id) == Some(MemberState::Dead))
    }
}
