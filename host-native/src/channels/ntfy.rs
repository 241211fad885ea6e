//! ntfy: messages to phones, by a topic of its server or one's own.
//!
//! Source: ntfy, "Publishing": "Message title", "Message priority", "Tags & emojis", "Click action".

use crate::channels::{
    notification::{Notification, Severity, State},
    outcome::Outcome,
    post::Http,
    secret::Secret,
    text::{TITLE_CHARS_MAX, one_line},
    url::Url,
};
use axum::http::{HeaderName, header};
use base64::{Engine, prelude::BASE64_STANDARD};

/// Tells a topic.
pub(super) async fn send(
    http: &Http,
    url: &Url,
    token: Option<&Secret>,
    notification: &Notification,
) -> Outcome {
    let mut headers = headers(notification);
    if let Some(token) = token {
        headers.push((header::AUTHORIZATION, format!("Bearer {}", token.expose())));
    }
    http.post(
        url,
        "text/plain; charset=utf-8",
        headers,
        notification.text(),
    )
    .await
}

fn headers(notification: &Notification) -> Vec<(HeaderName, String)> {
    let (priority, tag) = match (notification.state, notification.severity) {
        (State::Resolved, _) => ("3", "white_check_mark"),
        (State::Acknowledged, _) => ("3", "eyes"),
        (State::Open, Severity::Low) => ("2", "information_source"),
        (State::Open, Severity::Medium) => ("3", "warning"),
        (State::Open, Severity::High) => ("4", "warning"),
        (State::Open, Severity::Critical) => ("5", "rotating_light"),
    };
    let mut headers = vec![
        (
            HeaderName::from_static("title"),
            encoded(&notification.headline()),
        ),
        (HeaderName::from_static("priority"), priority.to_owned()),
        (HeaderName::from_static("tags"), tag.to_owned()),
    ];
    if let Some(link) = &notification.link {
        let link = encoded(&one_line(link, TITLE_CHARS_MAX * 4));
        headers.push((HeaderName::from_static("click"), link));
    }
    headers
}

/// A header may hold ASCII only; ntfy reads anything else as in mail (RFC 2047).
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        text.to_owned()
    } else {
        format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::text::tests::sample;

    #[test]
    fn headers_are_ascii_and_say_how_bad_it_is() {
        let headers = headers(&sample());
        let value = |wanted: &str| {
            let found = headers.iter().find(|(name, _)| name.as_str() == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let title = BASE64_STANDARD.encode("[critical] Zürich is <down> & out");
        assert_eq!(
            value("title"),
            Some(format!("=?UTF-8?B?{title}?=").as_str())
        );
        assert_eq!(value("priority"), Some("5"));
        assert_eq!(value("tags"), Some("rotating_light"));
        assert!(value("click").is_some());
        assert_eq!(encoded("plain"), "plain");
    }
}
