//! A Slack channel, by an incoming webhook. Others speak the same, such as Mattermost.

use crate::channels::{
    notification::Notification,
    outcome::Outcome,
    post::{Http, JSON},
    url::Url,
};
use serde_json::json;

/// Tells a Slack channel.
pub(super) async fn send(http: &Http, url: &Url, notification: &Notification) -> Outcome {
    http.post(url, JSON, Vec::new(), body(notification)).await
}

fn body(notification: &Notification) -> String {
    let text = format!(
        "*{}*\n{}",
        escaped(&notification.headline()),
        escaped(&notification.text())
    );
    json!({ "text": text }).to_string()
}

/// Source: Slack, "Formatting text for app surfaces", "Escaping text": these three, so that nobody's name
/// calls `<!channel>`.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::text::tests::sample;

    #[test]
    fn words_of_others_are_no_orders_to_slack() {
        let mut notification = sample();
        notification.title = "<!channel> & more".to_owned();
        let body: serde_json::Value = serde_json::from_str(&body(&notification)).unwrap();
        let text = body["text"].as_str().unwrap();
        assert!(
            text.starts_with("*[critical] &lt;!channel&gt; &amp; more*\n"),
            "{text}"
        );
        assert!(!text.contains('<'), "{text}");
    }
}
