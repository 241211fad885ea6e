//! What goes into the links and what comes out: settings, messages, commands, events, counters.

#[cfg(any(test, feature = "sim"))]
use crate::kernel::rng::Rng;
use crate::{
    kernel::{
        address::Address,
        component::Settings,
        id::{DialId, LinkId, NodeId},
        persist::Persist,
        time::{Duration, WallTime},
    },
    overlay::{
        backoff::Backoff,
        dialer::{Destination, DialerConfig},
    },
    wire::{class::Class, close::CloseReason, identity::PeerIdentity},
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How links are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// How dials are made.
    pub dialer: DialerConfig,
    /// The wait between pings to a relay. Default 2 s; 200 ms to 30 s. A link is closed after two of
    /// them without a word, so too small closes links to paused processes, too large finds half-open
    /// links late.
    pub ping_interval: Duration,
    /// The wait between a relay's pings to a tab. Default 5 s. The tab itself pings nobody; it gives
    /// up after three intervals without a word.
    pub ping_interval_tab: Duration,
    /// The least time between two times that backoffs are stored. Default 5 s; 1 s to 60 s. A node that
    /// ends without a goodbye forgets that much of its backoffs; too small wears the store while
    /// peers are unreachable.
    pub save_interval: Duration,
    /// The most links at once. Default 1 024; further ones are refused as busy.
    pub links_max: u32,
}

impl Settings for Config {
    fn name(&self) -> &'static str {
        "links"
    }

    fn validate(&self) -> Result<(), &'static str> {
        let seconds = Duration::from_secs;
        let is_ping = |span| span >= Duration::from_millis(200) && span <= seconds(30);
        if !is_ping(self.ping_interval) || !is_ping(self.ping_interval_tab) {
            return Err("links.ping_interval");
        }
        if self.save_interval < seconds(1) || self.save_interval > seconds(60) {
            return Err("links.save_interval");
        }
        Ok(())
    }

    #[cfg(any(test, feature = "sim"))]
    fn draw(&mut self, rng: &mut Rng) {
        self.ping_interval = rng.span(500, 8_000);
        // A tab gives up after three of its own, a relay pings in its own.
        self.ping_interval_tab = rng.span(4_000, 9_000);
        self.save_interval = rng.span(1_000, 60_000);
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            dialer: DialerConfig::default(),
            ping_interval: Duration::from_secs(2),
            ping_interval_tab: Duration::from_secs(5),
            save_interval: Duration::from_secs(5),
            links_max: 1_024,
        }
    }
}

/// What the two ends of a link say about the link itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Are you there?
    Ping {
        /// Comes back in the pong.
        nonce: u64,
    },
    /// Yes.
    Pong {
        /// The ping's.
        nonce: u64,
    },
}

impl Message {
    /// Never waits for anything.
    #[must_use]
    pub const fn class(&self) -> Class {
        Class::Critical
    }
}

/// What the owner asks or tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A link came up and its peer may talk.
    Up {
        /// The link.
        link: LinkId,
        /// The peer.
        peer: PeerIdentity,
        /// The dial that opened it, if it was ours.
        dial: Option<DialId>,
    },
    /// A link ended.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A dial ended without a link.
    DialFailed {
        /// The dial.
        dial: DialId,
        /// Why.
        reason: CloseReason,
    },
    /// The members to be linked to, from now on.
    Targets(Vec<(NodeId, Vec<Address>)>),
    /// Dial a member once.
    Try {
        /// The member.
        peer: NodeId,
        /// Where it may be.
        addresses: Vec<Address>,
    },
    /// An address to dial while there is no link at all.
    Entry(Address),
    /// The backoffs of an earlier run; before any target or entry.
    Remember(Vec<(Destination, Backoff)>),
    /// Something was heard on a peer's link.
    Heard(NodeId),
    /// The wall clock, about every second.
    WallClock(WallTime),
    /// Dial again at once.
    NetworkChanged,
    /// Close every link with this reason and dial no more.
    Stop(CloseReason),
}

/// What the owner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Open a link.
    Dial {
        /// Its number.
        dial: DialId,
        /// Where to.
        address: Address,
        /// Who must answer.
        expect: Option<NodeId>,
    },
    /// Close a link.
    Close {
        /// Which.
        link: LinkId,
        /// Why; the peer is told.
        reason: CloseReason,
    },
    /// Messages to a peer go over this link from now on.
    Route {
        /// The peer.
        peer: NodeId,
        /// The link.
        link: LinkId,
    },
    /// A peer has no link any more.
    Unroute {
        /// The peer.
        peer: NodeId,
    },
    /// A peer's first link is routed.
    PeerUp(PeerIdentity),
    /// A peer's link ended and none is left.
    PeerDown {
        /// The peer.
        peer: PeerIdentity,
        /// Why.
        reason: CloseReason,
        /// Whether it ended without a word of the peer.
        abrupt: bool,
    },
    /// A member's address refused the connection: no process listens there.
    DialRefused {
        /// The member.
        peer: NodeId,
    },
    /// A dial failed for a reason other than the time before.
    DialFailed {
        /// Where to.
        address: Address,
        /// Who was expected.
        expect: Option<NodeId>,
        /// Why.
        reason: CloseReason,
    },
    /// Make this durable: the backoffs under [`BACKOFFS_KEY`](super::BACKOFFS_KEY). At most once in
    /// `save_interval`, and once when the links stop.
    Persist(Persist),
    /// Another process shows this identity.
    IdentityConflict {
        /// The identity; our own if we are the one to give way.
        identity: NodeId,
        /// Why, as the peers of both processes are told.
        reason: CloseReason,
        /// Who says so of our own identity; `None` if the other process showed itself.
        told_by: Option<NodeId>,
    },
    /// A link is about to be refused since a peer has another: show who is there what that peer said
    /// of itself, so that nobody has to take our word.
    Prove {
        /// The peer.
        peer: NodeId,
        /// The link that is refused.
        link: LinkId,
        /// The one that stays.
        routed: LinkId,
    },
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub struct Stats {
    /// Dials started.
    pub dials: u64,
    /// Dials that ended without a link.
    pub dials_failed: u64,
    /// Links closed because another was kept.
    pub duplicates: u64,
    /// Links closed as silent.
    pub silent: u64,
    /// Links refused because there were too many.
    pub refused: u64,
}
