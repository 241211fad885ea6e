//! What vitals promise.

#![allow(clippy::arithmetic_side_effects, reason = "tests")]

use super::{
    Around, Command, Config, Event, Message, Offence, PATHS_MAX, Passed, Path, Report, Sample, Tag,
    Vitals,
};
use crate::kernel::{
    component::Component as _,
    crypto::{Keypair, Signed, Verified, decode_exactly, encode},
    id::{Incarnation, NetworkId, NodeId},
    laws::{self, Bounds},
    machine::{Input, Machine as _, Output},
    rng::Rng,
    time::{Duration, Time, WallTime},
};
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use proptest::{prelude::*, test_runner::TestCaseError};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const WALL: WallTime = WallTime::from_millis(1_790_000_000_000);

fn keypair(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn id(seed: u8) -> NodeId {
    keypair(seed).id()
}

fn at(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn machine(seed: u8) -> Vitals {
    let rng = Rng::from_number(seed.into());
    Vitals::new(Config::default(), keypair(seed), NETWORK, rng)
}

/// What a usual relay measures.
fn usual() -> Sample {
    Sample {
        cpu_permille: Some(237),
        memory_used_kib: Some(5_812_344),
        memory_limit_kib: Some(16_314_488),
        disk_used_kib: Some(61_234_567),
        disk_total_kib: Some(480_123_456),
        network_rx: Some(182_345),
        network_tx: Some(91_234),
        descriptors_used: Some(61),
        descriptors_limit: Some(1_048_576),
        loop_lag_ms: Some(1),
        journal_latency_ms: Some(4),
        send_queue: Some(0),
        ..Sample::default()
    }
}

fn path(peer: u8) -> Path {
    Path {
        peer: Tag::of(id(peer)),
        rtt_us: 31_234,
        min_us: 29_871,
        jitter_us: 1_412,
        loss_permille: 0,
    }
}

fn report(seed: u8, incarnation: u64, sequence: u64) -> Report {
    Report {
        node: id(seed),
        incarnation: Incarnation(incarnation),
        sequence,
        at: WALL,
        sample: usual(),
        paths: vec![path(9)],
    }
}

fn sealed(report: Report, signer: u8) -> Signed<Report> {
    let keypair = keypair(signer).posing_as(report.node);
    Verified::seal(report, &keypair, NETWORK).to_signed()
}

/// As if it came over a wire: nothing is known of the signature.
fn passed(report: &Signed<Report>) -> Message {
    let report = decode_exactly(&encode(report)).unwrap();
    let reports = vec![Passed { age_ms: 0, report }];
    Message::Reports { reports }
}

fn tell(vitals: &mut Vitals, now: Time, command: Command) {
    vitals.handle_input(now, Input::Command(command));
    assert_eq!(vitals.check(), Ok(()));
}

fn hear(vitals: &mut Vitals, now: Time, from: NodeId, message: Message) {
    vitals.handle_input(now, Input::Message { from, message });
    assert_eq!(vitals.check(), Ok(()));
}

fn offences(vitals: &mut Vitals) -> Vec<(NodeId, Offence)> {
    let outputs = core::iter::from_fn(|| vitals.poll_output());
    let offence = |output| match output {
        Output::Event(Event::Offence { peer, offence }) => Some((peer, offence)),
        Output::Event(Event::Wanted | Event::Told { .. }) | Output::Send { .. } => None,
    };
    outputs.filter_map(offence).collect()
}

/// A machine that is linked to the nodes 1 and 2.
fn linked() -> Vitals {
    let mut vitals = machine(0);
    for peer in [1, 2] {
        tell(&mut vitals, at(0), Command::PeerUp { peer: id(peer) });
    }
    vitals
}

fn sequence(vitals: &Vitals, node: u8) -> Option<u64> {
    let known = vitals.known(&id(node), at(0))?;
    Some(known.report.sequence)
}

#[test]
fn a_usual_sample_takes_at_most_40_bytes_and_what_was_not_measured_stays_unknown() {
    let bytes = encode(&usual());
    assert!(bytes.len() <= 40, "{} bytes", bytes.len());
    assert_eq!(decode_exactly(&bytes), Ok(usual()));
    let tab = Sample {
        visible: Some(false),
        heap_limit_kib: Some(0),
        ..Sample::default()
    };
    assert_eq!(decode_exactly(&encode(&tab)), Ok(tab));
    assert_eq!(encode(&Sample::default()), [0, 0]);
}

#[test]
fn fields_of_a_later_version_are_skipped_and_missing_values_are_unknown() {
    let later = encode(&(1_u32 | 1 << 31, vec![5_u64, 6]));
    let expected = Sample {
        cpu_permille: Some(5),
        ..Sample::default()
    };
    assert_eq!(decode_exactly(&later), Ok(expected));
    assert_eq!(decode_exactly(&encode(&(3_u32, vec![5_u64]))), Ok(expected));
}

#[test]
fn what_is_newer_replaces_and_what_is_not_changes_nothing() {
    let mut vitals = linked();
    let order = [
        (1, 5, Some(5), 1, 0),
        (1, 5, Some(5), 1, 1),
        (1, 4, Some(5), 1, 2),
        (0, 9, Some(5), 1, 3),
        (1, 6, Some(6), 2, 3),
        (2, 1, Some(1), 3, 3),
        (1, 7, Some(1), 3, 4),
    ];
    for (incarnation, number, expected, heard, stale) in order {
        let message = passed(&sealed(report(3, incarnation, number), 3));
        hear(&mut vitals, at(1), id(1), message);
        assert_eq!(sequence(&vitals, 3), expected);
        assert_eq!((vitals.stats.heard, vitals.stats.stale), (heard, stale));
    }
    assert_eq!(offences(&mut vitals), []);
}

#[test]
fn a_forged_report_changes_nothing_and_is_the_senders_fault() {
    let mut vitals = linked();
    let good = passed(&sealed(report(3, 1, 1), 3));
    hear(&mut vitals, at(1), id(1), good);
    let forged = passed(&sealed(report(3, 1, 2), 4));
    hear(&mut vitals, at(1), id(2), forged);
    assert_eq!(sequence(&vitals, 3), Some(1));
    let mut long = report(3, 1, 2);
    long.paths = vec![path(1); PATHS_MAX + 1];
    hear(&mut vitals, at(1), id(2), passed(&sealed(long, 3)));
    assert_eq!(sequence(&vitals, 3), Some(1));
    let expected = [(id(2), Offence::BadSignature), (id(2), Offence::Malformed)];
    assert_eq!(offences(&mut vitals), expected);
}

#[test]
fn nobody_tells_a_node_about_itself_and_strangers_are_not_heard() {
    let mut vitals = linked();
    hear(
        &mut vitals,
        at(1),
        id(1),
        passed(&sealed(report(0, 9, 9), 0)),
    );
    assert_eq!(sequence(&vitals, 0), None);
    hear(
        &mut vitals,
        at(1),
        id(8),
        passed(&sealed(report(3, 1, 1), 3)),
    );
    assert_eq!(sequence(&vitals, 3), None);
    assert_eq!((vitals.stats.stale, vitals.stats.refused), (1, 1));
}

#[test]
fn a_peer_is_checked_no_more_often_than_allowed() {
    let mut vitals = linked();
    vitals.config.verifies_per_second_max = 2;
    for seed in 10..14 {
        let message = passed(&sealed(report(seed, 1, 1), seed));
        hear(&mut vitals, at(1), id(1), message);
    }
    assert_eq!((vitals.stats.heard, vitals.stats.refused), (2, 2));
    // Another peer, and another second, have their own.
    hear(
        &mut vitals,
        at(1),
        id(2),
        passed(&sealed(report(12, 1, 1), 12)),
    );
    hear(
        &mut vitals,
        at(1_001),
        id(1),
        passed(&sealed(report(13, 1, 1), 13)),
    );
    assert_eq!((vitals.stats.heard, vitals.stats.refused), (4, 2));
}

#[test]
fn the_table_is_bounded_and_forgets_who_does_not_belong() {
    let mut vitals = linked();
    vitals.config.members_max = 2;
    vitals.config.strangers_max = 1;
    for member in [3, 4, 5] {
        let (member, belongs) = (id(member), true);
        tell(&mut vitals, at(1), Command::Member { member, belongs });
    }
    for seed in [3, 4, 5, 6] {
        let message = passed(&sealed(report(seed, 1, 1), seed));
        hear(&mut vitals, at(1), id(1), message);
    }
    // The third found no room among the members, and is a stranger.
    let known: Vec<u8> = (0..8)
        .filter(|seed| sequence(&vitals, *seed).is_some())
        .collect();
    assert_eq!(known, [3, 4, 5]);
    assert_eq!(vitals.stats.unknown, 1);
    let (member, belongs) = (id(3), false);
    tell(&mut vitals, at(2), Command::Member { member, belongs });
    assert_eq!(sequence(&vitals, 3), None);
    let around = Around {
        wall: WALL,
        incarnation: Incarnation(1),
        members: vec![id(0), id(4)],
        paths: Vec::new(),
    };
    tell(&mut vitals, at(2), Command::Around(around));
    let known: Vec<u8> = (0..8)
        .filter(|seed| sequence(&vitals, *seed).is_some())
        .collect();
    assert_eq!(known, [0, 4]);
}

#[test]
fn a_sample_that_is_too_old_is_told_as_unknown() {
    let mut vitals = linked();
    tell(&mut vitals, at(0), Command::Sample(Box::new(usual())));
    for (now, expected) in [(at(119_000), usual()), (at(121_000), Sample::default())] {
        let around = Around {
            wall: WALL,
            incarnation: Incarnation(1),
            members: Vec::new(),
            paths: Vec::new(),
        };
        tell(&mut vitals, now, Command::Around(around));
        let own = vitals.known(&id(0), now).unwrap();
        assert_eq!(own.report.sample, expected);
    }
}

/// Machines on links of one delay, under virtual time; each is told what a node would tell it.
struct Mesh {
    nodes: BTreeMap<NodeId, Vitals>,
    links: BTreeSet<(NodeId, NodeId)>,
    /// What is on its way, by arrival and order.
    under_way: BTreeMap<(Time, u64), (NodeId, NodeId, Message)>,
    now: Time,
    sent: u64,
    bytes: u64,
    reports: u64,
}

const DELAY: Duration = Duration::from_millis(30);

impl Mesh {
    /// Each node is linked to the next `span` ones on a ring, in the order of numbers.
    fn ring(count: u8, steps: &[u8]) -> Self {
        let nodes = (0..count).map(|seed| (id(seed), machine(seed))).collect();
        let mut mesh = Self {
            nodes,
            links: BTreeSet::new(),
            under_way: BTreeMap::new(),
            now: Time::ZERO,
            sent: 0,
            bytes: 0,
            reports: 0,
        };
        for (seed, step) in (0..count).flat_map(|seed| steps.iter().map(move |step| (seed, step))) {
            let (a, b) = (id(seed), id((seed + step) % count));
            if a != b {
                mesh.links.extend([(a, b), (b, a)]);
            }
        }
        for (from, peer) in mesh.links.clone() {
            mesh.command(from, Command::PeerUp { peer });
        }
        mesh
    }

    fn command(&mut self, node: NodeId, command: Command) {
        let now = self.now;
        let vitals = self.nodes.get_mut(&node).unwrap();
        vitals.handle_input(now, Input::Command(command));
        self.drain(node);
    }

    fn drain(&mut self, from: NodeId) {
        while let Some(output) = self.nodes.get_mut(&from).unwrap().poll_output() {
            match output {
                Output::Send { to, message } => {
                    let Message::Reports { reports } = &message;
                    self.reports += u64::try_from(reports.len()).unwrap();
                    self.bytes += u64::try_from(encode(&message).len()).unwrap();
                    self.sent += 1;
                    let arrival = (self.now + DELAY, self.sent);
                    self.under_way.insert(arrival, (from, to, message));
                }
                Output::Event(Event::Wanted) => {
                    let around = self.around(from);
                    self.command(from, Command::Sample(Box::new(usual())));
                    self.command(from, Command::Around(around));
                }
                Output::Event(Event::Told { .. }) => {}
                Output::Event(Event::Offence { peer, offence }) => {
                    panic!("{from:?} blames {peer:?}: {offence:?}")
                }
            }
        }
        assert_eq!(self.nodes[&from].check(), Ok(()));
    }

    fn around(&self, node: NodeId) -> Around {
        let peers = self.links.iter().filter(|(from, _)| *from == node);
        let to = |peer| Path {
            peer: Tag::of(peer),
            ..path(0)
        };
        Around {
            wall: WALL.plus(self.now.since(Time::ZERO)),
            incarnation: Incarnation(3),
            members: self.nodes.keys().copied().collect(),
            paths: peers.map(|(_, peer)| to(*peer)).collect(),
        }
    }

    fn run_until(&mut self, until: Time) {
        loop {
            let timers = self.nodes.iter();
            let timers = timers.filter_map(|(id, node)| Some((node.poll_timeout()?, *id)));
            let timer = timers.min();
            let arrival = self.under_way.first_key_value().map(|(at, _)| *at);
            let next = timer.map(|(at, _)| at).into_iter();
            let next = next.chain(arrival.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                self.now = until;
                return;
            };
            self.now = next;
            if arrival.is_some_and(|(at, _)| at == next) {
                let (_, (from, to, message)) = self.under_way.pop_first().unwrap();
                let node = self.nodes.get_mut(&to).unwrap();
                node.handle_input(next, Input::Message { from, message });
                self.drain(to);
            } else if let Some((_, node)) = timer {
                self.nodes.get_mut(&node).unwrap().handle_timeout(next);
                self.drain(node);
            }
        }
    }

    /// The oldest that any node knows of any other; `None` if it knows nothing of one.
    fn oldest(&self) -> Option<Duration> {
        let pairs = self.nodes.values().flat_map(|node| {
            let others = self.nodes.keys().filter(|other| **other != node.id());
            others.map(|other| Some(node.known(other, self.now)?.age))
        });
        let ages: Option<Vec<Duration>> = pairs.collect();
        ages?.into_iter().max()
    }
}

#[test]
fn five_nodes_in_a_row_know_each_other_within_ten_seconds() {
    let mut mesh = Mesh::ring(5, &[1]);
    mesh.links.retain(|(a, b)| {
        let ends = BTreeSet::from([*a, *b]);
        ends != BTreeSet::from([id(4), id(0)])
    });
    mesh.command(id(4), Command::PeerDown { peer: id(0) });
    mesh.command(id(0), Command::PeerDown { peer: id(4) });
    mesh.run_until(at(10_000));
    assert!(
        mesh.oldest().is_some(),
        "somebody knows nothing of somebody"
    );
    mesh.run_until(at(60_000));
    // The interval, give or take a tenth, and four hops of a turn and a half at most.
    let most = Duration::from_millis(5_500 + 4 * 1_530);
    assert!(mesh.oldest() <= Some(most), "{:?}", mesh.oldest());
}

#[test]
fn a_new_link_gets_the_whole_table_in_bounded_batches() {
    let mut mesh = Mesh::ring(60, &[1, 7]);
    mesh.run_until(at(30_000));
    let newcomer = 200;
    mesh.nodes.insert(id(newcomer), machine(newcomer));
    mesh.links
        .extend([(id(newcomer), id(0)), (id(0), id(newcomer))]);
    mesh.command(id(newcomer), Command::PeerUp { peer: id(0) });
    mesh.command(id(0), Command::PeerUp { peer: id(newcomer) });
    let largest = |mesh: &Mesh| {
        let sizes = mesh
            .under_way
            .values()
            .map(|(_, _, message)| encode(message).len());
        sizes.max().unwrap_or_default()
    };
    let mut most = 0;
    let began = mesh.now;
    while mesh.oldest().is_none() {
        mesh.run_until(mesh.now + Duration::from_millis(10));
        most = most.max(largest(&mesh));
        assert!(mesh.now.since(began) < Duration::from_secs(15));
    }
    assert!(most <= 8 * 1_024, "a message of {most} bytes");
}

/// The bounds: with 100 members each reports once a minute, so that its own reports, told to 8 peers, take
/// less than 100 bytes a second; passed on, each crosses a link hardly more than once.
#[test]
fn a_hundred_nodes_cost_little() {
    let mut mesh = Mesh::ring(100, &[1, 7, 22, 41]);
    mesh.run_until(at(120_000));
    assert!(mesh.oldest().is_some());
    let made = |mesh: &Mesh| mesh.nodes.values().map(|node| node.stats.made).sum::<u64>();
    let (bytes, reports, before) = (mesh.bytes, mesh.reports, made(&mesh));
    let minutes = 10;
    mesh.run_until(at(120_000 + minutes * 60_000));
    let seconds = minutes * 60;
    let bytes = mesh.bytes - bytes;
    let reports = mesh.reports - reports;
    let made = made(&mesh) - before;
    let size = bytes / reports;
    let own = size * 8 * made / 100 / seconds;
    let all = bytes / 100 / seconds;
    let copies = reports * 10 / made;
    std::println!(
        "figure: {size} bytes a report, {own} bytes/s and node of own reports to 8 peers, \
         {all} bytes/s and node with those passed on; {copies} tenths of sends a report on 400 links"
    );
    assert!(size <= 320, "{size} bytes a report");
    assert!(own <= 100, "{own} bytes a second of own reports");
    // 400 links, at most 1.6 tellings each; without sparing those who told there would be 2.
    assert!(
        copies <= 400 * 16,
        "a report is sent {copies} tenths of times"
    );
    assert!(all <= 2_500, "{all} bytes a second and node");
    assert!(mesh.oldest() <= Some(Duration::from_secs(75)));
}

fn any_input() -> impl Strategy<Value = Input<Message, Command>> {
    let node = || 0_u8..6;
    let command = |command| Input::Command(command);
    let reports =
        proptest::collection::vec((node(), node(), 0_u64..3, 0_u64..3, any::<u32>()), 0..4);
    let members = proptest::collection::vec(node(), 0..6);
    let paths = proptest::collection::vec(node(), 0..20);
    prop_oneof![
        node().prop_map(move |peer| command(Command::PeerUp { peer: id(peer) })),
        node().prop_map(move |peer| command(Command::PeerDown { peer: id(peer) })),
        any::<u64>().prop_map(move |cpu| {
            command(Command::Sample(Box::new(Sample {
                cpu_permille: Some(cpu),
                ..Sample::default()
            })))
        }),
        (node(), any::<bool>()).prop_map(move |(member, belongs)| {
            let member = id(member);
            command(Command::Member { member, belongs })
        }),
        (members, paths).prop_map(move |(members, paths)| {
            command(Command::Around(Around {
                wall: WALL,
                incarnation: Incarnation(2),
                members: members.into_iter().map(id).collect(),
                paths: paths.into_iter().map(path).collect(),
            }))
        }),
        (node(), reports).prop_map(|(from, reports)| {
            let reports =
                reports
                    .into_iter()
                    .map(|(node, signer, incarnation, sequence, age_ms)| {
                        // Some are forged.
                        let signer = if signer == 5 { signer } else { node };
                        let report = sealed(report(node, incarnation, sequence), signer);
                        let report = decode_exactly(&encode(&report)).unwrap();
                        Passed { age_ms, report }
                    });
            let message = Message::Reports {
                reports: reports.collect(),
            };
            let from = id(from);
            Input::Message { from, message }
        }),
    ]
}

proptest! {
    #[test]
    fn vitals_obey_the_laws_of_machines(
        script in proptest::collection::vec((0_u64..20_000_000, any_input()), 0..40)
    ) {
        laws::check(|| machine(0), &script, Bounds::default()).map_err(TestCaseError::fail)?;
    }
}
