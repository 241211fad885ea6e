//! Alerts, incidents and settings as people read them.

use crate::{
    kernel::{id::NodeId, time::millis},
    node::{
        machine::Node,
        read::alert_views::{
            AlertView, CauseView, ChannelView, DryAlert, DryRun, IncidentView, Notification,
            NotifiedView, SettingView, SilenceView, VersionView,
        },
    },
    observe::{
        alerts::{
            AlertKnown, Cause, Incident, Standing, arrived, dry_run,
            record::{Alert, Grade, Note, Outcome, ToldKey, Version},
            rule::{Level, Metric, Rule, Side},
            settings::{InForce, Known, Value, default_of},
            text::{TextRefusal, thousandths},
        },
        series::Key,
    },
};
use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

/// For how long the metric store keeps steps of a minute.
const KEPT_MS: u64 = 172_800_000;
/// For how long it keeps steps of ten seconds.
const RECENT_MS: u64 = 7_200_000;
/// More points than either has.
const POINTS_MAX: usize = 10_000;
/// The most alerts that a notification lists.
const LISTED_MAX: usize = 20;

impl Node {
    /// All alerts that are known, the newest first; what is pending here comes first of all.
    #[must_use]
    pub fn alert_views(&self) -> Vec<AlertView> {
        let wall_ms = self.wall_now().as_millis();
        let pending = self.alerts.pending().filter_map(|pending| {
            let rules = &self.alerts.in_force().rules;
            let (_, rule) = rules
                .iter()
                .find(|(name, _)| *name == *pending.about.rule)?;
            let since = wall_ms.saturating_sub(millis(self.now.since(pending.since)));
            Some(self.pending_view(pending.about, rule, since))
        });
        let known = self.alerts.alerts();
        pending
            .chain(known.iter().map(|known| self.alert_view(known)))
            .collect()
    }

    fn pending_view(
        &self,
        about: &crate::observe::alerts::record::About,
        rule: &Rule,
        since_ms: u64,
    ) -> AlertView {
        let what = self.what(about.node, about.peer, rule.metric, None);
        AlertView {
            id: about.id().to_string(),
            rule: about.rule.to_string(),
            severity: Grade::Low,
            state: Standing::Pending,
            node: about.node.to_string(),
            node_name: self.display_name(about.node),
            peer: about.peer.map(|peer| peer.to_string()),
            peer_name: about.peer.map(|peer| self.display_name(peer)),
            metric: rule.metric.name().into(),
            value: None,
            threshold: None,
            unit: rule.metric.unit().into(),
            since_ms,
            ended_ms: None,
            ending: None,
            acknowledged_by: None,
            acknowledged_ms: None,
            note: None,
            silenced_until_ms: None,
            incident: None,
            text: format!("{what}: beyond its threshold, not for long enough yet"),
        }
    }

    fn alert_view(&self, known: &AlertKnown<'_>) -> AlertView {
        let alert = known.alert;
        let about = &alert.about;
        AlertView {
            id: known.id.to_string(),
            rule: about.rule.to_string(),
            severity: alert.grade,
            state: known.standing,
            node: about.node.to_string(),
            node_name: self.display_name(about.node),
            peer: about.peer.map(|peer| peer.to_string()),
            peer_name: about.peer.map(|peer| self.display_name(peer)),
            metric: alert.metric.name().into(),
            value: Some(float(alert.value_milli)),
            threshold: Some(float(alert.threshold_milli)),
            unit: alert.metric.unit().into(),
            since_ms: alert.since_ms,
            ended_ms: alert.ended_ms,
            ending: alert.ended_ms.map(|_| alert.ending),
            acknowledged_by: known.act.map(|(by, _)| self.display_name(by)),
            acknowledged_ms: known.act.map(|(_, act)| act.at_ms),
            note: known.act.and_then(|(_, act)| words(act.note.as_ref())),
            silenced_until_ms: self.alerts.silenced_until(alert),
            incident: known.incident.map(|id| id.to_string()),
            text: self.alert_in_words(alert),
        }
    }

    /// The mesh's settings in force.
    #[must_use]
    pub const fn alerts_in_force(&self) -> &InForce {
        self.alerts.in_force()
    }

    /// All incidents that are known, the newest first.
    #[must_use]
    pub fn incident_views(&self) -> Vec<IncidentView> {
        let incidents = self.alerts.incidents();
        incidents
            .map(|incident| self.incident_view(incident))
            .collect()
    }

    fn incident_view(&self, incident: &Incident) -> IncidentView {
        let act = self.alerts.act_on_incident(incident);
        let causes = incident.causes.iter().map(|(cause, percent)| CauseView {
            code: cause.code().into(),
            text: self.cause_in_words(*cause),
            percent: *percent,
        });
        let first = incident.causes.first().map(|(cause, _)| *cause);
        let told = self.alerts.told_of(incident).into_iter();
        IncidentView {
            id: incident.id.to_string(),
            title: self.title(incident),
            severity: incident.grade,
            state: self.alerts.standing_of(incident),
            cause: first.map_or("unknown", Cause::code).into(),
            causes: causes.collect(),
            next_step: first.map_or("", next_step).into(),
            nodes: incident.nodes.iter().map(ToString::to_string).collect(),
            alerts: incident.alerts.iter().map(ToString::to_string).collect(),
            since_ms: incident.since_ms,
            ended_ms: incident.ended_ms,
            acknowledged_by: act.map(|(by, _)| self.display_name(by)),
            note: act.and_then(|(_, act)| words(act.note.as_ref())),
            notified: told
                .map(|(key, by, told)| NotifiedView {
                    channel: key.channel.to_string(),
                    step: (key.step != ToldKey::ENDED).then_some(key.step),
                    by: self.display_name(by),
                    at_ms: told.at_ms,
                    ok: arrived(&told.outcome),
                    error: match &told.outcome {
                        Outcome::Failed(error) => Some(error.to_string()),
                        Outcome::Claimed | Outcome::Sent => None,
                    },
                })
                .collect(),
        }
    }

    /// What a channel is to be told; `None` if the incident is not known any more.
    pub(in crate::node) fn notification(&self, key: &ToldKey) -> Option<Notification> {
        let mut incidents = self.alerts.incidents();
        let incident = incidents.find(|incident| incident.id == key.incident)?;
        let cause = incident
            .causes
            .first()
            .map(|(cause, _)| self.cause_in_words(*cause));
        let alerts = incident
            .alerts
            .iter()
            .filter_map(|id| self.alerts.alert(*id));
        Some(Notification {
            key: key.clone(),
            incident: incident.id.to_string(),
            title: self.title(incident),
            severity: incident.grade,
            state: self.alerts.standing_of(incident),
            cause: cause.unwrap_or_default(),
            nodes: incident
                .nodes
                .iter()
                .map(|node| self.display_name(*node))
                .collect(),
            alerts: alerts
                .take(LISTED_MAX)
                .map(|alert| self.alert_in_words(alert))
                .collect(),
            since_ms: incident.since_ms,
            network: self.config.network_name.clone(),
        })
    }

    /// The silences that are known.
    #[must_use]
    pub fn silence_views(&self) -> Vec<SilenceView> {
        let all = self.alerts.silences();
        all.map(|(id, by, silence)| SilenceView {
            id: id.to_string(),
            fits: silence.fits.to_string(),
            until_ms: silence.until_ms,
            at_ms: silence.at_ms,
            by: self.display_name(by),
            note: words(silence.note.as_ref()),
        })
        .collect()
    }

    /// The channels of all nodes, by name.
    #[must_use]
    pub fn channel_views(&self) -> Vec<ChannelView> {
        let mut all: BTreeMap<String, ChannelView> = BTreeMap::new();
        for (node, channels) in self.alerts.channels() {
            for channel in &channels.0 {
                let view = all
                    .entry(channel.name.to_string())
                    .or_insert_with(|| ChannelView {
                        name: channel.name.to_string(),
                        kind: channel.kind.to_string(),
                        min_severity: channel.grade_min,
                        nodes: Vec::new(),
                    });
                view.nodes.push(self.display_name(node));
            }
        }
        all.into_values().collect()
    }

    /// All settings of the mesh.
    #[must_use]
    pub fn setting_views(&self) -> Vec<SettingView> {
        let names = self.alerts.setting_names();
        names
            .iter()
            .filter_map(|name| self.setting_view(name))
            .collect()
    }

    /// A setting of the mesh; `None` if there is none of that name.
    #[must_use]
    pub fn setting_view(&self, name: &str) -> Option<SettingView> {
        let default = default_of(name)?;
        let value = self.alerts.value_of(name)?;
        let known = self.alerts.setting(name);
        let newest = known.and_then(|known| known.setting.versions.first());
        let meaning = match (Known::called(name), &value) {
            (Some(known), _) => known.meaning().to_string(),
            (None, Value::Rule(Some(rule))) => in_words(rule),
            (None, _) => "a rule that is switched off".into(),
        };
        Some(SettingView {
            key: name.into(),
            meaning,
            value: value.to_string(),
            default: default.to_string(),
            version: newest.map_or(0, |version| version.number),
            changed_by: newest.map(|version| self.display_name(version.by)),
            changed_ms: newest.map(|version| version.at_ms),
        })
    }

    /// What a setting was, the newest first, with what was set at the same time and lost.
    #[must_use]
    pub fn setting_history(&self, name: &str) -> Option<Vec<VersionView>> {
        let default = default_of(name)?.to_string();
        let view = |version: &Version, lost: bool| VersionView {
            version: version.number,
            value: version
                .value
                .as_ref()
                .map_or_else(|| default.clone(), ToString::to_string),
            by: self.display_name(version.by),
            at_ms: version.at_ms,
            note: words(version.note.as_ref()),
            lost,
        };
        let Some(known) = self.alerts.setting(name) else {
            return Some(Vec::new());
        };
        let held = known
            .setting
            .versions
            .iter()
            .map(|version| view(version, false));
        let lost = known.lost.iter().map(|version| view(version, true));
        let mut all: Vec<VersionView> = held.chain(lost).collect();
        all.sort_by(|a, b| b.version.cmp(&a.version).then(a.lost.cmp(&b.lost)));
        Some(all)
    }

    /// What a rule would have done to what was measured, here and of the others.
    ///
    /// # Errors
    /// What is wrong with the rule, or that nothing is kept of its metric.
    pub fn dry_run(&self, written: &str) -> Result<DryRun, TextRefusal> {
        let rule: Rule = written.parse()?;
        let all_series = rule.metric.series();
        if all_series.is_empty() {
            return Err(TextRefusal {
                field: "metric".into(),
                bound: format!("no history is kept of {}", rule.metric.name()),
            });
        }
        let in_force = self.alerts.in_force();
        let mut times = Vec::new();
        let mut from_ms: Option<u64> = None;
        let keys = self.history.store.series().map(|(key, _)| *key);
        for key in keys.filter(|key| all_series.contains(&key.series)) {
            let node = key.node;
            let points = self.kept_of(&key);
            let scaled = points
                .into_iter()
                .map(|(at_ms, value)| (at_ms, scaled(rule.metric, value)));
            let points: Vec<(u64, i64)> = scaled.collect();
            if let Some((first, _)) = points.first() {
                from_ms = Some(from_ms.map_or(*first, |from| from.min(*first)));
            }
            let fired = dry_run(
                &rule,
                points.into_iter(),
                in_force.flap_count,
                in_force.flap_window_ms,
            );
            times.extend(
                fired
                    .into_iter()
                    .map(|(since_ms, ended_ms, level)| DryAlert {
                        node: node.to_string(),
                        node_name: self.display_name(node),
                        series: key.series.name().into(),
                        since_ms,
                        ended_ms,
                        critical: level == Level::Critical,
                    }),
            );
        }
        times.sort_by(|a, b| {
            a.since_ms
                .cmp(&b.since_ms)
                .then_with(|| a.node.cmp(&b.node))
        });
        Ok(DryRun {
            rule: rule.to_string(),
            fired: u32::try_from(times.len()).unwrap_or(u32::MAX),
            from_ms,
            times,
        })
    }

    /// All that is kept of a series: steps of ten seconds for two hours, of a minute before that.
    fn kept_of(&self, key: &Key) -> Vec<(u64, f64)> {
        let now = self.wall_now().as_millis();
        let (day, recent) = (now.saturating_sub(KEPT_MS), now.saturating_sub(RECENT_MS));
        let store = &self.history.store;
        let older = store.peek(key, day, recent.saturating_sub(1), POINTS_MAX);
        let newer = store.peek(key, recent, now, POINTS_MAX);
        let all = older
            .into_iter()
            .chain(newer)
            .flat_map(|points| points.points);
        all.map(|point| (point.at_ms, f64::from(point.mean)))
            .collect()
    }

    fn what(
        &self,
        node: NodeId,
        peer: Option<NodeId>,
        metric: Metric,
        of: Option<Metric>,
    ) -> String {
        let whom = self.display_name(node);
        let name = metric_in_words(of.unwrap_or(metric));
        match peer {
            Some(peer) => format!("{name} from {whom} to {}", self.display_name(peer)),
            None => format!("{name} of {whom}"),
        }
    }

    /// An alert in a sentence without a full stop.
    pub(in crate::node) fn alert_in_words(&self, alert: &Alert) -> String {
        let about = &alert.about;
        let whom = self.display_name(about.node);
        match alert.metric {
            Metric::Unreachable => return format!("{whom} is dead"),
            Metric::StoreFailed => return format!("The store of {whom} takes no writes"),
            Metric::Latency
            | Metric::NodeHealth
            | Metric::ResourceUsage
            | Metric::ShardVariance
            | Metric::ErrorRate
            | Metric::SlowPath
            | Metric::Loss
            | Metric::Cpu
            | Metric::Memory
            | Metric::Disk
            | Metric::Descriptors
            | Metric::LoopLag
            | Metric::JournalLatency => {}
        }
        let what = self.what(about.node, about.peer, alert.metric, alert.of);
        let unit = match alert.metric.unit() {
            "" => String::new(),
            unit => format!(" {unit}"),
        };
        let (value, threshold) = (
            thousandths(alert.value_milli),
            thousandths(alert.threshold_milli),
        );
        format!("{what}: {value}{unit}, threshold {threshold}{unit}")
    }

    pub(in crate::node) fn title(&self, incident: &Incident) -> String {
        let alerts = incident
            .alerts
            .iter()
            .filter_map(|id| self.alerts.alert(*id));
        let dead = alerts
            .filter(|alert| alert.metric == Metric::Unreachable)
            .count();
        match incident.causes.first().map(|(cause, _)| *cause) {
            Some(Cause::Partition) => format!("{dead} relays are out of reach"),
            Some(Cause::NodeDown(node)) if dead == 1 => {
                format!("{} is dead", self.display_name(node))
            }
            Some(cause) => self.cause_in_words(cause),
            None => "Something is wrong".into(),
        }
    }

    fn cause_in_words(&self, cause: Cause) -> String {
        let name = |node| self.display_name(node);
        match cause {
            Cause::Partition => "The mesh is cut in two, or many failed together".into(),
            Cause::NodeDown(node) => format!("{} crashed or lost its network", name(node)),
            Cause::StoreFailed(node) => format!("The store of {} takes no writes", name(node)),
            Cause::DiskFull(node) => format!("The disk of {} is full", name(node)),
            Cause::MemoryShort(node) => format!("The memory of {} is used up", name(node)),
            Cause::Overload(node) => format!("{} is overloaded", name(node)),
            Cause::PathBad(a, b) => {
                format!("The path between {} and {} is bad", name(a), name(b))
            }
            Cause::NetworkOf(node) => format!("The network of {} is bad", name(node)),
            Cause::Gray(node) => format!("{} answers, but slowly", name(node)),
            Cause::Errors(node) => format!("{} refuses or loses much", name(node)),
            Cause::Uneven(node) => {
                format!("Data are unevenly spread over shards at {}", name(node))
            }
            Cause::Ill(node) => format!("{} is not well", name(node)),
        }
    }
}

/// What helps next.
const fn next_step(cause: Cause) -> &'static str {
    match cause {
        Cause::Partition => {
            "Check the network between the sites. Both sides go on, and merge by themselves once they meet."
        }
        Cause::NodeDown(_) => {
            "Start it again; it catches up by itself. If it will not come back, forget it."
        }
        Cause::StoreFailed(_) => "Look at its disk and its log, then start it again.",
        Cause::DiskFull(_) => "Free some space on its disk; it goes on by itself.",
        Cause::MemoryShort(_) => "See what uses its memory, or give it more.",
        Cause::Overload(_) => "See what keeps it busy, or move load to another relay.",
        Cause::PathBad(..) => "Check the network between the two; other paths carry on meanwhile.",
        Cause::NetworkOf(_) => "Check its uplink; the paths of the others are fine.",
        Cause::Gray(_) => {
            "It is alive and slow for several others: see what its machine does, then its uplink."
        }
        Cause::Errors(_) => "Read its events: they say what it refuses.",
        Cause::Uneven(_) => "Some keys are written far more often than others; spread them.",
        Cause::Ill(_) => "Look at its health, term by term.",
    }
}

const fn metric_in_words(metric: Metric) -> &'static str {
    match metric {
        Metric::Latency => "Round trip",
        Metric::NodeHealth => "Health",
        Metric::ResourceUsage => "Resources",
        Metric::ShardVariance => "Unevenness of shards",
        Metric::ErrorRate => "Error rate",
        Metric::Unreachable => "Absence",
        Metric::SlowPath => "Slowness",
        Metric::Loss => "Loss",
        Metric::StoreFailed => "Store",
        Metric::Cpu => "Processors",
        Metric::Memory => "Memory",
        Metric::Disk => "Disk",
        Metric::Descriptors => "File descriptors",
        Metric::LoopLag => "Lag of the event loop",
        Metric::JournalLatency => "Time of a commit",
    }
}

/// A rule as people say it.
fn in_words(rule: &Rule) -> String {
    let side = match rule.side {
        Side::Above => "at or above",
        Side::Below => "at or below",
    };
    let unit = match rule.metric.unit() {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    let mut words = metric_in_words(rule.metric).to_string();
    if let Some(warn) = rule.warn_milli {
        words.push_str(&format!(" {side} {}{unit} warns", thousandths(warn)));
    }
    if let Some(critical) = rule.critical_milli {
        let and = if rule.warn_milli.is_some() { "," } else { "" };
        words.push_str(&format!(
            "{and} {side} {}{unit} is critical",
            thousandths(critical)
        ));
    }
    words
}

/// A value of a series in thousandths of the metric's unit.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a cast of a float keeps to the bounds of the integer"
)]
fn scaled(metric: Metric, value: f64) -> i64 {
    // The series counts percent, the rule a share.
    let factor = if metric == Metric::ErrorRate {
        10.0
    } else {
        1_000.0
    };
    (value * factor) as i64
}

/// As a number with a fraction; exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(milli: i64) -> f64 {
    milli as f64 / 1_000.0
}

fn words(note: Option<&Note>) -> Option<String> {
    note.map(ToString::to_string)
}
