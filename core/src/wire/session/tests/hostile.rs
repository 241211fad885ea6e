//! What a broken or hostile link can do: end the session, and nothing else.

use super::*;
use crate::wire::hello::Hello;
use proptest::prelude::*;

/// What a link does to one message.
#[derive(Clone, Debug)]
enum Fault {
    Drop,
    Double,
    Cut(usize),
    Grow(Vec<u8>),
    Flip(usize),
    Garbage(Vec<u8>),
    /// Swapped with the following message in the same direction.
    Late,
}

fn fault() -> impl Strategy<Value = Fault> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        Just(Fault::Drop),
        Just(Fault::Double),
        Just(Fault::Late),
        any::<usize>().prop_map(Fault::Cut),
        any::<usize>().prop_map(Fault::Flip),
        bytes().prop_map(Fault::Grow),
        bytes().prop_map(Fault::Garbage),
    ]
}

/// A link that does one fault to one message.
struct FaultyLink {
    at: usize,
    fault: Fault,
    late: Option<(Way, Vec<u8>)>,
}

impl FaultyLink {
    fn carry(&mut self, number: usize, way: Way, mut message: Vec<u8>) -> Vec<Vec<u8>> {
        if number != self.at {
            let late = self.late.take_if(|(w, _)| *w == way).map(|(_, late)| late);
            return [message].into_iter().chain(late).collect();
        }
        match &self.fault {
            Fault::Drop => vec![],
            Fault::Double => vec![message.clone(), message],
            Fault::Cut(to) => {
                message.truncate(to % message.len());
                vec![message]
            }
            Fault::Grow(more) => {
                message.push(0);
                message.extend_from_slice(more);
                vec![message]
            }
            Fault::Flip(bit) => {
                let bit = bit % (message.len() * 8);
                message[bit / 8] ^= 1 << (bit % 8);
                vec![message]
            }
            Fault::Garbage(bytes) => vec![bytes.clone()],
            Fault::Late => {
                self.late = Some((way, message));
                vec![]
            }
        }
    }
}

/// Ann and Bob shake hands and exchange bodies both ways over the link.
fn converse(link: &mut FaultyLink) -> Pair {
    let mut pair = Pair::new(params(1), params(2));
    pair.run_with(|number, way, message| link.carry(number, way, message));
    for number in 0..4_u8 {
        let body = vec![number; 100 * usize::from(number)];
        let _ = pair.ann.session.send(Class::High, 1, body.clone());
        let _ = pair.bob.session.send(Class::Low, 2, body);
        pair.run_with(|number, way, message| link.carry(number, way, message));
    }
    pair
}

const HONEST_MESSAGES: usize = 15;

#[test]
fn an_honest_link_carries_the_whole_conversation() {
    let mut link = FaultyLink {
        at: usize::MAX,
        fault: Fault::Drop,
        late: None,
    };
    let pair = converse(&mut link);
    assert_eq!(pair.tape.len(), HONEST_MESSAGES);
    assert_eq!((pair.ann.bodies().len(), pair.bob.bodies().len()), (4, 4));
}

/// The rules that no link can break.
fn assert_lawful(pair: &Pair) -> Result<(), TestCaseError> {
    for (side, kind) in [(&pair.ann, 2), (&pair.bob, 1)] {
        prop_assert!(side.closed().len() <= 1);
        let ups = side
            .events
            .iter()
            .filter(|e| matches!(e, SessionEvent::Up { .. }));
        prop_assert!(ups.count() <= 1);
        if !side.closed().is_empty() {
            prop_assert!(matches!(side.events.last(), Some(SessionEvent::Closed(_))));
        }
        for (number, body) in side.bodies().into_iter().enumerate() {
            prop_assert_eq!(body, (kind, vec![number as u8; 100 * number]));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn one_fault_on_the_link_never_changes_a_body(
        at in 0..HONEST_MESSAGES,
        fault in fault(),
    ) {
        let mut link = FaultyLink { at, fault: fault.clone(), late: None };
        let pair = converse(&mut link);
        assert_lawful(&pair)?;
        let closed = pair.close_reasons().concat();
        match fault {
            // The last messages have none after them that would show the gap.
            Fault::Drop | Fault::Late => {}
            Fault::Double | Fault::Cut(_) | Fault::Grow(_) | Fault::Flip(_) | Fault::Garbage(_) => {
                prop_assert!(!closed.is_empty(), "nobody noticed");
            }
        }
    }

    /// Garbage at every phase, of both sides, with the tags and magic that get it a hearing.
    #[test]
    fn garbage_at_any_phase_ends_the_session_and_costs_little(
        carried in 0_usize..8,
        to_ann in any::<bool>(),
        head in prop_oneof![
            Just(vec![]), Just(vec![1]), Just(vec![2]), Just(b"SPOR\x01\x01".to_vec()),
            Just(b"SPOR\x01\x02".to_vec()), Just(b"SPOR\x01\x03".to_vec()),
        ],
        tail in proptest::collection::vec(any::<u8>(), 0..300),
        times in 1_usize..4,
    ) {
        let mut pair = Pair::new(params(1), params(2));
        pair.run_for(carried);
        let side = if to_ann { &mut pair.ann } else { &mut pair.bob };
        let events = side.events.len();
        let message = [head, tail].concat();
        for _ in 0..times {
            side.hear(&message);
        }
        prop_assert_eq!(side.closed().len(), 1);
        prop_assert_eq!(side.events.len(), events + 1);
        while let Some(word) = side.session.poll_transmit() {
            prop_assert!(word.len() <= 300);
        }
        prop_assert_eq!(side.session.poll_timeout(), None);
    }

    /// Whatever a stranger sends, it gets back no more than it sent.
    #[test]
    fn a_stranger_gets_no_more_bytes_than_it_sends(
        hellos in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..200),
                Just(Vec::new()),
                (0_usize..128, any::<u8>()).prop_map(|(at, value)| {
                    let hello = Hello::new(NETWORK, VERSIONS, 0, &HINT);
                    let mut bytes = Clear::Hello(hello).encode();
                    bytes[at] = value;
                    bytes
                }),
                (0_usize..60).prop_map(|length| vec![1; length]),
            ], 0..4),
        refuse in any::<bool>(),
        late in any::<bool>(),
    ) {
        let mut bob = Side::new(Session::accept(params(2), [2; 32], NOW));
        if refuse {
            let issuer = NodeId::from_bytes([255; 32]);
            bob.key = Err(CloseReason::InviteElsewhere { issuer });
        }
        let (mut sent, mut got) = (0, 0);
        for hello in hellos {
            if !bob.session.is_closed() {
                sent += hello.len();
            }
            bob.hear(&hello);
            while let Some(answer) = bob.session.poll_transmit() {
                got += answer.len();
            }
            prop_assert!(got <= sent, "{got} bytes for {sent}");
        }
        if late {
            bob.session.handle_timeout(Time::MAX);
        }
        while let Some(answer) = bob.session.poll_transmit() {
            got += answer.len();
        }
        prop_assert!(got <= sent, "{got} bytes for {sent}");
    }

    /// Who holds all keys and keeps no rules still can't break the other side.
    #[test]
    fn any_frames_from_a_proven_peer_are_survived(
        plaintexts in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![4 => 0_u8..5, 1 => any::<u8>()], 0..80), 1..8),
    ) {
        let mut pair = Pair::up();
        let Phase::Up(cipher) = &mut pair.bob.session.phase else {
            panic!("bob is up");
        };
        let messages: Vec<_> = plaintexts
            .iter()
            .map(|plaintext| link::sealed(&cipher.seal(plaintext).unwrap()))
            .collect();
        for message in messages {
            pair.ann.hear(&message);
        }
        prop_assert!(pair.ann.closed().len() <= 1);
        prop_assert!(pair.ann.bodies().iter().all(|(kind, _)| *kind != 0));
    }
}

/// Each bit of each message of a conversation, the handshake included.
#[test]
fn every_single_flipped_bit_closes_and_is_never_delivered() {
    let mut honest = FaultyLink {
        at: usize::MAX,
        fault: Fault::Drop,
        late: None,
    };
    let tape = converse(&mut honest).tape;
    for (at, (_, message)) in tape.iter().enumerate() {
        // All bits of the short messages, and a prime's steps through the longer ones.
        let step = if message.len() > 64 { 7 } else { 1 };
        for bit in (0..message.len() * 8).step_by(step) {
            let fault = Fault::Flip(bit);
            let pair = converse(&mut FaultyLink {
                at,
                fault,
                late: None,
            });
            assert_lawful(&pair).unwrap();
            let closed = pair.close_reasons().concat();
            assert!(
                !closed.is_empty(),
                "bit {bit} of message {at} went unnoticed"
            );
        }
    }
}

#[test]
fn a_replayed_message_closes_the_session_on_both_sides() {
    let mut pair = Pair::up();
    pair.ann.session.send(Class::High, 1, vec![1; 10]).unwrap();
    let message = pair.ann.session.poll_transmit().unwrap();
    pair.bob.hear(&message);
    pair.bob.hear(&message);
    pair.run();
    pair.assert_closed(CloseReason::Protocol);
    assert_eq!(pair.bob.bodies().len(), 1);
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let mut bob = Side::new(Session::accept(params(2), [2; 32], NOW));
    let due = bob.session.poll_timeout().unwrap();
    bob.session
        .handle_timeout(due - core::time::Duration::from_micros(1));
    bob.session.handle_timeout(Time::ZERO);
    assert!(!bob.session.is_closed());
    bob.session.handle_bytes(due, b"");
    bob.session.handle_timeout(Time::ZERO);
    bob.poll();
    assert_eq!(bob.closed(), [CloseReason::Protocol]);
}
