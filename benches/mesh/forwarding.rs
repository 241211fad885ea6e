//! What a relay's sessions carry: in by one, out by another, on one core. In-process.

use sporenet_benches::{Table, median};
use sporenet_core::{
    kernel::{
        crypto::{Keypair, Secret},
        id::{Incarnation, InstanceId, NetworkId, Role},
        time::Time,
    },
    wire::{
        class::Class,
        invitation::KeyHint,
        session::{Session, SessionEvent, SessionLimits, SessionParams, VERSIONS},
    },
};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(500);
/// Messages handed over at once, as a busy socket does.
const BURST: usize = 32;
const NOW: Time = Time::from_millis(1);

/// Small and large messages.
pub(crate) fn measure(table: &mut Table) {
    for bytes in [256, 4_096] {
        let rates = (0..ROUNDS).map(|_| forward(bytes)).collect();
        table.row(
            &format!("messages/s forwarded, {bytes} bytes each"),
            &median(rates),
            "decrypt, unframe, frame, encrypt; two sessions, one core, no sockets",
        );
    }
}

fn forward(bytes: usize) -> f64 {
    let (mut sender, mut inward) = pair(1);
    let (mut receiver, mut outward) = pair(3);
    let body = vec![7; bytes];
    let mut busy = Duration::ZERO;
    let mut count = 0;
    while busy < SPAN {
        for _ in 0..BURST {
            sender
                .send(Class::Normal, 7, body.clone())
                .expect("there is room");
        }
        let arriving: Vec<Vec<u8>> = std::iter::from_fn(|| sender.poll_transmit()).collect();
        let start = Instant::now();
        for message in arriving {
            inward.handle_bytes(NOW, &message);
        }
        while let Some(event) = inward.poll_event() {
            if let SessionEvent::Frame { kind, body } = event {
                outward
                    .send(Class::Normal, kind, body)
                    .expect("there is room");
            }
        }
        let leaving: Vec<Vec<u8>> = std::iter::from_fn(|| outward.poll_transmit()).collect();
        busy += start.elapsed();
        for message in leaving {
            receiver.handle_bytes(NOW, &message);
        }
        while let Some(event) = receiver.poll_event() {
            count += usize::from(matches!(event, SessionEvent::Frame { .. }));
        }
    }
    count as f64 / busy.as_secs_f64()
}

/// Two sessions that are up.
fn pair(seed: u8) -> (Session, Session) {
    let key = Secret::from_bytes([9; 32]);
    let hint = KeyHint::Isolation { epoch: 1 };
    let mut dialler = Session::initiate(params(seed), hint, key.clone(), None, [seed; 32], NOW);
    let mut accepter = Session::accept(params(seed + 1), [seed + 1; 32], NOW);
    for _ in 0..8 {
        while let Some(message) = dialler.poll_transmit() {
            accepter.handle_bytes(NOW, &message);
        }
        while let Some(event) = accepter.poll_event() {
            if matches!(event, SessionEvent::KeyWanted(_)) {
                accepter.provide_key(NOW, Ok(key.clone()));
            }
        }
        while let Some(message) = accepter.poll_transmit() {
            dialler.handle_bytes(NOW, &message);
        }
        while dialler.poll_event().is_some() {}
    }
    (dialler, accepter)
}

fn params(seed: u8) -> SessionParams {
    SessionParams {
        network: NetworkId::from_bytes([7; 32]),
        keypair: Keypair::from_seed(&[seed; 32]),
        incarnation: Incarnation(1),
        instance: InstanceId(u64::from(seed)),
        role: Role::Relay,
        versions: VERSIONS,
        features: 0,
        limits: SessionLimits::default(),
    }
}
