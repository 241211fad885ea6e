//! Proves that another relay holds the same as this one, or finds the keys that differ.
//!
//! | step | what |
//! |---|---|
//! | roots | both take one number a shard over all that they hold, some keys at a time |
//! | keys | of shards that differ, the peer's keys come with a number each, page by page |
//! | again | what differs is looked at once more after a while: it may only have been on its way |
//!
//! Somebody asks for it, or a relay does it by itself every `verify_interval`, with one linked relay after the other.
//! Keys that differ in the same way both times are told. The numbers of a key are hashes over value, writer and
//! stamp of its winner (`cells/roots`).
//!
//! Frontiers that are equal (`exchange`) say that both have the same batches. This says that both made the same of
//! them: it finds what a broken memory, a wrong version or a bug of ours did.
//!
//! Not here: mending what differs.

use crate::{
    kernel::{
        id::{NodeId, RequestId, Role},
        text::{Key, Namespace},
        time::Time,
    },
    replication::{
        batch::SHARDS,
        cells::{At, Scan},
        message::{Message, Proving},
        replica::{
            context::Timer,
            contract::{Difference, Event, Offence, Verified, VerifyRefusal},
            machine::Replica,
        },
    },
};
use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

/// Between two steps: a step takes some milliseconds, and others wait.
const STEP: Duration = Duration::from_millis(10);
/// How long the peer may take for an answer. It has to read all that it holds for the first one.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until what differs is looked at again: longer than a write takes to come.
const PAUSE: Duration = Duration::from_secs(3);
/// The most keys in an answer.
const KEYS_MAX: usize = 256;
/// The most keys that are found to differ; then it is enough.
const FOUND_MAX: usize = 1_000;
/// How often this node's own keys are read for one answer of the peer, at most.
const READS_MAX: usize = 16;

/// What is at a key here and there.
type Pair = (Option<u128>, Option<u128>);

/// See the module.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::replication) struct Verify {
    own: Option<Own>,
    /// What peers want to know: one thing each.
    asked: BTreeMap<NodeId, Asked>,
    /// The peer that was served last.
    served: Option<NodeId>,
    /// The peer that this node compared with last by itself.
    audited: Option<NodeId>,
}

/// A question of a peer.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Asked {
    Roots(u64, Scan),
    Numbers(u64, Option<Namespace>, u16, Option<At>),
}

/// A question of this node.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Own {
    /// Who asked; `None` if nobody did.
    request: Option<RequestId>,
    peer: NodeId,
    namespace: Option<Namespace>,
    began: Time,
    /// By when the peer has to answer.
    until: Time,
    /// Of the last message.
    token: u64,
    scan: Scan,
    is_scanned: bool,
    theirs: Option<Vec<u128>>,
    /// Shards to be looked at, the first one now.
    shards: VecDeque<u16>,
    after: Option<At>,
    /// What differs, in this round.
    found: BTreeMap<At, Pair>,
    /// What differed in the first round.
    before: Option<BTreeMap<At, Pair>>,
    /// When the second round begins.
    again_at: Option<Time>,
}

impl Verify {
    /// How many questions there are, of this node and of peers.
    pub(in crate::replication) fn questions(&self) -> usize {
        self.asked
            .len()
            .saturating_add(usize::from(self.own.is_some()))
    }
}

impl Replica {
    /// Somebody wants to know whether a peer holds the same.
    pub(in crate::replication) fn on_verify(
        &mut self,
        request: RequestId,
        peer: NodeId,
        namespace: Option<Namespace>,
    ) {
        let refusal = if self.cx.role == Role::Tab {
            Some(VerifyRefusal::OnTab)
        } else if self.cx.role_of(peer) != Some(Role::Relay) {
            Some(VerifyRefusal::NotLinked)
        } else if self
            .verify
            .own
            .as_ref()
            .is_some_and(|own| own.request.is_some())
        {
            Some(VerifyRefusal::Busy)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            let result = Err(refusal);
            self.cx.outbox.event(Event::Verified { request, result });
            return;
        }
        // What nobody asked for gives way.
        self.begin_verifying(Some(request), peer, namespace);
    }

    /// It is time to compare with the next relay.
    pub(in crate::replication) fn on_audit_due(&mut self) {
        let relays = self.cx.relays();
        let after = self.verify.audited;
        let next = relays
            .iter()
            .find(|peer| after.is_none_or(|after| **peer > after));
        let Some(peer) = next.or_else(|| relays.first()).copied() else {
            return;
        };
        if self.verify.own.is_none() {
            self.verify.audited = Some(peer);
            self.begin_verifying(None, peer, None);
        }
        self.audit_within_interval();
    }

    /// Relays compare by themselves, while there is somebody to compare with.
    pub(in crate::replication) fn audit_within_interval(&mut self) {
        if self.cx.role == Role::Relay {
            let at = self.cx.now + self.cx.config.verify_interval;
            self.cx.deadlines.set_earlier(Timer::Audit, at);
        }
    }

    fn begin_verifying(
        &mut self,
        request: Option<RequestId>,
        peer: NodeId,
        namespace: Option<Namespace>,
    ) {
        let token = self.cx.next_token();
        let message = Proving::AskRoots {
            request: token,
            namespace: namespace.clone(),
        };
        self.cx.outbox.send(peer, Message::Verify(message));
        self.verify.own = Some(Own {
            request,
            peer,
            scan: Scan::new(namespace.clone()),
            namespace,
            began: self.cx.now,
            until: self.cx.now + PATIENCE,
            token,
            is_scanned: false,
            theirs: None,
            shards: VecDeque::new(),
            after: None,
            found: BTreeMap::new(),
            before: None,
            again_at: None,
        });
        self.cx
            .deadlines
            .set_earlier(Timer::Verify, self.cx.now + STEP);
    }

    /// A word of a peer.
    pub(in crate::replication) fn on_proving(&mut self, from: NodeId, word: Proving) {
        match word {
            Proving::AskRoots { request, namespace } => {
                self.take_question(from, Asked::Roots(request, Scan::new(namespace)));
            }
            Proving::Roots { request, roots } => self.on_roots(from, request, roots),
            Proving::AskNumbers {
                request,
                namespace,
                shard,
                after,
            } => {
                if shard < SHARDS {
                    self.take_question(from, Asked::Numbers(request, namespace, shard, after));
                } else {
                    self.cx.offend(from, Offence::Malformed);
                }
            }
            Proving::Numbers {
                request,
                keys,
                next,
            } => self.on_numbers(from, request, keys, next),
        }
    }

    fn take_question(&mut self, from: NodeId, asked: Asked) {
        if self.cx.role_of(from) == Some(Role::Relay) && self.cx.role == Role::Relay {
            self.verify.asked.insert(from, asked);
            self.cx
                .deadlines
                .set_earlier(Timer::Verify, self.cx.now + STEP);
        }
    }

    /// A peer is gone.
    pub(in crate::replication) fn stop_verifying(&mut self, peer: NodeId) {
        self.verify.asked.remove(&peer);
        if self.verify.own.as_ref().is_some_and(|own| own.peer == peer) {
            self.end_verifying(Some(VerifyRefusal::NotLinked));
        }
    }

    /// The next step for one peer, and for this node.
    pub(in crate::replication) fn on_verify_due(&mut self) {
        self.serve_one();
        self.step_own();
        if self.verify.questions() > 0 {
            self.cx.deadlines.set(Timer::Verify, self.cx.now + STEP);
        }
    }

    fn serve_one(&mut self) {
        // In turn, so that none waits for ever.
        let after = self.verify.served;
        let mut peers = self.verify.asked.keys().copied();
        let next = peers.find(|peer| after.is_none_or(|after| *peer > after));
        let next = next.or_else(|| self.verify.asked.keys().next().copied());
        let Some(peer) = next else {
            return;
        };
        self.verify.served = Some(peer);
        let Some(asked) = self.verify.asked.get_mut(&peer) else {
            return;
        };
        let message = match asked {
            Asked::Roots(request, scan) => {
                if !self.db.cells.scan(scan) {
                    return;
                }
                Proving::Roots {
                    request: *request,
                    roots: core::mem::take(&mut scan.roots),
                }
            }
            Asked::Numbers(request, namespace, shard, after) => {
                let (namespace, after) = (namespace.as_ref(), after.as_ref());
                let numbers = self.db.cells.numbers(*shard, namespace, after, KEYS_MAX);
                Proving::Numbers {
                    request: *request,
                    keys: numbers.keys,
                    next: numbers.next,
                }
            }
        };
        self.verify.asked.remove(&peer);
        self.cx.outbox.send(peer, Message::Verify(message));
    }

    fn step_own(&mut self) {
        let Some(own) = &mut self.verify.own else {
            return;
        };
        if self.cx.now >= own.until {
            self.end_verifying(Some(VerifyRefusal::NoAnswer));
            return;
        }
        if !own.is_scanned {
            own.is_scanned = self.db.cells.scan(&mut own.scan);
            self.compare_roots();
        } else if own.again_at.is_some_and(|at| self.cx.now >= at) {
            own.again_at = None;
            self.ask_numbers();
        }
    }

    /// The peer's numbers of all shards.
    fn on_roots(&mut self, from: NodeId, request: u64, roots: Vec<u128>) {
        if roots.len() != usize::from(SHARDS) {
            self.cx.offend(from, Offence::Malformed);
            return;
        }
        let Some(own) = &mut self.verify.own else {
            return;
        };
        if own.peer == from && own.token == request && own.theirs.is_none() {
            own.theirs = Some(roots);
            self.compare_roots();
        }
    }

    fn compare_roots(&mut self) {
        let Some(own) = &mut self.verify.own else {
            return;
        };
        let Some(theirs) = own.theirs.as_ref().filter(|_| own.is_scanned) else {
            return;
        };
        let pairs = own.scan.roots.iter().zip(theirs);
        let differing = (0..SHARDS)
            .zip(pairs)
            .filter(|(_, (own, theirs))| own != theirs);
        own.shards = differing.map(|(shard, _)| shard).collect();
        self.ask_numbers();
    }

    /// Asks for the next keys of the first shard that is to be looked at; with none left, the round is over.
    fn ask_numbers(&mut self) {
        let token = self.cx.next_token();
        let Some(own) = &mut self.verify.own else {
            return;
        };
        let Some(shard) = own.shards.front().copied() else {
            self.end_round();
            return;
        };
        own.token = token;
        own.until = self.cx.now + PATIENCE;
        let message = Proving::AskNumbers {
            request: token,
            namespace: own.namespace.clone(),
            shard,
            after: own.after.clone(),
        };
        let peer = own.peer;
        self.cx.outbox.send(peer, Message::Verify(message));
    }

    /// The peer's keys of a part of a shard.
    fn on_numbers(
        &mut self,
        from: NodeId,
        request: u64,
        keys: Vec<(Namespace, Key, u128)>,
        next: Option<At>,
    ) {
        let Some(own) = &mut self.verify.own else {
            return;
        };
        let Some(shard) = own.shards.front().copied() else {
            return;
        };
        if own.peer != from || own.token != request || own.again_at.is_some() {
            return;
        }
        // A page that leads back, or goes beyond its own end, would never end.
        let is_forward = next.is_none() || next > own.after;
        if keys.len() > KEYS_MAX || !is_forward {
            self.cx.offend(from, Offence::Malformed);
            self.end_verifying(Some(VerifyRefusal::NoAnswer));
            return;
        }
        let mut theirs: BTreeMap<At, u128> = keys
            .into_iter()
            .map(|(namespace, key, number)| ((namespace, key), number))
            .collect();
        let mut at = own.after.clone();
        for _ in 0..READS_MAX {
            let here = self
                .db
                .cells
                .numbers(shard, own.namespace.as_ref(), at.as_ref(), KEYS_MAX);
            for (namespace, key, number) in here.keys {
                let place = (namespace, key);
                if next.as_ref().is_some_and(|next| place > *next) {
                    break;
                }
                let other = theirs.remove(&place);
                if other != Some(number) {
                    own.found.insert(place, (Some(number), other));
                }
            }
            at = here.next;
            let is_through =
                at.is_none() || next.as_ref().is_some_and(|next| at.as_ref() >= Some(next));
            if is_through || own.found.len() >= FOUND_MAX {
                break;
            }
        }
        let only_there = theirs.into_iter();
        own.found
            .extend(only_there.map(|(place, number)| (place, (None, Some(number)))));
        own.after = next;
        if own.found.len() >= FOUND_MAX {
            own.shards.clear();
        } else if own.after.is_none() {
            own.shards.pop_front();
        }
        self.ask_numbers();
    }

    fn end_round(&mut self) {
        let Some(own) = &mut self.verify.own else {
            return;
        };
        if own.before.is_some() || own.found.is_empty() {
            self.end_verifying(None);
            return;
        }
        let found = core::mem::take(&mut own.found);
        let shards = found
            .keys()
            .map(|(namespace, key)| crate::replication::batch::shard_of(namespace, key));
        let shards: alloc::collections::BTreeSet<u16> = shards.collect();
        own.shards = shards.into_iter().collect();
        own.after = None;
        own.before = Some(found);
        own.again_at = Some(self.cx.now + PAUSE);
        own.until = self.cx.now + PAUSE + PATIENCE;
    }

    fn end_verifying(&mut self, refusal: Option<VerifyRefusal>) {
        let Some(own) = self.verify.own.take() else {
            return;
        };
        let result = match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(own.report(self.cx.now)),
        };
        if let Ok(verified) = &result {
            let keys = u64::try_from(verified.differing.len()).unwrap_or(u64::MAX);
            let stats = &mut self.cx.stats;
            stats.comparisons = stats.comparisons.saturating_add(1);
            stats.keys_differing = stats.keys_differing.saturating_add(keys);
            if keys > 0 {
                let peer = own.peer;
                self.cx.outbox.event(Event::Differs { peer, keys });
            }
        }
        if let Some(request) = own.request {
            self.cx.outbox.event(Event::Verified { request, result });
        }
    }
}

impl Own {
    fn report(&self, now: Time) -> Verified {
        let before = self.before.as_ref();
        let is_same =
            |place: &At, pair: &Pair| before.is_some_and(|before| before.get(place) == Some(pair));
        let differing = self
            .found
            .iter()
            .filter(|(place, pair)| is_same(place, pair));
        let differing: Vec<Difference> = differing
            .map(|((namespace, key), (here, there))| Difference {
                namespace: namespace.clone(),
                key: key.clone(),
                here: here.is_some(),
                there: there.is_some(),
            })
            .collect();
        let changing = self.found.len().saturating_sub(differing.len());
        Verified {
            peer: self.peer,
            keys: self.scan.keys,
            is_cut: self.found.len() >= FOUND_MAX,
            differing,
            changing: u64::try_from(changing).unwrap_or(u64::MAX),
            took: now.since(self.began),
        }
    }
}
