//! A session that is up: bodies in and out under the cipher.

use super::{
    Session,
    limits::SessionEvent,
    link::{self, LinkMessage},
    phase::{Failure, Phase, Step},
    trust::Trust,
};
use crate::wire::{
    close::CloseReason,
    control::Control,
    frame::{Frame, KIND_CONTROL, split_frame},
    noise::Cipher,
};
use alloc::vec::Vec;
use core::mem;

/// What an undelivered event costs besides its body.
const EVENT_BYTES: u64 = 64;

impl Session {
    pub(super) fn on_sealed(&mut self, mut cipher: Cipher, message: &[u8]) -> Step {
        let plaintext = match link::parse(message) {
            Some(LinkMessage::Sealed(sealed)) => cipher.open(sealed).ok(),
            Some(LinkMessage::Handshake(_)) | None => None,
        };
        self.stats.rekeys = cipher.rekeys();
        // At least one frame: an empty message would be work for nothing.
        let Some(plaintext) = plaintext.filter(|plaintext| !plaintext.is_empty()) else {
            return Err(Failure::sealed(CloseReason::Protocol, cipher));
        };
        let mut rest = plaintext.as_slice();
        // Each round takes a header at least off a message of bounded length.
        while !rest.is_empty() {
            let Ok((frame, left)) = split_frame(rest) else {
                return Err(Failure::sealed(CloseReason::Protocol, cipher));
            };
            rest = left;
            if frame.header.kind == KIND_CONTROL {
                // A close is the last thing that is said: what stands behind it is not looked at.
                return Err(on_control(frame, cipher));
            }
            if let Err(reason) = self.on_frame(frame) {
                return Err(Failure::sealed(reason, cipher));
            }
        }
        Ok(Phase::Up(cipher))
    }

    fn on_frame(&mut self, frame: Frame<'_>) -> Result<(), CloseReason> {
        self.stats.frames_in = self.stats.frames_in.saturating_add(1);
        let kind = frame.header.kind;
        let Some(body) = self.reassembly.accept(frame)? else {
            return Ok(());
        };
        self.inbox_bytes = self.inbox_bytes.saturating_add(event_bytes(&body));
        // The owner does not poll: the link ends before its memory does.
        if self.inbox_bytes > u64::from(self.params.limits.inbox_bytes_max) {
            return Err(CloseReason::Overload);
        }
        self.stats.bodies_in = self.stats.bodies_in.saturating_add(1);
        self.events.push_back(SessionEvent::Frame { kind, body });
        Ok(())
    }

    /// The next message of queued bodies, or the last word of a session closed in good order.
    pub(super) fn seal_next(&mut self) -> Option<Vec<u8>> {
        let cipher = match &mut self.phase {
            Phase::Up(cipher) | Phase::Draining { cipher, .. } => cipher,
            Phase::AwaitAnswer(_)
            | Phase::AwaitSecond(_)
            | Phase::AwaitHello { .. }
            | Phase::AwaitKey(_)
            | Phase::AwaitFirst(_)
            | Phase::AwaitThird(_)
            | Phase::AwaitProof(_)
            | Phase::Closed => return None,
        };
        if let Some(packed) = self.queues.pack() {
            let sealed = cipher.seal(&packed.plaintext);
            self.stats.rekeys = cipher.rekeys();
            self.stats.frames_out = self.stats.frames_out.saturating_add(packed.frames);
            self.stats.bodies_out = self.stats.bodies_out.saturating_add(packed.bodies);
            match sealed {
                Ok(sealed) => return Some(link::sealed(&sealed)),
                // The nonce is used up. One used twice would break the cipher: the session ends.
                Err(_) => self.stop_exhausted(),
            }
        }
        // All that was queued has left: now the reason, and nothing after it.
        if matches!(self.phase, Phase::Draining { .. })
            && let Phase::Draining { mut cipher, reason } =
                mem::replace(&mut self.phase, Phase::Closed)
        {
            self.say_sealed(&mut cipher, &Control::Close(reason));
        }
        self.outgoing.pop_front()
    }

    /// The cipher's nonce is used up: nothing can be said any more.
    fn stop_exhausted(&mut self) {
        let was_closed = self.is_closed();
        self.phase = Phase::Closed;
        if was_closed {
            self.queues.clear();
        } else {
            self.stop(Failure::mute(CloseReason::Protocol));
        }
    }
}

fn on_control(frame: Frame<'_>, cipher: Cipher) -> Failure {
    match Control::decode_body(frame.header, frame.payload) {
        Some(Control::Close(reason)) => Failure::told(Trust::Peer, reason),
        Some(Control::Proof(_)) | None => Failure::sealed(CloseReason::Protocol, cipher),
    }
}

pub(super) fn event_bytes(body: &[u8]) -> u64 {
    u64::try_from(body.len())
        .unwrap_or(u64::MAX)
        .saturating_add(EVENT_BYTES)
}
