//! N machines, the links between them, and an owner for each that dials whom it is told to.

use crate::{
    kernel::{
        crypto::{Keypair, Signed},
        id::{Incarnation, InstanceId, NetworkId, NodeId, Role},
        machine::{Input, Machine, Output},
        persist::{PersistFailed, Persisted},
        rng::Rng,
        text::Name,
        time::Time,
    },
    membership::{
        member::{MemberRecord, MemberState},
        swim::{Command, Config, Event, Identity, Message, Swim},
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    vec::Vec,
};
use core::time::Duration;

pub(super) const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

pub(super) fn keypair(number: usize) -> Keypair {
    Keypair::from_seed(&[u8::try_from(number + 1).unwrap(); 32])
}

pub(super) fn identity(number: usize, role: Role, instance: u64) -> Identity {
    let addresses = match role {
        Role::Relay => alloc::vec![format!("tcp://10.0.0.{}:7600", number + 1).parse().unwrap()],
        Role::Tab => Vec::new(),
    };
    Identity {
        keypair: keypair(number),
        network: NETWORK,
        instance: InstanceId(instance),
        role,
        name: Name::new(&format!("n{number}")).unwrap(),
        zone: None,
        location: None,
        addresses,
    }
}

/// Incarnations up to this one are durable.
pub(super) const fn durable(bound: u64) -> Command {
    Command::Persisted(Persisted {
        token: bound,
        sequence: None,
    })
}

/// Incarnations up to this one could not be stored.
pub(super) const fn not_durable(bound: u64) -> Command {
    Command::PersistFailed(PersistFailed {
        token: bound,
        full: true,
    })
}

/// Up to where an event asks to reserve incarnations.
pub(super) fn reserved(event: &Event) -> Option<Incarnation> {
    let Event::Persist(request) = event else {
        return None;
    };
    (request.token != 0).then_some(Incarnation(request.token))
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

enum Happening {
    Deliver {
        from: usize,
        to: usize,
        link: u64,
        message: Message,
    },
    Tell {
        to: usize,
        command: Command,
        run: u64,
    },
    Dial {
        from: usize,
        to: usize,
        run: u64,
        again: bool,
    },
    Resume(usize),
}

pub(super) struct Node {
    pub(super) swim: Swim,
    pub(super) role: Role,
    pub(super) up: bool,
    pub(super) paused: bool,
    /// Whether its incarnations become durable.
    pub(super) durable: bool,
    bound: Incarnation,
    run: u64,
    wanted: BTreeSet<usize>,
    known: Vec<Signed<MemberRecord>>,
    inbox: Vec<(usize, u64, Message)>,
}

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) now: Time,
    pub(super) history: Vec<(Time, usize, Event)>,
    pub(super) loss_permille: u32,
    /// Whether newcomers' incarnations become durable.
    pub(super) durable: bool,
    pub(super) config: Config,
    pub(super) messages: u64,
    /// Pairs whose messages get lost.
    pub(super) cuts: BTreeSet<(usize, usize)>,
    /// Pairs that can't open links.
    pub(super) blocked: BTreeSet<(usize, usize)>,
    links: BTreeMap<(usize, usize), u64>,
    queue: BTreeMap<(Time, u64), Happening>,
    order: u64,
    pub(super) rng: Rng,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            nodes: Vec::new(),
            now: Time::ZERO,
            history: Vec::new(),
            loss_permille: 0,
            durable: true,
            config: Config::default(),
            messages: 0,
            cuts: BTreeSet::new(),
            blocked: BTreeSet::new(),
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            order: 0,
            rng: Rng::from_number(seed),
        }
    }

    /// `count` relays that know each other's records, linked and settled.
    pub(super) fn relays(seed: u64, count: usize) -> Self {
        Self::new(seed).with_relays(count)
    }

    pub(super) fn with_relays(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.add(Role::Relay);
            self.run_for(ms(200));
        }
        self.run_for(secs(6));
        for (observer, _) in self.nodes.iter().enumerate() {
            assert_eq!(
                self.counts(observer),
                (count, 0, 0),
                "settled at {observer}"
            );
        }
        self.history.clear();
        self
    }

    /// A newcomer that knows the record of the first relay, as a spore would tell it.
    pub(super) fn add(&mut self, role: Role) -> usize {
        let number = self.nodes.len();
        let known: Vec<_> = self
            .nodes
            .iter()
            .filter(|node| node.role == Role::Relay && node.up)
            .take(1)
            .map(|node| node.swim.own_record().to_signed())
            .collect();
        let swim = self.boot(number, role, Incarnation(1), known);
        self.nodes.push(Node {
            swim,
            role,
            up: true,
            paused: false,
            durable: self.durable,
            bound: Incarnation(0),
            run: 1,
            wanted: BTreeSet::new(),
            known: Vec::new(),
            inbox: Vec::new(),
        });
        self.drain(number);
        number
    }

    fn boot(
        &mut self,
        number: usize,
        role: Role,
        incarnation: Incarnation,
        known: Vec<Signed<MemberRecord>>,
    ) -> Swim {
        let instance = self.rng.next_u64();
        let rng = Rng::from_number(self.rng.next_u64());
        let identity = identity(number, role, instance);
        Swim::new(self.config, identity, incarnation, known, rng, self.now)
    }

    pub(super) fn id(&self, number: usize) -> NodeId {
        keypair(number).id()
    }

    pub(super) fn state(&self, observer: usize, subject: usize) -> Option<MemberState> {
        self.nodes[observer].swim.state(&self.id(subject))
    }

    /// Alive, suspect, dead.
    pub(super) fn counts(&self, observer: usize) -> (usize, usize, usize) {
        let counts = self.nodes[observer].swim.counts();
        (
            counts.alive as usize,
            counts.suspect as usize,
            counts.dead as usize,
        )
    }

    pub(super) fn command(&mut self, to: usize, command: Command) {
        self.nodes[to]
            .swim
            .handle_input(self.now, Input::Command(command));
        self.drain(to);
    }

    pub(super) fn say(&mut self, from: usize, to: usize, message: Message) {
        let from = self.id(from);
        self.nodes[to]
            .swim
            .handle_input(self.now, Input::Message { from, message });
        self.drain(to);
    }

    /// The process is gone at once; its peers' kernels notice after a moment.
    pub(super) fn crash(&mut self, number: usize) {
        self.stop(number, true);
    }

    /// The links end with a word: a tab that is closed in an orderly way, a relay that stops.
    pub(super) fn stop(&mut self, number: usize, abrupt: bool) {
        self.nodes[number].up = false;
        self.nodes[number].known = self.nodes[number].swim.records_to_persist();
        for other in 0..self.nodes.len() {
            if self.unlink(number, other) {
                self.tell(
                    other,
                    Command::PeerDown {
                        peer: self.id(number),
                        abrupt,
                    },
                );
                self.dial_soon(other, number);
            }
        }
    }

    /// A machine that vanishes: nothing resets its links.
    pub(super) fn vanish(&mut self, number: usize) {
        self.nodes[number].paused = true;
        self.nodes[number].inbox.clear();
    }

    pub(super) fn restart(&mut self, number: usize) {
        let node = &self.nodes[number];
        let (role, known) = (node.role, node.known.clone());
        let incarnation = node.bound.next();
        let swim = self.boot(number, role, incarnation, known);
        let node = &mut self.nodes[number];
        node.swim = swim;
        node.up = true;
        node.run += 1;
        node.wanted.clear();
        self.drain(number);
    }

    pub(super) fn pause(&mut self, number: usize, span: Duration) {
        self.nodes[number].paused = true;
        self.schedule(span, Happening::Resume(number));
    }

    pub(super) fn is_linked(&self, a: usize, b: usize) -> bool {
        self.links.contains_key(&pair(a, b))
    }

    /// Splits the world: messages between the groups are lost, and links across end after 2 s.
    pub(super) fn partition(&mut self, group: &[usize]) {
        for a in 0..self.nodes.len() {
            for b in 0..self.nodes.len() {
                if a < b && group.contains(&a) != group.contains(&b) {
                    self.cut(a, b);
                }
            }
        }
    }

    pub(super) fn cut(&mut self, a: usize, b: usize) {
        self.cuts.insert((a, b));
        self.cuts.insert((b, a));
        self.blocked.insert(pair(a, b));
        if self.unlink(a, b) {
            for (one, other) in [(a, b), (b, a)] {
                let command = Command::PeerDown {
                    peer: self.id(other),
                    abrupt: true,
                };
                let run = self.nodes[one].run;
                self.schedule(
                    secs(2),
                    Happening::Tell {
                        to: one,
                        command,
                        run,
                    },
                );
                let dial = Happening::Dial {
                    from: one,
                    to: other,
                    run,
                    again: true,
                };
                self.schedule(ms(2_100), dial);
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.blocked.clear();
    }

    pub(super) fn link(&mut self, a: usize, b: usize) {
        self.order += 1;
        if self.links.insert(pair(a, b), self.order).is_none() {
            for (one, other) in [(a, b), (b, a)] {
                let (peer, role) = (self.id(other), self.nodes[other].role);
                self.tell(one, Command::PeerUp { peer, role });
            }
        }
    }

    fn unlink(&mut self, a: usize, b: usize) -> bool {
        self.links.remove(&pair(a, b)).is_some()
    }

    fn tell(&mut self, to: usize, command: Command) {
        let run = self.nodes[to].run;
        self.schedule(ms(1), Happening::Tell { to, command, run });
    }

    fn dial_soon(&mut self, from: usize, to: usize) {
        let run = self.nodes[from].run;
        let span = self.rng.jitter(ms(100), 500);
        self.schedule(
            span,
            Happening::Dial {
                from,
                to,
                run,
                again: true,
            },
        );
    }

    fn schedule(&mut self, span: Duration, happening: Happening) {
        self.order += 1;
        self.queue.insert((self.now + span, self.order), happening);
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = until;
    }

    /// Runs until `done`, at most for `span`; answers how long it took.
    pub(super) fn run_until(
        &mut self,
        span: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let start = self.now;
        while self.now.since(start) <= span {
            if done(self) {
                return Some(self.now.since(start));
            }
            self.now = self.now.max(self.next_at()?);
            self.step();
        }
        None
    }

    fn next_at(&self) -> Option<Time> {
        let timers = self.nodes.iter().filter(|node| node.up && !node.paused);
        let timers = timers.filter_map(|node| node.swim.poll_timeout());
        let queued = self.queue.keys().next().map(|(at, _)| *at);
        timers.chain(queued).min()
    }

    fn step(&mut self) {
        while let Some((at, order)) = self
            .queue
            .keys()
            .next()
            .copied()
            .filter(|k| k.0 <= self.now)
        {
            let happening = self.queue.remove(&(at, order)).unwrap();
            self.happen(happening);
        }
        for number in 0..self.nodes.len() {
            let node = &mut self.nodes[number];
            let due = node.swim.poll_timeout().is_some_and(|at| at <= self.now);
            if node.up && !node.paused && due {
                node.swim.handle_timeout(self.now);
                self.drain(number);
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver {
                from,
                to,
                link,
                message,
            } => {
                if self.links.get(&pair(from, to)) != Some(&link) || self.cuts.contains(&(from, to))
                {
                    return;
                }
                if self.nodes[to].paused {
                    self.nodes[to].inbox.push((from, link, message));
                } else if self.nodes[to].up {
                    self.say(from, to, message);
                }
            }
            Happening::Tell { to, command, run } => {
                let node = &self.nodes[to];
                if node.up && node.run == run && node.paused {
                    self.schedule(ms(100), Happening::Tell { to, command, run });
                } else if node.up && node.run == run {
                    self.command(to, command);
                }
            }
            Happening::Dial {
                from,
                to,
                run,
                again,
            } => self.dial(from, to, run, again),
            Happening::Resume(number) => {
                self.nodes[number].paused = false;
                for (from, link, message) in core::mem::take(&mut self.nodes[number].inbox) {
                    if self.links.get(&pair(from, number)) == Some(&link) {
                        self.say(from, number, message);
                    }
                }
            }
        }
    }

    fn dial(&mut self, from: usize, to: usize, run: u64, again: bool) {
        let dialler = &self.nodes[from];
        let wanted = dialler.wanted.contains(&to) || !again;
        if !dialler.up || dialler.run != run || self.links.contains_key(&pair(from, to)) {
            return;
        }
        let reachable = !self.blocked.contains(&pair(from, to)) && !self.nodes[to].paused;
        if wanted && reachable && self.nodes[to].up && !dialler.paused {
            self.link(from, to);
            return;
        }
        if reachable && !self.nodes[to].up {
            self.command(from, Command::DialRefused { peer: self.id(to) });
        }
        if wanted && again {
            let span = self.rng.jitter(ms(700), 300);
            self.schedule(
                span,
                Happening::Dial {
                    from,
                    to,
                    run,
                    again,
                },
            );
        }
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) = self.nodes[number].swim.poll_output() {
            match output {
                Output::Send { to, message } => self.send(number, to, message),
                Output::Event(event) => self.on_event(number, event),
            }
        }
    }

    fn send(&mut self, from: usize, to: NodeId, message: Message) {
        let Some(to) = (0..self.nodes.len()).find(|number| self.id(*number) == to) else {
            return;
        };
        let Some(link) = self.links.get(&pair(from, to)).copied() else {
            return;
        };
        self.messages += 1;
        if !self.rng.chance(self.loss_permille) {
            let span = self.rng.jitter(ms(5), 800);
            self.schedule(
                span,
                Happening::Deliver {
                    from,
                    to,
                    link,
                    message,
                },
            );
        }
    }

    fn on_event(&mut self, number: usize, event: Event) {
        self.history.push((self.now, number, event.clone()));
        if let Some(bound) = reserved(&event).filter(|_| self.nodes[number].durable) {
            self.nodes[number].bound = bound;
            let run = self.nodes[number].run;
            let command = durable(bound.0);
            let tell = Happening::Tell {
                to: number,
                command,
                run,
            };
            self.schedule(ms(3), tell);
            return;
        }
        match event {
            Event::Neighbours(list) => {
                let find = |id: NodeId| (0..self.nodes.len()).find(|n| self.id(*n) == id);
                let wanted: BTreeSet<usize> =
                    list.into_iter().filter_map(|(id, _)| find(id)).collect();
                let before = core::mem::replace(&mut self.nodes[number].wanted, wanted.clone());
                for new in wanted.difference(&before) {
                    self.dial_soon(number, *new);
                }
            }
            Event::Try { member, .. } => {
                let to = (0..self.nodes.len()).find(|n| self.id(*n) == member);
                let run = self.nodes[number].run;
                let dial = to.map(|to| Happening::Dial {
                    from: number,
                    to,
                    run,
                    again: false,
                });
                if let Some(dial) = dial {
                    self.schedule(ms(10), dial);
                }
            }
            Event::Changed { .. }
            | Event::Persist(_)
            | Event::RosterChanged
            | Event::Stalled { .. }
            | Event::Offence { .. }
            | Event::Conflict { .. }
            | Event::Departed => {}
        }
    }

    /// Every change to `state`, as (when, observer, subject).
    pub(super) fn changes_to(&self, state: MemberState) -> Vec<(Time, usize, NodeId)> {
        let changes = self.history.iter().filter_map(|(at, observer, event)| {
            let Event::Changed { member, to, .. } = event else {
                return None;
            };
            (*to == state).then_some((*at, *observer, *member))
        });
        changes.collect()
    }

    pub(super) fn offences(&self) -> usize {
        let is_offence = |event: &Event| matches!(event, Event::Offence { .. });
        self.history
            .iter()
            .filter(|(_, _, event)| is_offence(event))
            .count()
    }

    pub(super) fn others_see(&self, subject: usize, state: MemberState) -> bool {
        (0..self.nodes.len())
            .filter(|n| *n != subject && self.nodes[*n].up && !self.nodes[*n].paused)
            .all(|observer| self.state(observer, subject) == Some(state))
    }
}
