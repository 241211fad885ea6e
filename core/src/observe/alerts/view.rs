//! What there is to read of alerts, incidents and settings.

use super::{
    board::SettingKnown,
    incident::Incident,
    machine::Alerts,
    record::{Act, Alert, Channels, Deed, Id, Outcome, Silence, Told, ToldKey},
    rule,
    settings::{InForce, Known, Value, default_of},
};
use crate::kernel::{id::NodeId, time::Time};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use serde::{Deserialize, Serialize};

/// How an alert or an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Beyond its threshold, but not for long enough.
    Pending,
    /// It fires, and nobody looks after it.
    Firing,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An alert with what people did about it.
#[derive(Clone, Copy, Debug)]
pub struct AlertKnown<'a> {
    /// What it is called.
    pub id: Id,
    /// The record.
    pub alert: &'a Alert,
    /// How it stands.
    pub standing: Standing,
    /// Who did what last.
    pub act: Option<(NodeId, &'a Act)>,
    /// The incident that it belongs to.
    pub incident: Option<Id>,
}

/// A value that is beyond its threshold here and does not fire yet.
#[derive(Clone, Debug)]
pub struct PendingKnown<'a> {
    /// What it is about.
    pub about: &'a super::record::About,
    /// Since when.
    pub since: Time,
}

impl Alerts {
    /// All alerts that are known, the newest first.
    #[must_use]
    pub fn alerts(&self) -> Vec<AlertKnown<'_>> {
        let mut all: Vec<AlertKnown<'_>> = self
            .board
            .alerts
            .iter()
            .map(|(id, (_, alert))| {
                let act = self.board.act_on(*id, alert);
                let incident = self.incidents.iter().find(|one| one.alerts.contains(id));
                AlertKnown {
                    id: *id,
                    alert,
                    standing: standing(alert, act),
                    act,
                    incident: incident.map(|incident| incident.id),
                }
            })
            .collect();
        all.sort_by(|a, b| {
            b.alert
                .since_ms
                .cmp(&a.alert.since_ms)
                .then(a.id.cmp(&b.id))
        });
        all
    }

    /// What is about to fire, as far as this node judges it.
    pub fn pending(&self) -> impl Iterator<Item = PendingKnown<'_>> {
        self.trials.iter().filter_map(|(about, trial)| {
            let since = trial.pending_since()?;
            Some(PendingKnown { about, since })
        })
    }

    /// All incidents that are known, the newest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().rev()
    }

    /// How an incident stands.
    #[must_use]
    pub fn standing_of(&self, incident: &Incident) -> Standing {
        if incident.ended_ms.is_some() {
            return Standing::Resolved;
        }
        let open = incident.alerts.iter().filter_map(|id| {
            let (_, alert) = self.board.alerts.get(id)?;
            let state = standing(alert, self.board.act_on(*id, alert));
            (state != Standing::Resolved).then_some(state)
        });
        // Firing comes before acknowledged: one that nobody looks after counts for all.
        open.min().unwrap_or(Standing::Resolved)
    }

    /// The last act about one of an incident's alerts.
    #[must_use]
    pub fn act_on_incident(&self, incident: &Incident) -> Option<(NodeId, &Act)> {
        let acts = incident.alerts.iter().filter_map(|id| {
            let (_, alert) = self.board.alerts.get(id)?;
            self.board.act_on(*id, alert)
        });
        acts.max_by_key(|(_, act)| act.at_ms)
    }

    /// Who was told of an incident, the first first.
    #[must_use]
    pub fn told_of(&self, incident: &Incident) -> Vec<(&ToldKey, NodeId, &Told)> {
        let told = self.board.told.iter();
        let about = told.filter(|(key, (_, told))| {
            let same = told.alerts.iter().any(|id| incident.alerts.contains(id));
            key.incident == incident.id || (same && told.at_ms >= incident.since_ms)
        });
        let mut about: Vec<_> = about.map(|(key, (by, told))| (key, *by, told)).collect();
        about.sort_by_key(|(key, _, told)| (told.at_ms, (*key).clone()));
        about
    }

    /// An alert by its id.
    #[must_use]
    pub fn alert(&self, id: Id) -> Option<&Alert> {
        self.board.alerts.get(&id).map(|(_, alert)| alert)
    }

    /// The silences that are in force or were lately.
    pub fn silences(&self) -> impl Iterator<Item = (Id, NodeId, &Silence)> {
        let all = self.board.silences.iter();
        all.map(|(id, (by, silence))| (*id, *by, silence))
    }

    /// Over which channels each node notifies.
    pub fn channels(&self) -> impl Iterator<Item = (NodeId, &Channels)> {
        self.board
            .channels
            .iter()
            .map(|(node, channels)| (*node, channels))
    }

    /// The settings in force.
    #[must_use]
    pub const fn in_force(&self) -> &InForce {
        &self.board.in_force
    }

    /// What was set of a setting; `None` if nobody ever has.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&SettingKnown> {
        self.board.settings.get(name)
    }

    /// The value in force of a setting; `None` if there is none of that name.
    #[must_use]
    pub fn value_of(&self, name: &str) -> Option<Value> {
        let set = self
            .setting(name)
            .and_then(|known| known.setting.versions.first());
        let set = set.and_then(|version| version.value.clone());
        set.or_else(|| default_of(name))
    }

    /// The names of all settings: those that there are always, the rules that are shipped, and what was set.
    #[must_use]
    pub fn setting_names(&self) -> Vec<String> {
        let always = Known::ALL.map(|known| known.name().to_string());
        let mut names = Vec::from(always);
        let shipped = rule::SHIPPED.iter().map(|(name, _)| rule::key_of(name));
        let set = self.board.settings.keys().cloned();
        for name in shipped.chain(set) {
            if !names.contains(&name) && default_of(&name).is_some() {
                names.push(name);
            }
        }
        names
    }
}

fn standing(alert: &Alert, act: Option<(NodeId, &Act)>) -> Standing {
    match (alert.ended_ms, act.map(|(_, act)| act.deed)) {
        (Some(_), _) | (None, Some(Deed::Resolved)) => Standing::Resolved,
        (None, Some(Deed::Acknowledged)) => Standing::Acknowledged,
        (None, None) => Standing::Firing,
    }
}

/// Whether a recipient took a notification; `None` while that is open.
#[must_use]
pub const fn arrived(outcome: &Outcome) -> Option<bool> {
    match outcome {
        Outcome::Claimed => None,
        Outcome::Sent => Some(true),
        Outcome::Failed(_) => Some(false),
    }
}
