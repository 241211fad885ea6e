//! One node by itself: what its machines say is taken, what it must not lose is stored.

use crate::{
    kernel::{
        component::Component,
        crypto::Keypair,
        id::{RequestId, Role},
        machine::{Input, Machine, Output},
        store::{StoreBatch, StoreOp, Stored},
        text::{Key, Name, Namespace, Text},
        time::{Duration, Time, WallTime},
    },
    membership::{admission, swim},
    node::{
        Node,
        config::Config,
        contract::{Event, HostOutput, StoreInput, StoreOutput},
        setup::Setup,
    },
    observe::{
        alerts::{
            self,
            record::{Channel, Grade},
        },
        vitals,
    },
    overlay::{links, reach},
    recovery::{journal, record::Origin},
    replication::{replica, write::AckLevel},
};
use alloc::{collections::BTreeSet, string::String, vec::Vec};

fn relay() -> Node {
    let setup = Setup {
        may_found: true,
        config: Config {
            role: Role::Relay,
            name: Name::clean("single"),
            zone: None,
            location: None,
            addresses: alloc::vec!["tcp://127.0.0.1:7600".parse().unwrap()],
            version: "0".into(),
            network_name: Name::clean("test"),
            entries: Vec::new(),
            history_bytes_max: 0,
        },
        entropy: [7; 32],
        wall: WallTime::from_millis(1_767_225_600_000),
        stored: Stored::default(),
        join: None,
    };
    Node::start(setup, Time::ZERO).unwrap()
}

fn batches(node: &mut Node) -> Vec<StoreBatch> {
    let mut batches = Vec::new();
    while let Some(output) = node.poll_output() {
        if let Output::Event(Event::Host(HostOutput::Store(StoreOutput::Persist(batch)))) = output {
            batches.push(batch);
        }
    }
    batches
}

/// The keys that a batch sets.
fn puts(batch: &StoreBatch) -> impl Iterator<Item = String> {
    batch.ops.iter().filter_map(|op| match op {
        StoreOp::Put { key, .. } => Some(key.clone()),
        StoreOp::Append { .. }
        | StoreOp::Delete { .. }
        | StoreOp::Truncate { .. }
        | StoreOp::DropBefore { .. } => None,
    })
}

/// Makes one machine say something, past the node.
fn provoke(node: &mut Node, machine: &str) {
    let now = node.now;
    let request = RequestId(1);
    match machine {
        "links" => {
            let entry = "tcp://127.0.0.1:7601".parse().unwrap();
            let command = links::Command::Entry(entry);
            node.links.handle_input(now, Input::Command(command));
            node.links.handle_timeout(now);
        }
        "admission" => {
            let command = admission::Command::Invite {
                request,
                ttl: Duration::from_secs(60),
                uses_max: None,
                role: None,
            };
            node.admission.handle_input(now, Input::Command(command));
        }
        "swim" => {
            let command = Input::Command(swim::Command::Leave);
            node.swim.handle_input(now, command);
        }
        "replica" => {
            let command = replica::Command::Write {
                request,
                namespace: Namespace::new("n").unwrap(),
                key: Key::new("k").unwrap(),
                value: None,
                level: AckLevel::Local,
            };
            node.replica.handle_input(now, Input::Command(command));
        }
        "reach" => {
            let command = reach::Command::Check { request };
            node.reach.handle_input(now, Input::Command(command));
        }
        "vitals" => {
            let peer = Keypair::from_seed(&[9; 32]).id();
            let command = vitals::Command::PeerUp { peer };
            node.vitals.handle_input(now, Input::Command(command));
            node.vitals.handle_timeout(now + Duration::from_secs(1));
        }
        "alerts" => {
            let channel = Channel {
                name: Name::clean("ops"),
                kind: Text::clean("log"),
                grade_min: Grade::Low,
            };
            let command = alerts::Command::Channels(alloc::vec![channel]);
            node.alerts.handle_input(now, Input::Command(command));
        }
        "journal" => {
            let command = journal::Command::Load {
                origin: Origin::Node,
                token: 1,
                sequences: alloc::vec![1],
            };
            node.journal.handle_input(now, Input::Command(command));
        }
        other => panic!("{other} is on the list of machines, and this test does not know it"),
    }
}

fn has_output(node: &Node, machine: &str) -> bool {
    let listed = node.components();
    let found = listed.iter().find(|listed| listed.name() == machine);
    found.unwrap().due_at() == Some(Time::ZERO)
}

#[test]
fn the_pump_drains_every_machine_on_the_list() {
    let names = relay().components().map(Component::name);
    for name in names {
        let mut node = relay();
        let _ = batches(&mut node);
        provoke(&mut node, name);
        assert!(has_output(&node, name), "{name} says nothing");
        assert!(node.check().is_err(), "{name}: the check notices nothing");
        node.pump();
        for name in names {
            assert!(!has_output(&node, name), "{name} is not drained");
        }
    }
}

#[test]
fn machines_have_names_and_metrics_of_their_own() {
    let node = relay();
    let names: BTreeSet<&str> = node.components().map(Component::name).into();
    assert_eq!(names.len(), node.components().len());
    let settings = node.components().map(|machine| machine.settings().name());
    assert_eq!(settings, node.components().map(Component::name));
    let metrics = node.metrics(Time::ZERO);
    let series: BTreeSet<_> = metrics.iter().map(|m| (m.name, &m.label)).collect();
    assert_eq!(series.len(), metrics.len(), "two values under one name");
}

#[test]
fn what_a_start_cannot_do_without_is_written_again_once_a_full_store_has_room() {
    let needed = ["node/identity", "node/network", "genesis", "isolation/0"];
    let mut node = relay();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    // The first batch holds the identity alone, the next ones come when it was answered.
    for _ in 0..10 {
        for batch in batches(&mut node) {
            refused.extend(puts(&batch));
            let (ticket, full) = (batch.ticket, true);
            let answer = StoreInput::PersistFailed { ticket, full };
            node.handle_input(Time::ZERO, Input::Command(answer.into()));
        }
    }
    for key in needed {
        assert!(refused.contains(key), "{key} of {refused:?}");
    }
    assert_eq!(node.unsaved(), needed.len());
    let mut stored: BTreeSet<String> = BTreeSet::new();
    let mut now = Time::ZERO;
    for _ in 0..10 {
        now = now + Duration::from_secs(3);
        node.handle_timeout(now);
        for batch in batches(&mut node) {
            stored.extend(puts(&batch));
            let persisted = StoreInput::Persisted(batch.ticket);
            node.handle_input(now, Input::Command(persisted.into()));
        }
    }
    for key in needed {
        assert!(stored.contains(key), "{key} of {stored:?}");
    }
    assert_eq!(node.unsaved(), 0);
}

#[test]
fn what_the_store_has_confirmed_is_not_written_again() {
    let mut node = relay();
    let mut written: Vec<String> = Vec::new();
    let mut full = true;
    for second in 1..20 {
        let now = Time::ZERO + Duration::from_secs(second);
        for batch in batches(&mut node) {
            let ticket = batch.ticket;
            // The first batch is refused, all later ones are kept.
            let answer = if full {
                StoreInput::PersistFailed { ticket, full }
            } else {
                written.extend(puts(&batch));
                StoreInput::Persisted(ticket)
            };
            full = false;
            node.handle_input(now, Input::Command(answer.into()));
        }
        node.handle_timeout(now);
    }
    let times = |key: &str| written.iter().filter(|put| *put == key).count();
    assert_eq!(times("node/identity"), 1, "{written:?}");
    assert_eq!(node.unsaved(), 0);
}
