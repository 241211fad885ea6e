//! Bodies in and out: fragments, priorities, bounds.

use super::*;
use crate::{
    kernel::crypto::encode,
    wire::{
        frame::{FrameHeader, Part, split_frame},
        session::{
            queue::{STARVATION_QUANTA, SendQueues},
            reassembly::Reassembly,
        },
    },
};
use proptest::prelude::*;

/// Seals frames as a peer would that holds Bob's keys and keeps no rules, and gives them to Ann.
fn ann_hears(pair: &mut Pair, plaintext: &[u8]) {
    let Phase::Up(cipher) = &mut pair.bob.session.phase else {
        panic!("bob is up");
    };
    let message = link::sealed(&cipher.seal(plaintext).unwrap());
    pair.ann.hear(&message);
}

fn frame(kind: u16, part: Part, length: u32) -> Vec<u8> {
    let header = FrameHeader {
        kind,
        part,
        class: Class::Low,
        length,
    };
    let mut bytes = Vec::new();
    header.encode_into(&mut bytes);
    bytes.resize(bytes.len() + length as usize, 9);
    bytes
}

#[test]
fn the_longest_body_travels_in_fragments_and_arrives_whole() {
    let mut pair = Pair::up();
    let body: Vec<u8> = (0..512_u32 << 10)
        .map(|n| n as u8 ^ (n >> 8) as u8)
        .collect();
    for class in Class::ALL {
        pair.ann.session.send(class, 11, body.clone()).unwrap();
    }
    let before = pair.tape.len();
    pair.run();
    assert_eq!(pair.bob.bodies(), vec![(11, body); 4]);
    assert_eq!(pair.tape.len() - before, 4 * 32);
    let longest = pair.tape.iter().map(|(_, message)| message.len()).max();
    assert!(longest.unwrap() <= (16 << 10) + 12 + 17);
    assert_eq!(pair.ann.session.queued_bytes(), 0);
    let (ann, bob) = (pair.ann.session.stats(), pair.bob.session.stats());
    assert_eq!((ann.frames_out, ann.bodies_out), (128, 4));
    assert_eq!((bob.frames_in, bob.bodies_in), (128, 4));
    assert_eq!(
        (ann.bytes_out, ann.messages_out),
        (bob.bytes_in, bob.messages_in)
    );
}

#[test]
fn small_bodies_share_a_message() {
    let mut pair = Pair::up();
    for number in 0..100 {
        pair.ann
            .session
            .send(Class::High, 8, vec![number; 20])
            .unwrap();
    }
    let before = pair.tape.len();
    pair.run();
    assert_eq!(pair.tape.len() - before, 1);
    assert_eq!(pair.bob.bodies().len(), 100);
}

#[test]
fn fragments_can_be_as_short_as_one_byte() {
    for fragment in [0, 1] {
        let mut ann = params(1);
        ann.limits.fragment_bytes_max = fragment;
        let mut pair = Pair::new(ann, params(2));
        pair.run();
        pair.ann
            .session
            .send(Class::Normal, 8, vec![3; 50])
            .unwrap();
        pair.run();
        assert_eq!(pair.bob.bodies(), [(8, vec![3; 50])]);
        assert_eq!(pair.ann.session.stats().frames_out, 50);
    }
}

#[test]
fn a_heartbeat_behind_bulk_leaves_within_one_fragment() {
    let mut pair = Pair::up();
    for class in [Class::High, Class::Normal, Class::Low] {
        pair.ann.session.send(class, 8, vec![1; 300 << 10]).unwrap();
    }
    for _ in 0..5 {
        let bulk = pair.ann.session.poll_transmit().unwrap();
        pair.bob.hear(&bulk);
    }
    pair.ann
        .session
        .send(Class::Critical, 7, vec![2; 50])
        .unwrap();
    let next = pair.ann.session.poll_transmit().unwrap();
    pair.bob.hear(&next);
    assert_eq!(pair.bob.bodies(), [(7, vec![2; 50])]);
    pair.run();
    assert_eq!(pair.bob.bodies().len(), 4);
}

#[test]
fn a_body_that_does_not_fit_is_refused_and_counted() {
    let mut small = params(2);
    small.limits.message_bytes_max = 1_000;
    let mut pair = Pair::new(params(1), small);
    let refused = pair.ann.session.send(Class::Low, 1, vec![]);
    assert_eq!(refused, Err(SendError::NotUp));
    pair.run();
    let ann = &mut pair.ann.session;
    assert_eq!(
        ann.send(Class::Low, 0, vec![]),
        Err(SendError::ReservedKind)
    );
    let refused = ann.send(Class::Low, 1, vec![0; 1_001]);
    assert_eq!(refused, Err(SendError::TooLarge), "the peer's limit holds");
    let class = Class::Critical;
    for _ in 0..(1 << 20) / 1_008 {
        ann.send(class, 1, vec![0; 1_000]).unwrap();
    }
    assert_eq!(ann.queued_bytes(), (1 << 20) / 1_008 * 1_008);
    let refused = ann.send(class, 1, vec![0; 1_000]);
    assert_eq!(refused, Err(SendError::Full { class }));
    ann.send(Class::Low, 1, vec![0; 1_000]).unwrap();
    let stats = ann.stats();
    assert_eq!(stats.refused_full, [1, 0, 0, 0]);
    assert_eq!(stats.refused_large, 1);
}

#[test]
fn a_body_longer_than_its_queue_is_too_large() {
    let mut ann = params(1);
    ann.limits.queue_bytes_max = [100; 4];
    let mut pair = Pair::new(ann, params(2));
    pair.run();
    let ann = &mut pair.ann.session;
    assert_eq!(
        ann.send(Class::High, 1, vec![0; 93]),
        Err(SendError::TooLarge)
    );
    assert_eq!(ann.send(Class::High, 1, vec![0; 92]), Ok(()));
    let class = Class::High;
    assert_eq!(ann.send(class, 1, vec![]), Err(SendError::Full { class }));
}

#[test]
fn an_oversized_body_is_refused_when_it_is_announced() {
    for announced in [(512 << 10) + 1, u32::MAX] {
        let mut pair = Pair::up();
        ann_hears(&mut pair, &frame(1, Part::First { total: announced }, 10));
        pair.run();
        pair.assert_closed(CloseReason::Oversized);
    }
    let first = frame(1, Part::First { total: 400 << 10 }, 10);
    let mut reassembly = Reassembly::new(512 << 10);
    let (first, _) = split_frame(&first).unwrap();
    assert_eq!(reassembly.accept(first), Ok(None));
    assert!(
        reassembly.bytes() < 100,
        "nothing is reserved for what was announced"
    );
    let mut reassembly = Reassembly::new(5);
    assert_eq!(reassembly.accept(first), Err(CloseReason::Oversized));
    assert_eq!(reassembly.bytes(), 0);
    let whole = frame(1, Part::Whole, 6);
    let (whole, _) = split_frame(&whole).unwrap();
    assert_eq!(reassembly.accept(whole), Err(CloseReason::Oversized));
}

#[test]
fn frames_that_do_not_fit_together_end_the_session() {
    let first = |total, length| frame(1, Part::First { total }, length);
    let cases = [
        vec![],
        vec![0; 3],
        frame(1, Part::Middle, 1),
        frame(1, Part::Last, 1),
        first(10, 10),
        first(10, 11),
        first(10, 0),
        [first(10, 5), first(10, 5)].concat(),
        [first(10, 5), frame(1, Part::Whole, 1)].concat(),
        [first(10, 5), frame(1, Part::Middle, 5)].concat(),
        [first(10, 5), frame(1, Part::Middle, 0)].concat(),
        [first(10, 5), frame(1, Part::Last, 4)].concat(),
        [first(10, 5), frame(1, Part::Last, 6)].concat(),
        [first(10, 5), frame(2, Part::Last, 5)].concat(),
        frame(0, Part::Whole, 3),
        frame(0, Part::First { total: 9 }, 3),
        [frame(1, Part::Whole, 3), vec![1]].concat(),
    ];
    for plaintext in cases {
        let mut pair = Pair::up();
        ann_hears(&mut pair, &plaintext);
        pair.run();
        pair.assert_closed(CloseReason::Protocol);
    }
}

#[test]
fn a_second_proof_of_identity_is_a_breach_of_the_protocol() {
    let mut pair = Pair::up();
    let proof = crate::wire::control::IdentityProof {
        direction: crate::wire::control::Direction::FromResponder,
        handshake: [0; 32],
        id: params(2).keypair.id(),
        incarnation: Incarnation(2),
        instance: InstanceId(2),
        role: Role::Relay,
        message_bytes_max: 9,
    };
    let proof =
        crate::kernel::crypto::Verified::seal(proof, &params(2).keypair, NETWORK).to_signed();
    ann_hears(&mut pair, &Control::Proof(proof).encode_frame());
    pair.run();
    pair.assert_closed(CloseReason::Protocol);
}

#[test]
fn fragments_of_all_classes_interleave() {
    let mut pair = Pair::up();
    let mut plaintext = Vec::new();
    for part in [Part::First { total: 6 }, Part::Middle, Part::Last] {
        for class in Class::ALL {
            let header = FrameHeader {
                kind: 3,
                part,
                class,
                length: 2,
            };
            header.encode_into(&mut plaintext);
            plaintext.extend_from_slice(&[class.index(); 2]);
        }
    }
    ann_hears(&mut pair, &plaintext);
    let bodies: Vec<_> = (0..4).map(|class| (3, vec![class; 6])).collect();
    assert_eq!(pair.ann.bodies(), bodies);
}

#[test]
fn an_owner_that_does_not_poll_ends_the_session_and_not_the_process() {
    let mut pair = Pair::up();
    let plaintext = frame(1, Part::Whole, 0).repeat(8_000);
    let Phase::Up(cipher) = &mut pair.bob.session.phase else {
        panic!("bob is up");
    };
    let messages: Vec<_> = (0..10)
        .map(|_| link::sealed(&cipher.seal(&plaintext).unwrap()))
        .collect();
    for message in messages {
        pair.ann.session.handle_bytes(NOW, &message);
    }
    assert_eq!(pair.ann.session.poll_timeout(), Some(Time::ZERO));
    pair.run();
    pair.assert_closed(CloseReason::Overload);
    assert!(pair.ann.bodies().len() <= (4 << 20) / 64);
}

#[test]
fn a_waiting_classes_share_is_by_its_weight() {
    let limits = SessionLimits {
        queue_bytes_max: [64 << 20; 4],
        ..SessionLimits::default()
    };
    let mut queues = SendQueues::new(&limits, 16 << 10);
    for class in Class::ALL {
        for _ in 0..200 {
            queues.push(class, 1, vec![0; 100_000]).unwrap();
        }
    }
    let mut sent = [0_u32; 4];
    for _ in 0..1_000 {
        for (class, bytes) in drain_message(&mut queues) {
            sent[class.index() as usize] += bytes;
        }
    }
    let share = |class: usize| sent[class] as f64 / sent[3] as f64;
    assert!((7.8..9.5).contains(&share(0)), "{sent:?}");
    assert!((3.8..4.2).contains(&share(1)), "{sent:?}");
    assert!((1.9..2.1).contains(&share(2)), "{sent:?}");
}

/// The classes and bytes of the next message's frames.
fn drain_message(queues: &mut SendQueues) -> Vec<(Class, u32)> {
    let plaintext = queues.pack().map(|packed| packed.plaintext);
    let plaintext = plaintext.unwrap_or_default();
    let mut rest = plaintext.as_slice();
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, left) = split_frame(rest).unwrap();
        let bytes = frame.header.length + frame.header.part.header_bytes();
        frames.push((frame.header.class, bytes));
        rest = left;
    }
    frames
}

fn class() -> impl Strategy<Value = Class> {
    (0_u8..4).prop_map(|index| Class::from_index(index).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bodies arrive whole, each class in its order, however they are mixed.
    #[test]
    fn what_is_sent_arrives_in_the_order_of_its_class(
        bodies in proptest::collection::vec((class(), 0_usize..2_000), 1..40),
        fragment in prop_oneof![Just(16_u32), 16_u32..500],
        drains in proptest::collection::vec(0_usize..4, 40),
    ) {
        let mut ann = params(1);
        ann.limits.fragment_bytes_max = fragment;
        let mut pair = Pair::new(ann, params(2));
        pair.run();
        for (number, (class, length)) in bodies.iter().enumerate() {
            let body = vec![number as u8; *length];
            pair.ann.session.send(*class, u16::from(class.index()) + 1, body).unwrap();
            pair.run_for(drains[number]);
        }
        pair.run();
        let arrived = pair.bob.bodies();
        for class in Class::ALL {
            let sent: Vec<_> = bodies.iter().enumerate()
                .filter(|(_, (c, _))| *c == class)
                .map(|(number, (_, length))| vec![number as u8; *length])
                .collect();
            let kind = u16::from(class.index()) + 1;
            let got: Vec<_> = arrived.iter()
                .filter(|(k, _)| *k == kind)
                .map(|(_, body)| body.clone())
                .collect();
            prop_assert_eq!(got, sent);
        }
        prop_assert_eq!(pair.ann.session.queued_bytes(), 0);
    }

    /// The two bounds that the queue's doc states, under arbitrary arrivals.
    #[test]
    fn no_class_starves_and_critical_waits_for_one_fragment_at_most(
        arrivals in proptest::collection::vec(
            (class(), prop_oneof![0_usize..60, 0_usize..5_000], 0_usize..3), 1..400),
        fragment in 20_u32..600,
    ) {
        let limits = SessionLimits::default();
        let mut queues = SendQueues::new(&limits, fragment);
        let quantum = queues.quantum();
        let mut waiting = [0_u32; 4];
        let mut passed = [0_u32; 4];
        let mut step = |queues: &mut SendQueues, waiting: &mut [u32; 4]| {
            let frames = drain_message(queues);
            for (class, bytes) in &frames {
                let index = class.index() as usize;
                passed[index] = 0;
                waiting[index] -= bytes;
                for other in 0..4 {
                    if other != index && waiting[other] > 0 {
                        passed[other] += bytes;
                    }
                    if waiting[other] == 0 {
                        passed[other] = 0;
                    }
                }
                assert!(passed[0] <= quantum, "critical waited for {} bytes", passed[0]);
                for waited in passed {
                    assert!(waited <= STARVATION_QUANTA * quantum, "waited for {waited} bytes");
                }
            }
            frames.len()
        };
        for (class, length, drains) in arrivals {
            if queues.push(class, 1, vec![0; length]).is_ok() {
                waiting[class.index() as usize] += framed(length as u32, fragment);
            }
            for _ in 0..drains {
                step(&mut queues, &mut waiting);
            }
        }
        while step(&mut queues, &mut waiting) > 0 {}
        prop_assert_eq!(waiting, [0; 4]);
        prop_assert_eq!(queues.bytes(), 0);
    }
}

/// Bytes of a body in frames of at most `fragment` bytes.
fn framed(length: u32, fragment: u32) -> u32 {
    let frames = length.div_ceil(fragment).max(1);
    length + frames * 8 + if frames > 1 { 4 } else { 0 }
}

#[test]
fn a_control_body_is_one_whole_value() {
    let close = Control::Close(CloseReason::Busy);
    let mut body = encode(&close);
    body.push(0);
    let header = FrameHeader {
        kind: KIND_CONTROL,
        part: Part::Whole,
        class: Class::Critical,
        length: 3,
    };
    assert_eq!(Control::decode_body(header, &body), None);
    assert_eq!(Control::decode_frame(&close.encode_frame()), Some(close));
}
