//! Between the node's alerts and what carries them out of the mesh: channels and history.
//!
//! The node decides who is told what, and when. Here its words only change their form.

use crate::{
    channels::{self, Channel, Channels, Delivery},
    driver::Handle,
    history::{History, record},
};
use sporenet_core::{
    kernel::text::{Name, Text},
    node::{
        Node,
        alert_views::{AlertView, IncidentView, Notification},
        contract::{Notice, NoticeEntry, Severity, Signal},
    },
    observe::alerts::{
        Delivered, Standing,
        record::{Channel as Announced, Grade, Id, Place, ToldKey, WATCH},
    },
};
use tokio::sync::mpsc::Receiver;

/// What the key of a notification has before it, where it is the key of a record.
const PREFIX: &str = "told/";

/// The channels as the mesh is told of them: no addresses, no secrets.
pub(crate) fn announced(channels: &[Channel]) -> Vec<Announced> {
    let all = channels.iter().map(|channel| Announced {
        name: Name::clean(channel.name()),
        kind: Text::clean(channel.kind()),
        grade_min: channel.min_severity(),
    });
    all.collect()
}

/// The key that recipients see: the same for one step of one incident and one channel.
fn key_of(key: &ToldKey) -> String {
    let place = Place::Told(key.clone()).key();
    place.strip_prefix(PREFIX).unwrap_or(&place).to_owned()
}

/// Sends what the node wants people to be told.
pub(crate) fn call(channels: &Channels, notification: Notification, console: &str) {
    let channel = notification.key.channel.to_string();
    let told = channels::Notification {
        key: key_of(&notification.key),
        link: Some(format!("{console}/#/incidents/{}", notification.incident)),
        incident: notification.incident,
        title: notification.title,
        severity: notification.severity,
        state: match notification.state {
            Standing::Pending | Standing::Firing => channels::State::Open,
            Standing::Acknowledged => channels::State::Acknowledged,
            Standing::Resolved => channels::State::Resolved,
        },
        cause: notification.cause,
        nodes: notification.nodes,
        alerts: notification.alerts,
        since_ms: notification.since_ms,
        network: notification.network.to_string(),
    };
    channels.send(&told, &[&channel]);
}

/// Tells the node, and the log, what became of notifications.
pub(crate) async fn report(mut deliveries: Receiver<Delivery>, core: Handle) {
    while let Some(delivery) = deliveries.recv().await {
        channels::note(&delivery);
        let place = Place::of(WATCH, &format!("{PREFIX}{}", delivery.key));
        let Some(Place::Told(key)) = place else {
            // Somebody tried a channel out: the node knows nothing of it.
            continue;
        };
        let error = delivery.error;
        let delivered = Signal::Delivered(Delivered { key, error });
        if core.signal(delivered).await.is_err() {
            return;
        }
    }
}

/// Keeps the alerts and incidents that a notice is about as they are now.
pub(crate) fn keep(history: &History, node: &Node, entry: &NoticeEntry) {
    if let Notice::Alert(alert) = &entry.notice {
        keep_alerts(history, node, &[alert.about.id()]);
    } else if let Notice::Acted { alerts, .. } = &entry.notice {
        keep_alerts(history, node, alerts);
    }
}

fn keep_alerts(history: &History, node: &Node, ids: &[Id]) {
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let is_meant = |alert: &AlertView| names.contains(&alert.id);
    let alerts = node.alert_views();
    for alert in alerts.iter().filter(|alert| is_meant(alert)) {
        history.record(record::Record::Alert(alert_of(alert)));
    }
    let is_touched = |incident: &IncidentView| incident.alerts.iter().any(|id| names.contains(id));
    for incident in node.incident_views().iter().filter(|one| is_touched(one)) {
        history.record(record::Record::Incident(incident_of(incident)));
    }
}

fn alert_of(alert: &AlertView) -> record::Alert {
    record::Alert {
        // The same alert may fire again: each time is one of its own.
        id: format!("{}-{}", alert.id, alert.since_ms),
        rule: alert.rule.clone(),
        node: alert.node.parse().ok(),
        metric: Some(alert.metric.clone()),
        severity: in_three(alert.severity),
        state: word(alert.state).to_owned(),
        text: alert.text.clone(),
        since_ms: alert.since_ms,
        ended_ms: alert.ended_ms,
        acknowledged_by: alert.acknowledged_by.clone(),
        note: alert.note.clone(),
    }
}

fn incident_of(incident: &IncidentView) -> record::Incident {
    record::Incident {
        id: incident.id.clone(),
        title: incident.title.clone(),
        severity: in_three(incident.severity),
        state: word(incident.state).to_owned(),
        cause: incident.cause.clone(),
        nodes: incident
            .nodes
            .iter()
            .filter_map(|node| node.parse().ok())
            .collect(),
        alerts: incident.alerts.clone(),
        since_ms: incident.since_ms,
        ended_ms: incident.ended_ms,
    }
}

/// As the timeline grades what happens.
const fn in_three(grade: Grade) -> Severity {
    match grade {
        Grade::Low => Severity::Info,
        Grade::Medium => Severity::Warn,
        Grade::High | Grade::Critical => Severity::Error,
    }
}

const fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::Firing => "firing",
        Standing::Acknowledged => "acknowledged",
        Standing::Resolved => "resolved",
    }
}
