//! What a tab and its home relays say to each other about namespaces; see `subscriptions`.

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        text::Namespace,
    },
    replication::{
        batch::{Batch, EPOCH_LIMIT, SHARDS},
        log::{ChainId, Head},
        message::Message,
        queue::Source,
        replica::{
            answers::{ANSWER_MAX, Answer, Plan},
            context::bytes_of,
            contract::Offence,
            gate::Taken,
            machine::Replica,
            naming::name_branches_in,
            subscriptions::SUBSCRIBE_HEADS_MAX,
        },
    },
};
use alloc::{collections::BTreeMap, vec::Vec};

impl Replica {
    /// In a tab, at intervals: asks a home whether it has our writes, and whether we hold what it
    /// holds.
    pub(in crate::replication) fn refresh(&mut self, home: NodeId) {
        if !self.cx.is_linked(home) {
            return;
        }
        // In this order: own writes are what only this tab has.
        self.writes.send_mine(&mut self.cx, &self.db, home, false);
        self.subscriptions.refresh(&mut self.cx, &self.db, home);
        for namespace in self.db.opened.iter() {
            name_branches_in(&mut self.cx, &self.db, home, namespace);
        }
        self.cx.summarize_after_interval(home);
    }

    pub(in crate::replication) fn on_page(
        &mut self,
        from: NodeId,
        namespace: Namespace,
        batches: Vec<Signed<Batch>>,
        live: bool,
    ) {
        // A page that nobody asked for may hold anything: it is not even looked at.
        let asked = self.subscriptions.is_asked(from, &namespace);
        if self.cx.role == Role::Relay || !asked {
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.cx.stats.unwanted_batches = self.cx.stats.unwanted_batches.saturating_add(many);
            return;
        }
        // An empty page that is not live: something differs, ask with the heads.
        let notice = batches.is_empty() && !live;
        let mut progress = false;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            // The page may hold only what was asked for: other namespaces may be closed here.
            if signed.claims().namespace != namespace {
                self.cx.offend(from, Offence::Malformed);
                continue;
            }
            let bytes = bytes_of(&signed);
            self.cx.stats.fetched_batches = self.cx.stats.fetched_batches.saturating_add(1);
            self.cx.stats.fetched_bytes = self.cx.stats.fetched_bytes.saturating_add(bytes);
            let taken = self.take(from, signed, Source::Caught(from), Vec::new());
            progress |= taken == Taken::Staged;
        }
        let (cx, db) = (&mut self.cx, &mut self.db);
        if live {
            self.subscriptions.on_last_page(cx, db, from, namespace);
        } else {
            let how = (progress, notice);
            self.subscriptions.on_page(cx, db, from, namespace, how);
        }
    }

    /// On a relay: a tab asks for a namespace.
    pub(in crate::replication) fn on_subscribe(
        &mut self,
        from: NodeId,
        namespace: Namespace,
        digest: u64,
        heads: Option<Vec<(u16, Head)>>,
    ) {
        let known = self.subscriptions.is_asked(from, &namespace);
        let of_tab = self.cx.role == Role::Relay && self.cx.role_of(from) == Some(Role::Tab);
        // The check of the role keeps relays from taking subscriptions of each other.
        if !of_tab || !self.subscriptions.admit(&self.cx, from, &namespace) {
            self.cx.stats.requests_refused = self.cx.stats.requests_refused.saturating_add(1);
            // A tab is told, or it would wait for pages that never come.
            if of_tab {
                let refused = Message::SubscribeRefused { namespace };
                self.cx.outbox.send(from, refused);
            }
            return;
        }
        // Side branches are named once and at each comparison, not with each page.
        if !known || heads.is_none() {
            name_branches_in(&mut self.cx, &self.db, from, &namespace);
        }
        let Some(heads) = heads else {
            // The answer holds no batches: `live` alone tells whether all is there.
            let live = self.db.log.stream_digest(&namespace) == digest;
            self.answer(from, Answer::Page { namespace, live }, Vec::new());
            return;
        };
        let wrong =
            |(shard, head): &(u16, Head)| *shard >= SHARDS || head.writer.epoch >= EPOCH_LIMIT;
        if heads.len() > SUBSCRIBE_HEADS_MAX || heads.iter().any(wrong) {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        self.forks
            .branches
            .note_tab_copies(&mut self.cx, &self.db, from, &heads);
        self.send_page(from, namespace, &heads);
    }

    fn send_page(&mut self, to: NodeId, namespace: Namespace, heads: &[(u16, Head)]) {
        let held: BTreeMap<ChainId, u64> = heads
            .iter()
            .map(|(shard, head)| ((*shard, head.writer), head.sequence))
            .collect();
        let mut plan = Plan::new(&self.cx);
        let mut complete = true;
        for (shard, writer, _) in self.db.log.streams(&namespace) {
            let chain = (shard, writer);
            let after = held.get(&chain).copied().unwrap_or(0);
            let forked_at = self.db.log.forked_at(chain).unwrap_or(u64::MAX);
            for sequence in self.db.log.stream_after(&namespace, chain, after) {
                // What is beyond a fork is not given by sequence: nodes differ there. It comes by
                // name.
                if *sequence >= forked_at {
                    break;
                }
                if !plan.add_held(&self.db, chain, *sequence) {
                    // The tab asks again with its new heads: no position is kept here between
                    // pages.
                    complete = false;
                    break;
                }
            }
            if !complete {
                break;
            }
        }
        let answer = Answer::Page {
            namespace,
            live: complete,
        };
        self.answer(to, answer, plan.pieces);
    }
}
