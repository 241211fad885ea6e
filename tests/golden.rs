//! The bytes of what machines say to each other, version 1: a change of the format shows as a change of
//! `tests/golden/wire-v1-<machine>.hex`, a message a line, `name hex`.
//!
//! What replicas say, sessions and frames are pinned beside their code. That no message is left out is
//! checked by `tests/tidy/machines.rs`.

use sporenet_core::{
    kernel::{
        crypto::{Hash, Keypair, Secret, Signed, Verified},
        id::{Incarnation, InstanceId, NetworkId, NodeId, Role},
        text::{Name, Text},
        time::WallTime,
    },
    membership::{
        admission,
        dissemination::Rumour,
        member::{Accusation, Evidence, Lease, Location, MemberRecord, MemberState, Standing},
        spore::{Authority, Pointer, Spore},
        swim::{self, TableEntry},
    },
    node::message::Message,
    observe::{
        alerts::{
            record::{
                About, Act, Alert, Channel, Channels, Deed, Ending, Grade, Outcome, Record,
                Setting, Silence, Told, ToldKey, Version,
            },
            rule::{Level, Metric},
            settings::Value,
        },
        vitals::{self, Passed, Path as PingPath, Report, Sample, Tag},
    },
    overlay::{
        links,
        reach::{self, Dialled},
    },
    wire::{body::Body, close::CloseReason},
};
use std::{fs, path::Path};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);

fn keypair(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn id(seed: u8) -> NodeId {
    keypair(seed).id()
}

/// The messages are exactly those of the file and decode from it; if not, the failure shows the file as
/// it would be.
#[track_caller]
fn assert_pinned(machine: &str, messages: Vec<(&str, Message)>) {
    let bytes = messages
        .iter()
        .map(|(name, message)| (*name, message.encode().to_vec()));
    assert_bytes(&format!("wire-v1-{machine}"), bytes.collect());
    for (name, message) in messages {
        let decoded = Message::decode(message.kind(), &message.encode());
        assert_eq!(decoded, Ok(Some(message)), "{name}");
    }
}

/// The bytes are exactly those of a file in `tests/golden`.
#[track_caller]
fn assert_bytes(file: &str, bytes: Vec<(&str, Vec<u8>)>) {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let now: Vec<String> = bytes
        .iter()
        .map(|(name, bytes)| format!("{name} {}", hex(bytes)))
        .collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{file}.hex"));
    let text = fs::read_to_string(file).unwrap_or_default();
    let pinned: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
}

const WALL_MS: u64 = 1_767_225_600_000;

fn about() -> About {
    About {
        rule: Text::new("slow-path").unwrap(),
        node: id(1),
        peer: Some(id(2)),
    }
}

/// What nodes write about alerts.
fn of_nodes() -> [(&'static str, Record); 4] {
    let alert = Alert {
        about: about(),
        metric: Metric::SlowPath,
        of: None,
        level: Level::Critical,
        grade: Grade::High,
        value_milli: 61_250,
        threshold_milli: 50_000,
        since_ms: WALL_MS,
        ended_ms: Some(WALL_MS + 90_000),
        ending: Ending::ByItself,
        calm_since_ms: 0,
    };
    let of_dead = Alert {
        ending: Ending::NodeDown,
        ..alert.clone()
    };
    let channel = Name::clean("pager");
    let key = ToldKey {
        incident: about().id(),
        step: 1,
        channel: channel.clone(),
    };
    let told = Told {
        at_ms: WALL_MS,
        outcome: Outcome::Failed(Text::new("503").unwrap()),
        alerts: vec![about().id()],
    };
    let channels = Channels(vec![Channel {
        name: channel,
        kind: Text::new("webhook").unwrap(),
        grade_min: Grade::Medium,
    }]);
    [
        ("alert", Record::Alert(about().id(), alert)),
        ("alert-of-dead", Record::Alert(about().id(), of_dead)),
        ("told", Record::Told(key, told)),
        ("channels", Record::Channels(id(1), channels)),
    ]
}

/// What people write about them, and settings.
fn of_people() -> [(&'static str, Record); 3] {
    let note = Text::new("on it").ok();
    let act = Act {
        deed: Deed::Acknowledged,
        at_ms: WALL_MS,
        note: note.clone(),
        alerts: vec![about().id()],
    };
    let silence = Silence {
        fits: Text::new("slow-path low").unwrap(),
        until_ms: WALL_MS + 7_200_000,
        at_ms: WALL_MS,
        note: note.clone(),
    };
    let rule = "slow_path above 5 50 for 10s samples 3";
    let version = Version {
        number: 2,
        value: Some(Value::Rule(Some(rule.parse().unwrap()))),
        by: id(1),
        at_ms: WALL_MS,
        note,
    };
    let setting = Setting {
        versions: vec![version],
    };
    [
        ("act", Record::Act(about().id(), act)),
        ("silence", Record::Silence(about().id(), silence)),
        ("setting", Record::Setting("rule.slow-path".into(), setting)),
    ]
}

/// What stands in the namespaces `sys.…` is read by nodes of other versions too.
#[test]
fn records_of_alerts_and_settings_are_pinned() {
    let records: Vec<(&str, Record)> = of_nodes().into_iter().chain(of_people()).collect();
    let bytes = records
        .iter()
        .map(|(name, record)| (*name, record.bytes().to_vec()));
    assert_bytes("records-v1-alerts", bytes.collect());
    for (name, record) in records {
        let read = Record::read(record.place(), &record.bytes());
        assert_eq!(read, Some(record), "{name}");
    }
}

#[test]
fn what_links_say_is_pinned() {
    let nonce = 0x0102_0304_0506_0708;
    let wall = WallTime::from_millis(1_767_225_600_000);
    let messages = vec![
        ("ping", links::Message::Ping { nonce }),
        ("pong", links::Message::Pong { nonce }),
        ("wall", links::Message::Wall { nonce, wall }),
    ];
    let messages = messages.into_iter();
    assert_pinned(
        "links",
        messages
            .map(|(name, one)| (name, Message::Links(one)))
            .collect(),
    );
}

#[test]
fn what_relays_say_of_being_reached_is_pinned() {
    let dialled = vec![
        Dialled {
            address: "tcp://127.0.0.1:7601".parse().unwrap(),
            failed: None,
        },
        Dialled {
            address: "ws://127.0.0.1:7602".parse().unwrap(),
            failed: Some(CloseReason::ConnectionRefused),
        },
    ];
    let messages = [
        ("ask", reach::Message::Ask { id: 3 }),
        ("told", reach::Message::Told { id: 3, dialled }),
    ];
    let messages = messages.into_iter();
    assert_pinned(
        "reach",
        messages
            .map(|(name, one)| (name, Message::Reach(one)))
            .collect(),
    );
}

#[test]
fn what_nodes_say_of_how_they_are_is_pinned() {
    let sample = Sample {
        cpu_permille: Some(237),
        memory_used_kib: Some(5_812_344),
        send_queue: Some(0),
        visible: Some(true),
        heap_limit_kib: Some(4_194_304),
        reached: Some(0b1001),
        ..Sample::default()
    };
    assert_pinned("vitals", vec![("reports", reports(sample))]);
}

fn reports(sample: Sample) -> Message {
    let report = Report {
        node: id(1),
        incarnation: Incarnation(300),
        sequence: 5,
        at: WallTime::from_millis(1_790_000_000_000),
        sample,
        paths: vec![PingPath {
            peer: Tag::of(id(2)),
            rtt_us: 31_234,
            min_us: 29_871,
            jitter_us: 1_412,
            loss_permille: 33,
        }],
    };
    let reports = vec![Passed {
        age_ms: 1_500,
        report: Verified::seal(report, &keypair(1), NETWORK).to_signed(),
    }];
    Message::Vitals(vitals::Message::Reports { reports })
}

#[test]
fn what_admission_says_is_pinned() {
    let mut spore = Spore::new(NETWORK);
    spore.add_entry("ws://127.0.0.1:7601".parse().unwrap());
    spore.add(Pointer {
        authority: Authority::Gossip,
        last_seen: WallTime::from_millis(1_790_000_000_000),
        id: id(1),
        role: Role::Relay,
        addresses: vec!["tcp://127.0.0.1:7600".parse().unwrap()],
    });
    let welcome = admission::Message::Welcome {
        genesis: vec![1, 2, 3].into(),
        epoch: 300,
        isolation_key: Secret::from_bytes([5; 32]),
        spore,
    };
    assert_pinned("admission", vec![("welcome", Message::Admission(welcome))]);
}

fn record() -> Signed<MemberRecord> {
    let record = MemberRecord {
        id: id(1),
        incarnation: Incarnation(300),
        instance: InstanceId(9),
        role: Role::Relay,
        name: Name::new("one").unwrap(),
        zone: Some("here".parse().unwrap()),
        location: Some(Location {
            latitude: 52_520_000,
            longitude: -13_405_000,
        }),
        addresses: vec!["tcp://127.0.0.1:7600".parse().unwrap()],
        standing: Standing::Present,
    };
    Verified::seal(record, &keypair(1), NETWORK).to_signed()
}

fn accusation(evidence: Evidence) -> Signed<Accusation> {
    let accusation = Accusation {
        accuser: id(2),
        subject: id(1),
        incarnation: Incarnation(300),
        evidence,
    };
    Verified::seal(accusation, &keypair(2), NETWORK).to_signed()
}

fn lease() -> Signed<Lease> {
    let lease = Lease {
        home: id(2),
        tab: id(3),
        incarnation: Incarnation(4),
        sequence: 5,
        attached: true,
        ttl_ms: 30_000,
    };
    Verified::seal(lease, &keypair(2), NETWORK).to_signed()
}

fn entries() -> Vec<TableEntry> {
    vec![TableEntry {
        record: record(),
        state: MemberState::Suspect,
        accusations: vec![accusation(Evidence::Silence)],
        leases: vec![lease()],
    }]
}

fn probes() -> Vec<(&'static str, swim::Message)> {
    let rumours = || {
        vec![
            Rumour::Record(record()),
            Rumour::Accusation(accusation(Evidence::Silence)),
            Rumour::Lease(lease()),
        ]
    };
    let ping = swim::Message::Ping {
        sequence: 1,
        accusations: vec![accusation(Evidence::Crash)],
        rumours: rumours(),
    };
    let ack = swim::Message::Ack {
        sequence: 300,
        rumours: rumours(),
    };
    let ping_req = swim::Message::PingReq {
        sequence: 3,
        target: id(3),
        rumours: Vec::new(),
    };
    let forgotten = vec![Rumour::Accusation(accusation(Evidence::Forgotten))];
    vec![
        ("ping", ping),
        ("ack", ack),
        ("ping-req", ping_req),
        ("nack", swim::Message::Nack { sequence: 4 }),
        ("gossip", swim::Message::Gossip { rumours: rumours() }),
        ("forgotten", swim::Message::Gossip { rumours: forgotten }),
    ]
}

fn comparisons() -> Vec<(&'static str, swim::Message)> {
    let states = [
        MemberState::Alive,
        MemberState::Suspect,
        MemberState::Dead,
        MemberState::Left,
        MemberState::Parked,
    ];
    let table = states.into_iter().zip(1..);
    let table = swim::Message::TablePage {
        after: Some(id(1)),
        through: None,
        entries: table
            .map(|(state, seed)| (id(seed), Incarnation(300), state))
            .collect(),
    };
    let diff = swim::Message::TableDiff {
        through: Some(id(2)),
        entries: entries(),
        want: vec![id(3)],
    };
    let hash = Hash::from_bytes([6; 32]);
    vec![
        ("table-digest", swim::Message::TableDigest { hash }),
        ("table-page", table),
        ("table-diff", diff),
        (
            "table-entries",
            swim::Message::TableEntries { entries: entries() },
        ),
    ]
}

#[test]
fn what_membership_says_is_pinned() {
    let messages = probes().into_iter().chain(comparisons());
    assert_pinned(
        "swim",
        messages
            .map(|(name, one)| (name, Message::Swim(one)))
            .collect(),
    );
}
