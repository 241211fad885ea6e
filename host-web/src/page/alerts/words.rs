//! Severities, states and values of alerts in words.

use crate::{catalogue::fill, page::state::App};
use sporenet_core::{
    node::alert_views::{AlertView, IncidentView},
    observe::alerts::{Standing, record::Grade},
};

/// A severity in the reader's language.
pub(super) fn grade(app: App, grade: Grade) -> &'static str {
    let say = app.say.alerts();
    match grade {
        Grade::Low => say.low,
        Grade::Medium => say.medium,
        Grade::High => say.high,
        Grade::Critical => say.critical,
    }
}

/// How something stands, in the reader's language.
pub(super) fn standing(app: App, standing: Standing) -> &'static str {
    let say = app.say.alerts();
    match standing {
        Standing::Pending => say.pending,
        Standing::Firing => say.firing,
        Standing::Acknowledged => say.acknowledged,
        Standing::Resolved => say.resolved,
    }
}

/// What the one who did something about an incident is to it.
pub(super) fn by(app: App, standing: Standing) -> &'static str {
    let say = app.say.alerts();
    match standing {
        Standing::Pending | Standing::Firing => say.partly_by,
        Standing::Acknowledged => say.acknowledged_by,
        Standing::Resolved => say.resolved_by,
    }
}

/// The class of what shows an incident.
pub(super) fn incident_class(incident: &IncidentView) -> String {
    let grade = match incident.severity {
        Grade::Low => "low",
        Grade::Medium => "medium",
        Grade::High => "high",
        Grade::Critical => "critical",
    };
    let standing = match incident.state {
        Standing::Pending | Standing::Firing => "firing",
        Standing::Acknowledged => "acknowledged",
        Standing::Resolved => "resolved",
    };
    format!("incident {grade} {standing}")
}

/// The value that decided against its threshold.
pub(super) fn measured(app: App, alert: &AlertView) -> String {
    let say = app.say.alerts();
    let with_unit = |value: f64| {
        let value = format!("{value:.3}");
        let value = value.trim_end_matches('0').trim_end_matches('.');
        format!("{value} {}", alert.unit).trim_end().to_owned()
    };
    match (alert.value, alert.threshold) {
        (Some(value), Some(threshold)) => {
            fill(say.measured, &[&with_unit(value), &with_unit(threshold)])
        }
        (Some(value), None) => with_unit(value),
        (None, Some(_) | None) => say.not_decided.into(),
    }
}
