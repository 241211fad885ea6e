//! What a batch must pass, whatever message it came in: checks from the cheapest to the dearest.

use crate::{
    kernel::{
        crypto::{Signed, Verified},
        id::{NodeId, Role},
        planted::{self, Planted},
        time::{Time, millis},
    },
    replication::{
        batch::Batch,
        log::{Lane, chain_of},
        replica::{context::Context, contract::Offence, database::Database},
    },
};
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replication) enum Taken {
    /// It is with the journal now.
    Staged,
    /// It was here already.
    Known,
    /// Something before it is missing.
    Early,
    /// It is not wanted, now or ever.
    Refused,
}

/// How many wrong signatures a peer may send before it is not listened to for a while.
const BAD_SIGNATURES_MAX: u32 = 8;
/// For how long such a peer is not listened to. An honest relay checks before it forwards, so it is
/// never muted.
const MUTE: Duration = Duration::from_secs(60);

/// Batches with wrong signatures that a peer sent, and until when nothing of it is taken therefore.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
struct Sender {
    bad_signatures: u32,
    muted_until: Time,
}

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Gate {
    /// Linked peers that sent a wrong signature.
    senders: BTreeMap<NodeId, Sender>,
}

impl Gate {
    pub(in crate::replication) fn on_peer_down(&mut self, peer: NodeId) {
        self.senders.remove(&peer);
    }

    /// What needs neither state of the log nor a signature. A tab may give what others wrote only
    /// if `is_asked`.
    pub(in crate::replication) fn refuse_at_a_glance(
        &mut self,
        cx: &mut Context,
        db: &Database,
        from: NodeId,
        signed: &Signed<Batch>,
        is_asked: bool,
    ) -> Option<Taken> {
        // Only messages of linked peers come here (`on_message`), so the role is known.
        let role = cx.role_of(from)?;
        let sender = self.senders.get(&from);
        // A signature costs some 34 µs to check, and a forged batch costs its sender nothing. Who
        // sends many is not listened to for a while.
        if sender.is_some_and(|sender| cx.now < sender.muted_until) {
            cx.stats.muted_batches = cx.stats.muted_batches.saturating_add(1);
            return Some(Taken::Refused);
        }
        let batch = signed.claims();
        if batch.check(signed.bytes().len()).is_err() {
            cx.stats.malformed_batches = cx.stats.malformed_batches.saturating_add(1);
            cx.offend(from, Offence::Malformed);
            return Some(Taken::Refused);
        }
        // A tab serves nobody: it could only pass on what it should not have. What it was asked for
        // counts by the signature alone.
        if role == Role::Tab && batch.author != from && !is_asked {
            cx.stats.unwanted_batches = cx.stats.unwanted_batches.saturating_add(1);
            cx.offend(from, Offence::NotItsOwn);
            return Some(Taken::Refused);
        }
        // A tab's own batches come back to it whatever the namespace: it may have lost them.
        let open = db.opened.contains(&batch.namespace) || batch.author == cx.me;
        if cx.role == Role::Tab && !open {
            cx.stats.unwanted_batches = cx.stats.unwanted_batches.saturating_add(1);
            return Some(Taken::Refused);
        }
        None
    }

    pub(in crate::replication) fn verify(
        &mut self,
        cx: &mut Context,
        from: NodeId,
        signed: Signed<Batch>,
    ) -> Option<Verified<Batch>> {
        if let Ok(batch) = signed.verify(cx.network) {
            return Some(batch);
        }
        // Who sent it is to blame, not who is said to have written it: anyone could forge that.
        cx.stats.bad_signatures = cx.stats.bad_signatures.saturating_add(1);
        cx.offend(from, Offence::BadSignature);
        // Only linked peers are remembered, so that the table is bounded by the links.
        if cx.linked.contains_key(&from) {
            let sender = self.senders.entry(from).or_default();
            sender.bad_signatures = sender.bad_signatures.saturating_add(1);
            if sender.bad_signatures >= BAD_SIGNATURES_MAX {
                sender.bad_signatures = 0;
                sender.muted_until = cx.now + MUTE;
            }
        }
        None
    }

    /// What its author, who is proven now, did wrong.
    pub(in crate::replication) fn refuse_its_author(
        &mut self,
        cx: &mut Context,
        db: &mut Database,
        lane: &Lane,
        batch: &Verified<Batch>,
    ) -> Option<Taken> {
        let (chain, _) = chain_of(batch);
        let ahead_max = millis(cx.config.ahead_max);
        match db.clock.ahead(cx.now, batch.newest()) {
            // Kulkarni 2014 also keeps out stamps beyond a bound, so that one wrong clock does not
            // push all.
            Some(ahead) if ahead <= ahead_max || planted::is(Planted::FarFuture) => {}
            // While the clock is unknown nothing can be let in; the owner sets it at start.
            None => {
                db.hold_off(cx, chain, Duration::from_secs(1));
                cx.stats.ahead_batches = cx.stats.ahead_batches.saturating_add(1);
                return Some(Taken::Refused);
            }
            Some(ahead_ms) => {
                // It is asked for again once its stamps are within the bound, but not sooner than
                // after a second and not later than after ten minutes: the clock may be set.
                let wait = Duration::from_millis(ahead_ms.saturating_sub(ahead_max));
                let bounded = wait.clamp(Duration::from_secs(1), Duration::from_secs(600));
                cx.stats.ahead_batches = cx.stats.ahead_batches.saturating_add(1);
                // One offence for each pause, however many peers push the batch.
                if db.hold_off(cx, chain, bounded) {
                    cx.offend(batch.author, Offence::ClockAhead { ahead_ms });
                }
                return Some(Taken::Refused);
            }
        }
        // The signature holds, so the author itself wrote the wrong number: tabs would see a gap
        // that nobody can fill. Batches with the journal count as here.
        let stream = db.staging.stream_end(lane, &batch.namespace);
        let stream = stream.unwrap_or_else(|| {
            db.log
                .stream_end(&batch.namespace, batch.shard, batch.writer())
                .sequence
        });
        if stream != batch.namespace_previous {
            cx.stats.malformed_batches = cx.stats.malformed_batches.saturating_add(1);
            if db.hold_off(cx, chain, Duration::from_secs(600)) {
                cx.offend(batch.author, Offence::BrokenChain);
            }
            return Some(Taken::Refused);
        }
        None
    }
}
