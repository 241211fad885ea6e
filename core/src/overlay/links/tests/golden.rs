//! The bytes of version 1, pinned in `tests/golden/wire-v1-links.hex`; a message a line, `name hex`.

use super::*;
use alloc::{format, string::String};

const LINKS: &str = include_str!("../../../../../tests/golden/wire-v1-links.hex");

/// Every variant has a line: a new one has no name before it is pinned.
const fn name(message: &Message) -> &'static str {
    match message {
        Message::Ping { .. } => "ping",
        Message::Pong { .. } => "pong",
    }
}

#[test]
fn the_messages_of_links_are_the_pinned_bytes() {
    let messages = [
        Message::Ping { nonce: 300 },
        Message::Pong { nonce: u64::MAX },
    ];
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let lines = messages
        .iter()
        .map(|message| format!("{} {}", name(message), hex(&encode(message))));
    let now: Vec<String> = lines.collect();
    let pinned = LINKS.lines().filter(|line| !line.starts_with('#'));
    let pinned: Vec<&str> = pinned.collect();
    assert!(now == pinned, "the bytes are now:\n{}", now.join("\n"));
    let numbers: Vec<u8> = messages.iter().map(|message| encode(message)[0]).collect();
    assert!(numbers.into_iter().eq(0..2), "every variant, in order");
}
