//! Accusations: from suspect to dead or refuted. Each node decides alone, from signed accusations.
//!
//! Source: SWIM, section 4.2; Lifeguard, section IV-B.

use super::{Message, Offence, Swim, Timer};
use crate::{
    kernel::{
        crypto::{Signed, SignedBody, Verified},
        id::{NodeId, Role},
        planted::{self, Planted},
    },
    membership::{
        dissemination::Rumour,
        member::{Accusation, Evidence, MemberState},
        suspicion::Suspicion,
        why::Why,
    },
};
use alloc::{vec, vec::Vec};

/// How many relays are asked about a suspect. One may have missed the refutation too.
const INQUIRIES: usize = 2;

impl Swim {
    /// Checks a signature within the sender's budget. `None` when it does not hold or the sender sent
    /// too many.
    pub(super) fn verify<T: SignedBody>(
        &mut self,
        from: Option<NodeId>,
        signed: Signed<T>,
    ) -> Option<Verified<T>> {
        if let Some(from) = from
            // The budget is charged before the check: checking is what a flood would cost this
            // node.
            && !self.may_verify(from)
        {
            self.stats.verifies_refused = self.stats.verifies_refused.saturating_add(1);
            return None;
        }
        self.stats.verifies = self.stats.verifies.saturating_add(1);
        let verified = signed.verify(self.identity.network);
        if verified.is_err() {
            self.stats.signatures_bad = self.stats.signatures_bad.saturating_add(1);
            // Honest nodes pass on only what they have verified. So the sender is to blame, whoever
            // is named as the signer.
            if let Some(from) = from {
                self.offend(from, Offence::BadSignature);
            }
        }
        verified.ok()
    }

    fn may_verify(&mut self, from: NodeId) -> bool {
        let max = self.config.verifies_per_second_max;
        self.peers.may_verify(from, self.now, max)
    }

    /// Takes an accusation, after the checks that cost nothing.
    pub(super) fn on_accusation(&mut self, from: NodeId, accusation: Signed<Accusation>) {
        let claims = accusation.claims();
        let (accuser, subject, evidence) = (claims.accuser, claims.subject, claims.evidence);
        if accuser == subject {
            self.offend(from, Offence::Malformed);
            return;
        }
        if subject == self.me {
            // Only relays accuse, and only relays can be accused: all else needs no refutation.
            let is_relay = |id| self.roster.get(id).is_some_and(|member| member.is_relay());
            if self.is_relay() && is_relay(&accuser) {
                self.on_accused(from, accusation);
            }
            return;
        }
        let known_accuser = self.roster.get(&accuser).is_some_and(|m| m.is_relay());
        let Some(member) = self.roster.get(&subject).filter(|_| known_accuser) else {
            self.stats.rumours_unknown = self.stats.rumours_unknown.saturating_add(1);
            return;
        };
        let held = member.suspicion.as_ref();
        // An operator's word about the dead counts; nothing else adds to their death.
        let matters = member.is_in()
            || (member.state() == MemberState::Dead && evidence == Evidence::Forgotten);
        // At another incarnation the accusation is refuted already, or ahead of the record here;
        // then the record comes first and comparing tables repairs the rest.
        if !member.is_relay()
            || !matters
            || claims.incarnation != member.record().incarnation
            || held.is_some_and(|suspicion| suspicion.knows(accuser, evidence))
        {
            self.count_stale();
            return;
        }
        // An accuser that was refuted too often about this member is not even passed on.
        if self.distrusts(accuser, subject) {
            self.stats.distrusted = self.stats.distrusted.saturating_add(1);
            return;
        }
        if let Some(accusation) = self.verify(Some(from), accusation) {
            self.take_accusation(subject, accusation, Some(from));
        }
    }

    /// Remembers an accusation, passes it on, and believes it unless the subject was heard here
    /// moments ago. In any case the subject hears of it and can refute.
    pub(super) fn take_accusation(
        &mut self,
        subject: NodeId,
        accusation: Verified<Accusation>,
        from: Option<NodeId>,
    ) {
        let Some(member) = self.roster.get_mut(&subject) else {
            return;
        };
        let (accuser, evidence) = (accusation.accuser, accusation.evidence);
        let signed = accusation.to_signed();
        let now = self.now;
        let suspicion = member.suspicion.get_or_insert_with(|| Suspicion::new(now));
        if !suspicion.add(now, accusation) {
            return;
        }
        let (state, record) = (member.state(), member.record().to_signed());
        // Told on even if it is doubted here: others may lack this node's evidence, and the subject
        // must hear of it to refute.
        self.rumours.push(Rumour::Accusation(signed), from);
        if accuser != self.me && state == MemberState::Alive && self.is_fresh(subject) {
            self.stats.doubted = self.stats.doubted.saturating_add(1);
            if let Some(from) = from.filter(|from| *from != subject) {
                let rumours = vec![Rumour::Record(record)];
                self.outbox.send(from, Message::Gossip { rumours });
            }
            return;
        }
        self.suspect(subject, accuser, evidence);
        if state == MemberState::Dead {
            self.bury(subject);
        }
    }

    /// An operator at this node says that a dead member won't come back: it is no longer sought, and
    /// degrades nothing. Its next word brings it back.
    pub(super) fn forget(&mut self, subject: NodeId) {
        let Some(member) = self.roster.get(&subject) else {
            return;
        };
        if !self.is_relay() || !member.is_relay() || member.state() != MemberState::Dead {
            return;
        }
        let incarnation = member.record().incarnation;
        self.say_against(subject, incarnation, Evidence::Forgotten);
    }

    /// A dead member that an operator gave up counts as one that left.
    fn bury(&mut self, subject: NodeId) {
        let dead = self.roster.get(&subject);
        let dead = dead.filter(|member| member.state() == MemberState::Dead);
        let by = dead
            .and_then(|member| member.suspicion.as_ref())
            .and_then(Suspicion::forgotten_by);
        if let Some(by) = by {
            // It is not stored any more: after a restart it is known again only if it returns.
            self.roster_dirty = true;
            self.set_state(subject, MemberState::Left, Why::Forgotten { by });
        }
    }

    /// Whether a member was heard on its own link within the last probe period.
    fn is_fresh(&self, member: NodeId) -> bool {
        let period = self.health.stretch(self.config.probe_period);
        let heard_at = self.peers.heard_at(member);
        heard_at.is_some_and(|at| at + period > self.now)
    }

    /// Believes what is held against a member.
    pub(super) fn suspect(&mut self, subject: NodeId, accuser: NodeId, evidence: Evidence) {
        let now = self.now;
        let Some(member) = self.roster.get_mut(&subject) else {
            return;
        };
        if member.state() == MemberState::Alive {
            if let Some(suspicion) = &mut member.suspicion {
                // The accusation may have been doubted for long. The window runs from when it is
                // believed.
                suspicion.restart(now);
            }
            let why = Why::Accused { accuser, evidence };
            self.set_state(subject, MemberState::Suspect, why);
        }
        self.time_suspicion(subject);
    }

    /// A link is gone, and with it the evidence that a doubted accusation was wrong: it is believed now.
    pub(super) fn reconsider(&mut self, subject: NodeId) {
        // The dead stay dead: a lost link adds nothing to that.
        let held = self.roster.get(&subject).filter(|member| member.is_in());
        let held = held.and_then(|member| member.suspicion.as_ref());
        let word = held.and_then(|suspicion| suspicion.accusations().next());
        if let Some((accuser, evidence)) = word.map(|word| (word.accuser, word.evidence)) {
            self.suspect(subject, accuser, evidence);
        }
    }

    /// Sets the end of a suspect's window by what is held against it now.
    pub(super) fn time_suspicion(&mut self, subject: NodeId) {
        let Some(member) = self.roster.get(&subject) else {
            return;
        };
        if member.state() != MemberState::Suspect {
            return;
        }
        let relays = self.roster.rings().len();
        // In a small mesh fewer can accuse than the window asks for; all of them are enough then.
        let observers = relays
            .saturating_sub(1)
            .min(self.roster.rings().neighbours_max());
        if let Some(suspicion) = &member.suspicion {
            let end = suspicion.ends_at(&self.config.windows, relays, observers);
            let end = if planted::is(Planted::NoSuspicionWindow) {
                self.now
            } else {
                // One more accuser may shorten the window to an end that has passed.
                end.max(self.now)
            };
            self.deadlines.set(Timer::Suspicion(subject), end);
            // Whoever accuses has evidence of its own and need not ask others.
            if !suspicion.accusers().any(|accuser| accuser == self.me) {
                // Half of the window leaves the answer time to come before the verdict.
                let half = self.now + end.since(self.now) / 2;
                self.deadlines.set_earlier(Timer::Inquiry(subject), half);
            }
        }
    }

    /// Stops the timers of a suspicion that is over.
    pub(super) fn end_window(&mut self, subject: NodeId) {
        self.deadlines.clear(&Timer::Suspicion(subject));
        self.deadlines.clear(&Timer::Inquiry(subject));
    }

    /// Looks after a suspect that this node does not observe itself. Two relays are asked what they know of
    /// it: a refutation travels once over each link, and on its way here it may have been lost. If only one
    /// accuses, the suspect is called on too: where all others do not believe its accuser any more, nobody
    /// tells it what it is accused of.
    pub(super) fn on_inquiry(&mut self, subject: NodeId) {
        let held = self.roster.get(&subject);
        let held = held.and_then(|member| member.suspicion.as_ref());
        let is_alone = held.is_some_and(|held| held.accusers().nth(1).is_none());
        // Who observes the suspect has a link to it, or dials it already.
        if is_alone && self.is_relay() && !self.watches.contains_key(&subject) {
            self.try_member(subject);
        }
        let mut asked = self.peers.list(Role::Relay);
        asked.retain(|id| *id != subject);
        self.rng.shuffle(&mut asked);
        for relay in asked.into_iter().take(INQUIRIES) {
            // An answer to a page that was never sent, with nothing in it but the wish: the relay
            // sends back the suspect's record and what is held against it.
            let question = Message::TableDiff {
                through: None,
                entries: Vec::new(),
                want: vec![subject],
            };
            self.outbox.send(relay, question);
        }
    }

    /// The window is over: dead, unless this node itself heard the member just now.
    pub(super) fn on_suspicion_end(&mut self, subject: NodeId) {
        let Some(member) = self.roster.get(&subject) else {
            return;
        };
        let Some(suspicion) = member.suspicion.as_ref() else {
            return;
        };
        if member.state() != MemberState::Suspect {
            return;
        }
        if self.is_fresh(subject) {
            self.stats.doubted = self.stats.doubted.saturating_add(1);
            // The accusations are kept: once this node's own link is gone too, `reconsider`
            // believes them.
            self.set_state(subject, MemberState::Alive, Why::Heard);
            return;
        }
        let why = Why::Unrefuted {
            accusers: suspicion.accusers().collect(),
            evidence: suspicion.evidence(),
            after: self.now.since(suspicion.started_at()),
        };
        self.set_state(subject, MemberState::Dead, why);
    }

    /// Changes a member's state, with all that depends on it.
    pub(super) fn set_state(&mut self, id: NodeId, state: MemberState, why: Why) {
        let is_in = |swim: &Self| swim.roster.get(&id).is_some_and(|member| member.is_in());
        let was_in = is_in(self);
        let Some(before) = self.roster.set_state(id, state, why, self.now) else {
            return;
        };
        if before == state {
            return;
        }
        // Only now it is sure that something changed, not just the reason for it.
        self.note_change(id, Some(before), false);
        if state != MemberState::Suspect {
            self.end_window(id);
        }
        self.neighbours_dirty = true;
        // A relay came in or dropped out: its leases count from now on, or no longer do.
        if was_in != is_in(self) {
            self.lost.remove(&id);
            self.update_tabs_of(id);
        }
        if state == MemberState::Dead {
            self.bury(id);
        }
    }

    /// Remembers that a member's state changed in this step.
    pub(super) fn note_change(&mut self, id: NodeId, from: Option<MemberState>, anyway: bool) {
        // The first entry of a step stays: it holds what the member was before the step.
        let change = self.changes.entry(id).or_insert((from, false));
        change.1 |= anyway;
    }

    /// A higher incarnation of the same process: its accusers were wrong.
    pub(super) fn forgive_and_count(&mut self, subject: NodeId) {
        let Some(member) = self.roster.get_mut(&subject) else {
            return;
        };
        let Some(suspicion) = member.suspicion.take() else {
            return;
        };
        for accuser in suspicion.accusers() {
            if accuser == self.me {
                // Without a link it accused for want of one and was wrong: it waits longer the next
                // time. With a link its own pings tell.
                let unlinked = !self.peers.contains(subject);
                if let Some(watch) = self.watches.get_mut(&subject).filter(|_| unlinked) {
                    watch.wrongs = watch.wrongs.saturating_add(1);
                    watch.unlinked_at = self.now;
                }
            } else {
                self.count_refuted(accuser, subject);
            }
        }
    }

    fn count_refuted(&mut self, accuser: NodeId, subject: NodeId) {
        let count = self.false_accusations.add(self.now, accuser, subject);
        // Once, when the bound is crossed. The signature proves whose word it was.
        if count == Some(self.config.false_accusations_max.saturating_add(1)) {
            self.offend(accuser, Offence::FalseAccusation);
        }
    }

    fn distrusts(&self, accuser: NodeId, subject: NodeId) -> bool {
        let count = self.false_accusations.count(self.now, accuser, subject);
        count > self.config.false_accusations_max
    }

    /// Tells a peer that speaks what it is accused of, so that it can refute; at most once a probe period.
    pub(super) fn tell_if_accused(&mut self, peer: NodeId) {
        let counts = self.roster.counts();
        // Every message leads here, and nearly always nobody is accused.
        if counts.suspect == 0 && counts.dead == 0 && counts.left == 0 {
            return;
        }
        let accused = self.roster.get(&peer).is_some_and(|member| {
            // The dead and the forgotten too: a member that still speaks was declared dead wrongly,
            // and comes back only by a refutation.
            matches!(member.state(), MemberState::Suspect | MemberState::Dead)
                || matches!(member.why(), Why::Forgotten { .. })
        });
        if !accused
            || !self
                .peers
                .may_tell(peer, self.now, self.config.probe_period)
        {
            return;
        }
        let words = self.accusations_of(peer).into_iter();
        let rumours: Vec<Rumour> = words.map(Rumour::Accusation).collect();
        if !rumours.is_empty() {
            self.outbox.send(peer, Message::Gossip { rumours });
        }
    }
}
