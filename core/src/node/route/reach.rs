//! Where the outputs of [`Reach`](crate::overlay::reach::Reach) go.
//!
//! | output | goes to |
//! |---|---|
//! | send | the peer |
//! | wanted | back, with the addresses of the member's record |
//! | probe | the host |
//! | checked | the host: the reply to the request |
//! | changed | the timeline |

use crate::{
    kernel::machine::Output,
    membership::roster::MemberView,
    node::{
        contract::{HostOutput, LinkOutput, Notice, Reply},
        machine::Node,
        message::Message,
    },
    overlay::reach,
};

impl Node {
    pub(in crate::node) fn route_reach(&mut self, output: Output<reach::Message, reach::Event>) {
        let event = match output {
            Output::Send { to, message } => {
                self.send(to, Message::Reach(message));
                return;
            }
            Output::Event(event) => event,
        };
        match event {
            reach::Event::Wanted { peer } => {
                let is_it = |member: &MemberView<'_>| member.record.id == peer;
                let addresses = self.swim.members().find(is_it);
                let addresses = addresses.map(|member| member.record.addresses.clone());
                let addresses = addresses.unwrap_or_default();
                self.tell_reach(reach::Command::Addresses { peer, addresses });
            }
            reach::Event::Probe { dial, address } => {
                self.outbox
                    .event(LinkOutput::Probe { dial, address }.into());
            }
            reach::Event::Checked {
                request: id,
                reports,
            } => {
                let reply = Reply::Reach(reports);
                self.outbox.event(HostOutput::Reply { id, reply }.into());
            }
            reach::Event::Changed {
                address,
                by,
                failed,
            } => self.note(Notice::AddressReached {
                address,
                by,
                failed,
            }),
        }
    }
}
