//! What a replica knows of each linked peer. Forgotten when the link ends.

use crate::{
    kernel::{id::Role, text::Namespace, time::Time},
    replication::{
        aside::Owner,
        batch::{Root, Writer},
        log::{ChainId, Head},
        message::Dot,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

/// A linked peer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Peer {
    pub(in crate::replication) role: Role,
    /// What it has and we lack. At most [`WANTED_MAX`] chains.
    pub(in crate::replication) has: BTreeMap<ChainId, Wanted>,
    /// Fetches in progress.
    pub(in crate::replication) fetches: u32,
    /// Fetches in a row that brought nothing.
    pub(in crate::replication) stalls: u32,
    /// The catching-up that is going on.
    pub(in crate::replication) catch_up: Option<CatchUp>,
    /// Pushes that it has not confirmed, with their bytes.
    pub(in crate::replication) in_flight: BTreeMap<Dot, u32>,
    pub(in crate::replication) in_flight_bytes: u64,
    /// Whether a push was left out because it is slow.
    pub(in crate::replication) lossy: bool,
    /// Confirmations that are held back for a moment to go together.
    pub(in crate::replication) acks: BTreeMap<ChainId, u64>,
    pub(in crate::replication) acks_ready_at: Time,
    /// When a summary of it may be answered again.
    pub(in crate::replication) summary_ready_at: Time,
    /// Namespaces: on a relay those that it serves the tab, in a tab those asked of the relay.
    pub(in crate::replication) subscriptions: BTreeMap<Namespace, Subscription>,
    /// In a tab: how far the relay holds our chains.
    pub(in crate::replication) mine: BTreeMap<ChainId, u64>,
    /// What it has set aside and we lack, and what of it is asked for. At most [`LACKING_MAX`].
    pub(in crate::replication) lacking: Vec<(Owner, Root)>,
    pub(in crate::replication) asked: Vec<(Owner, Root)>,
    /// On a relay: where a tab's parts of others' chains end elsewhere than here; at most [`AHEAD_MAX`].
    /// And which one it is asked for now.
    pub(in crate::replication) ahead: Vec<Ahead>,
    pub(in crate::replication) ahead_asked: Option<ChainId>,
    /// Batches with wrong signatures that it sent, and until when nothing of it is taken therefore.
    pub(in crate::replication) bad_signatures: u32,
    pub(in crate::replication) muted_until: Time,
}

/// The most chains that are noted as wanted of a peer; the rest waits for the next comparison.
pub(in crate::replication) const WANTED_MAX: usize = 65_536;
/// The most batches that a peer has set aside that are noted; the rest waits for the next comparison.
pub(in crate::replication) const LACKING_MAX: usize = 1_024;
/// The most chains of others that a tab is asked for on one link.
pub(in crate::replication) const AHEAD_MAX: usize = 256;

/// Where a tab's part of another's chain ends, if not here.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Ahead {
    pub(in crate::replication) chain: ChainId,
    pub(in crate::replication) head: Head,
    /// When it is asked for; [`Time::MAX`] once all that the tab has is here or set aside.
    pub(in crate::replication) due: Time,
    /// How often it was asked for.
    pub(in crate::replication) asks: u32,
}

/// What a peer has of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct Wanted {
    pub(in crate::replication) up_to: u64,
    /// The batch that contradicts ours or proves a fork, if that is what is wanted.
    pub(in crate::replication) proof: Option<u64>,
}

/// A catching-up with one peer.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) struct CatchUp {
    pub(in crate::replication) since: Time,
    pub(in crate::replication) batches: u64,
    pub(in crate::replication) bytes: u64,
}

/// How a namespace stands between a tab and one of its homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recording", derive(serde::Serialize, serde::Deserialize))]
pub(in crate::replication) enum Subscription {
    /// The next page is on its way, or has to be asked for.
    Paging,
    /// Everything up to now was sent; new batches are pushed.
    Live,
    /// On a relay: a push was left out; the tab has to ask again.
    Lagging,
}

impl Peer {
    pub(in crate::replication) const fn new(role: Role) -> Self {
        Self {
            role,
            has: BTreeMap::new(),
            fetches: 0,
            stalls: 0,
            catch_up: None,
            in_flight: BTreeMap::new(),
            in_flight_bytes: 0,
            lossy: false,
            acks: BTreeMap::new(),
            acks_ready_at: Time::ZERO,
            summary_ready_at: Time::ZERO,
            subscriptions: BTreeMap::new(),
            mine: BTreeMap::new(),
            lacking: Vec::new(),
            asked: Vec::new(),
            ahead: Vec::new(),
            ahead_asked: None,
            bad_signatures: 0,
            muted_until: Time::ZERO,
        }
    }

    /// Notes that it has a chain up to a batch; answers whether there was room.
    pub(in crate::replication) fn note(&mut self, chain: ChainId, wanted: Wanted) -> bool {
        if let Some(known) = self.has.get_mut(&chain) {
            known.up_to = known.up_to.max(wanted.up_to);
            known.proof = match (known.proof, wanted.proof) {
                (Some(known), Some(wanted)) => Some(known.min(wanted)),
                (known, wanted) => known.or(wanted),
            };
            return true;
        }
        if self.has.len() >= WANTED_MAX {
            return false;
        }
        self.has.insert(chain, wanted);
        true
    }

    /// It confirmed a chain up to a batch.
    pub(in crate::replication) fn confirmed(&mut self, dot: Dot) {
        let first = Dot { sequence: 0, ..dot };
        while let Some((held, bytes)) = self.in_flight.range(first..=dot).next() {
            let (held, bytes) = (*held, *bytes);
            self.in_flight.remove(&held);
            self.in_flight_bytes = self.in_flight_bytes.saturating_sub(u64::from(bytes));
        }
    }

    /// The shards of which it has something that we lack, after `after`.
    pub(in crate::replication) fn next_shard(&self, from: u16) -> Option<u16> {
        let first = (from, Writer::MIN);
        self.has.range(first..).next().map(|((shard, _), _)| *shard)
    }
}
