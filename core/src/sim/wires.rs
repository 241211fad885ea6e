//! Connections: how they open, carry packets, wait at cuts, and end.

use crate::{
    kernel::{
        id::LinkId,
        time::{Duration, Time},
    },
    node::endpoint::EndpointInput,
    sim::{
        host::{Connection, Happening, HostId},
        network::Travel,
        shell::Shell,
        world::{Held, World},
    },
    wire::close::CloseReason,
};
use alloc::vec::Vec;

/// The most packets held at one cut; a connection that has more breaks.
const HELD_MAX: usize = 4_096;

/// The most packets that someone on the paths remembers.
const OVERHEARD_MAX: usize = 64;

/// A dial without an answer gives up after this; one whose answer would come later never opens.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

impl<S: Shell> World<S> {
    /// Breaks every connection between two hosts, as injected resets do.
    pub fn reset(&mut self, a: HostId, b: HostId) {
        let between = self.hosts[usize::from(a)].connections.iter();
        let between = between.filter(|(_, connection)| connection.other == b);
        for (link, connection) in between
            .map(|(link, c)| (*link, c.clone()))
            .collect::<Vec<_>>()
        {
            self.host_mut(a).connections.remove(&link);
            self.end_other(a, &connection, CloseReason::Lost);
            let reason = CloseReason::Lost;
            self.after(
                Duration::ZERO,
                a,
                Happening::Input(EndpointInput::Ended { link, reason }),
            );
        }
    }

    pub(super) fn release(&mut self, from: HostId, to: HostId) {
        let held = self.held.remove(&(from, to)).unwrap_or_default();
        // A stream's next attempt comes somewhere in its wait.
        let at = self.now + self.rng.span_below(Duration::from_secs(1));
        for Held { run, after, input } in held {
            let at = at.max(after);
            match &input {
                EndpointInput::Received { link, .. } | EndpointInput::Ended { link, .. } => {
                    self.keep_order(to, *link, at);
                }
                EndpointInput::Opened { .. }
                | EndpointInput::Blocked { .. }
                | EndpointInput::Writable { .. }
                | EndpointInput::Host(_) => {}
            }
            self.wheel.push(at, (to, run, Happening::Input(input)));
        }
    }

    /// What is sent on a link from now on does not arrive before `at`.
    fn keep_order(&mut self, host: HostId, link: LinkId, at: Time) {
        let receivers = &self.hosts[usize::from(host)].connections;
        let Some((other, their_link)) = receivers.get(&link).map(|c| (c.other, c.their_link))
        else {
            return;
        };
        if let Some(sender) = self.host_mut(other).connections.get_mut(&their_link) {
            sender.last = sender.last.max(at);
        }
    }

    pub(super) fn connect(&mut self, host: HostId, link: LinkId, other: HostId) {
        let ended = |reason| Happening::Input(EndpointInput::Ended { link, reason });
        let is_cut = self.network.is_cut(host, other) || self.network.is_cut(other, host);
        let is_reachable = !is_cut && usize::from(other) < self.hosts.len();
        let ways = is_reachable.then(|| {
            let there = self.network.latency(host, other, &mut self.rng);
            (there, self.network.latency(other, host, &mut self.rng))
        });
        let in_time = ways.filter(|(there, back)| *there + *back <= CONNECT_PATIENCE);
        let Some((there, back)) = in_time else {
            self.after(CONNECT_PATIENCE, host, ended(CloseReason::Unreachable));
            return;
        };
        let now = self.now;
        let state = self.host_mut(other);
        let local = state.clock.local(now);
        // The kernel of a machine whose process stands still still accepts.
        let accepted = state.shell.as_mut().and_then(|shell| shell.accept(local));
        let Some(their_link) = accepted else {
            self.after(there + back, host, ended(CloseReason::ConnectionRefused));
            return;
        };
        let id = self.next_connection;
        self.next_connection += 1;
        for (at, link, other, their_link) in [
            (host, link, other, their_link),
            (other, their_link, host, link),
        ] {
            let connection = Connection {
                id,
                other,
                their_link,
                last: now,
            };
            self.host_mut(at).connections.insert(link, connection);
        }
        self.arm(other);
        let opened = Happening::Input(EndpointInput::Opened { link });
        self.after(there + back, host, opened);
    }

    pub(super) fn transmit(&mut self, host: HostId, link: LinkId, packet: S::Packet) {
        let Some(connection) = self.hosts[usize::from(host)].connections.get(&link) else {
            return;
        };
        let (id, other, their_link) = (connection.id, connection.other, connection.their_link);
        let last = connection.last;
        let state = &self.hosts[usize::from(other)];
        let is_open = state
            .connections
            .get(&their_link)
            .is_some_and(|theirs| theirs.id == id);
        if self.network.is_cut(host, other) {
            // Nothing waits for a process that is gone: the next one gives the link's number anew.
            if is_open {
                let link = their_link;
                self.hold(
                    host,
                    other,
                    last,
                    EndpointInput::Received {
                        link,
                        message: packet,
                    },
                );
            }
            return;
        }
        if !is_open {
            // Nobody answers at a machine without power; one that is back resets the connection.
            if state.shell.is_some() {
                let back = self.network.latency(other, host, &mut self.rng);
                let reason = CloseReason::Lost;
                let ended = Happening::Input(EndpointInput::Ended { link, reason });
                self.after(back * 2, host, ended);
            }
            return;
        }
        let size = if self.network.config(host, other).bandwidth > 0 {
            S::size(&packet)
        } else {
            0
        };
        let travel = self
            .network
            .travel((host, other), size, self.now, &mut self.rng);
        if travel.lost && !S::STREAMS {
            return;
        }
        // Packets keep their order unless the path is told to break it.
        let at = travel.at.max(last);
        if !travel.overtaken
            && let Some(connection) = self.host_mut(host).connections.get_mut(&link)
        {
            connection.last = at;
        }
        let there = (other, their_link);
        let again = travel.again.map(|again| again.max(at));
        if travel.corrupt || travel.tampered {
            for packet in self.handled(packet, travel) {
                self.arrive(there, at, again, packet);
            }
        } else {
            self.arrive(there, at, again, packet);
        }
    }

    fn arrive(
        &mut self,
        (host, link): (HostId, LinkId),
        at: Time,
        again: Option<Time>,
        packet: S::Packet,
    ) {
        let run = self.hosts[usize::from(host)].run;
        let double = again.map(|again| (again, packet.clone()));
        for (at, packet) in [Some((at, packet)), double].into_iter().flatten() {
            let input = EndpointInput::Received {
                link,
                message: packet,
            };
            self.wheel.push(at, (host, run, Happening::Input(input)));
        }
    }

    /// What becomes of a packet on its way.
    fn handled(&mut self, packet: S::Packet, travel: Travel) -> Vec<S::Packet> {
        if travel.corrupt {
            return [S::corrupted(&packet, &mut self.rng)].into();
        }
        let packets = S::tampered(&packet, &self.overheard, &mut self.rng);
        if self.overheard.len() < OVERHEARD_MAX {
            self.overheard.push(packet);
        } else {
            let place = self.rng.index(OVERHEARD_MAX);
            self.overheard[place] = packet;
        }
        packets
    }

    fn hold(&mut self, from: HostId, to: HostId, after: Time, input: EndpointInput<S::Packet>) {
        if !S::STREAMS {
            return;
        }
        let run = self.hosts[usize::from(to)].run;
        self.network.count_held();
        let held = self.held.entry((from, to)).or_default();
        if held.len() < HELD_MAX {
            held.push_back(Held { run, after, input });
        } else {
            self.held.remove(&(from, to));
            self.reset(from, to);
        }
    }

    /// Tells the other side that a connection ended, after the last packet on its way.
    pub(super) fn end_other(&mut self, host: HostId, connection: &Connection, reason: CloseReason) {
        let (other, link) = (connection.other, connection.their_link);
        let theirs = self.hosts[usize::from(other)].connections.get(&link);
        if theirs.is_none_or(|theirs| theirs.id != connection.id) {
            return;
        }
        let ended = EndpointInput::Ended { link, reason };
        if self.network.is_cut(host, other) {
            self.hold(host, other, connection.last, ended);
            return;
        }
        let latency = self.network.latency(host, other, &mut self.rng);
        let at = connection.last.max(self.now + latency);
        let run = self.hosts[usize::from(other)].run;
        self.wheel.push(at, (other, run, Happening::Input(ended)));
    }
}
