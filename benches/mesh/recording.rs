//! What recording costs: the core alone on the same inputs, and a real relay under writes.
//!
//! A relay spends much of its work outside the core (ciphers, signatures of others, sockets, SQLite), so the
//! core's own ratio is the worse of the two.

use nix::time::{ClockId, clock_gettime};
use sporenet_benches::Table;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::{LinkId, RequestId, Role},
        machine::{Input, Machine as _, Output},
        store::{StoreBatch, StoreOp, Stored},
        text::{Key, Name, Namespace},
        time::{Duration, Time, WallTime},
    },
    membership::join_link::JoinLink,
    node::{
        Node,
        config::Config,
        contract::{
            Command, Dial, Event, HostInput, HostOutput, LinkInput, LinkOutput, Reply, Request,
            Signal, StoreInput, StoreOutput,
        },
        envelope::Envelope,
        recording::BYTES_MAX_DEFAULT,
        setup::Setup,
    },
    replication::write::AckLevel,
    wire::{close::CloseReason, identity::PeerIdentity, invitation::KeyHint},
};
use sporenet_tests::{http::Client, mesh::Mesh};
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
};

/// Odd, so that there is a median.
const ROUNDS: usize = 9;
const SECONDS: u64 = 120;
/// Writes a second, at each of the two nodes.
const BUSY: u64 = 100;
const VALUE: [u8; 100] = [b'v'; 100];
/// Writes of one round at a real relay.
const PUTS: usize = 3_000;

type Word = Input<Envelope, Command>;

/// Core and process.
pub(crate) fn measure(table: &mut Table) {
    core(table, "quiet", 0);
    core(table, "busy", BUSY);
    relay(table);
}

/// The core alone. A quiet one has so little to do that a ratio says nothing: see what is added.
fn core(table: &mut Table, what: &str, writes: u64) {
    let log = Pair::new().run(writes);
    let (mut ratios, mut added, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let plain = cost(&log, false).0;
        let (recorded, kept) = cost(&log, true);
        ratios.push(recorded / plain);
        added.push((recorded - plain) / SECONDS as f64 / 1_000.0);
        bytes = kept;
    }
    let inputs = log.len();
    let how = format!("{inputs} inputs of {SECONDS} s, median of {ROUNDS} interleaved");
    table.row(
        &format!("recording, {what} core, CPU"),
        &format!("{:.3}, {:.1} µs/s", middle(ratios), middle(added)),
        &format!("with / without, and what is added a second; {how}"),
    );
    table.row(
        &format!("recording, {what} core, bytes an input"),
        &format!("{:.0}", bytes as f64 / inputs as f64),
        "snapshots and checks included",
    );
}

/// The median.
fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[ROUNDS / 2]
}

/// The CPU time of one node that gets these inputs, in nanoseconds, and the recording's bytes.
fn cost(log: &[(Time, Option<Word>)], recorded: bool) -> (f64, u64) {
    let mut node = start("a", 1, None);
    while node.poll_output().is_some() {}
    if recorded {
        node.start_recording(BYTES_MAX_DEFAULT);
    }
    let log = log.to_vec();
    let before = thread_nanos();
    for (now, word) in log {
        match word {
            Some(word) => node.handle_input(now, word),
            None => node.handle_timeout(now),
        }
        while node.poll_output().is_some() {}
    }
    let spent = thread_nanos() - before;
    let status = node.recording_status();
    assert_eq!(status.running, recorded, "{status:?}");
    (spent, status.bytes)
}

/// The CPU time of this thread, in nanoseconds.
fn thread_nanos() -> f64 {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("the system has the clock");
    spent.tv_sec() as f64 * 1e9 + spent.tv_nsec() as f64
}

fn start(name: &str, seed: u8, join: Option<JoinLink>) -> Node {
    let named = |text| Name::new(text).expect("a short name");
    let setup = Setup {
        may_found: true,
        config: Config {
            role: Role::Relay,
            name: named(name),
            zone: None,
            location: None,
            addresses: vec![
                format!("tcp://127.0.0.{seed}:7600")
                    .parse()
                    .expect("an address"),
            ],
            version: "0".into(),
            network_name: named("bench"),
            entries: Vec::new(),
            history_bytes_max: 0,
        },
        entropy: [seed; 32],
        wall: WallTime::from_millis(1_790_000_000_000),
        stored: Stored::default(),
        join,
    };
    Node::start(setup, Time::ZERO).expect("the setup is valid")
}

/// Two relays with nothing between them; what the first one gets is kept.
struct Pair {
    nodes: [Node; 2],
    journals: [BTreeMap<u64, Bytes>; 2],
    words: VecDeque<(usize, Word)>,
    now: Time,
    links: u64,
    requests: u64,
    log: Vec<(Time, Option<Word>)>,
}

impl Pair {
    fn new() -> Self {
        let mut founder = start("a", 1, None);
        while founder.poll_output().is_some() {}
        let mut pair = Self {
            nodes: [founder, start("b", 2, Some(invite()))],
            journals: [BTreeMap::new(), BTreeMap::new()],
            words: VecDeque::new(),
            now: Time::ZERO,
            links: 0,
            requests: 0,
            log: Vec::new(),
        };
        pair.settle();
        pair
    }

    /// Runs for the whole time, and answers what the first node got.
    fn run(mut self, writes: u64) -> Vec<(Time, Option<Word>)> {
        for milli in 0..SECONDS * 1_000 {
            self.now = Time::from_millis(milli);
            for node in 0..2 {
                if self.nodes[node]
                    .poll_timeout()
                    .is_some_and(|at| at <= self.now)
                {
                    self.give(node, None);
                }
            }
            if milli % 1_000 == 0 {
                let wall = WallTime::from_millis(1_790_000_000_000 + milli);
                (0..2).for_each(|node| self.tell(node, Signal::WallClock(wall)));
            }
            if writes > 0 && milli > 5_000 && milli % (1_000 / writes) == 0 {
                (0..2).for_each(|node| self.write(node, milli));
            }
            self.settle();
        }
        assert_eq!(
            self.nodes[0].member_counts().alive,
            2,
            "they know each other"
        );
        self.log
    }

    fn write(&mut self, node: usize, milli: u64) {
        self.requests += 1;
        let request = Request::Write {
            namespace: Namespace::new("bench").expect("a short name"),
            key: Key::new(&format!("key {}", milli % 997)).expect("a short key"),
            value: Some(VALUE.as_slice().into()),
            level: AckLevel::Local,
        };
        let id = RequestId(self.requests);
        self.tell(node, HostInput::Request { id, request });
    }

    fn tell(&mut self, node: usize, command: impl Into<Command>) {
        self.words.push_back((node, Input::Command(command.into())));
    }

    fn give(&mut self, node: usize, word: Option<Word>) {
        if node == 0 {
            self.log.push((self.now, word.clone()));
        }
        match word {
            Some(word) => self.nodes[node].handle_input(self.now, word),
            None => self.nodes[node].handle_timeout(self.now),
        }
    }

    fn settle(&mut self) {
        loop {
            for node in 0..2 {
                while let Some(output) = self.nodes[node].poll_output() {
                    self.take(node, output);
                }
            }
            let Some((node, word)) = self.words.pop_front() else {
                return;
            };
            self.give(node, Some(word));
        }
    }

    fn take(&mut self, node: usize, output: Output<Envelope, Event>) {
        match output {
            Output::Send { message, .. } => {
                let from = self.nodes[node].id();
                // As over a link: the receiver checks signatures anew.
                let bytes = message.encode().into();
                let message = Envelope::sealed(message.link(), message.kind(), bytes);
                self.words
                    .push_back((1 - node, Input::Message { from, message }));
            }
            Output::Event(Event::Link(LinkOutput::Dial(Dial { dial, hint, .. }))) => {
                self.links += 1;
                let invitation = match hint {
                    KeyHint::Invite(invitation) => Some(invitation),
                    KeyHint::Isolation { .. } => None,
                };
                for end in [1 - node, node] {
                    let up = LinkInput::Up {
                        link: LinkId(self.links),
                        peer: self.identity(1 - end),
                        dial: (end == node).then_some(dial),
                        invitation: invitation.clone(),
                    };
                    self.tell(end, up);
                }
            }
            Output::Event(Event::Link(LinkOutput::Close { link, .. })) => {
                for end in 0..2 {
                    let reason = CloseReason::Duplicate;
                    self.tell(end, LinkInput::Down { link, reason });
                }
            }
            Output::Event(Event::Host(HostOutput::Store(StoreOutput::Persist(batch)))) => {
                self.persist(node, batch);
            }
            Output::Event(Event::Host(HostOutput::Store(StoreOutput::Load {
                ticket,
                sequences,
            }))) => {
                let journal = &self.journals[node];
                let found = |sequence| Some((sequence, journal.get(&sequence)?.clone()));
                let records = sequences.into_iter().filter_map(found).collect();
                self.tell(node, StoreInput::Loaded { ticket, records });
            }
            Output::Event(_) => {}
        }
    }

    fn persist(&mut self, node: usize, batch: StoreBatch) {
        for op in batch.ops {
            if let StoreOp::Append { sequence, record } = op {
                self.journals[node].insert(sequence, record);
            }
        }
        self.tell(node, StoreInput::Persisted(batch.ticket));
    }

    fn identity(&self, node: usize) -> PeerIdentity {
        let params = self.nodes[node].session_params();
        PeerIdentity {
            id: self.nodes[node].id(),
            incarnation: params.incarnation,
            instance: params.instance,
            role: params.role,
            version: params.versions.1,
            features: params.features,
        }
    }
}

/// A link of the founder's. A founder of the same entropy is the same founder.
fn invite() -> JoinLink {
    let mut founder = start("a", 1, None);
    let invite = HostInput::Request {
        id: RequestId(u64::MAX),
        request: Request::Invite {
            ttl: Duration::from_secs(3_600),
            uses_max: None,
            role: None,
        },
    };
    founder.handle_input(Time::ZERO, Input::Command(invite.into()));
    while let Some(output) = founder.poll_output() {
        if let Output::Event(Event::Host(HostOutput::Reply { reply, .. })) = output
            && let Reply::Invited { invitation, key } = reply
        {
            return founder.join_link(&invitation, &key);
        }
    }
    panic!("a founder can invite");
}

/// A real relay under writes that another one gets too, recording in every second round.
fn relay(table: &mut Table) {
    let mesh = Mesh::of(2);
    let (relay, mut client) = (&mesh.relays[0], client(&mesh));
    let mut spent = [Vec::new(), Vec::new()];
    puts(&mut client, PUTS);
    for round in 0..2 * ROUNDS {
        let recorded = round % 2;
        let action = ["stop", "start"][recorded];
        let _ = relay.cli(&["record", action]).expect_success();
        // The first snapshot is the start's cost.
        puts(&mut client, PUTS / 10);
        let before = process_ticks(relay.pid());
        puts(&mut client, PUTS);
        spent[recorded].push(process_ticks(relay.pid()) - before);
    }
    let [without, with] = spent;
    table.row(
        "recording, real relay, CPU",
        &format!("{:.3}", middle(with) / middle(without)),
        &format!("with / without, medians of {ROUNDS} interleaved rounds of {PUTS} puts"),
    );
}

fn client(mesh: &Mesh) -> Client {
    let relay = &mesh.relays[0];
    Client::connect(relay.address, &relay.token())
}

fn puts(client: &mut Client, count: usize) {
    for number in 0..count {
        let path = format!("/api/v1/kv/bench/key-{}", number % 997);
        assert_eq!(client.put(&path, &VALUE), 200);
    }
}

/// A process's CPU time, in the kernel's ticks.
fn process_ticks(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the relay runs");
    // The program's name, in parentheses, may hold spaces.
    let fields: Vec<&str> = text
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |field: usize| fields[field].parse::<f64>().expect("a number");
    ticks(11) + ticks(12)
}
