//! Getting in, and every way of not getting in, seen from both sides.

use super::*;

#[test]
fn two_nodes_of_one_network_come_up_and_know_each_other() {
    let mut ann = params(1);
    ann.role = Role::Tab;
    ann.features = 0b1010;
    let mut pair = Pair::with(ann, params(2), HINT, Some(params(2).keypair.id()));
    pair.run();
    assert_eq!(
        pair.bob.events,
        [
            SessionEvent::KeyWanted(HINT),
            SessionEvent::Up {
                peer: PeerIdentity {
                    id: params(1).keypair.id(),
                    incarnation: Incarnation(1),
                    instance: InstanceId(1_001),
                    role: Role::Tab,
                    version: 1,
                    features: 0b10,
                },
                invitation: None,
            },
        ]
    );
    assert_eq!(
        pair.ann.events,
        [SessionEvent::Up {
            peer: PeerIdentity {
                id: params(2).keypair.id(),
                incarnation: Incarnation(2),
                instance: InstanceId(1_002),
                role: Role::Relay,
                version: 1,
                features: 0b10,
            },
            invitation: None,
        }]
    );
    assert_eq!(pair.ann.session.poll_timeout(), None);
    assert_eq!(pair.bob.session.poll_timeout(), None);
}

#[test]
fn an_invited_newcomer_comes_up_under_the_key_of_its_invite() {
    let hint = KeyHint::Invite(invitation());
    let mut pair = Pair::with(params(1), params(2), hint.clone(), None);
    pair.run();
    assert_eq!(
        pair.bob.events.first(),
        Some(&SessionEvent::KeyWanted(hint))
    );
    for side in [&pair.ann, &pair.bob] {
        let is_invited = |event: &SessionEvent| match event {
            SessionEvent::Up {
                invitation: with, ..
            } => *with == Some(invitation()),
            _ => false,
        };
        assert!(side.events.iter().any(is_invited));
    }
}

#[test]
fn the_same_entropy_gives_the_same_bytes() {
    let tape = || {
        let mut pair = Pair::up();
        pair.ann.session.send(Class::Low, 9, vec![1; 100]).unwrap();
        pair.run();
        pair.tape
    };
    assert_eq!(tape(), tape());
}

#[test]
fn another_entropy_gives_other_bytes() {
    let first = |entropy| {
        let mut session = Session::initiate(params(1), HINT, key(), None, [entropy; 32], NOW);
        let mut bob = Side::new(Session::accept(params(2), [entropy; 32], NOW));
        bob.hear(&session.poll_transmit().unwrap());
        let answer = bob.session.poll_transmit().unwrap();
        session.handle_bytes(NOW, &answer);
        (answer, session.poll_transmit().unwrap())
    };
    assert_ne!(first(1).0, first(2).0);
    assert_ne!(first(1).1, first(2).1);
}

#[test]
fn the_newest_common_version_and_features_are_settled() {
    let (mut ann, mut bob) = (params(1), params(2));
    (ann.versions, bob.versions) = ((1, 4), (2, 9));
    (ann.features, bob.features) = (0b110, 0b011);
    let mut pair = Pair::new(ann, bob);
    pair.run();
    for side in [&pair.ann, &pair.bob] {
        let settled = side.events.iter().find_map(|event| match event {
            SessionEvent::Up { peer, .. } => Some((peer.version, peer.features)),
            _ => None,
        });
        assert_eq!(settled, Some((4, 0b010)));
    }
}

#[test]
fn a_node_of_another_network_is_refused_before_anything_else() {
    let mut bob = params(2);
    bob.network = NetworkId::from_bytes([8; 32]);
    bob.versions = (5, 6);
    let mut pair = Pair::new(params(1), bob);
    pair.run();
    pair.assert_closed(CloseReason::WrongNetwork);
}

#[test]
fn an_incompatible_version_is_refused_and_each_side_is_told_the_others_range() {
    let mut bob = params(2);
    bob.versions = (5, 6);
    let mut pair = Pair::new(params(1), bob);
    pair.bob.key = Err(CloseReason::WrongEpoch);
    pair.run();
    let told_to_ann = CloseReason::VersionMismatch { min: 5, max: 6 };
    let told_to_bob = CloseReason::VersionMismatch { min: 1, max: 1 };
    assert_eq!(pair.close_reasons(), [vec![told_to_ann], vec![told_to_bob]]);
}

#[test]
fn every_reason_of_the_owner_for_refusing_a_key_reaches_the_initiator() {
    let issuer = NodeId::from_bytes([9; 32]);
    for reason in [
        CloseReason::WrongEpoch,
        CloseReason::InviteExpired,
        CloseReason::InviteUsed,
        CloseReason::InviteRole,
        CloseReason::InviteElsewhere { issuer },
        CloseReason::Busy,
        CloseReason::Leaving,
    ] {
        let mut pair = Pair::new(params(1), params(2));
        pair.bob.key = Err(reason.clone());
        pair.run();
        pair.assert_closed(reason);
    }
}

#[test]
fn a_wrong_key_ends_at_the_first_message_of_the_cipher() {
    let mut pair = Pair::new(params(1), params(2));
    pair.bob.key = Ok(Secret::from_bytes([43; 32]));
    pair.run();
    pair.assert_closed(CloseReason::WrongKey);
    assert_eq!(pair.tape.len(), 4, "hello, answer, first, refusal");
}

#[test]
fn a_responder_without_the_key_is_found_out() {
    let mut pair = Pair::new(params(1), params(2));
    pair.run_with(|number, _, mut message| {
        if number == 3 {
            message[40] ^= 1;
        }
        vec![message]
    });
    pair.assert_closed(CloseReason::WrongKey);
}

#[test]
fn a_node_that_dials_itself_is_told_so() {
    let mut pair = Pair::new(params(1), params(1));
    pair.run();
    pair.assert_closed(CloseReason::SelfDial);
}

#[test]
fn a_copied_identity_is_refused_with_the_incarnation_of_the_one_that_runs() {
    let mut copy = params(1);
    copy.instance = InstanceId(77);
    copy.incarnation = Incarnation(50);
    let mut pair = Pair::new(params(1), copy);
    pair.run();
    let incarnation = Incarnation(50);
    pair.assert_closed(CloseReason::IdentityInUse { incarnation });
}

#[test]
fn another_node_than_expected_is_hung_up_on() {
    let expect = Some(params(3).keypair.id());
    let mut pair = Pair::with(params(1), params(2), HINT, expect);
    pair.run();
    assert!(matches!(pair.bob.events[1], SessionEvent::Up { .. }));
    pair.assert_closed(CloseReason::UnexpectedPeer);
    let is_up = |event: &SessionEvent| matches!(event, SessionEvent::Up { .. });
    assert!(!pair.ann.events.iter().any(is_up));
}

#[test]
fn what_does_not_speak_the_protocol_is_recognised() {
    for answer in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"", b"SPO"] {
        let mut ann = Side::new(Session::initiate(
            params(1),
            HINT,
            key(),
            None,
            [1; 32],
            NOW,
        ));
        ann.session.poll_transmit().unwrap();
        ann.hear(answer);
        assert_eq!(ann.closed(), [CloseReason::NotSporenet]);
        assert_eq!(ann.session.poll_transmit(), None);
    }
}

#[test]
fn a_hello_of_another_layout_or_shape_is_a_breach_of_the_protocol() {
    for (at, value) in [
        (0, b'X'),
        (4, 2),
        (5, 2),
        (5, 3),
        (5, 9),
        (27, 255),
        (28, 9),
    ] {
        let mut pair = Pair::new(params(1), params(2));
        pair.run_with(|number, _, mut message| {
            if number == 0 {
                message[at] = value;
            }
            vec![message]
        });
        pair.assert_closed(CloseReason::Protocol);
    }
}

#[test]
fn an_answer_that_was_not_offered_is_a_breach_of_the_protocol() {
    for (at, value) in [(7, 2), (15, 0xff)] {
        let mut pair = Pair::new(params(1), params(2));
        pair.run_with(|number, _, mut message| {
            if number == 1 {
                message[at] = value;
            }
            vec![message]
        });
        pair.assert_closed(CloseReason::Protocol);
    }
}

#[test]
fn an_identity_proven_for_another_handshake_or_the_other_end_is_refused() {
    let mut pair = Pair::new(params(1), params(2));
    deliver_until_proof(&mut pair);
    let Phase::AwaitProof(unproven) = &mut pair.bob.session.phase else {
        panic!("bob waits for the proof");
    };
    unproven.handshake[0] ^= 1;
    pair.run();
    pair.assert_closed(CloseReason::BadIdentity);

    // Ann's proof, sent back to her by someone who holds the key.
    let mut pair = Pair::new(params(1), params(2));
    deliver_until_proof(&mut pair);
    let proof = pair.ann.session.poll_transmit().unwrap();
    let Phase::AwaitProof(unproven) = &mut pair.bob.session.phase else {
        panic!("bob waits for the proof");
    };
    let plaintext = unproven.cipher.open(&proof[1..]).unwrap();
    let mirrored = link::sealed(&unproven.cipher.seal(&plaintext).unwrap());
    pair.ann.hear(&mirrored);
    assert_eq!(pair.ann.closed(), [CloseReason::BadIdentity]);
}

/// Carries all messages until only Ann's proof is left to send.
fn deliver_until_proof(pair: &mut Pair) {
    for _ in 0..2 {
        let said = pair.ann.session.poll_transmit().unwrap();
        pair.bob.hear(&said);
        let answered = pair.bob.session.poll_transmit().unwrap();
        pair.ann.hear(&answered);
    }
    let third = pair.ann.session.poll_transmit().unwrap();
    pair.bob.hear(&third);
}

#[test]
fn nobody_stops_a_node_by_claiming_its_identity() {
    let claim = CloseReason::IdentityInUse {
        incarnation: Incarnation(99),
    };
    // In the clear, from anyone.
    let mut ann = Side::new(Session::initiate(
        params(1),
        HINT,
        key(),
        None,
        [1; 32],
        NOW,
    ));
    ann.hear(&Clear::Refusal(claim.clone()).encode());
    assert_eq!(ann.closed(), [CloseReason::Protocol]);

    // Inside the cipher, from who holds the key.
    let mut pair = Pair::new(params(1), params(2));
    deliver_until_proof(&mut pair);
    let Phase::AwaitProof(unproven) = &mut pair.bob.session.phase else {
        panic!("bob waits for the proof");
    };
    let close = Control::Close(claim).encode_frame();
    let close = link::sealed(&unproven.cipher.seal(&close).unwrap());
    pair.ann.hear(&close);
    assert_eq!(pair.ann.closed(), [CloseReason::Protocol]);
}

#[test]
fn a_handshake_that_takes_too_long_ends_on_both_sides() {
    let patience = SessionLimits::default().handshake_patience;
    for delivered in 0..4 {
        let mut pair = Pair::new(params(1), params(2));
        pair.run_with(|number, _, message| {
            if number < delivered {
                vec![message]
            } else {
                vec![]
            }
        });
        for side in [&mut pair.ann, &mut pair.bob] {
            assert_eq!(side.session.poll_timeout(), Some(NOW + patience));
            side.session.handle_timeout(NOW + patience / 2);
            assert!(!side.session.is_closed());
        }
        // Ann's patience ends first; Bob is told, unless he waits for the very first word.
        pair.ann.session.handle_timeout(NOW + patience);
        let word = pair.ann.session.poll_transmit().unwrap();
        if delivered == 0 {
            pair.bob.session.handle_timeout(NOW + patience * 1_000);
        } else {
            pair.bob.hear(&word);
        }
        pair.assert_closed(CloseReason::HandshakeTimeout);
        assert_eq!(pair.bob.session.poll_timeout(), None);
        assert_eq!(pair.ann.session.poll_timeout(), None);
    }
}

#[test]
fn a_stranger_who_says_nothing_gets_nothing() {
    let mut bob = Side::new(Session::accept(params(2), [2; 32], NOW));
    bob.session.close(NOW, CloseReason::Busy);
    assert_eq!(bob.session.poll_transmit(), None);
}

#[test]
fn a_handshake_stays_within_its_message_and_byte_limits() {
    let mut pair = Pair::with(params(1), params(2), KeyHint::Invite(invitation()), None);
    pair.run();
    let longest = pair.tape.iter().map(|(_, message)| message.len()).max();
    assert!(longest.unwrap() <= HANDSHAKE_MESSAGE_BYTES_MAX as usize / 2);
    assert!(pair.bytes(Way::ToBob) < 1_024 && pair.bytes(Way::ToAnn) < 1_024);
}

#[test]
fn an_oversized_message_before_the_proof_is_refused() {
    let mut bob = Side::new(Session::accept(params(2), [2; 32], NOW));
    assert_eq!(bob.session.receive_bytes_max(), HANDSHAKE_MESSAGE_BYTES_MAX);
    bob.hear(&vec![0; HANDSHAKE_MESSAGE_BYTES_MAX as usize + 1]);
    assert_eq!(bob.closed(), [CloseReason::Oversized]);
    let refusal = bob.session.poll_transmit().unwrap();
    assert_eq!(
        Clear::decode(&refusal),
        Ok(Clear::Refusal(CloseReason::Oversized))
    );

    let mut tight = params(2);
    tight.limits.preauth_bytes_max = 150;
    let mut pair = Pair::new(params(1), tight);
    pair.run();
    pair.assert_closed(CloseReason::Oversized);
}

#[test]
fn a_recorded_handshake_proves_nothing_to_a_new_session() {
    let mut pair = Pair::up();
    pair.ann.session.send(Class::High, 5, vec![1]).unwrap();
    pair.run();
    let mut bob = Side::new(Session::accept(params(2), [3; 32], NOW));
    for (_, message) in pair.tape.iter().filter(|(way, _)| *way == Way::ToBob) {
        bob.hear(message);
    }
    assert_eq!(bob.closed(), [CloseReason::WrongKey]);
    assert_eq!(bob.bodies(), []);
}
