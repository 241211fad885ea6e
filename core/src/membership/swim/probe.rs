//! Probing the ring neighbours, and helping others to.
//!
//! Source: SWIM, section 3.1 (ping, then ping-req through k members, verdict at the period's end);
//! Lifeguard, section IV-A (nack).

use super::{Event, Message, Swim, Timer};
use crate::{
    kernel::{
        crypto::Signed,
        id::{Incarnation, NodeId},
        time::Time,
    },
    membership::{
        dissemination::Rumour,
        member::{Accusation, Evidence, MemberState, Standing},
        suspicion::Suspicion,
    },
};
use alloc::{collections::BTreeSet, vec::Vec};
use core::time::Duration;

/// What is known of a neighbour beside its link.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Watch {
    /// Since when it has been a neighbour without a link.
    pub(super) unlinked_at: Time,
    /// How often it refuted although this node has no link to it.
    pub(super) wrongs: u8,
}

/// A probe in flight.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Probe {
    /// Comes back in every answer, the target's and the helpers'.
    sequence: u64,
    helpers: BTreeSet<NodeId>,
    nacks: BTreeSet<NodeId>,
    /// Something else came in from the target meanwhile: it lives, though it did not answer.
    heard: bool,
}

/// A ping on another's behalf.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Help {
    origin: NodeId,
    origin_sequence: u64,
    target: NodeId,
    /// It has told the asker no; a yes is still passed on.
    nacked: bool,
}

/// The most pings on others' behalf at a time; further requests are declined at once. It is several
/// times what the neighbours of one relay ask for while several relays near it are silent.
pub(super) const HELPS_MAX: usize = 256;

/// The most accusations that are handed to a suspect at once: any one of them makes it refute.
pub(super) const TOLD_MAX: usize = 4;

impl Swim {
    /// Only a relay that takes part probes and accuses.
    pub(super) fn may_probe(&self) -> bool {
        self.is_relay() && !self.has_left() && self.own.standing == Standing::Present
    }

    fn probe_period(&self) -> Duration {
        self.health.stretch(self.config.probe_period)
    }

    /// A little later each time, so that neighbours don't fall into step; never earlier, so that the
    /// figures hold.
    fn lag(&mut self) -> Duration {
        self.rng.span_below(self.config.probe_period / 10)
    }

    /// Plans the first probe of a neighbour, anywhere within a period.
    pub(super) fn schedule_probe(&mut self, neighbour: NodeId) {
        let at = self.now + self.rng.span_below(self.config.probe_period);
        self.deadlines.set(Timer::Probe(neighbour), at);
    }

    pub(super) fn on_probe(&mut self, neighbour: NodeId) {
        let Some(watch) = self.watches.get(&neighbour) else {
            return;
        };
        let next = match self.peers.heard_at(neighbour) {
            // An ill node needs answers of its own to recover.
            Some(_) if self.health.multiplier() > 1 => self.now,
            // Any traffic within the period is as good as an answer, so no ping is needed yet.
            Some(heard_at) => heard_at + self.probe_period(),
            None => {
                // Every refuted accusation shows that it lives and only this node can't reach it:
                // the wait doubles, at most 2⁶ = 64 times.
                let patience = 1_u32
                    .checked_shl(u32::from(watch.wrongs.min(6)))
                    .unwrap_or(1);
                watch.unlinked_at + self.config.unlinked_grace.saturating_mul(patience)
            }
        };
        let at = next.max(self.now) + self.lag();
        if !self.may_probe() {
            // The probe is kept planned while this node is parked, to go on when it returns.
            self.deadlines
                .set(Timer::Probe(neighbour), self.now + self.probe_period());
        } else if next > self.now {
            self.deadlines.set(Timer::Probe(neighbour), at);
        } else {
            self.start_probe(neighbour);
        }
    }

    /// Pings a linked neighbour; asks helpers at once about one without a link.
    pub(super) fn start_probe(&mut self, neighbour: NodeId) {
        if self.probes.contains_key(&neighbour) || !self.may_probe() {
            return;
        }
        self.deadlines.clear(&Timer::Probe(neighbour));
        let sequence = self.next_sequence();
        let probe = Probe {
            sequence,
            helpers: BTreeSet::new(),
            nacks: BTreeSet::new(),
            heard: false,
        };
        self.probes.insert(neighbour, probe);
        // SWIM, section 3.1: one protocol period for the ping and the helpers together.
        let end = self.now + self.probe_period();
        self.deadlines.set(Timer::Verdict(neighbour), end);
        if self.peers.contains(neighbour) {
            self.stats.probes = self.stats.probes.saturating_add(1);
            self.ping(neighbour, sequence);
            let at = self.now + self.health.stretch(self.config.probe_timeout);
            self.deadlines.set(Timer::Ask(neighbour), at);
        } else {
            self.ask_helpers(neighbour);
        }
    }

    /// Lifeguard's buddy rule: a suspect hears with the ping what is held against it.
    fn ping(&mut self, to: NodeId, sequence: u64) {
        let accusations = self.accusations_of(to);
        let rumours = self.piggyback(to);
        let ping = Message::Ping {
            sequence,
            accusations,
            rumours,
        };
        self.outbox.send(to, ping);
    }

    pub(super) fn accusations_of(&self, member: NodeId) -> Vec<Signed<Accusation>> {
        let held = self.roster.get(&member).and_then(|m| m.suspicion.as_ref());
        let mut words: Vec<_> = held.into_iter().flat_map(Suspicion::accusations).collect();
        // The strongest word first: an operator's is the only one of its kind.
        words.sort_by_key(|word| core::cmp::Reverse(word.evidence));
        let told = words.into_iter().take(TOLD_MAX);
        told.map(|accusation| accusation.to_signed()).collect()
    }

    /// Asks up to k linked relays, the target's own neighbours first.
    pub(super) fn ask_helpers(&mut self, target: NodeId) {
        let wanted = usize::from(self.config.helpers);
        // The target's ring neighbours are the likeliest to hold a link to it. A helper without one
        // can only say no.
        let near = self.roster.rings().neighbours(target);
        let fit = |peer: &NodeId| {
            *peer != target
                // A suspect may be dead, and a helper that does not even say no counts against this
                // node's own health.
                && self
                    .roster
                    .get(peer)
                    .is_some_and(|member| member.is_relay() && member.state() == MemberState::Alive)
        };
        let candidates = self.peers.iter().filter(fit);
        let (mut first, mut rest): (Vec<NodeId>, Vec<NodeId>) =
            candidates.partition(|peer| near.contains(peer));
        self.rng.shuffle(&mut first);
        self.rng.shuffle(&mut rest);
        let helpers: BTreeSet<NodeId> = first.into_iter().chain(rest).take(wanted).collect();
        // The target was heard in the meantime: there is nothing to ask.
        let Some(probe) = self.probes.get_mut(&target).filter(|probe| !probe.heard) else {
            return;
        };
        let sequence = probe.sequence;
        probe.helpers.clone_from(&helpers);
        for helper in helpers {
            self.stats.helpers_asked = self.stats.helpers_asked.saturating_add(1);
            let rumours = self.piggyback(helper);
            let request = Message::PingReq {
                sequence,
                target,
                rumours,
            };
            self.outbox.send(helper, request);
        }
    }

    pub(super) fn on_ping(
        &mut self,
        from: NodeId,
        sequence: u64,
        accusations: Vec<Signed<Accusation>>,
        rumours: Vec<Rumour>,
    ) {
        // What this node is accused of goes first, so that the answer can carry the refutation
        // already.
        let accusations = accusations.into_iter().take(TOLD_MAX);
        self.on_rumours(from, accusations.map(Rumour::Accusation).collect());
        self.on_rumours(from, rumours);
        let rumours = self.piggyback(from);
        self.outbox.send(from, Message::Ack { sequence, rumours });
    }

    pub(super) fn on_ack(&mut self, from: NodeId, sequence: u64, rumours: Vec<Rumour>) {
        self.on_rumours(from, rumours);
        let asked = self.helping.get(&sequence);
        // Only the target's own answer is passed on, under the number that the asker gave (SWIM,
        // section 3.1).
        if let Some(help) = asked.filter(|help| help.target == from) {
            let (origin, origin_sequence) = (help.origin, help.origin_sequence);
            self.helping.remove(&sequence);
            self.deadlines.clear(&Timer::Help(sequence));
            let rumours = self.piggyback(origin);
            let answer = Message::Ack {
                sequence: origin_sequence,
                rumours,
            };
            self.outbox.send(origin, answer);
        }
        let answers = |(target, probe): (&NodeId, &Probe)| {
            // The number alone proves nothing: the answer counts only from the target or from a
            // helper that was asked.
            let asked = *target == from || probe.helpers.contains(&from);
            (asked && probe.sequence == sequence).then_some(*target)
        };
        if let Some(target) = self.probes.iter().find_map(answers) {
            // It lives, whatever became of the link: a refused redial is no evidence of a crash any
            // more.
            self.lost.remove(&target);
            self.finish_probe(target);
        }
    }

    pub(super) fn on_ping_req(
        &mut self,
        from: NodeId,
        sequence: u64,
        target: NodeId,
        rumours: Vec<Rumour>,
    ) {
        self.on_rumours(from, rumours);
        let can_help = self.is_relay()
            && target != from
            && self.peers.contains(target)
            && self.helping.len() < HELPS_MAX;
        if !can_help {
            // A no at once is as good as one in time: the asker learns that this node lives.
            let answer = if target == self.me {
                let rumours = self.piggyback(from);
                Message::Ack { sequence, rumours }
            } else {
                Message::Nack { sequence }
            };
            self.outbox.send(from, answer);
            return;
        }
        self.stats.helped = self.stats.helped.saturating_add(1);
        let own_sequence = self.next_sequence();
        let help = Help {
            origin: from,
            origin_sequence: sequence,
            target,
            nacked: false,
        };
        self.helping.insert(own_sequence, help);
        // Lifeguard, section IV-A: the no must come before the asker's period is over. With the
        // defaults it asks after 500 ms and hears no after 900 ms, within its period of 1 s.
        let patience = self.config.probe_timeout.saturating_mul(4) / 5;
        self.deadlines
            .set(Timer::Help(own_sequence), self.now + patience);
        self.ping(target, own_sequence);
    }

    /// Says no in time for the asker to know that this helper lives; a later yes still counts.
    pub(super) fn on_help_timeout(&mut self, sequence: u64) {
        let Some(help) = self.helping.get_mut(&sequence) else {
            return;
        };
        if help.nacked {
            // The second time: one more period has passed, and the asker has most likely judged.
            self.helping.remove(&sequence);
            return;
        }
        help.nacked = true;
        let (origin, origin_sequence) = (help.origin, help.origin_sequence);
        let at = self.now + self.config.probe_period;
        self.deadlines.set(Timer::Help(sequence), at);
        let nack = Message::Nack {
            sequence: origin_sequence,
        };
        self.outbox.send(origin, nack);
    }

    pub(super) fn on_nack(&mut self, from: NodeId, sequence: u64) {
        let mut probes = self.probes.values_mut();
        if let Some(probe) =
            probes.find(|probe| probe.sequence == sequence && probe.helpers.contains(&from))
        {
            // A set, and only of helpers that were asked: nobody can say no for another.
            probe.nacks.insert(from);
        }
    }

    /// Anything that comes in on a peer's link is evidence of its life.
    pub(super) fn heard(&mut self, peer: NodeId) {
        self.peers.heard(peer, self.now);
        if let Some(probe) = self.probes.get_mut(&peer) {
            probe.heard = true;
        }
    }

    fn finish_probe(&mut self, target: NodeId) {
        if self.cancel_probe(target) {
            self.health.improve();
            let at = self.now + self.probe_period() + self.lag();
            self.deadlines.set(Timer::Probe(target), at);
        }
    }

    /// Stops a probe in flight; answers whether there was one.
    pub(super) fn cancel_probe(&mut self, target: NodeId) -> bool {
        self.deadlines.clear(&Timer::Ask(target));
        self.deadlines.clear(&Timer::Verdict(target));
        self.probes.remove(&target).is_some()
    }

    /// The period is over and nobody answered.
    pub(super) fn on_verdict(&mut self, target: NodeId) {
        let Some(probe) = self.probes.remove(&target) else {
            return;
        };
        self.deadlines.clear(&Timer::Ask(target));
        // It lives but left the ping unanswered, such as a message that was lost: ping again,
        // accuse nobody.
        if probe.heard {
            let at = self.now + self.lag().max(Duration::from_millis(1));
            self.deadlines.set(Timer::Probe(target), at);
            return;
        }
        self.stats.probes_failed = self.stats.probes_failed.saturating_add(1);
        // Lifeguard, section IV-A: each missing no is one more sign that this node itself is slow.
        // If all helpers said no, its own network works and its health stays.
        let missing = probe.helpers.len().saturating_sub(probe.nacks.len());
        let worse = if probe.helpers.is_empty() { 1 } else { missing };
        self.health.worsen(u8::try_from(worse).unwrap_or(u8::MAX));
        // At least a millisecond, so that the next probe never starts within this very step.
        let at = self.now + self.lag().max(Duration::from_millis(1));
        self.deadlines.set(Timer::Probe(target), at);
        self.accuse(target, Evidence::Silence);
    }

    /// Forgets every probe in flight and plans new ones: this node slept.
    pub(super) fn drop_probes(&mut self) {
        let targets: Vec<NodeId> = self.probes.keys().copied().collect();
        for target in targets {
            self.cancel_probe(target);
        }
        for sequence in core::mem::take(&mut self.helping).into_keys() {
            self.deadlines.clear(&Timer::Help(sequence));
        }
        let neighbours: Vec<NodeId> = self.watches.keys().copied().collect();
        for neighbour in neighbours {
            if let Some(watch) = self.watches.get_mut(&neighbour) {
                watch.unlinked_at = self.now;
            }
            // As if heard just now: the silence of a sleep is this node's own.
            self.peers.heard(neighbour, self.now);
            self.schedule_probe(neighbour);
        }
    }

    /// A fresh number for a ping; the first is drawn at random, so that no answer can be forged by
    /// someone who was not asked.
    fn next_sequence(&mut self) -> u64 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Accuses a member of not answering or of having crashed.
    pub(super) fn accuse(&mut self, subject: NodeId, evidence: Evidence) {
        let Some(member) = self.roster.get(&subject) else {
            return;
        };
        // Tabs are never accused; who is dead, parked or has left need not be.
        if !self.may_probe() || !member.is_relay() || !member.is_in() {
            return;
        }
        let incarnation = member.record().incarnation;
        let held = member.suspicion.as_ref();
        if held.is_some_and(|suspicion| suspicion.knows(self.me, evidence)) {
            // It was said and signed before. If the member had been heard in between, the old word
            // is believed again.
            self.suspect(subject, self.me, evidence);
            return;
        }
        self.stats.accusations = self.stats.accusations.saturating_add(1);
        self.say_against(subject, incarnation, evidence);
    }

    /// Signs this node's word against a member, and takes it like others'.
    pub(super) fn say_against(
        &mut self,
        subject: NodeId,
        incarnation: Incarnation,
        evidence: Evidence,
    ) {
        let body = Accusation {
            accuser: self.me,
            subject,
            incarnation,
            evidence,
        };
        let accusation = crate::kernel::crypto::Verified::seal(
            body,
            &self.identity.keypair,
            self.identity.network,
        );
        self.take_accusation(subject, accusation, None);
    }

    /// A link to a neighbour was lost: a hint, never a verdict. Others are asked at once.
    pub(super) fn probe_lost(&mut self, neighbour: NodeId) {
        if self.watches.contains_key(&neighbour) {
            self.cancel_probe(neighbour);
            self.start_probe(neighbour);
        }
    }

    /// Tells the owner what a peer did.
    pub(super) fn offend(&mut self, peer: NodeId, offence: super::Offence) {
        self.outbox.event(Event::Offence { peer, offence });
    }
}
