//! What replicas say to each other. Variants are only appended.

use crate::{
    kernel::{
        bytes::Bytes,
        crypto::Signed,
        id::NodeId,
        text::{Key, Namespace},
    },
    replication::{
        batch::{Batch, Writer},
        log::Head,
    },
    wire::class::Class,
};
use alloc::{boxed::Box, vec::Vec};
use serde::{Deserialize, Serialize};

/// A place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dot {
    /// The shard.
    pub shard: u16,
    /// Whose chain.
    pub writer: Writer,
    /// The batch.
    pub sequence: u64,
}

/// A word between replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Relay to relay: one digest of eight bytes per shard. Shards that differ are answered by
    /// [`Message::Heads`].
    Summary {
        /// The digests, little endian, in shard order.
        digests: Bytes,
    },
    /// How far the sender holds a shard's chains: all writers after `after` up to the last one
    /// named (or to the end), or, when no answer is wanted, only those that the receiver lacks.
    Heads {
        /// The shard.
        shard: u16,
        /// Where this page begins.
        after: Option<Writer>,
        /// The heads, in writer order, at most 1 024.
        heads: Vec<Head>,
        /// Whether no page follows.
        last: bool,
        /// Whether the receiver should say what the sender lacks.
        answer: bool,
    },
    /// Tab to home relay: how far its own chains go.
    Mine {
        /// Shard and head, at most 1 024.
        heads: Vec<(u16, Head)>,
    },
    /// Asks for the batches of some writers in a shard; answered by [`Message::Batches`].
    Fetch {
        /// Comes back in the answer.
        request: u64,
        /// The shard.
        shard: u16,
        /// Whose, and from which sequence on; at most 64.
        wants: Vec<(Writer, u64)>,
    },
    /// The answer to a fetch: at most 256 KiB, or one batch that is larger. Empty if there is
    /// nothing to give now.
    Batches {
        /// Which fetch.
        request: u64,
        /// In chain order per writer.
        batches: Vec<Signed<Batch>>,
    },
    /// A batch that has just become durable at the sender.
    Push {
        /// The batch.
        batch: Box<Signed<Batch>>,
        /// Whom the sender and those before it have told, by identity prefix; at most 64.
        told: Vec<u64>,
    },
    /// The sender has made these chains durable up to these batches.
    Stored {
        /// Up to where.
        dots: Vec<Dot>,
    },
    /// Two different batches by one author with one sequence.
    Evidence {
        /// The one.
        first: Box<Signed<Batch>>,
        /// The other.
        second: Box<Signed<Batch>>,
    },
    /// Tab to home relay: send this namespace, beyond these heads, and what comes after.
    Subscribe {
        /// The namespace.
        namespace: Namespace,
        /// A digest of what the tab holds of it.
        digest: u64,
        /// How far the tab holds it: shard and head (of the namespace's part of a chain), at most
        /// 4 096; `None` only compares digests.
        heads: Option<Vec<(u16, Head)>>,
    },
    /// Tab to home relay: no more of this namespace.
    Unsubscribe {
        /// The namespace.
        namespace: Namespace,
    },
    /// Home relay to tab: a part of a namespace, at most 256 KiB or one batch that is larger.
    Page {
        /// The namespace.
        namespace: Namespace,
        /// In chain order per writer.
        batches: Vec<Signed<Batch>>,
        /// Whether that was all, and new batches come as they are written; otherwise the tab asks
        /// again.
        live: bool,
    },
    /// Batches of an author that the sender has, that stand beyond a fork, and that were not issued
    /// again as far as it knows. Relay to relay, and relay to the author.
    NameBranches {
        /// The shard.
        shard: u16,
        /// Whose.
        author: NodeId,
        /// The first half, as a big-endian number, of the hash of the batch in which the writes
        /// were first; in order, at most 1 024.
        roots: Vec<u128>,
    },
    /// Asks for some of them; answered by [`Message::BranchBatches`].
    FetchBranches {
        /// The shard.
        shard: u16,
        /// Whose.
        author: NodeId,
        /// Which, at most 64.
        roots: Vec<u128>,
    },
    /// The answer, also to [`Message::FetchTabCopy`]: at most 256 KiB, or one batch that is larger.
    /// Empty if there is nothing to give now.
    BranchBatches {
        /// In no order.
        batches: Vec<Signed<Batch>>,
    },
    /// Home relay to tab: give what you hold of another's chain, of the namespaces that you follow.
    /// Asked when the tab holds more than the relay, or something else.
    FetchTabCopy {
        /// The shard.
        shard: u16,
        /// Whose chain.
        writer: Writer,
        /// From which batch on.
        first: u64,
    },
    /// Home relay to tab: it serves as many namespaces to this tab as it may, and not this one.
    SubscribeRefused {
        /// The namespace.
        namespace: Namespace,
    },
    /// Relay to relay: about proving that both hold the same.
    Verify(Proving),
}

/// What relays say to each other to prove that they hold the same. Variants are only appended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proving {
    /// Relay to relay: what do you hold, as one number a shard? Answered by [`Proving::Roots`], in a while.
    AskRoots {
        /// Comes back in the answer.
        request: u64,
        /// Only of this namespace.
        namespace: Option<Namespace>,
    },
    /// The answer.
    Roots {
        /// Which question.
        request: u64,
        /// The sums of the numbers of the keys, in shard order.
        roots: Vec<u128>,
    },
    /// Relay to relay: which keys of a shard do you hold, and what of them? Answered by [`Proving::Numbers`].
    AskNumbers {
        /// Comes back in the answer.
        request: u64,
        /// Only of this namespace.
        namespace: Option<Namespace>,
        /// The shard.
        shard: u16,
        /// Only keys after this one.
        after: Option<(Namespace, Key)>,
    },
    /// The answer: at most 256 keys. There may be none though more follow.
    Numbers {
        /// Which question.
        request: u64,
        /// Keys as they are stored, each with a hash of its value, writer and stamp; in order.
        keys: Vec<(Namespace, Key, u128)>,
        /// Up to which place that was all; `None` if it was all to the end.
        next: Option<(Namespace, Key)>,
    },
}

impl Message {
    /// How urgent it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Summary { .. }
            | Self::Heads { .. }
            | Self::Mine { .. }
            | Self::Fetch { .. }
            | Self::Stored { .. }
            | Self::Evidence { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::NameBranches { .. }
            | Self::FetchBranches { .. }
            | Self::FetchTabCopy { .. }
            | Self::SubscribeRefused { .. } => Class::High,
            Self::Push { .. } => Class::Normal,
            Self::Batches { .. }
            | Self::Page { .. }
            | Self::BranchBatches { .. }
            | Self::Verify(_) => Class::Low,
        }
    }

    /// The signed batches inside, so that a host can check their signatures on another thread
    /// beforehand.
    // Small words that others wait for go first, then fresh batches, then bulk: catching up must
    // not delay what is written now.
    pub fn signed_mut(&mut self) -> impl Iterator<Item = &mut Signed<Batch>> {
        let (many, one, two): (&mut [_], Option<&mut _>, Option<&mut _>) = match self {
            Self::Batches { batches, .. }
            | Self::Page { batches, .. }
            | Self::BranchBatches { batches } => (batches, None, None),
            Self::Push { batch, .. } => (&mut [], Some(batch), None),
            Self::Evidence { first, second } => (&mut [], Some(first), Some(second)),
            Self::Summary { .. }
            | Self::Heads { .. }
            | Self::Mine { .. }
            | Self::Fetch { .. }
            | Self::Stored { .. }
            | Self::Subscribe { .. }
            | Self::Unsubscribe { .. }
            | Self::NameBranches { .. }
            | Self::FetchBranches { .. }
            | Self::FetchTabCopy { .. }
            | Self::SubscribeRefused { .. }
            | Self::Verify(_) => (&mut [], None, None),
        };
        many.iter_mut()
            // One iterator for all shapes without an allocation: many batches, one, and a second
            // one.
            .chain(one.map(|boxed: &mut Box<_>| &mut **boxed))
            .chain(two.map(|boxed: &mut Box<_>| &mut **boxed))
    }
}
