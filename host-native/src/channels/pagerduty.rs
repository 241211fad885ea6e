//! PagerDuty, by its Events API version 2: an incident here is an alert there, opened and closed together.
//!
//! Source: PagerDuty, "Events API v2", "Send an alert event".

use crate::channels::{
    notification::{Notification, Severity, State},
    outcome::Outcome,
    post::{Http, JSON},
    secret::Secret,
    text::{TITLE_CHARS_MAX, one_line},
    url::Url,
};
use serde_json::{Value, json};

/// Where events go.
pub(super) const BASE: &str = "https://events.pagerduty.com";
/// Below the base.
pub(super) const PATH: &str = "/v2/enqueue";

/// Tells PagerDuty.
pub(super) async fn send(
    http: &Http,
    url: &Url,
    routing_key: &Secret,
    notification: &Notification,
) -> Outcome {
    let event = event(routing_key.expose(), notification).to_string();
    http.post(url, JSON, Vec::new(), event).await
}

fn event(routing_key: &str, notification: &Notification) -> Value {
    let action = match notification.state {
        State::Open => "trigger",
        State::Acknowledged => "acknowledge",
        State::Resolved => "resolve",
    };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": notification.incident,
    });
    if notification.state != State::Open {
        return event;
    }
    let source = notification.nodes.first().unwrap_or(&notification.network);
    if let Some(event) = event.as_object_mut() {
        let details = json!({ "network": notification.network, "text": notification.text() });
        event.insert("client".to_owned(), json!("Sporenet"));
        event.insert(
            "payload".to_owned(),
            json!({
                "summary": one_line(&notification.title, TITLE_CHARS_MAX),
                "source": one_line(source, TITLE_CHARS_MAX),
                "severity": severity(notification.severity),
                "custom_details": details,
            }),
        );
        if let Some(link) = &notification.link {
            let link = json!([{ "href": link, "text": "The incident in the console" }]);
            event.insert("links".to_owned(), link);
        }
    }
    event
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "info",
        Severity::Medium => "warning",
        Severity::High => "error",
        Severity::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::text::tests::sample;

    #[test]
    fn an_incident_is_one_alert_from_its_beginning_to_its_end() {
        let mut notification = sample();
        for (state, action) in [
            (State::Open, "trigger"),
            (State::Acknowledged, "acknowledge"),
            (State::Resolved, "resolve"),
        ] {
            notification.state = state;
            let event = event("R0", &notification);
            assert_eq!(event["event_action"], action);
            assert_eq!(event["dedup_key"], "i7");
            assert_eq!(event["routing_key"], "R0");
            assert_eq!(event.get("payload").is_some(), state == State::Open);
        }
    }

    #[test]
    fn an_alert_says_what_where_and_how_bad() {
        let event = event("R0", &sample());
        assert_eq!(event["payload"]["source"], "zh-1");
        assert_eq!(event["payload"]["severity"], "critical");
        assert_eq!(
            event["links"][0]["href"],
            "https://relay.example.org/#incident=i7"
        );
    }
}
