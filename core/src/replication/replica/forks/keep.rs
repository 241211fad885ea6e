//! Side branches are kept in memory until their author has issued them again, and shown like what
//! is in the log: their author may be gone before that.

use crate::{
    kernel::{
        crypto::Signed,
        id::Role,
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Root, root_of},
        log::Proof,
        replica::{context::Context, database::Database},
        side_branches::{Owner, Place},
    },
};

/// Keeps both batches of a proof for their author. `show_branches` makes them visible, at the
/// latest with the next reading of the clock.
pub(in crate::replication) fn keep_proof(cx: &mut Context, db: &mut Database, proof: &Proof) {
    for signed in [&proof.0, &proof.1] {
        keep_branch(cx, db, signed.clone());
    }
}

pub(in crate::replication) fn keep_branch(
    cx: &mut Context,
    db: &mut Database,
    signed: Signed<Batch>,
) -> bool {
    let batch = signed.claims();
    let owner = (batch.shard, batch.author);
    let is_own = batch.author == cx.me;
    // A tab keeps what it follows, and its own: it has no room for the rest.
    if cx.role == Role::Tab && !is_own && !db.opened.contains(&batch.namespace) {
        return false;
    }
    let max = cx.config.side_branch_bytes_max;
    // Asked before it is pooled, to tell "no room" from "known already".
    let is_new = db.log.branches().lacks(owner, root_of(&signed));
    let pooled = db.log.branches_mut(owner.0).pool(signed, max, is_own);
    if is_new && !pooled {
        cx.stats.side_branches_refused = cx.stats.side_branches_refused.saturating_add(1);
    }
    pooled
}

/// Makes visible the side branches that are not yet.
pub(in crate::replication) fn show_branches(cx: &mut Context, db: &mut Database) {
    for (owner, root) in db.log.branches().unread() {
        show_branch(cx, db, owner, root);
    }
}

/// Makes a side branch visible, unless there is no room, or its stamps are too far ahead: then it
/// is tried again with the next reading of the clock.
pub(in crate::replication) fn show_branch(
    cx: &mut Context,
    db: &mut Database,
    owner: Owner,
    root: Root,
) {
    // Only pooled ones: what the log holds is visible already.
    let Some(Place::Pooled(signed)) = db.log.branches().get(owner, root) else {
        return;
    };
    if db.is_too_far_ahead(cx, signed.claims()) || !db.has_room_for_writes(signed.claims()) {
        return;
    }
    // A write may become visible here and again when it is issued again: author and stamp are the
    // same, so the register changes nothing the second time.
    if !planted::is(Planted::BranchUnread) {
        let signed = signed.clone();
        db.show(cx, signed.claims(), true);
    }
    db.log.branches_mut(owner.0).mark_read(owner, root);
}
