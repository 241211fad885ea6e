//! What a link that takes nothing does to what waits for it.

use super::*;
use crate::{
    kernel::{
        id::{RequestId, Role, Ticket},
        store::Stored,
        text::Name,
        time::{Duration, WallTime},
    },
    membership::join_link::JoinLink,
    node::{
        config::Config,
        contract::{Reply, Request, StoreInput, StoreOutput},
        message::Message,
    },
    overlay::links,
    replication::message as replication,
};

const WALL: WallTime = WallTime::from_millis(1_767_225_600_000);

fn start(role: Role, seed: u8, join: Option<JoinLink>, now: Time) -> Endpoint {
    let relay = Address::new(crate::kernel::address::Transport::Ws, "127.0.0.1", 7600).unwrap();
    let config = Config {
        role,
        name: Name::clean("node"),
        zone: None,
        location: None,
        addresses: if role == Role::Relay {
            alloc::vec![relay]
        } else {
            Vec::new()
        },
        version: "test".into(),
        network_name: Name::clean("test"),
        entries: Vec::new(),
        history_bytes_max: 0,
    };
    let (entropy, stored) = ([seed; 32], Stored::default());
    let setup = Setup {
        may_found: true,
        config,
        entropy,
        wall: WALL,
        stored,
        join,
    };
    Endpoint::start(setup, now).unwrap()
}

/// A tab linked to a relay by one connection, whose messages are carried by hand.
struct Pair {
    relay: Endpoint,
    tab: Endpoint,
    /// The connection's numbers at the relay and at the tab.
    link: Option<(LinkId, LinkId)>,
    now: Time,
}

/// The batch that an output asks to be made durable.
fn persisted_by(output: &EndpointOutput) -> Option<Ticket> {
    if let EndpointOutput::Host(HostOutput::Store(StoreOutput::Persist(batch))) = output {
        Some(batch.ticket)
    } else {
        None
    }
}

fn persisted(ticket: Ticket) -> EndpointInput {
    EndpointInput::Host(StoreInput::Persisted(ticket).into())
}

impl Pair {
    /// Linked, and quiet: what a newcomer and its relay have to say has been said.
    fn linked() -> Self {
        let now = Time::from_millis(1);
        let mut relay = start(Role::Relay, 1, None, now);
        let id = RequestId(1);
        let ttl = Duration::from_secs(3_600);
        let (uses_max, role) = (None, None);
        let request = Request::Invite {
            ttl,
            uses_max,
            role,
        };
        let invite = HostInput::Request { id, request };
        relay.handle_input(now, EndpointInput::Host(invite));
        let mut join = None;
        while join.is_none() {
            let output = relay.poll_output().unwrap();
            let ticket = persisted_by(&output);
            if let EndpointOutput::Host(HostOutput::Reply {
                reply: Reply::Invited { invitation, key },
                ..
            }) = output
            {
                join = Some(relay.node().join_link(&invitation, &key));
            }
            if let Some(ticket) = ticket {
                relay.handle_input(now, persisted(ticket));
            }
        }
        let tab = start(Role::Tab, 2, join, now);
        let mut pair = Self {
            relay,
            tab,
            link: None,
            now,
        };
        pair.run_for(Duration::from_secs(10));
        assert!(pair.tab.node().is_admitted() && pair.rtt() == Some(Duration::ZERO));
        pair
    }

    fn rtt(&self) -> Option<Duration> {
        self.relay.node().links.rtt(self.tab.node().id())
    }

    fn tab_link(&self) -> LinkId {
        self.link.unwrap().1
    }

    fn queued(&self) -> u32 {
        match self.tab.links.get(&self.tab_link()) {
            Some(Link::Open { session, .. }) => session.queued_bytes(),
            Some(Link::Connecting(_) | Link::Probing(_)) | None => 0,
        }
    }

    fn run_for(&mut self, span: Duration) {
        let until = self.now + span;
        self.carry();
        while let Some(due) = self.next_at().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.relay.handle_timeout(self.now);
            self.tab.handle_timeout(self.now);
            self.carry();
        }
        self.now = until;
    }

    fn next_at(&self) -> Option<Time> {
        let due = [self.relay.poll_timeout(), self.tab.poll_timeout()];
        due.into_iter().flatten().min()
    }

    /// Carries everything both ways until nothing moves.
    fn carry(&mut self) {
        loop {
            if let Some(output) = self.relay.poll_output() {
                self.act(true, output);
            } else if let Some(output) = self.tab.poll_output() {
                self.act(false, output);
            } else {
                return;
            }
        }
    }

    fn act(&mut self, of_relay: bool, output: EndpointOutput) {
        match output {
            EndpointOutput::Connect { link, .. } => {
                assert!(!of_relay, "a tab has no address");
                let at_relay = self.relay.accept(self.now).unwrap();
                self.link = Some((at_relay, link));
                self.tab
                    .handle_input(self.now, EndpointInput::Opened { link });
            }
            EndpointOutput::Transmit { message, .. } => self.deliver(of_relay, message),
            EndpointOutput::Disconnect { reason, .. } => panic!("{reason:?}"),
            EndpointOutput::Host(_) => {
                if let Some(ticket) = persisted_by(&output) {
                    let now = self.now;
                    self.side(of_relay).handle_input(now, persisted(ticket));
                }
            }
        }
    }

    const fn side(&mut self, relay: bool) -> &mut Endpoint {
        if relay {
            &mut self.relay
        } else {
            &mut self.tab
        }
    }

    fn deliver(&mut self, from_relay: bool, message: Bytes) {
        let (at_relay, at_tab) = self.link.unwrap();
        let link = if from_relay { at_tab } else { at_relay };
        let now = self.now;
        let received = EndpointInput::Received { link, message };
        self.side(!from_relay).handle_input(now, received);
    }

    fn tell_tab(&mut self, input: EndpointInput) {
        self.tab.handle_input(self.now, input);
    }

    /// The tab has `count` times 100 KiB for the relay.
    fn send_bulk(&mut self, count: usize) {
        let link = self.tab_link();
        let digests = alloc::vec![0; 100 << 10].into();
        let bulk = Message::Replica(replication::Message::Summary { digests });
        let bulk = Envelope::of(link, bulk);
        (0..count).for_each(|_| self.tab.send(&bulk));
    }

    /// The tab's link messages until it has no more output.
    fn messages_of_tab(&mut self) -> Vec<Bytes> {
        let outputs = core::iter::from_fn(|| self.tab.poll_output());
        let message = |output| {
            if let EndpointOutput::Transmit { message, .. } = output {
                Some(message)
            } else {
                None
            }
        };
        outputs.filter_map(message).collect()
    }
}

#[test]
fn nothing_is_taken_for_a_blocked_link_and_all_of_it_when_it_is_writable() {
    let mut pair = Pair::linked();
    let link = pair.tab_link();
    pair.tell_tab(EndpointInput::Blocked { link });
    pair.send_bulk(3);
    assert_eq!(pair.messages_of_tab(), [] as [Bytes; 0]);
    assert!(
        pair.tab.poll_timeout().is_some_and(|due| due > pair.now),
        "no hot loop"
    );
    assert!(pair.queued() > 300 << 10);
    pair.tell_tab(EndpointInput::Writable { link });
    assert_eq!(pair.tab.poll_timeout(), Some(Time::ZERO));
    let bytes: usize = pair
        .messages_of_tab()
        .iter()
        .map(|message| message.len())
        .sum();
    assert!(bytes > 300 << 10 && pair.queued() == 0);
}

#[test]
fn a_host_that_says_blocked_after_a_message_gets_no_other() {
    let mut pair = Pair::linked();
    let link = pair.tab_link();
    pair.send_bulk(3);
    assert!(matches!(
        pair.tab.poll_output(),
        Some(EndpointOutput::Transmit { .. })
    ));
    pair.tell_tab(EndpointInput::Blocked { link });
    assert_eq!(pair.messages_of_tab(), [] as [Bytes; 0]);
}

#[test]
fn a_heartbeat_passes_the_bulk_that_waited_before_it() {
    let mut pair = Pair::linked();
    let link = pair.tab_link();
    pair.tell_tab(EndpointInput::Blocked { link });
    pair.send_bulk(5);
    // The relay's ping comes while the tab's link is blocked; its pong waits behind 500 KiB.
    pair.run_for(Duration::from_secs(6));
    assert_eq!(pair.rtt(), Some(Duration::ZERO));
    pair.tell_tab(EndpointInput::Writable { link });
    let first = pair.tab.poll_output().unwrap();
    pair.act(false, first);
    assert!(
        pair.rtt() > Some(Duration::from_millis(50)),
        "{:?}",
        pair.rtt()
    );
    assert!(pair.queued() > 400 << 10);
}

#[test]
fn what_waits_for_a_blocked_link_is_bounded_and_the_rest_is_counted() {
    let mut pair = Pair::linked();
    let link = pair.tab_link();
    pair.tell_tab(EndpointInput::Blocked { link });
    let before = pair.tab.unsent();
    pair.send_bulk(100);
    assert!(pair.queued() <= 2 << 20, "{}", pair.queued());
    assert!(pair.tab.unsent() - before >= 80);
}

#[test]
fn a_blocked_link_that_has_no_room_even_for_heartbeats_is_given_up() {
    let mut pair = Pair::linked();
    let link = pair.tab_link();
    pair.tell_tab(EndpointInput::Blocked { link });
    for nonce in 0..200_000 {
        let ping = Message::Links(links::Message::Ping { nonce });
        pair.tab.send(&Envelope::of(link, ping));
    }
    assert!(pair.queued() <= 1 << 20);
    pair.tab.handle_timeout(pair.now);
    let outputs: Vec<EndpointOutput> = core::iter::from_fn(|| pair.tab.poll_output()).collect();
    let reason = CloseReason::Overload;
    let words = outputs
        .iter()
        .take_while(|output| matches!(output, EndpointOutput::Transmit { .. }));
    assert_eq!(words.count(), 1, "why it ends");
    assert!(
        outputs.contains(&EndpointOutput::Disconnect { link, reason }),
        "{outputs:?}"
    );
    // Late words about it mean nothing.
    pair.tell_tab(EndpointInput::Writable { link });
    let relay = pair.relay.node().id();
    assert!(!pair.tab.node().links.is_linked(relay));
}
