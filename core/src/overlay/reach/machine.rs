//! The machine: its state, the constructor, its steps and the four verbs.

use super::{Command, Config, Dialled, Event, Message, Report, Standing, Stats};
use crate::{
    kernel::{
        address::{Address, Transport},
        deadlines::Deadlines,
        id::{DialId, NodeId, RequestId, Role},
        machine::{Input, Machine, Output},
        outbox::Outbox,
        rng::Rng,
        time::Time,
    },
    wire::close::CloseReason,
};
use alloc::{collections::BTreeMap, vec::Vec};

/// The most addresses that are dialled for one peer: as many as a record may have.
pub(super) const ADDRESSES_MAX: usize = 8;
/// The most requests of the owner that wait for one check.
pub(super) const REQUESTS_MAX: usize = 64;
/// Sends that may wait to be fetched. A request that is dropped counts as not answered.
const SENDS_MAX: usize = 256;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Timer {
    /// Check without being asked.
    Again,
    /// Tell what was found, whoever has not answered.
    Check,
    /// Tell a peer what came of its addresses, whatever is still open.
    Serve(NodeId),
}

/// What this node wants to know.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Check {
    id: u64,
    /// Whom to tell.
    pub(super) requests: Vec<RequestId>,
    /// Who was asked, and what it told.
    pub(super) asked: BTreeMap<NodeId, Option<Vec<Dialled>>>,
}

/// What a peer wants to know.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Served {
    id: u64,
    /// Connections that are being opened.
    pub(super) open: BTreeMap<DialId, Address>,
    dialled: Vec<Dialled>,
}

/// See the module.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Reach {
    pub(super) config: Config,
    role: Role,
    rng: Rng,
    pub(super) now: Time,
    /// Linked relays, and when each was last dialled back.
    pub(super) relays: BTreeMap<NodeId, Option<Time>>,
    pub(super) check: Option<Check>,
    pub(super) serving: BTreeMap<NodeId, Served>,
    /// When the last check ended, and what was found: asked again so soon, nobody would answer.
    last: Option<(Time, Vec<Report>)>,
    /// What the last check found of each address.
    pub(super) standing: BTreeMap<Address, Standing>,
    next_check: u64,
    next_dial: u64,
    pub(super) deadlines: Deadlines<Timer>,
    pub(super) outbox: Outbox<Message, Event>,
    pub(super) stats: Stats,
}

impl Reach {
    /// A machine that knows no peer.
    #[must_use]
    pub const fn new(config: Config, role: Role, rng: Rng) -> Self {
        Self {
            config,
            role,
            rng,
            now: Time::ZERO,
            relays: BTreeMap::new(),
            check: None,
            serving: BTreeMap::new(),
            last: None,
            standing: BTreeMap::new(),
            next_check: 0,
            next_dial: 0,
            deadlines: Deadlines::new(),
            outbox: Outbox::new(SENDS_MAX),
            stats: Stats {
                served: 0,
                refused: 0,
            },
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::PeerUp {
                peer,
                role: Role::Relay,
            } => {
                self.relays.insert(peer, None);
                if self.role == Role::Relay && self.deadlines.at(&Timer::Again).is_none() {
                    // Soon after the first link, and not at the same moment as all others.
                    let wait = self.rng.jitter(self.config.interval * 3, 300);
                    self.deadlines.set(Timer::Again, self.now + wait);
                }
            }
            Command::PeerUp {
                role: Role::Tab, ..
            } => {}
            Command::PeerDown { peer } => self.on_peer_down(peer),
            Command::Check { request } => self.on_check(Some(request)),
            Command::Addresses { peer, addresses } => self.on_addresses(peer, addresses),
            Command::Probed { dial, failed } => self.on_probed(dial, failed),
        }
    }

    fn on_message(&mut self, from: NodeId, message: Message) {
        match message {
            Message::Ask { id } => self.on_ask(from, id),
            Message::Told { id, mut dialled } => {
                dialled.truncate(ADDRESSES_MAX);
                let check = self.check.as_mut().filter(|check| check.id == id);
                let told = check.and_then(|check| check.asked.get_mut(&from));
                // Only who was asked is listened to, and only once.
                if let Some(told @ None) = told {
                    *told = Some(dialled);
                }
                self.finish_if_complete();
            }
        }
    }

    fn on_peer_down(&mut self, peer: NodeId) {
        self.relays.remove(&peer);
        self.serving.remove(&peer);
        self.deadlines.clear(&Timer::Serve(peer));
        // It will not answer any more. What it has told stays.
        let check = self.check.as_mut();
        if let Some(told @ None) = check.and_then(|check| check.asked.get_mut(&peer)) {
            *told = Some(Vec::new());
        }
        self.finish_if_complete();
    }

    /// What the last checks found of each address of this node.
    #[must_use]
    pub const fn standing(&self) -> &BTreeMap<Address, Standing> {
        &self.standing
    }

    fn on_check(&mut self, request: Option<RequestId>) {
        if let Some(check) = &mut self.check {
            // One check serves all who ask meanwhile.
            let Some(request) = request else {
                return;
            };
            if check.requests.len() < REQUESTS_MAX {
                check.requests.push(request);
            } else {
                let reports = Vec::new();
                self.outbox.event(Event::Checked { request, reports });
            }
            return;
        }
        let fresh = |(at, _): &&(Time, Vec<Report>)| self.now.since(*at) < self.config.interval;
        let known = self.last.as_ref().filter(fresh);
        if let (Some((_, reports)), Some(request)) = (known, request) {
            let reports = reports.clone();
            self.outbox.event(Event::Checked { request, reports });
            return;
        }
        self.next_check = self.next_check.wrapping_add(1);
        let id = self.next_check;
        let helpers_max = usize::try_from(self.config.helpers_max).unwrap_or(usize::MAX);
        let mut relays: Vec<NodeId> = self.relays.keys().copied().collect();
        self.rng.shuffle(&mut relays);
        relays.truncate(helpers_max);
        for to in &relays {
            self.outbox.send(*to, Message::Ask { id });
        }
        self.check = Some(Check {
            id,
            requests: request.into_iter().collect(),
            asked: relays.into_iter().map(|relay| (relay, None)).collect(),
        });
        let patience = self.config.patience + self.config.patience / 2;
        self.deadlines.set(Timer::Check, self.now + patience);
        self.finish_if_complete();
    }

    fn finish_if_complete(&mut self) {
        let all_told = |check: &Check| check.asked.values().all(Option::is_some);
        if self.check.as_ref().is_some_and(all_told) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.deadlines.clear(&Timer::Check);
        let Some(Check {
            requests, asked, ..
        }) = self.check.take()
        else {
            return;
        };
        let report = |(peer, dialled): (NodeId, Option<Vec<Dialled>>)| Report {
            peer,
            dialled: dialled.unwrap_or_default(),
        };
        let reports: Vec<Report> = asked.into_iter().map(report).collect();
        self.learn(&reports);
        let is_told = reports.iter().any(|report| !report.dialled.is_empty());
        self.last = is_told.then(|| (self.now, reports.clone()));
        for request in requests {
            let reports = reports.clone();
            self.outbox.event(Event::Checked { request, reports });
        }
    }

    /// An address is reached if anybody who was asked reached it. A check that nobody answered says nothing.
    fn learn(&mut self, reports: &[Report]) {
        let mut found: BTreeMap<Address, Standing> = BTreeMap::new();
        for report in reports {
            for Dialled { address, failed } in &report.dialled {
                let new = Standing {
                    failed: failed.clone(),
                    by: report.peer,
                    at: self.now,
                };
                let is_full = found.len() >= ADDRESSES_MAX;
                match found.get_mut(address) {
                    Some(known) if known.failed.is_some() && failed.is_none() => *known = new,
                    Some(_) => {}
                    None if is_full => {}
                    None => {
                        found.insert(address.clone(), new);
                    }
                }
            }
        }
        if found.is_empty() {
            return;
        }
        for (address, new) in &found {
            let before = self.standing.get(address);
            let is_other = before.is_none_or(|old| old.failed.is_some() != new.failed.is_some());
            if is_other {
                self.outbox.event(Event::Changed {
                    address: address.clone(),
                    by: new.by,
                    failed: new.failed.clone(),
                });
            }
        }
        self.standing = found;
    }

    fn on_again(&mut self) {
        if !self.relays.is_empty() {
            self.on_check(None);
        }
        let wait = self.rng.jitter(self.config.every, 200);
        self.deadlines.set(Timer::Again, self.now + wait);
    }

    fn on_ask(&mut self, from: NodeId, id: u64) {
        let serving_max = usize::try_from(self.config.serving_max).unwrap_or(usize::MAX);
        let served_at = self.relays.get_mut(&from);
        let is_early =
            |at: &Option<Time>| at.is_some_and(|at| self.now.since(at) < self.config.interval);
        // A tab can't dial, and has no addresses to be dialled.
        match served_at {
            Some(served_at)
                if self.role == Role::Relay
                    && !is_early(served_at)
                    && self.serving.len() < serving_max
                    && !self.serving.contains_key(&from) =>
            {
                *served_at = Some(self.now);
            }
            Some(_) | None => {
                self.stats.refused = self.stats.refused.saturating_add(1);
                return;
            }
        }
        self.stats.served = self.stats.served.saturating_add(1);
        let served = Served {
            id,
            open: BTreeMap::new(),
            dialled: Vec::new(),
        };
        self.serving.insert(from, served);
        self.deadlines
            .set(Timer::Serve(from), self.now + self.config.patience);
        self.outbox.event(Event::Wanted { peer: from });
    }

    fn on_addresses(&mut self, peer: NodeId, addresses: Vec<Address>) {
        let Some(served) = self.serving.get_mut(&peer) else {
            return;
        };
        for address in with_siblings(addresses) {
            let dial = DialId(self.next_dial);
            self.next_dial = self.next_dial.wrapping_add(1);
            served.open.insert(dial, address.clone());
            self.outbox.event(Event::Probe { dial, address });
        }
        self.answer_if_complete(peer);
    }

    fn on_probed(&mut self, dial: DialId, failed: Option<CloseReason>) {
        let found = self.serving.iter_mut().find_map(|(peer, served)| {
            let address = served.open.remove(&dial)?;
            served.dialled.push(Dialled {
                address,
                failed: failed.clone(),
            });
            Some(*peer)
        });
        if let Some(peer) = found {
            self.answer_if_complete(peer);
        }
    }

    fn answer_if_complete(&mut self, peer: NodeId) {
        let is_complete = |served: &Served| served.open.is_empty();
        if self.serving.get(&peer).is_some_and(is_complete) {
            self.answer(peer);
        }
    }

    fn answer(&mut self, peer: NodeId) {
        self.deadlines.clear(&Timer::Serve(peer));
        let Some(served) = self.serving.remove(&peer) else {
            return;
        };
        // What is still open after the patience counts as not reached.
        let late = served.open.into_values().map(|address| Dialled {
            address,
            failed: Some(CloseReason::Unreachable),
        });
        let id = served.id;
        let dialled = served.dialled.into_iter().chain(late).collect();
        self.outbox.send(peer, Message::Told { id, dialled });
    }
}

/// What a peer announces, and the WebSocket at the port of each TCP address where there is room: a proxy or a
/// firewall may let one of them through and not the other.
fn with_siblings(addresses: Vec<Address>) -> Vec<Address> {
    let tcp = addresses
        .iter()
        .filter(|address| address.transport() == Transport::Tcp);
    let siblings: Vec<Address> = tcp.map(|address| address.over(Transport::Ws)).collect();
    let mut all: Vec<Address> = Vec::new();
    for address in addresses.into_iter().chain(siblings) {
        if all.len() < ADDRESSES_MAX && !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

impl Machine for Reach {
    type Message = Message;
    type Command = Command;
    type Event = Event;

    fn handle_input(&mut self, now: Time, input: Input<Message, Command>) {
        self.now = self.now.max(now);
        match input {
            Input::Message { from, message } => self.on_message(from, message),
            Input::Command(command) => self.on_command(command),
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        while let Some(timer) = self.deadlines.pop_due(self.now) {
            match timer {
                Timer::Again => self.on_again(),
                Timer::Check => self.finish(),
                Timer::Serve(peer) => self.answer(peer),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.outbox.or_timer(self.deadlines.next())
    }

    fn poll_output(&mut self) -> Option<Output<Message, Event>> {
        self.outbox.pop()
    }
}
