//! The bounded queue in which a machine leaves its outputs.

use crate::kernel::{id::NodeId, machine::Output, time::Time};
use alloc::collections::VecDeque;

/// The room that an empty queue keeps: more than most inputs need.
const KEPT_MAX: usize = 16;

/// Outputs waiting for the owner, oldest first.
///
/// Bounded in number. Overflow policy: events are always kept (each answers an input that was itself
/// bounded), sends beyond the maximum are dropped, newest first, and counted in
/// [`Outbox::sends_dropped`]: every protocol here repairs a lost send.
#[derive(Clone, Debug)]
pub struct Outbox<M, E> {
    queue: VecDeque<Output<M, E>>,
    sends: usize,
    sends_max: usize,
    sends_dropped: u64,
}

impl<M, E> Outbox<M, E> {
    /// An empty outbox that holds at most `sends_max` undelivered sends.
    #[must_use]
    pub const fn new(sends_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            sends: 0,
            sends_max,
            sends_dropped: 0,
        }
    }

    /// Queues a message to a peer, or drops and counts it when the outbox is full.
    pub fn send(&mut self, to: NodeId, message: M) {
        if self.sends >= self.sends_max {
            self.sends_dropped = self.sends_dropped.saturating_add(1);
            return;
        }
        self.sends = self.sends.saturating_add(1);
        self.queue.push_back(Output::Send { to, message });
    }

    /// Queues an event for the owner.
    pub fn event(&mut self, event: E) {
        // Never refused: it may be the only answer that the owner gets.
        self.queue.push_back(Output::Event(event));
    }

    /// The oldest output.
    pub fn pop(&mut self) -> Option<Output<M, E>> {
        let output = self.queue.pop_front();
        if self.queue.is_empty() {
            self.rest();
        }
        if matches!(output, Some(Output::Send { .. })) {
            // Never below zero: each send was counted when it was queued.
            self.sends = self.sends.saturating_sub(1);
        }
        output
    }

    /// An empty queue begins at its front again, which is in the cache, and gives back what a burst
    /// made it take.
    fn rest(&mut self) {
        if self.queue.capacity() > KEPT_MAX {
            self.queue = VecDeque::new();
        } else {
            self.queue.clear();
        }
    }

    /// What `poll_timeout` answers: at once while anything is queued, else `timer`.
    #[must_use]
    pub fn or_timer(&self, timer: Option<Time>) -> Option<Time> {
        if self.queue.is_empty() {
            timer
        } else {
            Some(Time::ZERO)
        }
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many outputs are queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Sends dropped since the start because the outbox was full.
    #[must_use]
    pub const fn sends_dropped(&self) -> u64 {
        self.sends_dropped
    }
}

/// Its bounds and counters: an owner is frozen only between inputs, when everything was taken.
impl<M, E> serde::Serialize for Outbox<M, E> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.queue.is_empty() {
            (self.sends_max, self.sends_dropped).serialize(serializer)
        } else {
            Err(serde::ser::Error::custom("output is queued"))
        }
    }
}

impl<'de, M, E> serde::Deserialize<'de> for Outbox<M, E> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sends_max, sends_dropped) = serde::Deserialize::deserialize(deserializer)?;
        Ok(Self {
            sends_dropped,
            ..Self::new(sends_max)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_outbox_drops_sends_and_keeps_events() {
        let mut outbox: Outbox<u8, &str> = Outbox::new(1);
        let peer = NodeId::from_bytes([1; 32]);
        outbox.send(peer, 1);
        outbox.send(peer, 2);
        outbox.event("kept");
        assert_eq!(
            outbox.pop(),
            Some(Output::Send {
                to: peer,
                message: 1
            })
        );
        assert_eq!(outbox.pop(), Some(Output::Event("kept")));
        assert_eq!(outbox.pop(), None);
        assert_eq!(outbox.sends_dropped(), 1);
        outbox.send(peer, 3);
        assert_eq!(
            outbox.pop(),
            Some(Output::Send {
                to: peer,
                message: 3
            })
        );
    }
}
