//! The bytes of version 1, pinned in `tests/golden/wire-v1-swim.hex`; a message a line, `name hex`.

use super::{
    hostile::{accusation, record, record_of},
    world::{NETWORK, keypair},
};
use crate::{
    kernel::{
        crypto::{Hash, Verified, encode},
        id::{Incarnation, Role},
    },
    membership::{
        dissemination::Rumour,
        member::{Lease, MemberState, Standing},
        swim::{Message, TableEntry},
    },
};
use alloc::{format, string::String, vec, vec::Vec};

const SWIM: &str = include_str!("../../../../../tests/golden/wire-v1-swim.hex");

/// Every variant has a line: a new one has no name before it is pinned.
const fn name(message: &Message) -> &'static str {
    match message {
        Message::Ping { .. } => "ping",
        Message::Ack { .. } => "ack",
        Message::PingReq { .. } => "ping-req",
        Message::Nack { .. } => "nack",
        Message::Gossip { .. } => "gossip",
        Message::TableDigest { .. } => "table-digest",
        Message::TablePage { .. } => "table-page",
        Message::TableDiff { .. } => "table-diff",
        Message::TableEntries { .. } => "table-entries",
    }
}

fn messages() -> Vec<Message> {
    let (relay, tab) = (keypair(1).id(), keypair(5).id());
    let lease = Lease {
        home: relay,
        tab,
        incarnation: Incarnation(2),
        sequence: 300,
        attached: true,
        ttl_ms: 30_000,
    };
    let lease = Verified::seal(lease, &keypair(1), NETWORK).to_signed();
    let word = accusation(0, 1, Incarnation(3));
    let Rumour::Accusation(accused) = word.clone() else {
        panic!("no accusation");
    };
    let rumours = vec![
        Rumour::Record(record_of(5, 2, 7, Role::Tab, Standing::Parked)),
        word,
        Rumour::Lease(lease.clone()),
    ];
    let entries = vec![TableEntry {
        record: record(1, 3, 9),
        state: MemberState::Suspect,
        accusations: vec![accused.clone()],
        leases: vec![lease],
    }];
    vec![
        Message::Ping {
            sequence: 300,
            accusations: vec![accused],
            rumours: rumours.clone(),
        },
        Message::Ack {
            sequence: 300,
            rumours: Vec::new(),
        },
        Message::PingReq {
            sequence: 301,
            target: relay,
            rumours: Vec::new(),
        },
        Message::Nack { sequence: 301 },
        Message::Gossip { rumours },
        Message::TableDigest {
            hash: Hash::of("golden", &[b"table"]),
        },
        Message::TablePage {
            after: None,
            through: Some(tab),
            entries: vec![
                (relay, Incarnation(3), MemberState::Dead),
                (tab, Incarnation(2), MemberState::Parked),
            ],
        },
        Message::TableDiff {
            through: Some(relay),
            entries: entries.clone(),
            want: vec![tab],
        },
        Message::TableEntries { entries },
    ]
}

#[test]
fn the_messages_of_membership_are_the_pinned_bytes() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let lines = messages()
        .into_iter()
        .map(|message| format!("{} {}", name(&message), hex(&encode(&message))));
    let now: Vec<String> = lines.collect();
    let pinned = SWIM.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
    let numbers: Vec<u8> = messages()
        .iter()
        .map(|message| encode(message)[0])
        .collect();
    assert!(numbers.into_iter().eq(0..9), "every variant, in order");
}
