//! What a host feeds a node and what it drains, by kind.
//!
//! | kind | goes in | comes out |
//! |---|---|---|
//! | link | [`LinkInput`]: up, down, refused | [`LinkOutput`]: dial, key, close |
//! | store | [`StoreInput`]: durable, failed, loaded | [`StoreOutput`]: make durable, load |
//! | request | [`Request`] with a number | [`Reply`] with the same number |
//! | the rest | [`Signal`]: clock, network, parking, leaving | [`Changed`], and [`Notice`]: what happened |
//!
//! `link`, `store`, `request` and `notice` have a file each; the rest is here.
//!
//! A shell that handles links itself ([`Endpoint`](crate::node::endpoint::Endpoint)) passes
//! [`HostInput`] and [`HostOutput`] through as they are.

mod link;
pub mod notice;
mod request;
mod store;

pub use self::{
    link::{Dial, LinkInput, LinkOutput},
    notice::{FenceCause, Notice, NoticeEntry, Offence, Severity},
    request::{ForgetRefusal, Refusal, Reply, Request},
    store::{StoreInput, StoreOutput},
};
use crate::node::read::alert_views::Notification;
use crate::{
    kernel::{
        id::RequestId,
        text::{Key, Namespace},
        time::WallTime,
    },
    observe::{
        alerts::{Delivered, record::Channel},
        vitals::Sample,
    },
};
use alloc::{boxed::Box, vec::Vec};

/// An input of the node's owner.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Command {
    /// Something happened to a link.
    Link(LinkInput),
    /// Anything that is not about links.
    Host(HostInput),
}

/// What a host tells a node, links aside.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum HostInput {
    /// The store answers.
    Store(StoreInput),
    /// A user wants something; answered once by [`HostOutput::Reply`] with the same number.
    Request {
        /// Comes back in the reply.
        id: RequestId,
        /// What is wanted.
        request: Request,
    },
    /// Something that needs no answer.
    Signal(Signal),
}

/// A word of the host that needs no answer.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Signal {
    /// The wall clock, at start and then about every second.
    WallClock(WallTime),
    /// The operating system or browser says that the network changed: redial at once.
    NetworkChanged,
    /// Use a namespace: a tab follows it (a relay holds all anyway). Beyond the maximum, the one used
    /// longest ago that nobody holds is closed. [`Node::following`](crate::node::Node::following)
    /// tells how it stands.
    Open(Namespace),
    /// Stop following a namespace, unless somebody holds it. What is stored stays until the tab is
    /// cleared.
    Close(Namespace),
    /// The tab is hidden or the machine goes to sleep.
    Park,
    /// The tab is visible again.
    Unpark,
    /// Announce leaving and wind down; ends with [`Notice::Departed`].
    Leave,
    /// The process is about to end: as [`Signal::Leave`]. It is a member again when it starts.
    Stop,
    /// As [`Signal::Open`], and it stays open until as many [`Signal::Release`] come: it is watched
    /// or waited for.
    Hold(Namespace),
    /// One that held it is done.
    Release(Namespace),
    /// What the host measured of its machine or tab, every second or few.
    Vitals(Box<Sample>),
    /// Over which channels the host can notify, at start and when that changes.
    Channels(Vec<Channel>),
    /// What came of [`HostOutput::Notify`].
    Delivered(Delivered),
}

/// An output for the node's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something is to be done about a link.
    Link(LinkOutput),
    /// Anything that is not about links.
    Host(HostOutput),
}

/// What a node tells a host, links aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostOutput {
    /// Something for the store.
    Store(StoreOutput),
    /// The answer to a request.
    Reply {
        /// Which request.
        id: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// A value changed here.
    Changed(Changed),
    /// Something that an operator may want to read happened. It is on the node's timeline too.
    Notice(NoticeEntry),
    /// Notify over a channel; answer with [`Signal::Delivered`].
    Notify(Box<Notification>),
}

/// A value or its conflict record changed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The number of the change; consecutive from 1 in a run.
    pub revision: u64,
    /// The namespace.
    pub namespace: Namespace,
    /// The key.
    pub key: Key,
}

impl From<LinkInput> for Command {
    fn from(input: LinkInput) -> Self {
        Self::Link(input)
    }
}

impl<T: Into<HostInput>> From<T> for Command {
    fn from(input: T) -> Self {
        Self::Host(input.into())
    }
}

impl From<StoreInput> for HostInput {
    fn from(input: StoreInput) -> Self {
        Self::Store(input)
    }
}

impl From<Signal> for HostInput {
    fn from(signal: Signal) -> Self {
        Self::Signal(signal)
    }
}

impl From<LinkOutput> for Event {
    fn from(output: LinkOutput) -> Self {
        Self::Link(output)
    }
}

impl<T: Into<HostOutput>> From<T> for Event {
    fn from(output: T) -> Self {
        Self::Host(output.into())
    }
}

impl From<StoreOutput> for HostOutput {
    fn from(output: StoreOutput) -> Self {
        Self::Store(output)
    }
}

impl From<Changed> for HostOutput {
    fn from(changed: Changed) -> Self {
        Self::Changed(changed)
    }
}
