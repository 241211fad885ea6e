//! The one shape every machine has.

use crate::kernel::{id::NodeId, time::Time};

/// A deterministic state machine without IO.
///
/// The owner feeds inputs with the current time, then drains [`Machine::poll_output`] until it is
/// empty, then sleeps until [`Machine::poll_timeout`] or the next input. `now` never goes back; an
/// earlier `now` is treated as the latest one seen. Read-only questions are ordinary `&self` methods.
pub trait Machine {
    /// What it says to the same machine on a peer; `Infallible` if it never speaks.
    type Message;
    /// What its owner asks (imperative) or tells it (past tense).
    type Command;
    /// What it tells its owner.
    type Event;

    /// Takes one input. Queues outputs; never blocks and never fails: a refusal is an event.
    fn handle_input(&mut self, now: Time, input: Input<Self::Message, Self::Command>);

    /// Runs the timers that are due. Calling it early is harmless.
    fn handle_timeout(&mut self, now: Time);

    /// When [`Machine::handle_timeout`] wants to be called next. Answers [`Time::ZERO`] (already
    /// due) while output is queued, so that no owner sleeps over undelivered output.
    fn poll_timeout(&self) -> Option<Time>;

    /// The next output, oldest first.
    fn poll_output(&mut self) -> Option<Output<Self::Message, Self::Event>>;
}

/// What goes into a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<M, C> {
    /// A message of the same machine on an authenticated peer.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it says.
        message: M,
    },
    /// A word from the machine's owner.
    Command(C),
}

/// What comes out of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<M, E> {
    /// Say this to the same machine on that peer.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: M,
    },
    /// A word to the machine's owner.
    Event(E),
}
