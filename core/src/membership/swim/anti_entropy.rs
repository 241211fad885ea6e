//! Anti-entropy: tables of members are compared, so that nobody misses for ever what a rumour did not bring.
//!
//! On every link the node with the higher identity asks now and then whether the tables are equal; if
//! not, the other sends its table in pages, and each page is answered with the differences. Nothing is
//! kept between messages: a lost one is repaired by the next round.
//!
//! Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", PODC 1987,
//! section 1.3 (anti-entropy behind rumour mongering, checksums first).

use super::{Message, Swim, TableEntry, Timer, probe::TOLD_MAX};
use crate::{
    kernel::{
        crypto::Hash,
        id::{Incarnation, NodeId, Role},
    },
    membership::{
        member::MemberState,
        presence::HOMES_MAX,
        roster::{Member, state_rank},
        why::Why,
    },
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::time::Duration;

/// The most messages about tables that one peer may have answered in a second: a table of 10,000 has
/// 40 pages and, in the worst case, 80 answers.
const COMPARISONS_PER_SECOND_MAX: u32 = 128;
/// The most entries of one message that are looked at: more than fit into its bytes. How many a peer
/// puts on a page is its own setting; a lower bound here would hide the rest of its pages for ever.
const ENTRIES_MAX: usize = 4_096;

/// How many times as often tables are compared with a tab as with a relay. A tab hears each rumour once, from
/// its homes only, so it misses more. A comparison is 40 bytes.
const TAB_ROUNDS: u32 = 4;

impl Swim {
    fn may_compare(&mut self, peer: NodeId) -> bool {
        let max = COMPARISONS_PER_SECOND_MAX;
        let may = self.peers.may_compare(peer, self.now, max);
        if !may {
            self.stats.comparisons_refused = self.stats.comparisons_refused.saturating_add(1);
        }
        may
    }

    /// Asks a peer whether the tables are equal; soon again after the link came up, in case a message
    /// was lost, then regularly.
    pub(super) fn on_compare(&mut self, peer: NodeId) {
        let Some(round) = self.peers.next_round(peer) else {
            return;
        };
        let is_tab = self.peers.role(peer) == Some(Role::Tab) || self.identity.role == Role::Tab;
        let regular = if is_tab {
            self.config.compare_interval / TAB_ROUNDS
        } else {
            self.config.compare_interval
        };
        let interval = match round {
            1 => Duration::from_secs(1),
            // The first two rounds repeat soon: the first question or its answer may be lost while
            // the link is busy with its beginning.
            2 => Duration::from_secs(4),
            _ => self.rng.jitter(regular, 100),
        };
        self.deadlines
            .set(Timer::Compare(peer), self.now + interval);
        let hash = self.roster.digest();
        self.outbox.send(peer, Message::TableDigest { hash });
    }

    pub(super) fn on_table_digest(&mut self, from: NodeId, hash: Hash) {
        // Checksums first, tables only if they differ (Demers et al., section 1.3).
        if hash == self.roster.digest() {
            self.compared = true;
        } else if self.may_compare(from) {
            self.send_page(from, None);
        }
    }

    fn send_page(&mut self, to: NodeId, after: Option<NodeId>) {
        let max = usize::from(self.config.page_entries_max.max(1));
        let line =
            |(id, member): (&NodeId, &Member)| (*id, member.record().incarnation, member.state());
        let mut entries: Vec<_> = self
            .roster
            .after(after)
            // One more than fits on the page shows whether the table goes on after it.
            .take(max.saturating_add(1))
            .map(line)
            .collect();
        let more = entries.len() > max;
        entries.truncate(max);
        let last = entries.last().map(|(id, _, _)| *id);
        let through = if more { last } else { None };
        let table = Message::TablePage {
            after,
            through,
            entries,
        };
        self.outbox.send(to, table);
    }

    pub(super) fn on_table_page(
        &mut self,
        from: NodeId,
        after: Option<NodeId>,
        through: Option<NodeId>,
        entries: &[(NodeId, Incarnation, MemberState)],
    ) {
        if !self.may_compare(from) {
            return;
        }
        // A table that is out of order or names a member twice does no harm: it is sorted here.
        let theirs: BTreeMap<NodeId, (Incarnation, MemberState)> = entries
            .iter()
            .take(ENTRIES_MAX)
            .map(|(id, incarnation, state)| (*id, (*incarnation, *state)))
            .collect();
        let bytes_max = usize::try_from(self.config.page_bytes_max).unwrap_or(usize::MAX);
        let mut bytes = 0_usize;
        let mut covered = through;
        let mut answer = Vec::new();
        for (id, member) in self.roster.after(after) {
            if through.is_some_and(|through| *id > through) {
                break;
            }
            let known = theirs.get(id).copied();
            if !known.is_none_or(|known| is_better(standing_of(member), known, member.is_relay())) {
                continue;
            }
            if let Some(entry) = self.table_entry(*id, member) {
                bytes = bytes.saturating_add(entry.size());
                answer.push(entry);
            }
            if bytes > bytes_max {
                // The answer is full. It covers the page up to here, and the peer's next page goes
                // on after it.
                covered = Some(*id);
                break;
            }
        }
        let want = theirs.into_iter().filter(|(id, known)| {
            let wanted = match self.roster.get(id) {
                Some(member) => is_better(*known, standing_of(member), member.is_relay()),
                None => true,
            };
            // This node also wants what others know of it: to refute accusations, or to go above an
            // incarnation that its store has forgotten.
            wanted && covered.is_none_or(|covered| *id <= covered)
        });
        let want: Vec<NodeId> = want.map(|(id, _)| id).collect();
        // To the end of both tables the peer knows nothing better.
        self.compared |= want.is_empty() && covered.is_none();
        if answer.is_empty() && want.is_empty() && covered.is_none() {
            return;
        }
        let diff = Message::TableDiff {
            through: covered,
            entries: answer,
            want,
        };
        self.outbox.send(from, diff);
    }

    pub(super) fn on_table_diff(
        &mut self,
        from: NodeId,
        through: Option<NodeId>,
        entries: Vec<TableEntry>,
        want: &[NodeId],
    ) {
        if !self.may_compare(from) {
            return;
        }
        let bytes_max = usize::try_from(self.config.page_bytes_max).unwrap_or(usize::MAX);
        let mut bytes = 0_usize;
        let mut wanted = Vec::new();
        for id in want.iter().take(ENTRIES_MAX) {
            let member = self.roster.get(id);
            let Some(entry) = member.and_then(|member| self.table_entry(*id, member)) else {
                continue;
            };
            bytes = bytes.saturating_add(entry.size());
            wanted.push(entry);
            // What does not fit any more is wanted again in the next round.
            if bytes > bytes_max {
                break;
            }
        }
        if !wanted.is_empty() {
            let message = Message::TableEntries { entries: wanted };
            self.outbox.send(from, message);
        }
        self.take_entries(from, entries);
        match through {
            Some(_) => self.send_page(from, through),
            None => self.compared = true,
        }
    }

    pub(super) fn on_table_entries(&mut self, from: NodeId, entries: Vec<TableEntry>) {
        if self.may_compare(from) {
            self.take_entries(from, entries);
            self.compared = true;
        }
    }

    fn table_entry(&self, id: NodeId, member: &Member) -> Option<TableEntry> {
        // Not even on request is an incarnation told that is not durable.
        if id == self.me && !self.may_announce() {
            return None;
        }
        let leases = member.leases.iter().take(HOMES_MAX);
        Some(TableEntry {
            record: member.record().to_signed(),
            state: member.state(),
            accusations: self.accusations_of(id),
            leases: leases.map(|lease| lease.to_signed()).collect(),
        })
    }

    /// Takes what a peer knows: all records, then who vouches, then who accuses.
    fn take_entries(&mut self, from: NodeId, mut entries: Vec<TableEntry>) {
        entries.truncate(ENTRIES_MAX);
        // Before the records are taken, since taking one makes its member known.
        let unheard: BTreeSet<NodeId> = entries
            .iter()
            .map(|entry| entry.record.claims().id)
            .filter(|id| self.is_unheard(*id))
            .collect();
        for entry in &entries {
            self.on_record(Some(from), entry.record.clone());
        }
        for entry in entries {
            let id = entry.record.claims().id;
            for lease in entry.leases.into_iter().take(HOMES_MAX) {
                self.on_lease(from, lease);
            }
            for accusation in entry.accusations.into_iter().take(TOLD_MAX) {
                self.on_accusation(from, accusation);
            }
            // Who was given up was dead before: its accusations say so.
            let is_gone = matches!(entry.state, MemberState::Dead | MemberState::Left);
            if is_gone && unheard.contains(&id) {
                self.find_dead(from, id);
            }
        }
    }

    /// Whether nothing was heard of a member in this run.
    fn is_unheard(&self, id: NodeId) -> bool {
        !self.peers.contains(id)
            && self
                .roster
                .get(&id)
                .is_none_or(|member| *member.why() == Why::Remembered)
    }

    /// Takes a member for dead at once that this node never heard and a peer calls dead. Waiting for the
    /// window again would add nothing: the accusations are signed, and a living member refutes them.
    fn find_dead(&mut self, by: NodeId, id: NodeId) {
        let suspect = self.roster.get(&id);
        let suspect = suspect.filter(|member| member.state() == MemberState::Suspect);
        // Whoever is not suspect here now was called dead without an accusation that holds: a
        // peer's verdict alone is not believed.
        let Some(suspicion) = suspect.and_then(|member| member.suspicion.as_ref()) else {
            return;
        };
        let accusers = suspicion.accusers().collect();
        self.set_state(id, MemberState::Dead, Why::FoundDead { by, accusers });
    }

    /// Starts to compare tables with a new link's peer. Only the higher identity asks, so that a
    /// difference is not settled twice; and a newcomer, who could not answer before it was let in.
    pub(super) fn schedule_comparison(&mut self, peer: NodeId) {
        let knows_others = |(id, _): (&NodeId, &Member)| *id != self.me && *id != peer;
        // A newcomer's table is empty, so its asking is no second settling of one difference.
        if self.me > peer || !self.roster.iter().any(knows_others) {
            self.deadlines.set(Timer::Compare(peer), self.now);
        }
    }
}

fn standing_of(member: &Member) -> (Incarnation, MemberState) {
    (member.record().incarnation, member.state())
}

/// Whether `one` is worth telling to someone who knows `other`. A tab's state follows from leases:
/// where it differs, both sides tell theirs.
fn is_better(
    one: (Incarnation, MemberState),
    other: (Incarnation, MemberState),
    is_relay: bool,
) -> bool {
    one.0 > other.0
        || (one.0 == other.0
            && (state_rank(one.1) > state_rank(other.1) || (!is_relay && one.1 != other.1)))
}
