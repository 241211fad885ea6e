//! A few replicas, a network and journals in a box: deterministic by seed.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::{Keypair, decode_exactly, encode},
        id::{NetworkId, NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        persist::{Persist, PersistFailed, PersistOp, Persisted},
        rng::Rng,
        text::{Key, Namespace},
        time::{Time, WallTime},
    },
    replication::{
        config::Config,
        replica::{Command, Event, Message, Replica},
        typed::Change,
        write::{AckLevel, WriteRefusal},
    },
};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

pub(super) const NETWORK: NetworkId = NetworkId::from_bytes([9; 32]);
const WALL_START: u64 = 1_800_000_000_000;

/// What the network and the disks do wrong, in thousandths.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    pub(super) loss: u32,
    pub(super) duplication: u32,
    /// The most extra delay; makes messages overtake each other.
    pub(super) spread: Duration,
    pub(super) append_failure: u32,
    pub(super) append_delay: Duration,
}

pub(super) struct Host {
    pub(super) replica: Option<Replica>,
    pub(super) keypair: Keypair,
    pub(super) role: Role,
    pub(super) config: Config,
    /// What is durable: survives a crash.
    pub(super) journal: Vec<(u64, Bytes)>,
    pub(super) events: Vec<Event>,
    pub(super) replies: BTreeMap<u64, Result<u64, WriteRefusal>>,
    pub(super) wall_skew: i64,
    run: u32,
    journal_busy_until: Time,
}

enum Happening {
    Deliver {
        from: usize,
        to: usize,
        bytes: Vec<u8>,
        runs: (u32, u32),
    },
    Appended {
        at: usize,
        run: u32,
        token: u64,
        op: Option<PersistOp>,
    },
    Loaded {
        at: usize,
        run: u32,
        token: u64,
        sequences: Vec<u64>,
    },
}

pub(super) struct World {
    pub(super) now: Time,
    pub(super) hosts: Vec<Host>,
    pub(super) weather: Weather,
    pub(super) bytes_sent: u64,
    links: BTreeSet<(usize, usize)>,
    queue: BTreeMap<(Time, u64), Happening>,
    happened: u64,
    pub(super) rng: Rng,
    requests: u64,
}

/// Does to a journal what a replica asks for; answers the place of what was appended.
pub(super) fn apply(journal: &mut Vec<(u64, Bytes)>, op: PersistOp) -> Option<u64> {
    match op {
        PersistOp::Append(body) => {
            let sequence = journal.last().map_or(1, |(sequence, _)| sequence + 1);
            journal.push((sequence, body));
            Some(sequence)
        }
        PersistOp::DropBefore(before) => {
            journal.retain(|(sequence, _)| *sequence >= before);
            assert!(!journal.is_empty(), "the last record stays");
            None
        }
        PersistOp::Put { .. } | PersistOp::Delete { .. } => panic!("a replica has no entries"),
    }
}

pub(super) fn keypair(number: u8) -> Keypair {
    Keypair::from_seed(&[number.wrapping_add(1); 32])
}

pub(super) fn ns(name: &str) -> Namespace {
    Namespace::new(name).unwrap()
}

pub(super) fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

pub(super) fn value(text: &str) -> Option<Bytes> {
    Some(Bytes::from(text.as_bytes()))
}

impl World {
    pub(super) fn new(seed: u64, relays: u8, tabs: u8) -> Self {
        let mut world = Self {
            now: Time::from_millis(1),
            hosts: Vec::new(),
            weather: Weather::default(),
            bytes_sent: 0,
            links: BTreeSet::new(),
            queue: BTreeMap::new(),
            happened: 0,
            rng: Rng::from_number(seed),
            requests: 0,
        };
        for number in 0..relays + tabs {
            let role = if number < relays {
                Role::Relay
            } else {
                Role::Tab
            };
            world.hosts.push(Host {
                replica: None,
                keypair: keypair(number),
                role,
                config: Config::of(role),
                journal: Vec::new(),
                events: Vec::new(),
                replies: BTreeMap::new(),
                wall_skew: 0,
                run: 0,
                journal_busy_until: Time::ZERO,
            });
            world.start(usize::from(number));
        }
        world
    }

    pub(super) fn id(&self, at: usize) -> NodeId {
        self.hosts[at].keypair.id()
    }

    pub(super) fn replica(&self, at: usize) -> &Replica {
        self.hosts[at].replica.as_ref().unwrap()
    }

    pub(super) fn wall(&self, at: usize) -> WallTime {
        let skewed = (WALL_START + self.now.as_millis()) as i64 + self.hosts[at].wall_skew;
        WallTime::from_millis(skewed as u64)
    }

    pub(super) fn start(&mut self, at: usize) {
        let now = self.now;
        let seed = self.rng.next_u64();
        let wall = self.wall(at);
        let host = &mut self.hosts[at];
        host.run += 1;
        let mut replica = Replica::new(
            host.config.clone(),
            host.keypair.clone(),
            NETWORK,
            host.role,
            Rng::from_number(seed),
            now,
        );
        for (sequence, body) in &host.journal {
            replica.restore(*sequence, body).unwrap();
        }
        replica.finish_restore();
        host.replica = Some(replica);
        self.tell(at, Command::WallClock(wall));
    }

    /// The process ends at once: what was not durable is gone, and so are its links.
    pub(super) fn crash(&mut self, at: usize) {
        for other in 0..self.hosts.len() {
            self.cut(at, other);
        }
        self.hosts[at].replica = None;
        self.hosts[at].run += 1;
    }

    pub(super) fn link(&mut self, a: usize, b: usize) {
        if a == b || self.hosts[a].replica.is_none() || self.hosts[b].replica.is_none() {
            return;
        }
        if self.links.insert((a.min(b), a.max(b))) {
            for (at, other) in [(a, b), (b, a)] {
                let (peer, role) = (self.id(other), self.hosts[other].role);
                self.tell(at, Command::PeerUp { peer, role });
            }
        }
    }

    pub(super) fn link_all(&mut self) {
        for a in 0..self.hosts.len() {
            for b in a + 1..self.hosts.len() {
                if self.hosts[a].role == Role::Relay || self.hosts[b].role == Role::Relay {
                    self.link(a, b);
                }
            }
        }
    }

    pub(super) fn cut(&mut self, a: usize, b: usize) {
        if self.links.remove(&(a.min(b), a.max(b))) {
            for (at, other) in [(a, b), (b, a)] {
                let peer = self.id(other);
                self.tell(at, Command::PeerDown { peer });
            }
        }
    }

    pub(super) fn tell(&mut self, at: usize, command: Command) {
        self.input(at, Input::Command(command));
    }

    pub(super) fn say(&mut self, from: NodeId, to: usize, message: Message) {
        self.input(to, Input::Message { from, message });
    }

    fn input(&mut self, at: usize, input: Input<Message, Command>) {
        if let Some(replica) = &mut self.hosts[at].replica {
            replica.handle_input(self.now, input);
            self.drain(at);
        }
    }

    pub(super) fn write(
        &mut self,
        at: usize,
        namespace: &str,
        name: &str,
        value: Option<Bytes>,
        level: AckLevel,
    ) -> u64 {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.tell(
            at,
            Command::Write {
                request,
                namespace: ns(namespace),
                key: key(name),
                value,
                level,
            },
        );
        self.requests
    }

    pub(super) fn put(&mut self, at: usize, namespace: &str, name: &str, text: &str) -> u64 {
        self.write(at, namespace, name, value(text), AckLevel::Local)
    }

    pub(super) fn change(
        &mut self,
        at: usize,
        namespace: &str,
        name: &str,
        change: Change,
        level: AckLevel,
    ) -> u64 {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.tell(
            at,
            Command::Change {
                request,
                namespace: ns(namespace),
                key: key(name),
                change,
                level,
            },
        );
        self.requests
    }

    pub(super) fn get(&self, at: usize, namespace: &str, name: &str) -> Option<Bytes> {
        self.replica(at).entry(namespace, name)?.value
    }

    fn plan(&mut self, at: Time, happening: Happening) {
        self.happened += 1;
        self.queue.insert((at, self.happened), happening);
    }

    fn drain(&mut self, at: usize) {
        let mut outputs = Vec::new();
        while let Some(output) = self.hosts[at]
            .replica
            .as_mut()
            .and_then(|r| r.poll_output())
        {
            outputs.push(output);
        }
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(at, to, &message),
                Output::Event(event) => self.on_event(at, event),
            }
        }
    }

    fn send(&mut self, from: usize, to: NodeId, message: &Message) {
        let to = (0..self.hosts.len()).find(|at| self.id(*at) == to).unwrap();
        if !self.links.contains(&(from.min(to), from.max(to))) {
            return;
        }
        let bytes = encode(message);
        self.bytes_sent += bytes.len() as u64;
        let mut copies = 1;
        if self.rng.chance(self.weather.loss) {
            copies = 0;
        } else if self.rng.chance(self.weather.duplication) {
            copies = 2;
        }
        for _ in 0..copies {
            let delay = Duration::from_millis(1) + self.rng.span_below(self.weather.spread);
            let runs = (self.hosts[from].run, self.hosts[to].run);
            let bytes = bytes.clone();
            self.plan(
                self.now + delay,
                Happening::Deliver {
                    from,
                    to,
                    bytes,
                    runs,
                },
            );
        }
    }

    fn on_event(&mut self, at: usize, event: Event) {
        let run = self.hosts[at].run;
        match event {
            Event::Persist(persist) => {
                let Persist { token, op } = persist;
                let delay = self.rng.span_below(self.weather.append_delay);
                let keep = !self.rng.chance(self.weather.append_failure);
                let when = (self.now + delay).max(self.hosts[at].journal_busy_until);
                self.hosts[at].journal_busy_until = when;
                let op = keep.then_some(op);
                self.plan(when, Happening::Appended { at, run, token, op });
            }
            Event::Load { token, sequences } => {
                let when = self.now + self.weather.append_delay;
                self.plan(
                    when,
                    Happening::Loaded {
                        at,
                        run,
                        token,
                        sequences,
                    },
                );
            }
            Event::Replied { request, result } => {
                let old = self.hosts[at].replies.insert(request.0, result);
                assert_eq!(old, None, "one reply per request");
            }
            Event::Changed { .. }
            | Event::Verified { .. }
            | Event::Differs { .. }
            | Event::Offence { .. }
            | Event::Equivocation { .. }
            | Event::CaughtUp { .. }
            | Event::Full { .. } => self.hosts[at].events.push(event),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver {
                from,
                to,
                bytes,
                runs,
            } => {
                let linked = self.links.contains(&(from.min(to), from.max(to)));
                if linked && runs == (self.hosts[from].run, self.hosts[to].run) {
                    let message = decode_exactly(&bytes).unwrap();
                    let from = self.id(from);
                    self.say(from, to, message);
                }
            }
            Happening::Appended { at, run, token, op } if run == self.hosts[at].run => match op {
                Some(op) => {
                    let sequence = apply(&mut self.hosts[at].journal, op);
                    self.tell(at, Command::Persisted(Persisted { token, sequence }));
                }
                None => {
                    let full = false;
                    self.tell(at, Command::PersistFailed(PersistFailed { token, full }));
                }
            },
            Happening::Loaded {
                at,
                run,
                token,
                sequences,
            } if run == self.hosts[at].run => {
                let journal = &self.hosts[at].journal;
                let find = |wanted: &u64| {
                    let place = journal.binary_search_by_key(wanted, |(sequence, _)| *sequence);
                    Some(journal[place.ok()?].clone())
                };
                let records = sequences.iter().filter_map(find).collect();
                self.tell(at, Command::Loaded { token, records });
            }
            Happening::Appended { .. } | Happening::Loaded { .. } => {}
        }
    }

    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        loop {
            let next_event = self.queue.keys().next().map(|(at, _)| *at);
            let next_timer = (0..self.hosts.len())
                .filter_map(|at| Some((self.hosts[at].replica.as_ref()?.poll_timeout()?, at)))
                .min();
            let event_at = next_event.unwrap_or(Time::MAX);
            let timer_at = next_timer.map_or(Time::MAX, |(at, _)| at);
            if event_at.min(timer_at) > until {
                break;
            }
            if event_at <= timer_at {
                let ((at, _), happening) = self.queue.pop_first().unwrap();
                self.now = self.now.max(at);
                self.happen(happening);
            } else if let Some((due, at)) = next_timer {
                self.now = self.now.max(due);
                let now = self.now;
                self.hosts[at].replica.as_mut().unwrap().handle_timeout(now);
                self.drain(at);
            }
        }
        self.now = until;
        for at in 0..self.hosts.len() {
            let wall = self.wall(at);
            self.tell(at, Command::WallClock(wall));
        }
    }

    pub(super) fn settle(&mut self) {
        self.weather = Weather::default();
        self.run_for(Duration::from_secs(100));
    }

    pub(super) fn assert_relays_agree(&self) {
        let relays: Vec<usize> = (0..self.hosts.len())
            .filter(|at| self.hosts[*at].role == Role::Relay)
            .collect();
        for at in &relays {
            assert_eq!(
                self.replica(*at).state_hash(),
                self.replica(relays[0]).state_hash(),
                "state of {at}"
            );
            assert_eq!(
                self.replica(*at).frontier_digest(),
                self.replica(relays[0]).frontier_digest(),
                "frontier of {at}"
            );
            assert!(self.replica(*at).is_settled(), "{at}");
        }
    }
}
