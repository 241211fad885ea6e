//! A message on its way: over which link, which machine's it is, and its body.
//!
//! The body stays bytes until its own machine gets it: a node that only passes a message on never reads
//! it. A host with many threads may read ahead on the link's own thread, so that signatures are checked
//! there.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::DecodeError,
        id::{LinkId, NetworkId},
    },
    node::message::Message,
    wire::{body::Body as _, class::Class},
};
use alloc::vec::Vec;

/// A message between two nodes on its way.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Envelope {
    link: LinkId,
    body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
enum Body {
    /// As it came: a frame's kind and bytes.
    Sealed { kind: u16, bytes: Bytes },
    /// Written here, or read ahead.
    Open(Message),
}

impl Envelope {
    /// A message to go over a link.
    #[must_use]
    pub const fn of(link: LinkId, message: Message) -> Self {
        Self {
            link,
            body: Body::Open(message),
        }
    }

    /// A frame that came over a link.
    #[must_use]
    pub const fn sealed(link: LinkId, kind: u16, bytes: Bytes) -> Self {
        Self {
            link,
            body: Body::Sealed { kind, bytes },
        }
    }

    /// The link over which it goes or came.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.link
    }

    /// The same message on another link: each end numbers its links itself.
    #[must_use]
    pub fn on(self, link: LinkId) -> Self {
        Self { link, ..self }
    }

    /// The frame kind: which machine's message it is.
    #[must_use]
    pub fn kind(&self) -> u16 {
        match &self.body {
            Body::Sealed { kind, .. } => *kind,
            Body::Open(message) => message.kind(),
        }
    }

    /// How urgent it is; `Normal` for what is sealed, as only its writer knows its class.
    #[must_use]
    pub fn class(&self) -> Class {
        match &self.body {
            Body::Sealed { .. } => Class::Normal,
            Body::Open(message) => message.class(),
        }
    }

    /// The body's bytes, without the frame header.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match &self.body {
            Body::Sealed { bytes, .. } => bytes.to_vec(),
            Body::Open(message) => message.encode(),
        }
    }

    /// The message, if it was written here or read ahead.
    #[must_use]
    pub const fn message(&self) -> Option<&Message> {
        match &self.body {
            Body::Sealed { .. } => None,
            Body::Open(message) => Some(message),
        }
    }

    /// Takes the message out; `Ok(None)` if its kind is unknown to this version.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes are not exactly one message of their kind.
    pub fn open(self) -> Result<Option<Message>, DecodeError> {
        match self.body {
            Body::Sealed { kind, bytes } => Message::decode(kind, &bytes),
            Body::Open(message) => Ok(Some(message)),
        }
    }

    /// Decodes the body and checks the signatures in it on the caller's thread, so that the node need
    /// not. Never fails: what can't be read stays sealed, and the node finds it again.
    pub fn read_ahead(&mut self, network: NetworkId) {
        if let Body::Sealed { kind, bytes } = &self.body
            // What does not decode stays sealed: the node then counts it and closes the link.
            && let Ok(Some(mut message)) = Message::decode(*kind, bytes)
        {
            message.precheck(network);
            self.body = Body::Open(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overlay::links;

    fn ping() -> Message {
        Message::Links(links::Message::Ping { nonce: 7 })
    }

    #[test]
    fn what_is_sealed_opens_to_what_was_written() {
        let (link, written) = (LinkId(3), Envelope::of(LinkId(9), ping()));
        let arrived = Envelope::sealed(link, written.kind(), written.encode().into());
        assert_eq!((arrived.link(), arrived.message()), (link, None));
        assert_eq!(arrived.encode(), written.encode());
        assert_eq!(arrived.open(), Ok(Some(ping())));
    }

    #[test]
    fn what_cannot_be_read_ahead_stays_sealed() {
        let network = NetworkId::from_bytes([1; 32]);
        let written = Envelope::of(LinkId(1), ping());
        let bytes = |extra: &[u8]| Bytes::from([written.encode(), extra.to_vec()].concat());
        let mut whole = Envelope::sealed(LinkId(1), written.kind(), bytes(&[]));
        whole.read_ahead(network);
        assert_eq!(whole.message(), Some(&ping()));
        let mut long = Envelope::sealed(LinkId(1), written.kind(), bytes(&[0]));
        long.read_ahead(network);
        assert!(long.message().is_none() && long.open().is_err());
        let mut unknown = Envelope::sealed(LinkId(1), 999, bytes(&[]));
        unknown.read_ahead(network);
        assert_eq!(unknown.open(), Ok(None));
    }
}
