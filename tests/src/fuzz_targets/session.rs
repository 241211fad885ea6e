//! Two real sessions and a liar between them.

use crate::fuzz_targets::Script;
use sporenet_core::{
    kernel::{
        crypto::{Keypair, Secret},
        id::{Incarnation, InstanceId, NetworkId, Role},
        time::Time,
    },
    wire::{
        class::Class,
        close::CloseReason,
        hello::HELLO_BYTES,
        invitation::KeyHint,
        session::{
            LINK_MESSAGE_BYTES_MAX, Session, SessionEvent, SessionLimits, SessionParams, VERSIONS,
        },
    },
};
use std::{collections::VecDeque, time::Duration};

const NETWORK: NetworkId = NetworkId::from_bytes([7; 32]);
const HINT: KeyHint = KeyHint::Isolation { epoch: 1 };

/// Feeds a responder its first messages.
///
/// # Panics
/// When it answers more than it was sent, or asks for a key without a valid hello.
pub fn hello(bytes: &[u8]) {
    let mut side = Side::new(Session::accept(params(2), [2; 32], Time::ZERO));
    let mut script = Script(bytes);
    let mut heard = 0;
    while !script.is_over() {
        let length = usize::from(script.word()) % 2_048;
        let message = script.bytes(length);
        heard += message.len();
        side.session.handle_bytes(side.now, message);
        side.poll(&KeyPolicy::Refuse);
    }
    let mut said = 0;
    while let Some(message) = side.session.poll_transmit() {
        said += message.len();
    }
    assert!(
        said <= heard,
        "a stranger sent {heard} bytes and was answered {said}"
    );
    assert!(
        !side.asked || heard >= HELLO_BYTES,
        "a key was asked for without a hello"
    );
    assert!(!side.up, "nobody gets in without a key");
}

/// Plays a script of deliveries, losses, lies, sends, delays and closes.
///
/// # Panics
/// When a body arrives that the other side never sent, when something follows the end, or when a
/// queue or message passes its bound.
pub fn session(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut link = Link::new();
    if script.byte() % 4 != 0 {
        link.settle();
    }
    // Each step costs at most one message of cryptography; a longer script proves nothing more.
    for _ in 0..400 {
        if script.is_over() {
            break;
        }
        link.step(&mut script);
    }
    link.settle();
    if link.honest && link.ann.closed.is_none() && link.bob.closed.is_none() {
        assert!(link.ann.up && link.bob.up, "an honest link did not come up");
        assert_eq!(link.ann.sent.len(), 0, "bodies were lost on an honest link");
        assert_eq!(link.bob.sent.len(), 0, "bodies were lost on an honest link");
    }
}

fn params(seed: u8) -> SessionParams {
    SessionParams {
        network: NETWORK,
        keypair: Keypair::from_seed(&[seed; 32]),
        incarnation: Incarnation(1),
        instance: InstanceId(u64::from(seed)),
        role: Role::Relay,
        versions: VERSIONS,
        features: 0,
        limits: SessionLimits::default(),
    }
}

fn key() -> Secret {
    Secret::from_bytes([9; 32])
}

/// What a responder's owner answers when a key is wanted.
enum KeyPolicy {
    Give,
    Refuse,
}

/// One end, all that its owner saw, and what it sent that has not arrived yet.
struct Side {
    session: Session,
    now: Time,
    asked: bool,
    up: bool,
    closed: Option<CloseReason>,
    sent: Vec<(u16, Vec<u8>)>,
    arrived: Vec<(u16, Vec<u8>)>,
}

impl Side {
    fn new(session: Session) -> Self {
        Self {
            session,
            now: Time::ZERO,
            asked: false,
            up: false,
            closed: None,
            sent: Vec::new(),
            arrived: Vec::new(),
        }
    }

    fn poll(&mut self, policy: &KeyPolicy) {
        while let Some(event) = self.session.poll_event() {
            assert!(self.closed.is_none(), "{event:?} after the end");
            match event {
                SessionEvent::KeyWanted(_) => {
                    self.asked = true;
                    let key = match policy {
                        KeyPolicy::Give => Ok(key()),
                        KeyPolicy::Refuse => Err(CloseReason::WrongKey),
                    };
                    self.session.provide_key(self.now, key);
                }
                SessionEvent::Up { .. } => self.up = true,
                SessionEvent::Frame { kind, body } => {
                    assert!(self.up, "a body before the proof of identity");
                    self.arrived.push((kind, body));
                }
                SessionEvent::Closed(reason) => self.closed = Some(reason),
            }
        }
    }

    fn say(&mut self, script: &mut Script<'_>) {
        let class = Class::from_index(script.byte() % 4).unwrap_or(Class::Low);
        let kind = script.word();
        let length = usize::from(script.word()) * usize::from(script.byte() % 5 + 1);
        let body = vec![script.byte(); length];
        if self.session.send(class, kind, body.clone()).is_ok() {
            assert!(self.up && kind != 0);
            self.sent.push((kind, body));
        }
        let bound: u32 = SessionLimits::default().queue_bytes_max.iter().sum();
        assert!(self.session.queued_bytes() <= bound);
    }
}

/// Ann dials Bob, through a liar.
struct Link {
    ann: Side,
    bob: Side,
    to_bob: VecDeque<Vec<u8>>,
    to_ann: VecDeque<Vec<u8>>,
    honest: bool,
}

impl Link {
    fn new() -> Self {
        let ann = Session::initiate(params(1), HINT, key(), None, [1; 32], Time::ZERO);
        let bob = Session::accept(params(2), [2; 32], Time::ZERO);
        Self {
            ann: Side::new(ann),
            bob: Side::new(bob),
            to_bob: VecDeque::new(),
            to_ann: VecDeque::new(),
            honest: true,
        }
    }

    /// Delivers everything until nothing moves.
    fn settle(&mut self) {
        loop {
            self.transmit(1_000);
            let before = (self.to_bob.len(), self.to_ann.len());
            if before == (0, 0) {
                return;
            }
            while let Some(message) = self.to_bob.pop_front() {
                self.hear_bob(&message);
            }
            while let Some(message) = self.to_ann.pop_front() {
                self.hear_ann(&message);
            }
        }
    }

    fn transmit(&mut self, messages_max: usize) {
        let lines = [
            (&mut self.ann, &mut self.to_bob),
            (&mut self.bob, &mut self.to_ann),
        ];
        for (side, line) in lines {
            while line.len() < messages_max
                && let Some(message) = side.session.poll_transmit()
            {
                assert!(message.len() <= LINK_MESSAGE_BYTES_MAX as usize);
                line.push_back(message);
            }
            side.poll(&KeyPolicy::Give);
        }
    }

    fn hear_bob(&mut self, message: &[u8]) {
        self.bob.session.handle_bytes(self.bob.now, message);
        self.bob.poll(&KeyPolicy::Give);
        arrive(&mut self.ann.sent, &mut self.bob.arrived);
    }

    fn hear_ann(&mut self, message: &[u8]) {
        self.ann.session.handle_bytes(self.ann.now, message);
        self.ann.poll(&KeyPolicy::Give);
        arrive(&mut self.bob.sent, &mut self.ann.arrived);
    }

    fn hear(&mut self, bob: bool, message: &[u8]) {
        if bob {
            self.hear_bob(message)
        } else {
            self.hear_ann(message)
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let choice = script.byte();
        let bob = choice & 0x80 != 0;
        self.transmit(8);
        let line = if bob {
            &mut self.to_bob
        } else {
            &mut self.to_ann
        };
        match choice % 10 {
            0..=2 => {
                if let Some(message) = line.pop_front() {
                    self.hear(bob, &message);
                }
            }
            3 | 4 => {
                let side = if bob { &mut self.bob } else { &mut self.ann };
                side.say(script);
            }
            5 => {
                let gap = Duration::from_millis(u64::from(script.word()));
                for side in [&mut self.ann, &mut self.bob] {
                    side.now = side.now + gap;
                    side.session.handle_timeout(side.now);
                    side.poll(&KeyPolicy::Give);
                }
            }
            6 => {
                let side = if bob { &mut self.bob } else { &mut self.ann };
                side.session.close(side.now, CloseReason::Leaving);
                side.poll(&KeyPolicy::Give);
            }
            lie => self.lie(lie, bob, script),
        }
    }

    /// The liar changes, loses or doubles the next message, or says something of its own.
    fn lie(&mut self, lie: u8, bob: bool, script: &mut Script<'_>) {
        self.honest = false;
        let line = if bob {
            &mut self.to_bob
        } else {
            &mut self.to_ann
        };
        match lie {
            7 => {
                let Some(mut message) = line.pop_front() else {
                    return;
                };
                let bit = usize::from(script.word());
                if let Some(byte) = message.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
                self.hear(bob, &message);
            }
            8 => {
                let Some(message) = line.pop_front() else {
                    return;
                };
                if script.byte().is_multiple_of(2) {
                    line.push_front(message.clone());
                    self.hear(bob, &message);
                }
            }
            _ => {
                let length = usize::from(script.byte());
                let message = script.bytes(length).to_vec();
                self.hear(bob, &message);
            }
        }
    }
}

/// Every body that arrived must be one that was sent and has not arrived before.
fn arrive(sent: &mut Vec<(u16, Vec<u8>)>, arrived: &mut Vec<(u16, Vec<u8>)>) {
    for body in arrived.drain(..) {
        let at = sent.iter().position(|candidate| *candidate == body);
        sent.remove(at.expect("a body arrived that was never sent, or twice"));
    }
}
