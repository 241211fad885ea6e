//! A cheap number over what a node said, so that a divergence is noticed before the next state hash.

use crate::{
    kernel::machine::Output,
    node::{
        contract::{Changed, Dial, Event, HostOutput, LinkOutput, StoreOutput},
        envelope::Envelope,
    },
};

/// What was said since a segment began: kinds and receivers, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(pub(super) u64);

impl Digest {
    pub(super) fn add(&mut self, output: &Output<Envelope, Event>) {
        // What messages hold is left out: the state hash covers it, and this is done for every
        // output.
        let (kind, to) = match output {
            Output::Send { to, message } => (
                u64::from(message.kind())
                    .saturating_mul(8)
                    .saturating_add(u64::from(message.class().index())),
                to.prefix(),
            ),
            Output::Event(event) => event_kind(event),
        };
        // A multiplication by an odd number and a rotation lose nothing, so the order counts.
        let mixed = (self.0 ^ kind).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = (mixed.rotate_left(29) ^ to).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
}

/// The number of an event's kind, with what it is about.
const fn event_kind(event: &Event) -> (u64, u64) {
    match event {
        Event::Link(LinkOutput::Dial(Dial { dial, .. })) => (1 << 32, dial.0),
        Event::Link(LinkOutput::Key { link, .. }) => (2 << 32, link.0),
        Event::Link(LinkOutput::Close { link, .. }) => (3 << 32, link.0),
        Event::Link(LinkOutput::Probe { dial, .. }) => (9 << 32, dial.0),
        Event::Host(HostOutput::Store(StoreOutput::Persist(batch))) => (4 << 32, batch.ticket.0),
        Event::Host(HostOutput::Store(StoreOutput::Load { ticket, .. })) => (5 << 32, ticket.0),
        Event::Host(HostOutput::Reply { id, .. }) => (6 << 32, id.0),
        Event::Host(HostOutput::Changed(Changed { revision, .. })) => (7 << 32, *revision),
        Event::Host(HostOutput::Notice(entry)) => (8 << 32, entry.id),
        Event::Host(HostOutput::Notify(notification)) => (10 << 32, notification.since_ms),
    }
}
