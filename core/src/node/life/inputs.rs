//! What hosts say, links aside, and how the node's machines are told.

use crate::{
    kernel::{
        id::{NodeId, RequestId},
        machine::{Input, Machine as _},
    },
    membership::{admission, member::MemberState, swim},
    node::{
        contract::{
            Command, ForgetRefusal, HostInput, HostOutput, Notice, Refusal, Reply, Request, Signal,
            StoreInput,
        },
        machine::Node,
    },
    observe::{
        alerts::{self, record::RESERVED},
        vitals,
    },
    overlay::{links, reach},
    recovery::journal,
    replication::{replica, write::WriteRefusal},
};

/// Whether a namespace is written by commands only.
fn is_reserved(namespace: &str) -> bool {
    namespace.starts_with(RESERVED)
}

impl Node {
    pub(in crate::node) fn on_command(&mut self, command: Command) {
        match command {
            Command::Link(input) => self.on_link(input),
            Command::Host(HostInput::Store(input)) => self.on_store(input),
            Command::Host(HostInput::Request { id, request }) => self.on_request(id, request),
            Command::Host(HostInput::Signal(signal)) => self.on_signal(signal),
        }
    }

    fn on_store(&mut self, input: StoreInput) {
        // Before the journal says that it broke: the reason is told with it.
        self.store_lost |= input == StoreInput::Lost;
        self.tell_journal(match input {
            StoreInput::Persisted(ticket) => journal::Command::Stored(ticket),
            StoreInput::PersistFailed { ticket, full } => journal::Command::Failed { ticket, full },
            StoreInput::Loaded { ticket, records } => journal::Command::Loaded { ticket, records },
            StoreInput::Lost => journal::Command::Lost,
        });
    }

    fn on_request(&mut self, request: RequestId, wanted: Request) {
        match wanted {
            Request::Write {
                namespace,
                key,
                value,
                level,
            } if !is_reserved(&namespace) => self.tell_replica(replica::Command::Write {
                request,
                namespace,
                key,
                value,
                level,
            }),
            Request::Change {
                namespace,
                key,
                change,
                level,
            } if !is_reserved(&namespace) => self.tell_replica(replica::Command::Change {
                request,
                namespace,
                key,
                change,
                level,
            }),
            Request::Write { .. } | Request::Change { .. } => {
                let refusal = Refusal::Write(WriteRefusal::Reserved);
                self.refuse(request, refusal);
            }
            Request::Invite {
                ttl,
                uses_max,
                role,
            } => self.tell_admission(admission::Command::Invite {
                request,
                ttl,
                uses_max,
                role,
            }),
            Request::Wish(wish) => self.on_wish(request, wish),
            Request::Reach => self.tell_reach(reach::Command::Check { request }),
            Request::Verify { peer, namespace } => self.tell_replica(replica::Command::Verify {
                request,
                peer,
                namespace,
            }),
            Request::Compact => {
                self.tell_replica(replica::Command::Compact);
                let (id, reply) = (request, Reply::Compacting);
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
            Request::Forget { member } => {
                let reply = match self.may_forget(member) {
                    Ok(()) => {
                        self.tell_swim(swim::Command::Forget(member));
                        Reply::Forgotten
                    }
                    Err(refusal) => Reply::Refused(Refusal::Forget(refusal)),
                };
                let id = request;
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
        }
    }

    pub(in crate::node) fn refuse(&mut self, id: RequestId, refusal: Refusal) {
        let reply = Reply::Refused(refusal);
        self.outbox.event(HostOutput::Reply { id, reply }.into());
    }

    fn may_forget(&self, member: NodeId) -> Result<(), ForgetRefusal> {
        match self.swim.state(&member) {
            _ if self.is_tab() => Err(ForgetRefusal::OnTab),
            None => Err(ForgetRefusal::NotKnown),
            Some(MemberState::Dead) => Ok(()),
            Some(state) => Err(ForgetRefusal::NotDead(state)),
        }
    }

    fn on_signal(&mut self, signal: Signal) {
        match signal {
            Signal::WallClock(wall) => {
                // As it is: peers are told what this clock says, and stored waits are this machine's.
                self.tell_links(links::Command::WallClock(wall));
                self.on_wall_clock(wall);
            }
            Signal::NetworkChanged => self.tell_links(links::Command::NetworkChanged),
            Signal::Open(namespace) => self.tell_replica(replica::Command::Open(namespace)),
            Signal::Close(namespace) => self.tell_replica(replica::Command::Close(namespace)),
            Signal::Hold(namespace) => self.tell_replica(replica::Command::Hold(namespace)),
            Signal::Release(namespace) => self.tell_replica(replica::Command::Release(namespace)),
            Signal::Park => self.tell_swim(swim::Command::Park),
            Signal::Unpark => self.tell_swim(swim::Command::Unpark),
            // Both say goodbye to the peers: a process that stops is not to be taken for a crash.
            Signal::Leave | Signal::Stop => self.leave(),
            Signal::Channels(channels) => self.tell_alerts(alerts::Command::Channels(channels)),
            Signal::Delivered(delivered) => {
                self.tell_alerts(alerts::Command::Delivered(delivered));
            }
            Signal::Vitals(sample) => {
                let mut sample = sample;
                sample.store_failed = Some(self.store_fails());
                let standing = self.reach.standing().iter();
                sample.note_reached(
                    standing.map(|(address, standing)| {
                        (address.transport(), standing.failed.is_none())
                    }),
                );
                let trips = self.round_trips();
                sample.rtt_p50_us = trips.map(|[median, _]| median);
                sample.rtt_p99_us = trips.map(|[_, high]| high);
                self.remember(&sample);
                self.look(&sample);
                self.tell_vitals(vitals::Command::Sample(sample));
            }
        }
    }

    /// Puts what happened on the timeline, and tells the host.
    pub(in crate::node) fn note(&mut self, notice: Notice) {
        let entry = self.timeline.add(self.now, self.wall_now(), notice);
        self.outbox.event(HostOutput::Notice(entry).into());
    }

    pub(in crate::node) fn tell_links(&mut self, command: links::Command) {
        self.links.handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_swim(&mut self, command: swim::Command) {
        self.swim.handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_replica(&mut self, command: replica::Command) {
        self.replica.handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_admission(&mut self, command: admission::Command) {
        self.admission
            .handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_reach(&mut self, command: reach::Command) {
        self.reach.handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_alerts(&mut self, command: alerts::Command) {
        self.alerts.handle_input(self.now, Input::Command(command));
    }

    pub(in crate::node) fn tell_vitals(&mut self, command: vitals::Command) {
        self.vitals.handle_input(self.now, Input::Command(command));
    }

    /// Tells admission what a newcomer should know of the members.
    pub(in crate::node) fn tell_spore(&mut self) {
        let spore = self.spore();
        self.tell_admission(admission::Command::SporeChanged(spore));
    }

    pub(in crate::node) fn tell_journal(&mut self, command: journal::Command) {
        self.journal.handle_input(self.now, Input::Command(command));
    }
}
