//! The bytes of version 1, pinned: a change of the format shows as a change of `tests/golden/`.
//!
//! A file has one value a line, `name hex`; lines with `#` are for people. A new protocol version
//! gets new files; the old ones stay as long as the version is spoken.

use super::*;
use crate::wire::{
    frame::{FrameHeader, Part},
    hello::{Answer, Hello},
};
use alloc::{format, string::String};

const CLEAR: &str = include_str!("../../../../../tests/golden/wire-v1-clear.hex");
const FRAMES: &str = include_str!("../../../../../tests/golden/wire-v1-frames.hex");
const SESSION: &str = include_str!("../../../../../tests/golden/wire-v1-session.hex");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The named values of a golden file.
fn golden(file: &str) -> Vec<(String, Vec<u8>)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(' '));
    pairs
        .map(|(name, value)| (name.into(), unhex(value)))
        .collect()
}

/// The values are exactly those of the file; if not, the message holds the file as it would be.
#[track_caller]
fn assert_golden(file: &str, values: &[(String, Vec<u8>)]) {
    let lines: Vec<_> = values
        .iter()
        .map(|(name, bytes)| format!("{name} {}", hex(bytes)))
        .collect();
    assert!(
        golden(file) == values,
        "the bytes are now:\n{}",
        lines.join("\n")
    );
}

fn clear_messages() -> Vec<(&'static str, Clear)> {
    let hello = |hint| Clear::Hello(Hello::new(NETWORK, (1, 2), 0x0102_0304_0506_0708, &hint));
    let issuer = NodeId::from_bytes([9; 32]);
    let refusal = Clear::Refusal;
    vec![
        ("hello-isolation", hello(KeyHint::Isolation { epoch: 300 })),
        ("hello-invite", hello(KeyHint::Invite(invitation()))),
        (
            "answer",
            Clear::Answer(Answer {
                version: 1,
                features: 5,
                nonce: [6; 16],
            }),
        ),
        ("refusal-wrong-network", refusal(CloseReason::WrongNetwork)),
        ("refusal-wrong-key", refusal(CloseReason::WrongKey)),
        (
            "refusal-version-mismatch",
            refusal(CloseReason::VersionMismatch { min: 1, max: 300 }),
        ),
        (
            "refusal-invite-elsewhere",
            refusal(CloseReason::InviteElsewhere { issuer }),
        ),
        ("refusal-busy", refusal(CloseReason::Busy)),
    ]
}

#[test]
fn clear_messages_are_pinned() {
    let values: Vec<_> = clear_messages()
        .into_iter()
        .map(|(name, clear)| (name.into(), clear.encode()))
        .collect();
    assert_golden(CLEAR, &values);
    for ((_, clear), (_, bytes)) in clear_messages().into_iter().zip(golden(CLEAR)) {
        assert_eq!(Clear::decode(&bytes), Ok(clear));
    }
}

#[test]
fn every_reason_keeps_its_number() {
    let values: Vec<_> = close::all_reasons()
        .into_iter()
        .map(|reason| {
            let name = format!("close-{}", reason.code());
            (name, Control::Close(reason).encode_frame())
        })
        .collect();
    let pinned: Vec<_> = golden(FRAMES)
        .into_iter()
        .filter(|(name, _)| name.starts_with("close-"))
        .collect();
    let lines: Vec<_> = values
        .iter()
        .map(|(name, bytes)| format!("{name} {}", hex(bytes)))
        .collect();
    assert!(pinned == values, "the bytes are now:\n{}", lines.join("\n"));
}

#[test]
fn frame_headers_are_pinned() {
    let header = |kind, part, class, length| {
        let mut bytes = Vec::new();
        FrameHeader {
            kind,
            part,
            class,
            length,
        }
        .encode_into(&mut bytes);
        bytes
    };
    let total = 0x0008_0000;
    let values = vec![
        ("whole".into(), header(1, Part::Whole, Class::Critical, 5)),
        (
            "first".into(),
            header(0x0203, Part::First { total }, Class::High, 16_384),
        ),
        (
            "middle".into(),
            header(0x0203, Part::Middle, Class::Normal, 16_384),
        ),
        ("last".into(), header(0x0203, Part::Last, Class::Low, 1)),
    ];
    let pinned: Vec<_> = golden(FRAMES)
        .into_iter()
        .filter(|(name, _)| !name.starts_with("close-"))
        .collect();
    let lines: Vec<_> = values
        .iter()
        .map(|(name, bytes): &(String, Vec<u8>)| format!("{name} {}", hex(bytes)))
        .collect();
    assert!(pinned == values, "the bytes are now:\n{}", lines.join("\n"));
}

/// A whole session, byte for byte: hello to close, with a fragmented body.
#[test]
fn a_whole_session_is_pinned() {
    let mut ann = params(1);
    ann.limits.fragment_bytes_max = 64;
    let mut pair = Pair::new(ann, params(2));
    pair.run();
    pair.ann
        .session
        .send(Class::Normal, 0x0102, vec![0xab; 100])
        .unwrap();
    pair.run();
    pair.bob.session.close(NOW, CloseReason::Leaving);
    pair.run();
    let values: Vec<_> = pair
        .tape
        .into_iter()
        .map(|(way, bytes)| {
            let name = match way {
                Way::ToBob => "initiator",
                Way::ToAnn => "responder",
            };
            (name.into(), bytes)
        })
        .collect();
    assert_golden(SESSION, &values);
}

/// A peer of the recorded session, replaced by the recording, is understood to the last byte.
#[test]
fn the_recorded_session_of_version_1_is_still_understood() {
    let mut ann = params(1);
    ann.limits.fragment_bytes_max = 64;
    let mut bob = Side::new(Session::accept(params(2), [2; 32], NOW));
    let mut ann = Side::new(Session::initiate(ann, HINT, key(), None, [1; 32], NOW));
    for (speaker, message) in golden(SESSION) {
        let (speaker, listener) = if speaker == "initiator" {
            (&mut ann, &mut bob)
        } else {
            (&mut bob, &mut ann)
        };
        speaker.session.poll_transmit();
        listener.hear(&message);
    }
    assert_eq!(bob.bodies(), [(0x0102, vec![0xab; 100])]);
    assert_eq!(ann.closed(), [CloseReason::Leaving]);
}
