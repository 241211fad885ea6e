//! The node's own log.

use crate::channels::{
    notification::{Notification, Severity},
    outcome::Outcome,
};

/// Writes a line, at a level by severity.
pub(super) fn send(channel: &str, notification: &Notification) -> Outcome {
    let Notification {
        incident, severity, ..
    } = notification;
    let (title, state) = (notification.headline(), notification.state.word());
    let nodes = notification.nodes.join(", ");
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                code = "notification",
                channel,
                incident,
                %severity,
                state,
                nodes,
                cause = notification.cause,
                "{title}"
            )
        };
    }
    match notification.severity {
        Severity::Low | Severity::Medium => line!(info),
        Severity::High => line!(warn),
        Severity::Critical => line!(error),
    }
    Outcome::Told("written".to_owned())
}
