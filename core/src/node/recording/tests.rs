//! Simulated nodes are recorded, saved, broken and replayed.

use super::{
    BYTES_MAX_DEFAULT, BYTES_MAX_MIN, OpenError, Replay, Saving, What,
    entry::{self, Entry, Reader},
    segment::Segment,
};
use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Tape,
        id::{Role, Ticket},
        machine::Input,
        time::{Duration, Time},
    },
    node::{
        Node,
        contract::{Command, HostInput, Request, StoreInput},
        endpoint::Endpoint,
    },
    replication::write::AckLevel,
    sim::{
        shell::Shell,
        typed::Typed,
        world::{HostId, World},
    },
};
use alloc::{format, sync::Arc, vec::Vec};

const SECOND: Duration = Duration::from_secs(1);

/// Three relays that know each other; nothing is recorded yet.
fn mesh<S: Shell>(seed: u64) -> (World<S>, [HostId; 3]) {
    let mut world = World::new(seed);
    let first = world.launch(Role::Relay, None).unwrap();
    world.run_for(SECOND);
    let others = [(); 2].map(|()| {
        let link = world.invite(first, None);
        let host = world.launch(Role::Relay, link).unwrap();
        world.run_for(3 * SECOND);
        host
    });
    (world, [first, others[0], others[1]])
}

fn write<S: Shell>(world: &mut World<S>, host: HostId, number: u32) {
    let (key, value) = (format!("key {}", number % 7), format!("value {number}"));
    world.write(host, "notes", &key, Some(value.as_bytes()), AckLevel::Relay);
}

/// Writes here and there, while a relay is cut off, comes back, and another dies.
fn trouble<S: Shell>(world: &mut World<S>, hosts: [HostId; 3], mut each: impl FnMut(&World<S>)) {
    for number in 0..60 {
        write(world, hosts[usize::try_from(number).unwrap() % 2], number);
        match number {
            10 => world.cut(hosts[0], hosts[1]),
            30 => world.heal_all(),
            40 => {
                world.crash(hosts[2]);
            }
            _ => {}
        }
        world.run_for(SECOND / 2);
        each(world);
    }
}

fn node_of<S: Shell>(world: &World<S>, host: HostId) -> &Node {
    world.node(host).unwrap()
}

fn record<S: Shell>(world: &mut World<S>, host: HostId, bytes_max: u64) {
    world.node_mut(host).unwrap().start_recording(bytes_max);
}

fn save<S: Shell>(world: &mut World<S>, host: HostId) -> Saving {
    let node = world.node_mut(host).unwrap();
    node.save_recording().unwrap()
}

fn finish(replay: &mut Replay) {
    replay.seek(Time::MAX);
}

#[test]
fn a_frozen_node_thaws_to_the_same_bytes() {
    let (mut world, hosts) = mesh::<Typed>(1);
    let tape = Arc::new(Tape::new());
    let mut compared = 0;
    trouble(&mut world, hosts, |world| {
        for host in hosts {
            let Some(node) = world.node(host) else {
                continue;
            };
            let frozen = node.freeze().unwrap();
            let thawed = Node::thaw(&frozen, &tape).unwrap();
            assert_eq!(thawed.freeze().unwrap(), frozen);
            assert_eq!(thawed.state_hash(), node.state_hash());
            compared += 1;
        }
    });
    assert!(compared > 100, "{compared}");
}

fn what_was_recorded_replays<S: Shell>(seed: u64) {
    let (mut world, hosts) = mesh::<S>(seed);
    for host in hosts {
        record(&mut world, host, BYTES_MAX_DEFAULT);
    }
    trouble(&mut world, hosts, |_| {});
    for host in &hosts[..2] {
        let bytes = save(&mut world, *host).to_bytes();
        let mut replay = Replay::open(bytes).unwrap();
        finish(&mut replay);
        let outcome = replay.outcome();
        assert_eq!(outcome.mismatch, None);
        assert!(outcome.checks > 20, "{outcome:?}");
        let node = node_of(&world, *host);
        assert_eq!(Some(replay.state_hash()), node.state_hash());
        assert_eq!(
            replay.node().entry("notes", "key 1"),
            node.entry("notes", "key 1")
        );
        assert_eq!(replay.position(), node.recording_status().inputs);
        assert!(replay.position() > 300, "{}", replay.position());
    }
}

#[test]
fn what_was_recorded_over_packets_replays_to_the_same_state() {
    (2..5).for_each(what_was_recorded_replays::<Typed>);
}

#[test]
fn what_was_recorded_over_streams_replays_to_the_same_state() {
    what_was_recorded_replays::<Endpoint>(5);
}

/// Every 32-byte secret that a node holds.
fn secrets(node: &Node) -> Vec<[u8; 32]> {
    let mut secrets = node.admission.secrets();
    secrets.push(node.keypair.expose_seed());
    secrets.iter().map(|secret| *secret.expose()).collect()
}

#[test]
fn no_secret_is_in_a_recording_of_those_who_let_in_and_are_let_in() {
    let mut world = World::<Typed>::new(6);
    let first = world.launch(Role::Relay, None).unwrap();
    record(&mut world, first, BYTES_MAX_DEFAULT);
    world.run_for(SECOND);
    let link = world.invite(first, Some(3));
    let relay = world.launch(Role::Relay, link.clone()).unwrap();
    record(&mut world, relay, BYTES_MAX_DEFAULT);
    let tab = world.launch(Role::Tab, link.clone()).unwrap();
    record(&mut world, tab, BYTES_MAX_DEFAULT);
    world.run_for(5 * SECOND);
    let mut known: Vec<[u8; 32]> = Vec::new();
    for host in [first, relay, tab] {
        known.extend(secrets(node_of(&world, host)));
    }
    known.extend(link.map(|link| *link.key.expose()));
    assert!(known.len() >= 8, "{}", known.len());
    for host in [first, relay, tab] {
        assert!(node_of(&world, host).is_admitted());
        let bytes = save(&mut world, host).to_bytes();
        for secret in &known {
            let found = bytes.windows(32).position(|window| window == secret);
            assert_eq!(found, None, "a secret is in the recording of {host}");
        }
        let mut replay = Replay::open(bytes).unwrap();
        assert_eq!(replay.node().is_admitted(), host == first);
        finish(&mut replay);
        assert_eq!(replay.outcome().mismatch, None, "host {host}");
        assert!(replay.node().is_admitted());
        let node = node_of(&world, host);
        assert_eq!(Some(replay.state_hash()), node.state_hash());
    }
}

#[test]
fn recording_changes_nothing_that_a_mesh_does() {
    let run = |recorded: bool| {
        let (mut world, hosts) = mesh::<Typed>(7);
        if recorded {
            record(&mut world, hosts[0], BYTES_MAX_DEFAULT);
        }
        trouble(&mut world, hosts, |_| {});
        world.trace_hash()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn going_back_and_forth_meets_the_same_states() {
    let (mut world, hosts) = mesh::<Typed>(8);
    record(&mut world, hosts[0], BYTES_MAX_DEFAULT);
    trouble(&mut world, hosts, |_| {});
    let mut replay = Replay::open(save(&mut world, hosts[0]).to_bytes()).unwrap();
    let mut hashes = Vec::from([(replay.state_hash(), replay.now())]);
    while let Some(step) = replay.step() {
        assert_eq!(step.number, replay.position());
        hashes.push((replay.state_hash(), replay.now()));
    }
    assert_eq!(replay.inputs(), replay.position());
    for _ in 0..100 {
        assert!(replay.step_back());
        let at = usize::try_from(replay.position()).unwrap();
        assert_eq!((replay.state_hash(), replay.now()), hashes[at]);
    }
    for at in [0, 7, 300, 40, 299, 301] {
        replay.go_to(at);
        assert_eq!(replay.position(), at);
        let at = usize::try_from(at).unwrap();
        assert_eq!((replay.state_hash(), replay.now()), hashes[at]);
        replay.seek(hashes[at + 50].1);
        let reached = usize::try_from(replay.position()).unwrap();
        assert!(reached >= at + 50);
        assert_eq!((replay.state_hash(), replay.now()), hashes[reached]);
    }
    assert!(!{
        replay.go_to(0);
        replay.step_back()
    });
    assert_eq!(replay.outcome().mismatch, None);
}

#[test]
fn a_ring_keeps_the_latest_within_its_bound() {
    let (mut world, hosts) = mesh::<Typed>(9);
    record(&mut world, hosts[0], BYTES_MAX_MIN);
    // Records that nobody asked for are recorded and leave nothing behind.
    let records = Vec::from([(1, Bytes::from([7; 4_096].as_slice()))]);
    for number in 0..600 {
        let loaded = StoreInput::Loaded {
            ticket: Ticket(u64::MAX),
            records: records.clone(),
        };
        world.command(hosts[0], loaded);
        world.run_for(SECOND / 10);
        let status = node_of(&world, hosts[0]).recording_status();
        assert!(status.bytes <= BYTES_MAX_MIN, "{number}: {status:?}");
    }
    let status = node_of(&world, hosts[0]).recording_status();
    assert!(status.running && status.dropped > 2, "{status:?}");
    assert!(status.segments > 2, "{status:?}");
    let mut replay = Replay::open(save(&mut world, hosts[0]).to_bytes()).unwrap();
    assert!(replay.span().0 > Time::ZERO + 30 * SECOND);
    finish(&mut replay);
    assert_eq!(replay.outcome().mismatch, None);
    let node = node_of(&world, hosts[0]);
    assert_eq!(Some(replay.state_hash()), node.state_hash());
}

#[test]
fn a_state_too_big_for_the_ring_stops_the_recording_and_says_so() {
    let (mut world, hosts) = mesh::<Typed>(10);
    record(&mut world, hosts[0], BYTES_MAX_MIN);
    for number in 0..40 {
        let key = format!("key {number}");
        world.write(hosts[0], "notes", &key, Some(&[7; 20_000]), AckLevel::Local);
        world.run_for(SECOND / 4);
    }
    let status = node_of(&world, hosts[0]).recording_status();
    let reason = status.reason.unwrap();
    assert!(
        !status.running && reason.contains("more than a quarter"),
        "{reason}"
    );
    let mut replay = Replay::open(save(&mut world, hosts[0]).to_bytes()).unwrap();
    finish(&mut replay);
    assert_eq!(replay.outcome().mismatch, None);
}

#[test]
fn a_stopped_recording_is_kept_and_a_new_one_begins_anew() {
    let (mut world, hosts) = mesh::<Typed>(11);
    assert_eq!(node_of(&world, hosts[0]).recording_status().inputs, 0);
    record(&mut world, hosts[0], BYTES_MAX_DEFAULT);
    world.run_for(2 * SECOND);
    world.node_mut(hosts[0]).unwrap().stop_recording();
    let kept = node_of(&world, hosts[0]).recording_status();
    assert!(!kept.running && kept.inputs > 10, "{kept:?}");
    assert_eq!(kept.reason.as_deref(), Some("it was asked to stop"));
    world.run_for(2 * SECOND);
    assert_eq!(node_of(&world, hosts[0]).recording_status(), kept);
    let mut replay = Replay::open(save(&mut world, hosts[0]).to_bytes()).unwrap();
    finish(&mut replay);
    assert_eq!(
        (replay.outcome().mismatch, replay.position()),
        (None, kept.inputs)
    );
    record(&mut world, hosts[0], BYTES_MAX_DEFAULT);
    world.run_for(SECOND);
    let anew = node_of(&world, hosts[0]).recording_status();
    assert!(anew.running && anew.inputs < kept.inputs, "{anew:?}");
}

/// The recording with its entries changed, in one segment.
fn changed(saving: &Saving, mut change: impl FnMut(&mut Entry)) -> Saving {
    let [segment] = saving.segments() else {
        panic!("one segment is expected");
    };
    let entries: Vec<u8> = segment.entries().flatten().copied().collect();
    let mut anew = Segment::new(segment.head, segment.snapshot.clone());
    let mut reader = Reader::new(&entries);
    while let Some(read) = reader.next() {
        let (since, mut entry) = read.unwrap();
        change(&mut entry);
        let mut bytes = Vec::new();
        match entry {
            Entry::Said(said) => entry::write_said(&mut bytes, said),
            Entry::State(hash) => entry::write_state(&mut bytes, hash),
            Entry::Input { input, signatures } => {
                let room = &mut Vec::new();
                entry::write_blind(&mut bytes, room, since, input.as_deref());
                entry::write_signatures(&mut bytes, &signatures);
            }
        }
        anew.append(&bytes);
    }
    Saving::new(saving.about().clone(), Vec::from([Arc::new(anew)]))
}

fn recorded_writes(seed: u64) -> Saving {
    let (mut world, hosts) = mesh::<Typed>(seed);
    record(&mut world, hosts[0], BYTES_MAX_DEFAULT);
    trouble(&mut world, hosts, |_| {});
    save(&mut world, hosts[0])
}

#[test]
fn an_input_that_was_changed_is_told_as_the_first_mismatch() {
    let saving = recorded_writes(12);
    let mut same = Replay::open(changed(&saving, |_| {}).to_bytes()).unwrap();
    finish(&mut same);
    assert_eq!(same.outcome().mismatch, None);
    let mut number = 0;
    let mut changed_at = 0;
    let changed = changed(&saving, |entry| {
        let Entry::Input { input, .. } = entry else {
            return;
        };
        number += 1;
        let Some(Input::Command(Command::Host(HostInput::Request {
            request: Request::Write { value, .. },
            ..
        }))) = input.as_deref_mut()
        else {
            return;
        };
        if number > 200 && changed_at == 0 {
            changed_at = number;
            *value = Some(Bytes::from(b"another value".as_slice()));
        }
    });
    let mut replay = Replay::open(changed.to_bytes()).unwrap();
    finish(&mut replay);
    let mismatch = replay.outcome().mismatch.unwrap();
    assert_eq!(mismatch.what, What::State);
    assert!(mismatch.inputs >= changed_at, "{mismatch:?} {changed_at}");
    assert_ne!(mismatch.recorded, mismatch.replayed);
    assert_eq!(replay.step(), None);
    let stuck_at = replay.position();
    replay.go_to(changed_at - 1);
    assert_eq!(replay.position(), changed_at - 1);
    finish(&mut replay);
    assert_eq!(replay.position(), stuck_at);
}

#[test]
fn a_write_that_is_left_out_is_noticed_by_what_the_node_says_or_signs() {
    let saving = recorded_writes(13);
    let mut number = 0;
    let changed = changed(&saving, |entry| {
        let Entry::Input { input, .. } = entry else {
            return;
        };
        let is_write = matches!(
            input.as_deref(),
            Some(Input::Command(Command::Host(HostInput::Request {
                request: Request::Write { .. },
                ..
            })))
        );
        number += u32::from(is_write);
        if is_write && number == 3 {
            *input = None;
        }
    });
    let mut replay = Replay::open(changed.to_bytes()).unwrap();
    finish(&mut replay);
    let mismatch = replay.outcome().mismatch.unwrap();
    assert!(
        matches!(mismatch.what, What::Signatures | What::Said),
        "{mismatch:?}"
    );
}

#[test]
fn a_file_that_is_cut_off_or_changed_is_refused_and_says_what_is_whole() {
    let (mut world, hosts) = mesh::<Typed>(14);
    record(&mut world, hosts[0], BYTES_MAX_MIN);
    for number in 0..100 {
        let key = format!("key {}", number % 5);
        world.write(hosts[1], "notes", &key, Some(&[7; 4_096]), AckLevel::Relay);
        world.run_for(SECOND / 10);
    }
    let bytes = save(&mut world, hosts[0]).to_bytes();
    assert!(Replay::open(bytes.clone()).unwrap().segments() > 1);
    let stride = bytes.len() / 97;
    let (mut with_span, mut without) = (0, 0);
    for at in (0..bytes.len()).step_by(stride) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        for broken in [flipped, bytes[..at].to_vec()] {
            match Replay::open(broken.clone()).unwrap_err() {
                OpenError::Damaged { span: Some(_), .. } => {
                    with_span += 1;
                    let mut whole = Replay::open_damaged(broken).unwrap();
                    finish(&mut whole);
                    assert_eq!(whole.outcome().mismatch, None);
                }
                OpenError::Damaged { span: None, .. }
                | OpenError::NoRecording
                | OpenError::Format { .. }
                | OpenError::Empty => {
                    without += 1;
                    assert!(Replay::open_damaged(broken).is_err());
                }
                OpenError::Snapshot(error) => panic!("{error}"),
            }
        }
    }
    assert!(with_span > 20 && without > 20, "{with_span} {without}");
}
