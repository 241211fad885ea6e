//! Branches beyond forks on their way to their author.
//!
//! When frontiers differ, each relay also names its side branches ([`Message::NameBranches`]); who
//! lacks some of them asks, and keeps them in memory. So they travel over several links, to their
//! author at last. A tab is told of its own side branches, and of those in the namespaces that it
//! follows; it tells the same: its homes may have ended since, and what they had in memory is gone.
//!
//! Side branches are read like everything else: their author may be gone before it issues them
//! again.
//!
//! Source: Demers et al., 1987, section 1.3 (comparison).

use crate::{
    kernel::{id::NodeId, time::Time},
    replication::{
        batch::{Root, SHARDS},
        log::{ChainId, Head},
        message::Message,
        replica::{
            anti_entropy::WANTS_MAX,
            context::{Context, Timer},
            contract::Offence,
            database::Database,
            naming::ROOTS_MAX,
        },
        side_branches::Owner,
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

/// The most side branches of a peer that are noted; the rest waits for the next comparison.
pub(in crate::replication) const LACKING_MAX: usize = 1_024;

/// Where a tab's part of another's chain ends, if that is elsewhere than here.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct TabCopy {
    pub(in crate::replication) chain: ChainId,
    pub(in crate::replication) head: Head,
    /// When it is asked for; [`Time::MAX`] once all that the tab has is in the log or a side
    /// branch.
    pub(in crate::replication) due: Time,
    /// How often it was asked for.
    pub(in crate::replication) asks: u32,
    /// Up to which batch the tab has given it.
    pub(in crate::replication) given: u64,
}

/// What a peer has beside the log here.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Branched {
    /// The side branches that it has and we lack, and what of it is asked for. At most
    /// [`LACKING_MAX`].
    lacking: Vec<(Owner, Root)>,
    pub(in crate::replication) asked: Vec<(Owner, Root)>,
    /// On a relay: where a tab's parts of others' chains end elsewhere than here, and which one it
    /// is asked for now. See `tab_copies`.
    pub(in crate::replication) copies: Vec<TabCopy>,
    pub(in crate::replication) copy_asked: Option<ChainId>,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Branches {
    pub(in crate::replication) peers: BTreeMap<NodeId, Branched>,
}

impl Branches {
    pub(in crate::replication) fn on_peer_up(&mut self, peer: NodeId) {
        self.peers.insert(peer, Branched::default());
    }

    pub(in crate::replication) fn on_peer_down(&mut self, peer: NodeId) {
        self.peers.remove(&peer);
    }

    pub(in crate::replication) fn on_named(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        shard: u16,
        author: NodeId,
        roots: &[Root],
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        if shard >= SHARDS || roots.len() > ROOTS_MAX {
            cx.offend(from, Offence::Malformed);
            return;
        }
        let owner = (shard, author);
        for root in roots {
            let key = (owner, *root);
            // A peer may name the same branch again: it is noted once.
            let is_new = db.log.branches().lacks(owner, *root) && !peer.lacking.contains(&key);
            // The bound keeps a liar with many names from filling memory.
            if is_new && peer.lacking.len() < LACKING_MAX {
                peer.lacking.push(key);
            }
        }
        self.fetch_branches(cx, db, from);
    }

    /// Asks a peer for some of its side branches, unless it was asked already.
    fn fetch_branches(&mut self, cx: &mut Context, db: &Database, from: NodeId) {
        let branches = db.log.branches();
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        // One question at a time to a peer, side branches or a tab's copy: both have the same kind
        // of answer, without a number that ties it to the question.
        if !peer.asked.is_empty() || peer.copy_asked.is_some() {
            return;
        }
        // Some may have come from other peers, or been issued again, since they were named.
        peer.lacking
            .retain(|(owner, root)| branches.lacks(*owner, *root));
        let Some((owner, _)) = peer.lacking.first().copied() else {
            return;
        };
        // A question is about one author in one shard; other authors have their turn afterwards.
        let mut roots = Vec::new();
        for (of, root) in &peer.lacking {
            if *of == owner && roots.len() < WANTS_MAX {
                roots.push(*root);
                peer.asked.push((owner, *root));
            }
        }
        let (shard, author) = owner;
        cx.outbox.send(
            from,
            Message::FetchBranches {
                shard,
                author,
                roots,
            },
        );
        let until = cx.now + cx.config.fetch_patience;
        cx.deadlines.set(Timer::Branches(from), until);
    }

    /// A peer does not give the side branches that it named.
    pub(in crate::replication) fn on_fetch_stalled(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
    ) {
        // The answer may be lost on the way: the other authors have their turn, and this one after
        // the next comparison.
        self.on_answered(cx, db, from, false);
    }

    /// Whether nothing is asked of a peer now.
    pub(in crate::replication) fn asks_nothing(&self, peer: NodeId) -> bool {
        let peer = self.peers.get(&peer);
        peer.is_some_and(|peer| peer.asked.is_empty())
    }

    /// Whether a peer was asked for this one.
    pub(in crate::replication) fn is_asked(&self, peer: NodeId, owner: Owner, root: Root) -> bool {
        let peer = self.peers.get(&peer);
        peer.is_some_and(|peer| peer.asked.contains(&(owner, root)))
    }

    /// A peer answered; `grown`: something of it was of use.
    pub(in crate::replication) fn on_answered(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        grown: bool,
    ) {
        let Some(peer) = self.peers.get_mut(&from) else {
            return;
        };
        // Whether it gave all, some or nothing: the question is over.
        let asked = core::mem::take(&mut peer.asked);
        cx.deadlines.clear(&Timer::Branches(from));
        if !grown {
            // What it gave is of no use: the next comparison tells whether it has more of that
            // author.
            let owner = asked.first().map(|(owner, _)| *owner);
            peer.lacking.retain(|(of, _)| Some(*of) != owner);
        }
        self.fetch_branches(cx, db, from);
    }

    /// Of each peer: how many side branches are lacking, and how many chains a tab holds otherwise.
    pub(in crate::replication) fn counts(&self) -> impl Iterator<Item = (usize, usize)> {
        let peers = self.peers.values();
        peers.map(|peer| (peer.lacking.len(), peer.copies.len()))
    }
}
