//! An input in a few words.

use crate::{
    kernel::machine::Input,
    node::{command::Command, machine::Node, message::Message, recording::entry::NodeInput},
};
use alloc::{format, string::String};
use core::fmt::{self, Debug, Write};

/// What the node is about to get, in one line.
pub(super) fn describe(node: &Node, input: Option<&NodeInput>) -> String {
    match input {
        None => "timers".into(),
        Some(Input::Message { from, message }) => {
            format!("{} from {}", of_message(message), node.display_name(*from))
        }
        Some(Input::Command(command)) => of_command(node, command),
    }
}

fn of_message(message: &Message) -> String {
    match message {
        Message::Links(message) => format!("links {}", Word::of(message)),
        Message::Swim(message) => format!("swim {}", Word::of(message)),
        Message::Replica(message) => format!("replica {}", Word::of(message)),
        Message::Admission(message) => format!("admission {}", Word::of(message)),
    }
}

fn of_command(node: &Node, command: &Command) -> String {
    match command {
        Command::LinkUp { link, peer, .. } => {
            format!("link {} up to {}", link.0, node.display_name(peer.id))
        }
        Command::LinkDown { link, reason } => format!("link {} down: {reason}", link.0),
        Command::DialFailed { dial, reason } => format!("dial {} failed: {reason}", dial.0),
        Command::HandshakeRefused { reason } => format!("handshake refused: {reason}"),
        Command::KeyWanted { link, .. } => format!("key wanted for link {}", link.0),
        Command::WallClock(wall) => format!("wall clock {} ms", wall.as_millis()),
        Command::NetworkChanged => "network changed".into(),
        Command::Persisted(ticket) => format!("persisted batch {}", ticket.0),
        Command::PersistFailed { ticket, full } => {
            let why = if *full {
                "no space"
            } else {
                "the store failed"
            };
            format!("batch {} not persisted: {why}", ticket.0)
        }
        Command::Loaded { ticket, records } => {
            format!("loaded {} records for {}", records.len(), ticket.0)
        }
        Command::Write {
            request,
            namespace,
            key,
            value,
            level,
        } => {
            let what = value.as_ref().map_or_else(
                || "delete".into(),
                |value| format!("write of {} bytes", value.len()),
            );
            format!(
                "{what}, {namespace}/{key}, ack {}, request {}",
                Word::of(level),
                request.0
            )
        }
        Command::Open(namespace) => format!("open {namespace}"),
        Command::Close(namespace) => format!("close {namespace}"),
        Command::Invite { request, .. } => format!("invite, request {}", request.0),
        Command::Park => "park".into(),
        Command::Unpark => "unpark".into(),
        Command::Leave => "leave".into(),
        Command::Stop => "stop".into(),
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
