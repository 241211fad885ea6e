//! What stands in the reserved namespaces, read and kept in order.

use super::{
    record::{
        Act, Alert, Channels, Deed, Id, Outcome, Place, Record, Setting, Silence, Told, ToldKey,
        Version,
    },
    settings::{InForce, Value},
};
use crate::kernel::{
    bytes::Bytes,
    id::NodeId,
    planted::{self, Planted},
};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// The most records of one kind. A mesh of a thousand in full trouble stays below it.
pub(super) const RECORDS_MAX: usize = 4_096;

/// A value of a reserved key, or a concurrent one that lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Who wrote it.
    pub author: NodeId,
    /// What.
    pub value: Bytes,
}

/// A setting, and what was set at the same time elsewhere and lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingKnown {
    /// What holds.
    pub setting: Setting,
    /// What lost.
    pub lost: Vec<Version>,
}

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Board {
    pub(super) alerts: BTreeMap<Id, (NodeId, Alert)>,
    /// All that stand, also those that lost: two sides of a cut may both have done something.
    pub(super) acts: BTreeMap<Id, Vec<(NodeId, Act)>>,
    pub(super) silences: BTreeMap<Id, (NodeId, Silence)>,
    pub(super) told: BTreeMap<ToldKey, (NodeId, Told)>,
    pub(super) channels: BTreeMap<NodeId, Channels>,
    pub(super) settings: BTreeMap<String, SettingKnown>,
    pub(super) in_force: InForce,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            alerts: BTreeMap::new(),
            acts: BTreeMap::new(),
            silences: BTreeMap::new(),
            told: BTreeMap::new(),
            channels: BTreeMap::new(),
            settings: BTreeMap::new(),
            in_force: InForce::of(|_| None, core::iter::empty()),
        }
    }
}

impl Board {
    /// Takes what now stands at a place: the value in force first, then those that lost to it. Answers
    /// whether it was good.
    pub(super) fn take(&mut self, place: &Place, written: &[Written]) -> bool {
        let Some(winner) = written.first() else {
            self.clear(place);
            return true;
        };
        let read = |one: &Written| Some((one.author, Record::read(place.clone(), &one.value)?));
        // What can't be read changes nothing: what stood there before stays in force.
        let Some((author, record)) = read(winner) else {
            return false;
        };
        let lost = written.iter().skip(1).filter_map(read);
        match record {
            Record::Alert(id, alert) => put(&mut self.alerts, id, (author, alert)),
            Record::Act(id, act) => {
                let mut acts = Vec::from([(author, act)]);
                acts.extend(lost.filter_map(|(author, record)| match record {
                    Record::Act(_, act) => Some((author, act)),
                    Record::Alert(..)
                    | Record::Silence(..)
                    | Record::Told(..)
                    | Record::Channels(..)
                    | Record::Setting(..) => None,
                }));
                let keeps_own = planted::is(Planted::AckLost) && self.acts.contains_key(&id);
                keeps_own || put(&mut self.acts, id, acts)
            }
            Record::Silence(id, silence) => put(&mut self.silences, id, (author, silence)),
            Record::Told(key, told) => put(&mut self.told, key, (author, told)),
            // Only its own word says over which channels a node notifies.
            Record::Channels(node, channels) => {
                node == author && put(&mut self.channels, node, channels)
            }
            Record::Setting(name, setting) => {
                let lost = lost.filter_map(|(_, record)| match record {
                    Record::Setting(_, lost) => lost.versions.into_iter().next(),
                    Record::Alert(..)
                    | Record::Act(..)
                    | Record::Silence(..)
                    | Record::Told(..)
                    | Record::Channels(..) => None,
                });
                let known = SettingKnown {
                    lost: lost.collect(),
                    setting,
                };
                let is_taken = put(&mut self.settings, name, known);
                self.bring_into_force();
                is_taken
            }
        }
    }

    fn clear(&mut self, place: &Place) {
        match place {
            Place::Alert(id) => drop(self.alerts.remove(id)),
            Place::Act(id) => drop(self.acts.remove(id)),
            Place::Silence(id) => drop(self.silences.remove(id)),
            Place::Told(key) => drop(self.told.remove(key)),
            Place::Channels(node) => drop(self.channels.remove(node)),
            Place::Setting(name) => {
                self.settings.remove(name);
                self.bring_into_force();
            }
        }
    }

    fn bring_into_force(&mut self) {
        let set = |name: &str| self.value_of(name);
        self.in_force = InForce::of(set, self.settings.keys().map(String::as_str));
    }

    fn value_of(&self, name: &str) -> Option<&Value> {
        let known = self.settings.get(name)?;
        known.setting.versions.first()?.value.as_ref()
    }

    /// The last act about an alert since it was calm, of all that cover it.
    pub(super) fn act_on(&self, id: Id, alert: &Alert) -> Option<(NodeId, &Act)> {
        let acts = self.acts.values().flatten();
        let about = acts.filter(|(_, act)| {
            act.alerts.contains(&id)
                && act.at_ms >= alert.calm_since_ms
                && alert.ended_ms.is_none_or(|ended| act.at_ms <= ended)
        });
        let last =
            about.max_by_key(|(author, act)| (act.deed == Deed::Resolved, act.at_ms, *author));
        last.map(|(author, act)| (*author, act))
    }

    /// Whether somebody is told of these alerts already, in a step and by a channel.
    pub(super) fn told(
        &self,
        key: &ToldKey,
        alerts: &[Id],
        since_ms: u64,
    ) -> Option<(NodeId, &Told)> {
        if let Some((by, told)) = self.told.get(key) {
            return Some((*by, told));
        }
        // On the other side of a cut the same may have another name.
        let same = |(other, (_, told)): &(&ToldKey, &(NodeId, Told))| {
            other.step == key.step
                && other.channel == key.channel
                && told.at_ms >= since_ms
                && told.outcome != Outcome::Claimed
                && told.alerts.iter().any(|id| alerts.contains(id))
        };
        self.told
            .iter()
            .find(same)
            .map(|(_, (by, told))| (*by, told))
    }

    /// How many records of each kind there are at most of one.
    pub(super) fn fullest(&self) -> usize {
        let counts = [
            self.alerts.len(),
            self.acts.len(),
            self.silences.len(),
            self.told.len(),
            self.channels.len(),
            self.settings.len(),
        ];
        counts.into_iter().max().unwrap_or(0)
    }
}

/// Puts a record in; refuses a new one where there is no room.
fn put<K: Ord, V>(records: &mut BTreeMap<K, V>, key: K, value: V) -> bool {
    let has_room = records.len() < RECORDS_MAX || records.contains_key(&key);
    if has_room {
        records.insert(key, value);
    }
    has_room
}
