//! Two sessions connected in memory, and what a hostile or broken link does to them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod close;
mod golden;
mod handshake;
mod hostile;
mod transport;

use super::*;
use crate::{
    kernel::{
        crypto::Keypair,
        id::{Incarnation, InstanceId, NetworkId, Role},
        time::WallTime,
    },
    wire::{identity::PeerIdentity, invitation::Invitation},
};
use alloc::{vec, vec::Vec};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const HINT: KeyHint = KeyHint::Isolation { epoch: 3 };
const NOW: Time = Time::from_millis(1_000);

fn key() -> Secret {
    Secret::from_bytes([42; 32])
}

fn params(seed: u8) -> SessionParams {
    SessionParams {
        network: NETWORK,
        keypair: Keypair::from_seed(&[seed; 32]),
        incarnation: Incarnation(u64::from(seed)),
        instance: InstanceId(u64::from(seed) + 1_000),
        role: Role::Relay,
        versions: VERSIONS,
        features: 0b111,
        limits: SessionLimits::default(),
    }
}

fn invitation() -> Invitation {
    Invitation {
        serial: [5; 16],
        issuer: params(2).keypair.id(),
        expires_at: WallTime::from_millis(99),
        uses_max: Some(1),
        role: None,
        epoch: 3,
    }
}

/// One side: a session and all that it told its owner.
struct Side {
    session: Session,
    events: Vec<SessionEvent>,
    /// What the owner answers to `KeyWanted`.
    key: Result<Secret, CloseReason>,
}

impl Side {
    fn new(session: Session) -> Self {
        let key = Ok(key());
        Self {
            session,
            events: Vec::new(),
            key,
        }
    }

    fn poll(&mut self) {
        while let Some(event) = self.session.poll_event() {
            if matches!(event, SessionEvent::KeyWanted(_)) {
                self.session.provide_key(NOW, self.key.clone());
            }
            self.events.push(event);
        }
    }

    fn hear(&mut self, message: &[u8]) {
        self.session.handle_bytes(NOW, message);
        self.poll();
    }

    fn closed(&self) -> Vec<CloseReason> {
        let closed = |event: &SessionEvent| match event {
            SessionEvent::Closed(reason) => Some(reason.clone()),
            _ => None,
        };
        self.events.iter().filter_map(closed).collect()
    }

    fn is_up(&self) -> bool {
        let up = |event: &SessionEvent| matches!(event, SessionEvent::Up { .. });
        self.events.iter().any(up) && !self.session.is_closed()
    }

    fn bodies(&self) -> Vec<(u16, Vec<u8>)> {
        let frame = |event: &SessionEvent| match event {
            SessionEvent::Frame { kind, body } => Some((*kind, body.clone())),
            _ => None,
        };
        self.events.iter().filter_map(frame).collect()
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToBob,
    ToAnn,
}

/// Ann dials Bob.
struct Pair {
    ann: Side,
    bob: Side,
    /// Every message that was sent, in order.
    tape: Vec<(Way, Vec<u8>)>,
}

impl Pair {
    fn new(ann: SessionParams, bob: SessionParams) -> Self {
        Self::with(ann, bob, HINT, None)
    }

    fn with(ann: SessionParams, bob: SessionParams, hint: KeyHint, expect: Option<NodeId>) -> Self {
        Self {
            ann: Side::new(Session::initiate(ann, hint, key(), expect, [1; 32], NOW)),
            bob: Side::new(Session::accept(bob, [2; 32], NOW)),
            tape: Vec::new(),
        }
    }

    /// Two sessions that are up.
    fn up() -> Self {
        let mut pair = Self::new(params(1), params(2));
        pair.run();
        assert!(pair.ann.is_up() && pair.bob.is_up());
        pair
    }

    /// Carries messages both ways until none is left.
    fn run(&mut self) {
        self.run_with(|_, _, message| vec![message]);
    }

    /// Carries `count` messages and leaves the rest with their senders.
    fn run_for(&mut self, count: usize) {
        for _ in 0..count {
            if let Some(message) = self.ann.session.poll_transmit() {
                self.bob.hear(&message);
            } else if let Some(message) = self.bob.session.poll_transmit() {
                self.ann.hear(&message);
            }
        }
    }

    /// The same as `run`, but each message becomes what `link` makes of it, given its number.
    fn run_with(&mut self, mut link: impl FnMut(usize, Way, Vec<u8>) -> Vec<Vec<u8>>) {
        for _ in 0..10_000 {
            let way = if let Some(message) = self.ann.session.poll_transmit() {
                self.tape.push((Way::ToBob, message));
                Way::ToBob
            } else if let Some(message) = self.bob.session.poll_transmit() {
                self.tape.push((Way::ToAnn, message));
                Way::ToAnn
            } else {
                return;
            };
            let message = self.tape.last().unwrap().1.clone();
            for message in link(self.tape.len() - 1, way, message) {
                match way {
                    Way::ToBob => self.bob.hear(&message),
                    Way::ToAnn => self.ann.hear(&message),
                }
            }
        }
        panic!("two sessions don't talk for ever");
    }

    fn close_reasons(&self) -> [Vec<CloseReason>; 2] {
        [self.ann.closed(), self.bob.closed()]
    }

    /// Both sides closed, once, for the same reason.
    #[track_caller]
    fn assert_closed(&mut self, reason: CloseReason) {
        self.ann.poll();
        self.bob.poll();
        assert_eq!(self.close_reasons(), [vec![reason.clone()], vec![reason]]);
    }

    fn bytes(&self, way: Way) -> usize {
        let went = self.tape.iter().filter(|(w, _)| *w == way);
        went.map(|(_, message)| message.len()).sum()
    }
}

#[test]
fn a_session_can_be_moved_to_another_thread() {
    fn assert_send<T: Send>() {}
    assert_send::<Session>();
}

#[test]
fn the_limits_by_default_are_valid() {
    assert_eq!(SessionLimits::default().validate(), Ok(()));
    let broken = |change: fn(&mut SessionLimits)| {
        let mut limits = SessionLimits::default();
        change(&mut limits);
        limits.validate().unwrap_err()
    };
    assert!(broken(|l| l.message_bytes_max = 0).starts_with("message_bytes_max"));
    assert!(broken(|l| l.queue_bytes_max[3] = 9).starts_with("queue_bytes_max"));
    assert!(broken(|l| l.inbox_bytes_max = 9).starts_with("inbox_bytes_max"));
    assert!(broken(|l| l.handshake_patience = Default::default()).starts_with("handshake"));
    assert!(broken(|l| l.preauth_bytes_max = 9).starts_with("preauth_bytes_max"));
    assert!(broken(|l| l.fragment_bytes_max = 0).starts_with("fragment_bytes_max"));
    assert!(broken(|l| l.fragment_bytes_max = 65_508).starts_with("fragment_bytes_max"));
}
