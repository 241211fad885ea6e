//! The sender of a channel's kind.

use crate::{
    channels::{
        config::{Channel, Recipient},
        email::Mailer,
        log,
        notification::Notification,
        ntfy,
        outcome::Outcome,
        pagerduty,
        post::Http,
        secret::Secret,
        slack,
        url::Url,
        webhook,
    },
    clock,
    exit::Failure,
    links::tls::Dialling,
};
use std::time::Duration;

/// How long an attempt may take. Half would give up servers that look closely at a mail, twice would hold
/// up the channel's other incidents.
pub(super) const ATTEMPT_PATIENCE: Duration = Duration::from_secs(10);

/// Tells one recipient.
#[derive(Debug)]
pub(super) enum Sender {
    /// To a web address of one's own.
    Webhook(Http, Url, Option<Secret>),
    /// To mailboxes.
    Email(Box<Mailer>),
    /// To a Slack channel.
    Slack(Http, Url),
    /// To PagerDuty.
    PagerDuty(Http, Url, Secret),
    /// To an ntfy topic.
    Ntfy(Http, Url, Option<Secret>),
    /// To the node's log.
    Log(String),
}

impl Sender {
    /// A sender for a channel.
    ///
    /// # Errors
    /// When TLS can't be set up.
    pub(super) fn new(channel: &Channel, dialling: &Dialling) -> Result<Self, Failure> {
        let http = || Http::new(dialling);
        Ok(match &channel.recipient {
            Recipient::Webhook(url, key) => Self::Webhook(http()?, url.clone(), key.clone()),
            Recipient::Email(server, from, to) => {
                let mailer = Mailer::new(server, from, to, dialling, ATTEMPT_PATIENCE)?;
                Self::Email(Box::new(mailer))
            }
            Recipient::Slack(url) => Self::Slack(http()?, url.clone()),
            Recipient::PagerDuty(url, key) => Self::PagerDuty(http()?, url.clone(), key.clone()),
            Recipient::Ntfy(url, token) => Self::Ntfy(http()?, url.clone(), token.clone()),
            Recipient::Log => Self::Log(channel.name.clone()),
        })
    }

    /// Tells it, once.
    pub(super) async fn send(&self, notification: &Notification) -> Outcome {
        let attempt = async {
            match self {
                Self::Webhook(http, url, key) => {
                    let now_s = clock::wall().as_millis() / 1_000;
                    webhook::send(http, url, key.as_ref(), notification, now_s).await
                }
                Self::Email(mailer) => mailer.send(notification).await,
                Self::Slack(http, url) => slack::send(http, url, notification).await,
                Self::PagerDuty(http, url, key) => {
                    pagerduty::send(http, url, key, notification).await
                }
                Self::Ntfy(http, url, token) => {
                    ntfy::send(http, url, token.as_ref(), notification).await
                }
                Self::Log(channel) => log::send(channel, notification),
            }
        };
        let outcome = tokio::time::timeout(ATTEMPT_PATIENCE, attempt).await;
        outcome.unwrap_or_else(|_| Outcome::Later {
            error: format!("no answer within {} s", ATTEMPT_PATIENCE.as_secs()),
            wait: None,
        })
    }
}
