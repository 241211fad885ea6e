//! Who is told of an incident, when, over which channel and by whom; and what is kept for how long.
//!
//! The relays that have a channel of that name come in an order that is drawn for each incident. The first
//! claims the notification and sends it. Who comes after it waits a lease longer for each one before it, and
//! sends only if nobody has by then. So a side of a cut notifies once. What the other side was told is known
//! after healing by the alerts that it was about, and is not told again.

use super::{
    contract::{Event, Presence},
    duty::rank_of,
    incident::Incident,
    machine::Alerts,
    record::{Alert, Channel, Grade, Id, Outcome, Place, Silence, Told, ToldKey, to_bytes},
};
use crate::kernel::{
    id::NodeId,
    planted::{self, Planted},
    text::{Name, Text},
    time::millis,
};
use alloc::{collections::BTreeSet, string::String, vec::Vec};

impl Alerts {
    /// Sends what is due and this node's to send.
    pub(super) fn notify(&mut self) {
        let Some(own) = self.own_channels.clone() else {
            return;
        };
        let steps = self.board.in_force.steps.clone();
        let mut due: Vec<(ToldKey, Vec<Id>)> = Vec::new();
        for incident in &self.incidents {
            for channel in &own.0 {
                for (step, wanted) in (0_u8..).zip(&steps) {
                    let is_meant = wanted
                        .channel
                        .as_ref()
                        .is_none_or(|name| *name == channel.name);
                    if is_meant && incident.grade >= wanted.grade_min.max(channel.grade_min) {
                        due.extend(self.opening(incident, channel, step, wanted.after_ms));
                    }
                }
                due.extend(self.ending(incident, channel));
            }
        }
        for (key, alerts) in due {
            self.claim(&key, alerts);
        }
    }

    fn opening(
        &self,
        incident: &Incident,
        channel: &Channel,
        step: u8,
        after_ms: u64,
    ) -> Option<(ToldKey, Vec<Id>)> {
        let open = incident.ended_ms.is_none();
        // Not within the step: escalation stops once somebody looks after it.
        if !open || self.is_looked_after(incident) || self.is_silenced(incident) {
            return None;
        }
        let wait = self.board.in_force.group_wait_ms.max(after_ms);
        self.due(
            incident,
            channel,
            step,
            incident.since_ms.saturating_add(wait),
        )
    }

    fn ending(&self, incident: &Incident, channel: &Channel) -> Option<(ToldKey, Vec<Id>)> {
        let ended = incident.ended_ms?;
        let was_told = self.board.told.iter().any(|(key, (_, told))| {
            key.channel == channel.name
                && key.step != ToldKey::ENDED
                && told.outcome == Outcome::Sent
                && told.at_ms >= incident.since_ms
                && told.alerts.iter().any(|id| incident.alerts.contains(id))
        });
        if !was_told {
            return None;
        }
        self.due(incident, channel, ToldKey::ENDED, ended)
    }

    /// Whether it is this node's turn to tell, from a time on and if nobody has.
    fn due(
        &self,
        incident: &Incident,
        channel: &Channel,
        step: u8,
        from_ms: u64,
    ) -> Option<(ToldKey, Vec<Id>)> {
        let key = ToldKey {
            incident: incident.id,
            step,
            channel: channel.name.clone(),
        };
        let lease = self.board.in_force.lease_ms;
        let rank = rank_of(incident.id, &self.me, self.with_channel(&channel.name));
        let rank = if planted::is(Planted::EveryoneNotifies) {
            0
        } else {
            rank
        };
        // The others may not know yet over which channels a newcomer notifies: one of them tells.
        let is_new = millis(self.now.since(self.started_at)) < lease;
        let is_alone = self.with_channel(&channel.name).all(|node| node == self.me);
        let wait = rank.saturating_add(u64::from(is_new && !is_alone));
        let turn = from_ms.saturating_add(lease.saturating_mul(wait));
        if self.wall_ms < turn {
            return None;
        }
        let since = if step == ToldKey::ENDED {
            from_ms
        } else {
            incident.since_ms
        };
        let told = self.board.told(&key, &incident.alerts, since);
        let after = |told: &Told, span| self.wall_ms >= told.at_ms.saturating_add(span);
        let is_settled = told.is_some_and(|(by, told)| match told.outcome {
            Outcome::Sent => true,
            // It tries for a while; only if it is gone does the next one take over.
            Outcome::Claimed if self.presence(&by) == Some(Presence::Here) => {
                !after(told, TRYING_MS)
            }
            Outcome::Claimed => !after(told, lease),
            // The next one may reach what this one did not.
            Outcome::Failed(_) => by == self.me || rank == 0 || !after(told, lease),
        });
        (!is_settled).then(|| (key, incident.alerts.clone()))
    }

    fn with_channel<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = NodeId> + 'a {
        self.relays_here().filter(move |node| {
            let channels = self.board.channels.get(node);
            channels.is_some_and(|channels| channels.0.iter().any(|one| one.name == *name))
        })
    }

    fn claim(&mut self, key: &ToldKey, alerts: Vec<Id>) {
        self.stats.notified = self.stats.notified.saturating_add(1);
        self.write_told(key, Outcome::Claimed, alerts);
        self.outbox.event(Event::Notify(key.clone()));
    }

    /// The host tells what came of a notification.
    pub(super) fn on_delivered(&mut self, key: ToldKey, error: Option<String>) {
        let Some((_, told)) = self.board.told.get(&key) else {
            return;
        };
        let alerts = told.alerts.clone();
        let outcome = if let Some(error) = error {
            self.stats.undelivered = self.stats.undelivered.saturating_add(1);
            Outcome::Failed(Text::clean(&error))
        } else {
            self.stats.delivered = self.stats.delivered.saturating_add(1);
            Outcome::Sent
        };
        self.write_told(&key, outcome, alerts);
    }

    fn write_told(&mut self, key: &ToldKey, outcome: Outcome, alerts: Vec<Id>) {
        let told = Told {
            at_ms: self.wall_ms,
            outcome,
            alerts,
        };
        let value = to_bytes(&told);
        self.board.told.insert(key.clone(), (self.me, told));
        self.outbox.event(Event::Write {
            place: Place::Told(key.clone()),
            value: Some(value),
        });
    }

    /// Whether all that fires of an incident is acknowledged, or ended by hand.
    pub(super) fn is_looked_after(&self, incident: &Incident) -> bool {
        let mut open = self.open_of(incident);
        open.all(|(id, alert)| self.board.act_on(id, alert).is_some())
    }

    fn open_of(&self, incident: &Incident) -> impl Iterator<Item = (Id, &Alert)> {
        let alerts = incident.alerts.iter();
        let alerts = alerts.filter_map(|id| Some((*id, &self.board.alerts.get(id)?.1)));
        alerts.filter(|(_, alert)| alert.ended_ms.is_none())
    }

    /// Whether nobody is told of any alert of an incident that still fires.
    #[must_use]
    pub fn is_silenced(&self, incident: &Incident) -> bool {
        let mut open = self.open_of(incident);
        open.all(|(_, alert)| self.silenced_until(alert).is_some())
    }

    /// Until when nobody is told of an alert, by the wall clock in milliseconds.
    #[must_use]
    pub fn silenced_until(&self, alert: &Alert) -> Option<u64> {
        let silences = self.board.silences.values().map(|(_, silence)| silence);
        let in_force = silences.filter(|silence| silence.until_ms > self.wall_ms);
        let fitting = in_force.filter(|silence| fits(silence, alert));
        fitting.map(|silence| silence.until_ms).max()
    }

    /// Forgets what is old. Each record by one relay.
    pub(super) fn tidy(&mut self) {
        self.announce_channels();
        if self.wall_ms == 0 || !self.is_first() {
            return;
        }
        let keep = self.board.in_force.keep_ms;
        let is_old = |at_ms: u64| at_ms.saturating_add(keep) < self.wall_ms;
        let board = &self.board;
        let mut old: Vec<Place> = Vec::new();
        let alerts = board
            .alerts
            .iter()
            .filter_map(|(id, (_, alert))| Some((id, alert.ended_ms?)));
        let ended: BTreeSet<Id> = alerts
            .filter(|(_, at)| is_old(*at))
            .map(|(id, _)| *id)
            .collect();
        old.extend(ended.iter().map(|id| Place::Alert(*id)));
        let is_gone = |ids: &[Id]| {
            ids.iter()
                .all(|id| !board.alerts.contains_key(id) || ended.contains(id))
        };
        let acts = board.acts.iter().filter(|(_, acts)| {
            acts.iter()
                .all(|(_, act)| is_old(act.at_ms) && is_gone(&act.alerts))
        });
        old.extend(acts.map(|(id, _)| Place::Act(*id)));
        let told = board.told.iter();
        let told = told.filter(|(_, (_, told))| is_old(told.at_ms) && is_gone(&told.alerts));
        old.extend(told.map(|(key, _)| Place::Told(key.clone())));
        let silences = board
            .silences
            .iter()
            .filter(|(_, (_, one))| is_old(one.until_ms));
        old.extend(silences.map(|(id, _)| Place::Silence(*id)));
        for place in old.into_iter().take(TIDIED_MAX) {
            self.board.take(&place, &[]);
            self.outbox.event(Event::Write { place, value: None });
        }
    }
}

/// How long a host may try to send a notification, in milliseconds.
const TRYING_MS: u64 = 1_200_000;
/// The most records that are forgotten at once; the rest goes the next time.
const TIDIED_MAX: usize = 64;

/// Whether a silence is about an alert: each of its words is its rule, its node (or the beginning of its
/// identity), its grade, or `*`.
fn fits(silence: &Silence, alert: &Alert) -> bool {
    let node = alloc::string::ToString::to_string(&alert.about.node);
    silence.fits.split_whitespace().all(|word| {
        word == "*"
            || word == alert.about.rule.as_str()
            || Grade::called(word) == Some(alert.grade)
            || (word.len() >= 4 && node.starts_with(word))
    })
}
