//! Forks: two batches of one writer with one sequence. The proof, where the branches part, who is
//! told; side branches on their way to their author, who issues them again.
//!
//! The first contradiction that is met may be far behind the point where the branches part. Who
//! holds two batches that name different predecessors asks for what is before, until the
//! predecessors are the same: so all nodes find the same fork point, and what stands from there on
//! is side branches.
//!
//! Source: Kleppmann, "Making CRDTs Byzantine Fault Tolerant", 2022, section 3 (equal heads, equal
//! histories).

use crate::{
    kernel::{
        crypto::Signed,
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    replication::{
        batch::{Batch, Record, Root, SHARDS, Writer, hash_of, root_of},
        log::{ChainId, Proof, chain_lane, chain_of},
        queue::Source,
        replica::{
            answers::{ANSWER_MAX, Answer, Piece, Plan, piece_at},
            anti_entropy::{WANTS_MAX, Wanted},
            context::{Timer, bytes_of},
            contract::{Event, Offence},
            forks::{
                epochs::PAUSE,
                keep::{keep_branch, keep_proof, show_branch, show_branches},
            },
            gate::Taken,
            machine::Replica,
            naming::{name_branches_of, send_proof, spread_evidence},
        },
        side_branches::{Owner, Place, owner_of},
    },
};
use alloc::{boxed::Box, vec::Vec};

/// How many batches back one question reaches in the search for where the branches part: a few
/// dozen usually fit an answer. Smaller costs round trips, larger bytes.
const LOOK_BACK: u64 = 64;

impl Replica {
    /// Gets our batch of the same sequence, to prove the fork.
    pub(in crate::replication) fn find_first(
        &mut self,
        from: NodeId,
        chain: ChainId,
        sequence: u64,
        second: Signed<Batch>,
    ) {
        // A fork point at or before this sequence says more than this contradiction would.
        let known = self
            .db
            .log
            .forked_at(chain)
            .is_some_and(|at| at <= sequence);
        let Some(slot) = self.db.log.slot(chain, sequence).filter(|_| !known) else {
            return;
        };
        // Our batch may have to be read from the journal: `Answer::Proof` comes back to
        // `prove_fork`.
        let piece = piece_at(&self.db, slot.journal);
        let second = Box::new(second);
        self.answer(from, Answer::Proof { second }, alloc::vec![piece]);
    }

    pub(in crate::replication) fn on_evidence(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) {
        // These two have not been through the gate (`refuse_at_a_glance`), so they are checked on
        // their face here.
        let sound = |signed: &Signed<Batch>| signed.claims().check(signed.bytes().len()).is_ok();
        if !sound(&first) || !sound(&second) {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        if let Some(proof) = self.check_proof(from, first, second) {
            self.take_proof(from, proof, Some(from));
        }
    }

    /// Notes a fork if two batches prove it. Who gave the second lacks the first.
    pub(in crate::replication) fn prove_fork(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) {
        if let Some(proof) = self.check_proof(from, first, second) {
            self.take_proof(from, proof, None);
        }
    }

    fn check_proof(
        &mut self,
        from: NodeId,
        first: Signed<Batch>,
        second: Signed<Batch>,
    ) -> Option<Proof> {
        let (chain, sequence) = chain_of(first.claims());
        let known = self
            .db
            .log
            .forked_at(chain)
            .is_some_and(|at| at <= sequence);
        // A proof of a chain that is not known here makes an entry for it, so it counts against the
        // bound.
        let room = self.db.has_room_for_chain(&self.cx, chain);
        let ignored = planted::is(Planted::EquivocationIgnored);
        // Both have to claim one chain and one sequence, and differ: else nothing is proven.
        if known || !room || ignored || chain_of(second.claims()) != (chain, sequence) {
            return None;
        }
        if hash_of(&first) == hash_of(&second) {
            return None;
        }
        // Signatures come last, as they cost most. Both have to hold: a liar could forge one side.
        let first = self.gate.verify(&mut self.cx, from, first)?.to_signed();
        let second = self.gate.verify(&mut self.cx, from, second)?.to_signed();
        Some(Box::new((first, second)))
    }

    fn take_proof(&mut self, from: NodeId, proof: Proof, knows: Option<NodeId>) {
        let (chain, sequence) = chain_of(proof.0.claims());
        // The fork point first: with it what the log holds from there on is side branches, so only
        // the other batch is pooled.
        let newly = self.db.log.fork(chain, sequence, proof.clone());
        keep_proof(&mut self.cx, &mut self.db, &proof);
        // Readers see both branches: none of them may vanish because its author lied or crashed.
        show_branches(&mut self.cx, &mut self.db);
        // A liar may prove forks without end: the journal takes a bounded number for each run. The
        // chains' fork points are found again after a restart.
        if self.forks.may_record() {
            let token = self.cx.next_token();
            self.cx.persist(token, &Record::Fork(proof.clone()));
        }
        let (shard, writer) = chain;
        if newly {
            self.cx.stats.equivocations = self.cx.stats.equivocations.saturating_add(1);
            self.cx.outbox.event(Event::Equivocation {
                author: writer.node,
                shard,
                sequence,
            });
        }
        // The fork point moved, also when the chain was known to be forked: everybody has to learn
        // of it.
        spread_evidence(&mut self.cx, knows, &proof);
        self.forks.branches.ask_tabs_again(&mut self.cx, chain);
        // Kleppmann 2022, section 3: equal hashes mean equal histories. Different predecessors have
        // different histories, so the branches part earlier.
        if proof.0.claims().previous != proof.1.claims().previous {
            self.look_back(from, chain, sequence);
        }
        if writer.node == self.cx.me {
            self.forks.epochs.on_own_fork(&mut self.cx, &self.db, chain);
            self.look_at_own_fork(chain);
        } else if self.cx.role == Role::Relay && self.cx.is_linked(writer.node) {
            name_branches_of(&mut self.cx, &self.db, writer.node, (shard, writer.node));
        }
    }

    /// Asks for earlier batches: the branches part before this one.
    fn look_back(&mut self, from: NodeId, chain: ChainId, sequence: u64) {
        // A tab holds of others only streams, and can't follow their chains back. Relays do.
        if self.cx.role == Role::Tab && chain.1.node != self.cx.me {
            return;
        }
        // The peer gives its batches from there on. The first that differs from ours is where the
        // branches part; if that is the very first given, the search goes on from it.
        let first = sequence.saturating_sub(LOOK_BACK).max(1);
        let wanted = Wanted {
            up_to: first,
            proof: Some(first),
        };
        self.anti_entropy.want(&mut self.cx, from, chain, wanted);
        self.anti_entropy.schedule_fetches(&mut self.cx, &self.db);
    }

    pub(in crate::replication) fn on_fetch_branches(
        &mut self,
        from: NodeId,
        shard: u16,
        author: NodeId,
        roots: &[Root],
    ) {
        if roots.len() > WANTS_MAX || shard >= SHARDS {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        let mut chains = Vec::new();
        let mut plan = Plan::new(&self.cx);
        for root in roots {
            let fits = match self.db.log.branches().get((shard, author), *root) {
                Some(Place::Held {
                    chain, sequence, ..
                }) => plan.add_held(&self.db, *chain, *sequence),
                Some(Place::Pooled(signed)) => {
                    let (chain, _) = chain_of(signed.claims());
                    if !chains.contains(&chain) {
                        chains.push(chain);
                    }
                    let piece = Piece::Ready(signed.clone());
                    plan.add(piece, bytes_of(signed))
                }
                // It was issued again or forgotten meanwhile: the answer goes on without it.
                None => true,
            };
            if !fits {
                break;
            }
        }
        if self.cx.role == Role::Tab {
            // This tab may be the last that knows of the fork.
            for chain in chains {
                send_proof(&mut self.cx, &self.db, from, chain);
            }
        }
        self.answer(from, Answer::Branches, plan.pieces);
    }

    pub(in crate::replication) fn on_branches(
        &mut self,
        from: NodeId,
        batches: Vec<Signed<Batch>>,
    ) {
        // The two kinds of answer have one message; only what was asked tells them apart, and only
        // one question is open at a time.
        let is_tab = self.cx.role_of(from) == Some(Role::Tab);
        if is_tab && self.forks.branches.asks_nothing(from) {
            self.on_tab_copies(from, batches);
            return;
        }
        let mut grown = None;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let owner = (signed.claims().shard, signed.claims().author);
            if self.take_branch(from, owner, signed) {
                // One question is about one author.
                grown = Some(owner);
            }
        }
        let (cx, db) = (&mut self.cx, &mut self.db);
        self.forks
            .branches
            .on_answered(cx, db, from, grown.is_some());
        if let Some(owner) = grown {
            self.tell_of_grown(from, owner);
        }
    }

    /// Tells others that there are more side branches than before.
    fn tell_of_grown(&mut self, from: NodeId, owner: Owner) {
        // There is more to tell: relays compare soon, so that it reaches its author over several
        // links.
        self.cx.summarize_to_others(from);
        let (shard, author) = owner;
        if author == self.cx.me {
            // Our own branch: a gap may show with it, and issuing again may begin.
            self.forks.epochs.ask_for_gaps(&mut self.cx, &self.db);
            self.seal_next(shard);
        } else if self.cx.role == Role::Relay && self.cx.is_linked(author) {
            name_branches_of(&mut self.cx, &self.db, author, owner);
        }
    }

    /// Takes a batch beyond a fork that we asked for.
    fn take_branch(&mut self, from: NodeId, owner: Owner, signed: Signed<Batch>) -> bool {
        // Only what was asked for: a peer can't fill memory with what nobody wanted.
        if !self.forks.branches.is_asked(from, owner, root_of(&signed)) {
            self.cx.stats.unwanted_batches = self.cx.stats.unwanted_batches.saturating_add(1);
            return false;
        }
        let glance = self
            .gate
            .refuse_at_a_glance(&mut self.cx, &self.db, from, &signed, true);
        if glance.is_some() {
            return false;
        }
        let (chain, sequence) = chain_of(signed.claims());
        let is_forked = self
            .db
            .log
            .forked_at(chain)
            .is_some_and(|at| sequence >= at);
        let held = self
            .db
            .log
            .holds(&chain_lane(chain), sequence, hash_of(&signed));
        if held == Some(false) && !is_forked {
            // The log has another one with this number: nobody told us of the fork yet.
            let root = root_of(&signed);
            self.find_first(from, chain, sequence, signed);
            // If the journal has to be read for the proof, the branch is not taken yet.
            return !self.db.log.branches().lacks(owner, root);
        }
        self.keep_if_branch(from, signed)
    }

    /// Keeps a batch that its chain can't take: beyond a fork, or beyond its end.
    fn keep_if_branch(&mut self, from: NodeId, signed: Signed<Batch>) -> bool {
        let (chain, sequence) = chain_of(signed.claims());
        let lane = chain_lane(chain);
        let is_forked = self
            .db
            .log
            .forked_at(chain)
            .is_some_and(|at| sequence >= at);
        // Beyond a fork, or beyond the end: in both cases the chain can't take it now.
        let is_beyond = sequence > self.db.staged_end(&lane).sequence;
        let owner = (chain.0, chain.1.node);
        let root = root_of(&signed);
        let is_new = self.db.log.branches().lacks(owner, root);
        if !is_new || (!is_forked && !is_beyond) {
            return false;
        }
        // The signature is checked only for what would be kept.
        let Some(batch) = self.gate.verify(&mut self.cx, from, signed) else {
            return false;
        };
        let taken = keep_branch(&mut self.cx, &mut self.db, batch.to_signed());
        if taken {
            show_branch(&mut self.cx, &mut self.db, owner, root);
            self.cx.stats.side_branch_batches = self.cx.stats.side_branch_batches.saturating_add(1);
            // A peer has a batch of ours that our log lacks: no new batch may take its number
            // before the gap is filled, or the chain would fork.
            if chain.1.node == self.cx.me && !is_forked {
                // Our log was longer than it is.
                self.forks.epochs.note_gap(chain, sequence);
            }
        }
        taken
    }

    /// In a tab: a home asks for what is held of another's chain.
    pub(in crate::replication) fn on_fetch_tab_copy(
        &mut self,
        from: NodeId,
        shard: u16,
        writer: Writer,
        first: u64,
    ) {
        let Some(role) = self.cx.role_of(from) else {
            return;
        };
        if shard >= SHARDS || role == Role::Tab {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        // Relays have `Fetch` for this, and a tab's own chain is whole: both are asked otherwise.
        if self.cx.role == Role::Relay || writer.node == self.cx.me {
            self.cx.stats.requests_refused = self.cx.stats.requests_refused.saturating_add(1);
            return;
        }
        let mut tail = Vec::new();
        for namespace in self.db.opened.iter() {
            tail.extend(self.db.log.stream_tail(namespace, (shard, writer), first));
        }
        // Several namespaces may have a part of the chain: together they have to be in its order,
        // or the relay would find them early.
        tail.sort_by_key(|a| a.0);
        let mut plan = Plan::new(&self.cx);
        for (_, journal, bytes) in tail {
            if !plan.add(piece_at(&self.db, journal), u64::from(bytes)) {
                break;
            }
        }
        self.answer(from, Answer::Branches, plan.pieces);
    }

    /// On a relay: a tab gives what it was asked for.
    fn on_tab_copies(&mut self, tab: NodeId, batches: Vec<Signed<Batch>>) {
        let asked = self.forks.branches.copy_asked(tab);
        let Some(asked) = asked.filter(|_| self.cx.role == Role::Relay) else {
            let many = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            self.cx.stats.unwanted_batches = self.cx.stats.unwanted_batches.saturating_add(many);
            return;
        };
        let is_empty = batches.is_empty();
        let mut last = 0;
        let mut grown = false;
        for signed in batches.into_iter().take(ANSWER_MAX) {
            let (chain, sequence) = chain_of(signed.claims());
            // In rising order only: the last sequence says where the next question goes on, and
            // must get on.
            if chain != asked || sequence <= last {
                self.cx.stats.unwanted_batches = self.cx.stats.unwanted_batches.saturating_add(1);
                continue;
            }
            last = sequence;
            grown |= self.take_tab_copy(tab, signed);
        }
        if grown {
            self.tell_of_grown(tab, owner_of(asked));
        }
        self.forks.branches.on_tab_copy_part(tab, asked, last);
        // Asks for the next part, until an empty answer ends it.
        match last.checked_add(1).filter(|_| last > 0) {
            Some(first) => self.cx.fetch_tab_copy(tab, asked, first),
            // The answer to an earlier question; the one to this is still to come.
            None if !is_empty => {}
            None => self
                .forks
                .branches
                .on_tab_copy_given(&mut self.cx, &self.db, tab, asked),
        }
    }

    /// Takes a batch of another's chain from a tab; answers whether it is a new side branch.
    fn take_tab_copy(&mut self, tab: NodeId, signed: Signed<Batch>) -> bool {
        if self
            .gate
            .refuse_at_a_glance(&mut self.cx, &self.db, tab, &signed, true)
            .is_some()
        {
            return false;
        }
        // The copy is for the second try: a batch that its chain can't take may be a side branch.
        let copy = signed.clone();
        match self.take_sound(tab, signed, Source::Caught(tab), Vec::new()) {
            Taken::Staged => false,
            // Its sequence may be known with another batch.
            Taken::Known | Taken::Early | Taken::Refused => self.keep_if_branch(tab, copy),
        }
    }

    /// Issues the next one again; answers whether one is with the journal now.
    pub(in crate::replication) fn seal_reissue(&mut self, shard: u16, writer: Writer) -> bool {
        // An own batch is a write too: while writes are refused (fenced, leaving) nothing is
        // signed.
        let is_blocked = self.writes.blocks().len() > 0;
        if is_blocked || !self.forks.reissue.is_ready(&self.cx, shard) {
            return false;
        }
        let Some((root, place)) = self
            .forks
            .reissue
            .next_to_reissue(&mut self.cx, &self.db, shard)
        else {
            return false;
        };
        let is_loading = matches!(place, Piece::Stored(_));
        // Before the batch is sealed or read: the cursor moves on, so that one that fails does not
        // hold up the others.
        self.forks.reissue.begin(shard, root, is_loading);
        match place {
            Piece::Ready(signed) => {
                self.look_at_closed_by(signed.claims());
                self.forks
                    .reissue
                    .seal_again(&mut self.cx, &mut self.db, shard, writer, &signed)
            }
            Piece::Stored(journal) => {
                let pieces = alloc::vec![Piece::Stored(journal)];
                // Sealed later, in `on_reissue_loaded`; fresh writes may go first meanwhile.
                self.answer(self.cx.me, Answer::Reissue { shard, root }, pieces);
                false
            }
        }
    }

    pub(in crate::replication) fn on_reissue_loaded(
        &mut self,
        shard: u16,
        root: Root,
        signed: Option<Signed<Batch>>,
    ) {
        self.forks.reissue.end_load(shard);
        let Some(signed) = signed else {
            let (cx, db) = (&mut self.cx, &mut self.db);
            self.forks.reissue.on_unreadable(cx, db, shard, root);
            return;
        };
        let owner = (shard, self.cx.me);
        // While the journal was read, another batch was sealed, or the same was issued again by
        // another epoch: it is found again on the next turn.
        if self.db.has_staged(&self.cx, shard) || self.db.log.branches().is_reissued(owner, root) {
            return;
        }
        // The epoch may have changed while the journal was read, so it is asked anew.
        if let Ok(writer) = self.forks.epochs.writer_now(&self.cx, &self.db, shard) {
            self.look_at_closed_by(signed.claims());
            self.forks
                .reissue
                .seal_again(&mut self.cx, &mut self.db, shard, writer, &signed);
        }
    }

    /// A chain of this node forked. One of its branches may have closed epochs: who had only that branch has
    /// forgotten them, and what stands there has to be written anew.
    fn look_at_own_fork(&mut self, chain: ChainId) {
        match self.db.log.proof(chain).cloned() {
            Some(proof) => {
                self.look_at_closed_by(proof.0.claims());
                self.look_at_closed_by(proof.1.claims());
            }
            None => self.compaction.owe(&mut self.cx, chain.0),
        }
    }

    /// The same for a batch of a side branch.
    fn look_at_closed_by(&mut self, batch: &Batch) {
        if batch.closed > self.db.log.closed_below((batch.shard, self.cx.me)) {
            self.compaction.owe(&mut self.cx, batch.shard);
        }
    }

    /// Goes on wherever there is something to issue again.
    pub(in crate::replication) fn go_on_reissuing(&mut self) {
        for shard in self.forks.reissue.shards_to_reissue(&self.cx, &self.db) {
            self.seal_next(shard);
        }
    }

    /// After the replay: what the last run left to do.
    pub(in crate::replication) fn restore_epochs(&mut self) {
        for shard in 0..SHARDS {
            // Only the last epoch counts: earlier ones are not written to any more.
            let last = self.db.log.epochs(shard, self.cx.me).next_back();
            if let Some(head) = last.filter(|head| head.forked_at != 0) {
                self.forks
                    .epochs
                    .on_own_fork(&mut self.cx, &self.db, (shard, head.writer));
            }
            let forked = self.db.log.epochs(shard, self.cx.me);
            let forked: Vec<Writer> = forked
                .filter(|head| head.forked_at != 0)
                .map(|head| head.writer)
                .collect();
            for writer in forked {
                self.look_at_own_fork((shard, writer));
            }
        }
        // A pause, so that peers can first tell of what was issued again by an epoch that this
        // store has lost.
        for shard in self.forks.reissue.shards_to_reissue(&self.cx, &self.db) {
            self.cx
                .deadlines
                .set_earlier(Timer::Epoch(shard), self.cx.now + PAUSE);
        }
    }

    pub(in crate::replication) fn on_epoch_due(&mut self, shard: u16) {
        // A part of our own chain is on its way: the epoch may not be needed, or its number be in
        // use.
        let is_coming = self.anti_entropy.has_wanted_of(shard, self.cx.me);
        if is_coming && self.forks.epochs.put_off(&mut self.cx, shard) {
            return;
        }
        // The timer may have come early, for what is to be issued again.
        self.forks.epochs.wait_for(&mut self.cx, shard);
        self.seal_next(shard);
    }
}
