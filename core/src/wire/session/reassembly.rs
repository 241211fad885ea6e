//! Fragments back to bodies: one body in progress per class, grown only by bytes that arrived.

#[cfg(any(test, feature = "sim"))]
use crate::{kernel::bounded::first_broken, wire::class::Class};
use crate::{
    kernel::planted::{self, Planted},
    wire::{
        class::PerClass,
        close::CloseReason,
        frame::{Frame, Part},
    },
};
use alloc::vec::Vec;

/// A body of which a beginning has arrived.
struct Partial {
    kind: u16,
    total: u32,
    body: Vec<u8>,
}

/// The bodies in progress.
pub(super) struct Reassembly {
    partials: PerClass<Option<Partial>>,
    message_bytes_max: u32,
}

impl Reassembly {
    pub(super) fn new(message_bytes_max: u32) -> Self {
        Self {
            partials: PerClass::from_fn(|_| None),
            message_bytes_max,
        }
    }

    /// Takes a frame; answers a body that it completes.
    ///
    /// # Errors
    /// `Oversized` when a body is announced that is over the limit, before anything is held of it;
    /// `Protocol` when the frame does not continue what came before.
    pub(super) fn accept(&mut self, frame: Frame<'_>) -> Result<Option<Vec<u8>>, CloseReason> {
        // Fragments of one class follow each other, so one body in progress is all there can be.
        let partial = self.partials.of_mut(frame.header.class);
        match (frame.header.part, partial.as_mut()) {
            (Part::Whole, None) => {
                within(frame.header.length, self.message_bytes_max)?;
                Ok(Some(frame.payload.to_vec()))
            }
            (Part::First { total }, None) => {
                // Judged by what is announced, before a byte is held.
                within(total, self.message_bytes_max)?;
                let mut begun = Partial {
                    kind: frame.header.kind,
                    total,
                    // No room is reserved: only bytes that arrived take memory, whatever is
                    // announced.
                    body: Vec::new(),
                };
                begun.extend(&frame)?;
                *partial = Some(begun);
                Ok(None)
            }
            (Part::Middle, Some(begun)) => {
                begun.extend(&frame)?;
                Ok(None)
            }
            (Part::Last, Some(begun)) => {
                let whole = begun.finish(&frame)?;
                if !planted::is(Planted::ReassemblyLeak) {
                    *partial = None;
                }
                Ok(Some(whole))
            }
            // A body begins before the one before has ended, or goes on without a beginning.
            (Part::Whole | Part::First { .. }, Some(_)) | (Part::Middle | Part::Last, None) => {
                Err(CloseReason::Protocol)
            }
        }
    }

    /// What must hold at any time: of a body in progress there is something, and something is missing.
    ///
    /// # Errors
    /// What does not.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let in_progress = |class: Class| {
            let partial = self.partials.of(class).as_ref();
            partial.is_none_or(|begun| !begun.body.is_empty() && begun.length() < begun.total)
        };
        first_broken(&[(
            Class::ALL.into_iter().all(in_progress),
            "a body that is not begun or is whole counts as in progress",
        )])
    }

    /// Bytes held of bodies in progress.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        Class::ALL
            .iter()
            .filter_map(|class| self.partials.of(*class).as_ref())
            .map(|partial| partial.body.capacity())
            .sum()
    }
}

const fn within(length: u32, max: u32) -> Result<(), CloseReason> {
    if length > max {
        return Err(CloseReason::Oversized);
    }
    Ok(())
}

impl Partial {
    /// Adds a fragment that is not the last: it must bring something, and leave something.
    fn extend(&mut self, frame: &Frame<'_>) -> Result<(), CloseReason> {
        let length = self.length_with(frame)?;
        // Empty fragments would cost work without end; a full body must end with `Last`.
        if frame.payload.is_empty() || length >= self.total {
            return Err(CloseReason::Protocol);
        }
        self.body.extend_from_slice(frame.payload);
        Ok(())
    }

    /// Adds the last fragment: the body must then be as long as was announced.
    fn finish(&mut self, frame: &Frame<'_>) -> Result<Vec<u8>, CloseReason> {
        if self.length_with(frame)? != self.total {
            return Err(CloseReason::Protocol);
        }
        let mut body = core::mem::take(&mut self.body);
        if !planted::is(Planted::LastFragmentLost) {
            body.extend_from_slice(frame.payload);
        }
        Ok(body)
    }

    fn length_with(&self, frame: &Frame<'_>) -> Result<u32, CloseReason> {
        if frame.header.kind != self.kind {
            return Err(CloseReason::Protocol);
        }
        u32::try_from(self.body.len())
            .ok()
            .and_then(|length| length.checked_add(frame.header.length))
            .ok_or(CloseReason::Protocol)
    }

    /// Bytes that arrived.
    #[cfg(any(test, feature = "sim"))]
    fn length(&self) -> u32 {
        u32::try_from(self.body.len()).unwrap_or(u32::MAX)
    }
}
