//! What peers are told of the frontier here: heads, side branches, proofs of forks.
//!
//! These functions only read what is held and send; whoever compares, or learnt something, calls
//! them.

use crate::{
    kernel::{
        id::{NodeId, Role},
        text::Namespace,
    },
    replication::{
        batch::{BATCH_BYTES_MAX, Root, Writer, half},
        log::{ChainId, Head, Proof},
        message::Message,
        replica::{
            context::{Context, REPAIR_SOON},
            database::Database,
        },
        side_branches::Owner,
    },
};
use alloc::{boxed::Box, collections::BTreeMap, vec::Vec};

/// The most heads in a message.
pub(in crate::replication) const HEADS_MAX: usize = 1_024;
/// The most side branches that one message names.
pub(in crate::replication) const ROOTS_MAX: usize = 1_024;
/// The most authors of whom a comparison names side branches, per shard; they take turns.
const OWNERS_MAX: usize = 16;

/// All heads of a shard, in pages; answers how many.
pub(in crate::replication) fn send_heads(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    shard: u16,
) -> usize {
    let mut after = None;
    let mut sent = 0_usize;
    loop {
        let heads: Vec<Head> = db.log.heads(shard, after).take(HEADS_MAX).collect();
        // Exactly full pages are followed by an empty one that is the last.
        let last = heads.len() < HEADS_MAX;
        sent = sent.saturating_add(heads.len());
        let next = heads.last().map(|head| head.writer);
        cx.outbox.send(
            to,
            Message::Heads {
                shard,
                after,
                heads,
                last,
                answer: true,
            },
        );
        if last {
            return sent;
        }
        after = next;
    }
}

/// Tells a peer which of its chains end before ours, so that it can fetch the rest.
pub(in crate::replication) fn send_lacking(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    shard: u16,
    after: Option<Writer>,
    heads: &[Head],
    last: bool,
) {
    let theirs: BTreeMap<Writer, &Head> = heads.iter().map(|h| (h.writer, h)).collect();
    let end = heads.last().map(|head| head.writer);
    let lacking: Vec<Head> = db
        .log
        .heads(shard, after)
        // Only the range that this page speaks of: what is beyond may be on the peer's next page.
        .take_while(|ours| last || Some(ours.writer) <= end)
        .filter(|ours| theirs.get(&ours.writer).is_none_or(|t| lacks(t, ours)))
        .collect();
    for page in lacking.chunks(HEADS_MAX) {
        cx.outbox.send(
            to,
            Message::Heads {
                shard,
                // Not a page of all heads: the receiver only looks at those named, and answers
                // nothing.
                after: None,
                heads: page.to_vec(),
                last: true,
                answer: false,
            },
        );
    }
}

/// Whether who has `theirs` could learn something from who has `ours`.
pub(in crate::replication) fn lacks(theirs: &Head, ours: &Head) -> bool {
    // Another fork point is news only if it is earlier.
    let fork = ours.forked_at != 0 && (theirs.forked_at == 0 || theirs.forked_at > ours.forked_at);
    // Halves: of a forked chain only half of the hash is known.
    let contradicts = theirs.sequence == ours.sequence && half(theirs.hash) != half(ours.hash);
    fork || contradicts || theirs.sequence < ours.sequence
}

/// Names the side branches in a shard; answers how many.
pub(in crate::replication) fn name_branches(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    shard: u16,
) -> usize {
    let owners = db.log.branches().owners(shard);
    // A drawn start, so that all authors have their turn over several comparisons.
    let turn = if owners.len() > OWNERS_MAX {
        cx.rng.index(owners.len())
    } else {
        0
    };
    let mut named = 0_usize;
    for owner in owners
        .iter()
        .cycle()
        .skip(turn)
        .take(owners.len().min(OWNERS_MAX))
    {
        named = named.saturating_add(name_branches_of(cx, db, to, *owner));
    }
    named
}

/// Names the side branches in a namespace; who comes first is drawn, should it be too many.
pub(in crate::replication) fn name_branches_in(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    namespace: &Namespace,
) {
    let mut owners = db.log.branches_in_namespace(namespace);
    if owners.len() > 1 {
        let turn = cx.rng.index(owners.len());
        owners.rotate_left(turn);
    }
    let mut room = ROOTS_MAX;
    for (owner, mut roots) in owners {
        roots.truncate(room);
        room = room.saturating_sub(roots.len());
        send_roots(cx, to, owner, roots);
    }
}

/// Names the side branches of an author in a shard; answers how many.
pub(in crate::replication) fn name_branches_of(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    owner: Owner,
) -> usize {
    let roots = db.log.branches().roots(owner, ROOTS_MAX);
    let count = roots.len();
    send_roots(cx, to, owner, roots);
    count
}

fn send_roots(cx: &mut Context, to: NodeId, (shard, author): Owner, roots: Vec<Root>) {
    if !roots.is_empty() {
        cx.outbox.send(
            to,
            Message::NameBranches {
                shard,
                author,
                roots,
            },
        );
    }
}

pub(in crate::replication) fn send_proof(
    cx: &mut Context,
    db: &Database,
    to: NodeId,
    chain: ChainId,
) {
    if let Some(proof) = db.log.proof(chain) {
        let proof = proof.clone();
        send_evidence(cx, to, &proof);
    }
}

pub(in crate::replication) fn spread_evidence(
    cx: &mut Context,
    knows: Option<NodeId>,
    proof: &Proof,
) {
    // A tab passes nothing on by itself; it shows its proofs when it is asked for side branches.
    if cx.role == Role::Tab {
        return;
    }
    for (to, role) in cx.linked.clone() {
        if Some(to) == knows {
            continue;
        }
        send_evidence(cx, to, proof);
        // The evidence may be lost on the way; the comparison finds that the fork points differ.
        if role == Role::Relay {
            cx.summarize_within(to, REPAIR_SOON);
        }
    }
}

/// Shows a peer the proof of a fork: in one message, or as two pushes if it is too large.
fn send_evidence(cx: &mut Context, to: NodeId, proof: &Proof) {
    let (first, second) = (Box::new(proof.0.clone()), Box::new(proof.1.clone()));
    let bytes = first.bytes().len().saturating_add(second.bytes().len());
    // A message must fit a frame; two large batches together do not.
    if bytes <= BATCH_BYTES_MAX {
        cx.outbox.send(to, Message::Evidence { first, second });
        return;
    }
    // The receiver has one of the two, or takes the first, and proves the fork itself with the
    // other.
    for batch in [first, second] {
        let told = Vec::new();
        cx.outbox.send(to, Message::Push { batch, told });
    }
}
