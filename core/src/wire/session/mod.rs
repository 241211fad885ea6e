//! One link's session: handshake, cipher, framing, limits, priorities. It owns no link.
//!
//! | file | what lives there |
//! |---|---|
//! | `limits` | what a session is given, what it may cost, what it tells its owner |
//! | `handshake` | from the first byte to two proven identities |
//! | `link` | the outermost layer of a link message |
//! | `phase` | where a session stands, and how it can still say why it ends |
//! | `transport` | a session that is up: bodies in and out under the cipher |
//! | `queue` | bodies waiting to be sent, and who goes next |
//! | `reassembly` | fragments back to bodies |
//! | `trust` | whose word on the end of a link counts for how much |
//!
//! A session is not a [`Machine`](crate::kernel::machine::Machine): it speaks bytes, with one peer,
//! over a link that delivers whole messages in order (TCP with a length prefix, WebSocket).
//!
//! # How to drive it
//!
//! Feed it each link message, and the time at [`Session::poll_timeout`]. After each input, take its
//! events until there are none. Whenever the link can take a message, ask
//! [`Session::poll_transmit`]: what is sent next is decided there, not when it was queued. When it
//! [is closed](Session::is_closed), send what `poll_transmit` still answers, within a patience of
//! your own, then close the link.
//!
//! Source: Noise Protocol Framework, revision 34, 2018 (the cipher); docs/design.md, sessions.

mod handshake;
mod limits;
mod link;
mod phase;
mod queue;
mod reassembly;
#[cfg(test)]
mod tests;
mod transport;
mod trust;

pub use limits::{
    FRAGMENT_BYTES_CEILING, HANDSHAKE_MESSAGE_BYTES_MAX, LINK_MESSAGE_BYTES_MAX, SendError,
    SessionEvent, SessionLimits, SessionParams, SessionStats, VERSION, VERSIONS,
};

#[cfg(any(test, feature = "sim"))]
pub(crate) use trust::Trust as Proven;

use self::{
    phase::{Failure, Phase, Step, Voice},
    queue::SendQueues,
    reassembly::Reassembly,
    transport::event_bytes,
    trust::{Trust, is_orderly},
};
use crate::{
    kernel::{crypto::Secret, id::NodeId, time::Time},
    wire::{
        class::Class,
        close::CloseReason,
        control::Control,
        frame::KIND_CONTROL,
        hello::Clear,
        invitation::KeyHint,
        noise::{Cipher, End},
    },
};
use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, mem};

/// One link's session; see the [module](self) for how to drive it.
pub struct Session {
    params: SessionParams,
    end: End,
    phase: Phase,
    /// Messages that are already under the cipher (or before it), oldest first: the handshake's and
    /// the last word, a handful at most.
    outgoing: VecDeque<Vec<u8>>,
    queues: SendQueues,
    reassembly: Reassembly,
    events: VecDeque<SessionEvent>,
    inbox_bytes: u64,
    /// The longest body that both sides accept.
    body_bytes_max: u32,
    deadline: Option<Time>,
    latest: Time,
    is_key_proven: bool,
    is_proof_sent: bool,
    /// Bytes said so far, sent or waiting in `outgoing`.
    said_bytes: u64,
    stats: SessionStats,
}

impl Session {
    /// A session of the side that dialled: offers to prove `key`, which `hint` names. The other side
    /// must be `expect`, if that is known. `entropy` comes from the operating system and is used
    /// once.
    #[must_use]
    pub fn initiate(
        params: SessionParams,
        hint: KeyHint,
        key: Secret,
        expect: Option<NodeId>,
        entropy: [u8; 32],
        now: Time,
    ) -> Self {
        let mut session = Self::new(params, End::Initiator, now);
        session.phase = session.open(hint, key, expect, Secret::from_bytes(entropy));
        session
    }

    /// A session of the side that was dialled. `entropy` comes from the operating system and is used
    /// once.
    #[must_use]
    pub fn accept(params: SessionParams, entropy: [u8; 32], now: Time) -> Self {
        let mut session = Self::new(params, End::Responder, now);
        session.phase = Phase::AwaitHello {
            entropy: Secret::from_bytes(entropy),
        };
        session
    }

    fn new(params: SessionParams, end: End, now: Time) -> Self {
        let limits = &params.limits;
        // A zero would send empty fragments for ever; more than the ceiling fits no Noise message.
        let fragment_bytes_max = limits.fragment_bytes_max.clamp(1, FRAGMENT_BYTES_CEILING);
        Self {
            end,
            phase: Phase::Closed,
            outgoing: VecDeque::new(),
            queues: SendQueues::new(limits, fragment_bytes_max),
            reassembly: Reassembly::new(limits.message_bytes_max),
            events: VecDeque::new(),
            inbox_bytes: 0,
            // Settled with the peer's proof; nothing is sent before.
            body_bytes_max: 0,
            deadline: Some(now + limits.handshake_patience),
            latest: now,
            is_key_proven: false,
            is_proof_sent: false,
            said_bytes: 0,
            stats: SessionStats::default(),
            params,
        }
    }

    /// Takes exactly one link message: one binary WebSocket message, or what one length prefix
    /// announced. After the end it is ignored.
    pub fn handle_bytes(&mut self, now: Time, message: &[u8]) {
        self.see(now);
        if self.is_closed() {
            return;
        }
        let length = u64::try_from(message.len()).unwrap_or(u64::MAX);
        self.stats.messages_in = self.stats.messages_in.saturating_add(1);
        self.stats.bytes_in = self.stats.bytes_in.saturating_add(length);
        // Before a byte of it is decoded.
        if self.is_over_limit(length) {
            self.stop_with_voice(CloseReason::Oversized);
            return;
        }
        // Each step takes its phase and answers the next. A step that fails leaves `Closed` behind.
        let phase = mem::replace(&mut self.phase, Phase::Closed);
        match self.step(phase, message) {
            Ok(next) => self.phase = next,
            Err(failure) => self.stop(failure),
        }
    }

    /// Answers [`SessionEvent::KeyWanted`]: the key that the initiator must prove, or why it is
    /// refused. Ignored in any other phase.
    pub fn provide_key(&mut self, now: Time, key: Result<Secret, CloseReason>) {
        self.see(now);
        if !matches!(self.phase, Phase::AwaitKey(_)) {
            return;
        }
        let Phase::AwaitKey(asking) = mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        let step = match key {
            Ok(key) => self.on_key(asking, &key),
            Err(reason) => Err(Failure::clear(reason)),
        };
        match step {
            Ok(next) => self.phase = next,
            Err(failure) => self.stop(failure),
        }
    }

    /// Queues a body of a machine's `kind` (not 0) for sending in `class`.
    ///
    /// # Errors
    /// [`SendError`], and the body is gone: not up, too large, or the class's queue is full. The
    /// last two are counted.
    pub fn send(&mut self, class: Class, kind: u16, body: Vec<u8>) -> Result<(), SendError> {
        if !self.is_up() {
            return Err(SendError::NotUp);
        }
        if kind == KIND_CONTROL {
            return Err(SendError::ReservedKind);
        }
        let is_short = u32::try_from(body.len()).is_ok_and(|length| length <= self.body_bytes_max);
        let queued = if is_short {
            self.queues.push(class, kind, body)
        } else {
            Err(SendError::TooLarge)
        };
        if let Err(refusal) = queued {
            self.count_refusal(refusal);
        }
        queued
    }

    fn count_refusal(&mut self, refusal: SendError) {
        let counter = match refusal {
            SendError::Full { class } => {
                let [critical, high, normal, low] = &mut self.stats.refused_full;
                match class {
                    Class::Critical => critical,
                    Class::High => high,
                    Class::Normal => normal,
                    Class::Low => low,
                }
            }
            SendError::TooLarge => &mut self.stats.refused_large,
            SendError::NotUp | SendError::ReservedKind => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// Ends the session, and tells the other side why as far as its authentication allows. `Leaving`,
    /// `Parking`, `Duplicate` and `IdentityInUse` let what is queued leave first; other reasons drop it.
    /// Either way [`SessionEvent::Closed`] comes at once, and [`Session::poll_transmit`] answers what is
    /// still to be sent. Ignored after the end.
    pub fn close(&mut self, now: Time, reason: CloseReason) {
        self.see(now);
        if self.is_closed() {
            return;
        }
        // Only a session that is up has something queued.
        let is_drained = self.is_up() && is_orderly(&reason);
        match mem::replace(&mut self.phase, Phase::Closed).voice() {
            Voice::Sealed(cipher) if is_drained => {
                // The owner hears of the end now; what is queued leaves in the meantime.
                self.conclude(reason.clone());
                self.phase = Phase::Draining { cipher, reason };
            }
            voice @ (Voice::Sealed(_) | Voice::Clear | Voice::Mute) => {
                self.stop(Failure { reason, voice });
            }
        }
    }

    /// Ends a handshake that takes too long. Early calls are harmless.
    pub fn handle_timeout(&mut self, now: Time) {
        self.see(now);
        if self
            .deadline
            .is_some_and(|deadline| deadline <= self.latest)
        {
            self.stop_with_voice(CloseReason::HandshakeTimeout);
        }
    }

    /// When [`Session::handle_timeout`] wants to be called; [`Time::ZERO`] (already due) while events
    /// wait to be polled.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.events.is_empty() {
            self.deadline
        } else {
            Some(Time::ZERO)
        }
    }

    /// The next link message. Call it only when the link can take one: which body goes next is
    /// decided here.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        // What is sealed already goes first: the peer opens messages in the order of their nonces.
        let message = self.outgoing.pop_front().or_else(|| self.seal_next())?;
        let length = u64::try_from(message.len()).unwrap_or(u64::MAX);
        self.stats.messages_out = self.stats.messages_out.saturating_add(1);
        self.stats.bytes_out = self.stats.bytes_out.saturating_add(length);
        Some(message)
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        let event = self.events.pop_front()?;
        if let SessionEvent::Frame { body, .. } = &event {
            self.inbox_bytes = self.inbox_bytes.saturating_sub(event_bytes(body));
        }
        Some(event)
    }

    /// Bytes waiting in the send queues, one header for each body included.
    #[must_use]
    pub fn queued_bytes(&self) -> u32 {
        self.queues.bytes()
    }

    /// What the session has done so far.
    #[must_use]
    pub const fn stats(&self) -> SessionStats {
        self.stats
    }

    /// Checks what must hold at any time (tests, feature `sim`).
    ///
    /// # Errors
    /// What does not hold: a bug of the session.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        self.reassembly.check()
    }

    /// Whether it is over. `poll_transmit` may still have a last word.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Draining { .. } | Phase::Closed)
    }

    /// The most bytes that the next link message may have: few before the proof of identity. A host
    /// gives it to its decoder, so that strangers can't make it hold more.
    #[must_use]
    pub const fn receive_bytes_max(&self) -> u32 {
        if self.is_up() {
            LINK_MESSAGE_BYTES_MAX
        } else {
            HANDSHAKE_MESSAGE_BYTES_MAX
        }
    }

    const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up(_))
    }

    fn see(&mut self, now: Time) {
        // An earlier `now` counts as the latest one seen, as for a machine.
        self.latest = self.latest.max(now);
    }

    fn is_over_limit(&self, length: u64) -> bool {
        let preauth_bytes_max = u64::from(self.params.limits.preauth_bytes_max);
        length > u64::from(self.receive_bytes_max())
            // The sum counts too: many small messages cost a stranger as little as one large one.
            || (!self.is_up() && self.stats.bytes_in > preauth_bytes_max)
    }

    fn step(&mut self, phase: Phase, message: &[u8]) -> Step {
        // A refusal may come in place of any message until the peer's proof.
        if phase.takes_refusals()
            && let Ok(Clear::Refusal(reason)) = Clear::decode(message)
        {
            return Err(Failure::told(Trust::Anyone, reason));
        }
        match phase {
            Phase::AwaitAnswer(opening) => self.on_answer(opening, message),
            Phase::AwaitSecond(state) => self.on_second(state, message),
            Phase::AwaitHello { entropy } => self.on_hello(entropy, message),
            // An initiator has nothing to say before it has an answer.
            Phase::AwaitKey(_) => Err(Failure::clear(CloseReason::Protocol)),
            Phase::AwaitFirst(state) => self.on_first(state, message),
            Phase::AwaitThird(state) => self.on_third(state, message),
            Phase::AwaitProof(unproven) => self.on_proof(unproven, message),
            Phase::Up(cipher) => self.on_sealed(cipher, message),
            Phase::Draining { .. } | Phase::Closed => Ok(phase),
        }
    }

    /// Queues a message of the session's own.
    fn say(&mut self, message: Vec<u8>) {
        let length = u64::try_from(message.len()).unwrap_or(u64::MAX);
        self.said_bytes = self.said_bytes.saturating_add(length);
        self.outgoing.push_back(message);
    }

    fn say_sealed(&mut self, cipher: &mut Cipher, control: &Control) {
        if let Ok(sealed) = cipher.seal(&control.encode_frame()) {
            self.say(link::sealed(&sealed));
        }
        self.stats.rekeys = cipher.rekeys();
    }

    /// Ends the session for a reason of our own, said in whatever way the phase allows.
    fn stop_with_voice(&mut self, reason: CloseReason) {
        let voice = mem::replace(&mut self.phase, Phase::Closed).voice();
        self.stop(Failure { reason, voice });
    }

    fn stop(&mut self, failure: Failure) {
        let Failure { reason, voice } = failure;
        match voice {
            Voice::Mute => {}
            Voice::Clear => self.refuse(&reason),
            Voice::Sealed(mut cipher) => {
                // The peer believes as much as this side has proved; what it would not believe is
                // not said.
                let proved = if self.is_proof_sent {
                    Trust::Peer
                } else {
                    Trust::KeyHolder
                };
                if proved.covers(&reason) {
                    self.say_sealed(&mut cipher, &Control::Close(reason.clone()));
                }
            }
        }
        let dropped = self.queues.clear();
        self.stats.dropped = self.stats.dropped.saturating_add(dropped);
        self.conclude(reason);
    }

    /// Says why in the clear, unless that would be more than a stranger has paid for.
    fn refuse(&mut self, reason: &CloseReason) {
        if !Trust::Anyone.covers(reason) {
            return;
        }
        let refusal = Clear::Refusal(reason.clone()).encode();
        let length = u64::try_from(refusal.len()).unwrap_or(u64::MAX);
        // A forged sender address must not get more bytes than were spent (docs/wire.md, "Clear
        // messages").
        let is_paid_for = self.said_bytes.saturating_add(length) <= self.stats.bytes_in;
        // An initiator dialled the other side itself: it floods nobody.
        let is_free = match self.end {
            End::Initiator => true,
            End::Responder => self.is_key_proven,
        };
        if is_free || is_paid_for {
            self.say(refusal);
        }
    }

    /// Ends everything but the send queues, which may still have to leave.
    fn conclude(&mut self, reason: CloseReason) {
        self.deadline = None;
        // A closed session holds no half of a body.
        self.reassembly = Reassembly::new(self.params.limits.message_bytes_max);
        self.events.push_back(SessionEvent::Closed(reason));
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("end", &self.end)
            .field("phase", &self.phase.name())
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}
