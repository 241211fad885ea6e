//! The end of a session: once, with the same reason on both sides wherever that can be.

use super::*;

pub(super) fn all_reasons() -> Vec<CloseReason> {
    vec![
        CloseReason::Leaving,
        CloseReason::Parking,
        CloseReason::Duplicate,
        CloseReason::Superseded,
        CloseReason::WrongNetwork,
        CloseReason::WrongKey,
        CloseReason::WrongEpoch,
        CloseReason::VersionMismatch { min: 1, max: 2 },
        CloseReason::InviteExpired,
        CloseReason::InviteUsed,
        CloseReason::InviteRole,
        CloseReason::InviteElsewhere {
            issuer: NodeId::from_bytes([1; 32]),
        },
        CloseReason::IdentityInUse {
            incarnation: Incarnation(3),
        },
        CloseReason::SelfDial,
        CloseReason::BadIdentity,
        CloseReason::UnexpectedPeer,
        CloseReason::Protocol,
        CloseReason::Oversized,
        CloseReason::HandshakeTimeout,
        CloseReason::Silent,
        CloseReason::Overload,
        CloseReason::Busy,
        CloseReason::Lost,
        CloseReason::ConnectionRefused,
        CloseReason::Unreachable,
        CloseReason::NotSporenet,
        CloseReason::Unwanted,
        CloseReason::Contested,
    ]
}

#[test]
fn every_reason_reaches_a_proven_peer_unless_it_is_local() {
    for reason in all_reasons() {
        let mut pair = Pair::up();
        pair.bob.session.close(NOW, reason.clone());
        pair.run();
        pair.ann.poll();
        pair.bob.poll();
        let told = if Trust::needed_for(&reason) == Trust::Nobody {
            vec![]
        } else {
            vec![reason.clone()]
        };
        assert_eq!(pair.close_reasons(), [told, vec![reason]]);
    }
}

#[test]
fn a_local_reason_said_by_a_peer_is_a_breach_of_the_protocol() {
    let mut pair = Pair::up();
    let Phase::Up(cipher) = &mut pair.bob.session.phase else {
        panic!("bob is up");
    };
    let close = Control::Close(CloseReason::Lost).encode_frame();
    let close = link::sealed(&cipher.seal(&close).unwrap());
    pair.ann.hear(&close);
    assert_eq!(pair.ann.closed(), [CloseReason::Protocol]);
    assert_eq!(pair.ann.session.poll_transmit(), None);
}

#[test]
fn either_side_can_end_at_any_moment_and_the_other_never_hears_a_wrong_reason() {
    for carried in 0..8 {
        for (reason, by_ann) in all_reasons()
            .into_iter()
            .flat_map(|r| [(r.clone(), true), (r, false)])
        {
            let mut pair = Pair::new(params(1), params(2));
            pair.run_for(carried);
            let closer = if by_ann { &mut pair.ann } else { &mut pair.bob };
            closer.session.close(NOW, reason.clone());
            closer.session.close(NOW, CloseReason::Unwanted);
            pair.run();
            pair.ann.poll();
            pair.bob.poll();
            let [ann, bob] = pair.close_reasons();
            let (said, heard) = if by_ann { (ann, bob) } else { (bob, ann) };
            assert_eq!(said, core::slice::from_ref(&reason));
            assert!(
                heard.is_empty() || heard == [reason.clone()],
                "{reason:?} became {heard:?} after {carried} messages"
            );
            let is_for_anyone = Trust::Anyone.covers(&reason);
            let has_spoken = by_ann || carried > 0;
            assert_eq!(
                heard.is_empty() && is_for_anyone,
                is_for_anyone && !has_spoken
            );
        }
    }
}

#[test]
fn leaving_lets_what_is_queued_leave_first() {
    let mut pair = Pair::up();
    for number in 0..20 {
        let class = Class::ALL[number as usize % 4];
        let body = vec![number; 20_000];
        pair.ann.session.send(class, 7, body).unwrap();
    }
    pair.ann.session.close(NOW, CloseReason::Leaving);
    assert!(pair.ann.session.is_closed());
    let refused = pair.ann.session.send(Class::Low, 7, vec![]);
    assert_eq!(refused, Err(SendError::NotUp));
    pair.run();
    assert_eq!(pair.bob.bodies().len(), 20);
    pair.assert_closed(CloseReason::Leaving);
    assert_eq!(pair.ann.session.stats().dropped, 0);
}

#[test]
fn another_reason_drops_what_is_queued_and_counts_it() {
    let mut pair = Pair::up();
    for _ in 0..3 {
        let body = vec![1; 20_000];
        pair.ann.session.send(Class::Low, 7, body).unwrap();
    }
    pair.ann.session.close(NOW, CloseReason::Superseded);
    pair.run();
    assert_eq!(pair.bob.bodies(), []);
    pair.assert_closed(CloseReason::Superseded);
    assert_eq!(pair.ann.session.stats().dropped, 3);
    assert_eq!(pair.ann.session.queued_bytes(), 0);
}

#[test]
fn after_the_end_nothing_is_taken_and_nothing_said() {
    let mut pair = Pair::up();
    pair.ann.session.close(NOW, CloseReason::Silent);
    pair.run();
    let stats = pair.ann.session.stats();
    pair.ann.hear(b"anything");
    pair.ann.session.handle_timeout(Time::MAX);
    pair.ann.session.provide_key(NOW, Ok(key()));
    pair.ann.session.close(NOW, CloseReason::Busy);
    pair.ann.poll();
    assert_eq!(pair.ann.session.stats(), stats);
    assert_eq!(pair.ann.session.poll_transmit(), None);
    pair.assert_closed(CloseReason::Silent);
}
