//! Where the outputs of [`Vitals`](crate::observe::vitals::Vitals) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer |
//! | wanted | back, with the clock, the incarnation, the members and the paths of the links |
//! | told | the series of that node |
//! | offence | the timeline |

use crate::{
    kernel::{
        id::{NodeId, Role},
        machine::Output,
        time::Duration,
    },
    membership::{member::MemberState, roster::MemberView},
    node::{contract::Offence, machine::Node, message::Message},
    observe::vitals,
    overlay::links,
};
use alloc::vec::Vec;
use core::cmp::Reverse;

impl Node {
    pub(in crate::node) fn route_vitals(&mut self, output: Output<vitals::Message, vitals::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.send(to, Message::Vitals(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            vitals::Event::Wanted => {
                let around = self.around();
                self.tell_vitals(vitals::Command::Around(around));
            }
            vitals::Event::Told { node } => self.remember_told(node),
            vitals::Event::Offence { peer, offence } => {
                self.note_offence(peer, Offence::Vitals(offence));
            }
        }
    }

    fn around(&self) -> vitals::Around {
        let belongs = |member: &MemberView<'_>| member.state != MemberState::Left;
        let members = self.swim.members().filter(belongs);
        let members: Vec<NodeId> = members.map(|member| member.record.id).collect();
        let mut paths: Vec<links::Path> = self.links.paths().collect();
        // A tab tells the same path from its own end; among equals the worst first.
        let is_relay = |path: &links::Path| path.role == Role::Relay;
        paths.sort_by_key(|path| Reverse((is_relay(path), path.loss_permille, path.rtt)));
        paths.truncate(vitals::PATHS_MAX);
        vitals::Around {
            wall: self.wall_now(),
            incarnation: self.swim.incarnation(),
            members,
            paths: paths.iter().map(told).collect(),
        }
    }
}

fn told(path: &links::Path) -> vitals::Path {
    let micros = |span: Duration| u32::try_from(span.as_micros()).unwrap_or(u32::MAX);
    vitals::Path {
        peer: vitals::Tag::of(path.peer),
        rtt_us: micros(path.rtt),
        min_us: micros(path.rtt_min),
        jitter_us: micros(path.jitter),
        loss_permille: path.loss_permille,
    }
}
