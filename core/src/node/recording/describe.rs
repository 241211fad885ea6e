//! An input in a few words.

use crate::{
    kernel::machine::Input,
    node::{
        contract::{Command, HostInput, LinkInput, Request, Signal, StoreInput},
        machine::Node,
        message::Message,
        recording::entry::NodeInput,
    },
    replication::typed::Change,
};
use alloc::{format, string::String};
use core::fmt::{self, Debug, Write};

/// What the node is about to get, in one line.
pub(super) fn describe(node: &Node, input: Option<&NodeInput>) -> String {
    match input {
        None => "timers".into(),
        Some(Input::Message { from, message }) => {
            let what = match message.clone().open() {
                Ok(Some(message)) => of_message(&message),
                Ok(None) => format!("a frame of unknown kind {}", message.kind()),
                Err(_) => format!("an unreadable frame of kind {}", message.kind()),
            };
            format!("{what} from {}", node.display_name(*from))
        }
        Some(Input::Command(Command::Link(input))) => of_link(node, input),
        Some(Input::Command(Command::Host(input))) => match input {
            HostInput::Store(input) => of_store(input),
            HostInput::Request { id, request } => {
                format!("{}, request {}", of_request(request), id.0)
            }
            HostInput::Signal(signal) => of_signal(signal),
        },
    }
}

fn of_message(message: &Message) -> String {
    match message {
        Message::Links(message) => format!("links {}", Word::of(message)),
        Message::Swim(message) => format!("swim {}", Word::of(message)),
        Message::Replica(message) => format!("replica {}", Word::of(message)),
        Message::Admission(message) => format!("admission {}", Word::of(message)),
        Message::Reach(message) => format!("reach {}", Word::of(message)),
        Message::Vitals(message) => format!("vitals {}", Word::of(message)),
    }
}

fn of_link(node: &Node, input: &LinkInput) -> String {
    match input {
        LinkInput::Up { link, peer, .. } => {
            format!("link {} up to {}", link.0, node.display_name(peer.id))
        }
        LinkInput::Down { link, reason } => format!("link {} down: {reason}", link.0),
        LinkInput::DialFailed { dial, reason } => format!("dial {} failed: {reason}", dial.0),
        LinkInput::Probed { dial, failed: None } => format!("connection {} opened", dial.0),
        LinkInput::Probed {
            dial,
            failed: Some(reason),
        } => format!("connection {} failed: {reason}", dial.0),
        LinkInput::HandshakeRefused { reason } => format!("handshake refused: {reason}"),
        LinkInput::KeyWanted { link, .. } => format!("key wanted for link {}", link.0),
    }
}

fn of_store(input: &StoreInput) -> String {
    match input {
        StoreInput::Persisted(ticket) => format!("persisted batch {}", ticket.0),
        StoreInput::PersistFailed { ticket, full } => {
            let why = if *full {
                "no space"
            } else {
                "the store failed"
            };
            format!("batch {} not persisted: {why}", ticket.0)
        }
        StoreInput::Loaded { ticket, records } => {
            format!("loaded {} records for {}", records.len(), ticket.0)
        }
        StoreInput::Lost => "the store is gone from its place".into(),
    }
}

fn of_request(request: &Request) -> String {
    match request {
        Request::Write {
            namespace,
            key,
            value,
            level,
        } => {
            let what = value.as_ref().map_or_else(
                || "delete".into(),
                |value| format!("write of {} bytes", value.len()),
            );
            format!("{what}, {namespace}/{key}, ack {}", Word::of(level))
        }
        Request::Invite { .. } => "invite".into(),
        Request::Reach => "reach".into(),
        Request::Compact => "compact".into(),
        Request::Verify { peer, namespace } => match namespace {
            Some(namespace) => format!("verify {namespace} with {peer}"),
            None => format!("verify with {peer}"),
        },
        Request::Forget { member } => format!("forget {member}"),
        Request::Wish(wish) => format!("wish {}", Word::of(wish)),
        Request::Change {
            namespace,
            key,
            change,
            level,
        } => format!(
            "{} {}, {namespace}/{key}, ack {}",
            change.kind(),
            of_change(change),
            Word::of(level)
        ),
    }
}

fn of_change(change: &Change) -> String {
    match change {
        Change::Add(more) => format!("{more:+}"),
        Change::Insert(elements) => format!("insert of {}", elements.len()),
        Change::Remove(elements) => format!("remove of {}", elements.len()),
        Change::Put(fields) => format!("put of {} fields", fields.len()),
        Change::Flag(is_on) => if *is_on { "on" } else { "off" }.into(),
        Change::Multi(value) => format!("write of {} bytes", value.len()),
    }
}

fn of_signal(signal: &Signal) -> String {
    match signal {
        Signal::WallClock(wall) => format!("wall clock {} ms", wall.as_millis()),
        Signal::NetworkChanged => "network changed".into(),
        Signal::Open(namespace) => format!("open {namespace}"),
        Signal::Close(namespace) => format!("close {namespace}"),
        Signal::Hold(namespace) => format!("hold {namespace}"),
        Signal::Release(namespace) => format!("release {namespace}"),
        Signal::Park => "park".into(),
        Signal::Unpark => "unpark".into(),
        Signal::Leave => "leave".into(),
        Signal::Stop => "stop".into(),
        Signal::Vitals(_) => "vitals".into(),
        Signal::Channels(channels) => format!("{} channels", channels.len()),
        Signal::Delivered(delivered) => match &delivered.error {
            None => "notification delivered".into(),
            Some(_) => "notification not delivered".into(),
        },
    }
}

/// The first word of what `Debug` writes: a variant's name. Writing ends there.
struct Word(String);

impl Word {
    fn of(value: &impl Debug) -> String {
        let mut word = Self(String::new());
        // An error is how the end of the word is told.
        let _ = write!(word, "{value:?}");
        word.0
    }
}

impl Write for Word {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|letter: char| !letter.is_alphanumeric());
        self.0
            .push_str(text.get(..end.unwrap_or(text.len())).unwrap_or_default());
        end.map_or(Ok(()), |_| Err(fmt::Error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_known_by_its_first_word() {
        let message = crate::overlay::links::Message::Ping { nonce: 7 };
        assert_eq!(Word::of(&message), "Ping");
    }
}
