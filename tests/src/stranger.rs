//! A hand-made initiator: the real session code with settings that no honest node would have.

use sporenet_core::{
    kernel::{
        crypto::{Keypair, Secret},
        id::{Incarnation, InstanceId, NetworkId, Role},
        time::Time,
    },
    wire::{
        close::CloseReason,
        invitation::KeyHint,
        length::{LengthDecoder, length_prefixed},
        session::{
            LINK_MESSAGE_BYTES_MAX, Session, SessionEvent, SessionLimits, SessionParams, VERSIONS,
        },
    },
};
use std::{
    hash::{BuildHasher, RandomState},
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// How long a stranger waits for its refusal.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who a stranger says it is.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// The network that it claims to belong to.
    pub network: NetworkId,
    /// The versions that it claims to speak.
    pub versions: (u16, u16),
    /// The key that it names.
    pub hint: KeyHint,
    /// The key that it has.
    pub key: Secret,
}

impl Stranger {
    /// A stranger that knows a network's identity and nothing else.
    #[must_use]
    pub fn of(network: NetworkId) -> Self {
        Self {
            network,
            versions: VERSIONS,
            hint: KeyHint::Isolation { epoch: 0 },
            key: Secret::from_bytes(entropy()),
        }
    }

    /// Dials a relay; answers why the session ended.
    ///
    /// # Panics
    /// When the stranger gets in, or hears nothing for too long.
    #[must_use]
    pub fn dial(&self, address: SocketAddr) -> CloseReason {
        let start = Instant::now();
        let now = || Time::ZERO + start.elapsed();
        let params = SessionParams {
            network: self.network,
            keypair: Keypair::from_seed(&entropy()),
            incarnation: Incarnation(1),
            instance: InstanceId(1),
            role: Role::Relay,
            versions: self.versions,
            features: 0,
            limits: SessionLimits::default(),
        };
        let mut session = Session::initiate(
            params,
            self.hint.clone(),
            self.key.clone(),
            None,
            entropy(),
            now(),
        );
        let mut stream = TcpStream::connect(address).expect("the relay listens");
        stream
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a timeout can be set");
        let mut decoder = LengthDecoder::new(LINK_MESSAGE_BYTES_MAX);
        let mut buffer = [0; 4096];
        while start.elapsed() < PATIENCE {
            while let Some(message) = session.poll_transmit() {
                // A relay that hangs up first is heard of below.
                let _ = stream.write_all(&length_prefixed(&message));
            }
            while let Some(event) = session.poll_event() {
                match event {
                    SessionEvent::Closed(reason) => return reason,
                    SessionEvent::Up { .. } => panic!("a stranger got in"),
                    SessionEvent::KeyWanted(_) | SessionEvent::Frame { .. } => {}
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) => session.close(now(), CloseReason::Lost),
                Ok(read) => hear(&mut session, &mut decoder, &buffer[..read], now()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => session.close(now(), CloseReason::Lost),
            }
            session.handle_timeout(now());
        }
        panic!("no answer after {PATIENCE:?}");
    }
}

fn hear(session: &mut Session, decoder: &mut LengthDecoder, mut bytes: &[u8], now: Time) {
    loop {
        let taken = decoder.push(bytes);
        bytes = &bytes[taken..];
        match decoder.next() {
            Ok(Some(message)) => session.handle_bytes(now, &message),
            Ok(None) => return,
            Err(_) => return session.close(now, CloseReason::Oversized),
        }
    }
}

/// 32 bytes that no other stranger has.
#[must_use]
pub fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    for chunk in bytes.chunks_mut(8) {
        // std seeds every RandomState from the operating system's entropy, and never twice alike.
        chunk.copy_from_slice(&RandomState::new().hash_one(0_u8).to_le_bytes());
    }
    bytes
}
