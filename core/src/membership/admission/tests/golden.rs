//! The bytes of version 1, pinned in `tests/golden/wire-v1-admission.hex`; a message a line, `name hex`.

use super::*;
use crate::{
    kernel::crypto::encode,
    membership::spore::{Authority, Pointer},
};
use alloc::format;

const ADMISSION: &str = include_str!("../../../../../tests/golden/wire-v1-admission.hex");

/// Every variant has a line: a new one has no name before it is pinned.
const fn name(message: &Message) -> &'static str {
    match message {
        Message::Welcome { .. } => "welcome",
    }
}

fn messages() -> Vec<Message> {
    let founded = founded();
    let mut spore = Spore::new(founded.network);
    spore.add_entry("tcp://10.0.0.1:7600".parse().unwrap());
    spore.add(Pointer {
        authority: Authority::Gossip,
        last_seen: WALL,
        id: id(3),
        role: Role::Relay,
        addresses: alloc::vec!["ws://10.0.0.3:7600".parse().unwrap()],
    });
    alloc::vec![Message::Welcome {
        genesis: founded.document,
        epoch: 300,
        isolation_key: Secret::from_bytes([6; 32]),
        spore,
    }]
}

#[test]
fn the_messages_of_admission_are_the_pinned_bytes() {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let lines = messages()
        .into_iter()
        .map(|message| format!("{} {}", name(&message), hex(&encode(&message))));
    let now: Vec<String> = lines.collect();
    let pinned = ADMISSION.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
    let numbers: Vec<u8> = messages()
        .iter()
        .map(|message| encode(message)[0])
        .collect();
    assert!(numbers.into_iter().eq(0..1), "every variant, in order");
}
