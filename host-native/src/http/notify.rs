//! Notification channels: how they are, and trying one out. No secret is answered.

use crate::{
    channels::{Delivery, Notification, View},
    clock,
    http::{
        Api,
        asked::{InQuery, Nothing, read_json},
        problem::Problem,
        within_patience,
    },
};
use axum::{Json, body::Body, extract::State, http::HeaderMap};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};

/// How long a test may take. A channel settles one within 30 s, unless it is busy with others.
const TEST_PATIENCE: Duration = Duration::from_secs(45);

/// Which channel to try out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Its name.
    channel: String,
}

/// `GET /api/v1/notify`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Json<Vec<View>> {
    std::future::ready(Json(api.channels.views())).await
}

/// `POST /api/v1/notify/test`: what became of it, also where the recipient did not take it.
pub(crate) async fn test(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Delivery>, Problem> {
    let Some(Wanted { channel }) = read_json(&headers, body).await? else {
        return Err(Problem::bad_request(
            "the body is empty; write {\"channel\": \"NAME\"}.",
        ));
    };
    let status = within_patience(api.core().ask(|node, now| node.status(now))).await?;
    let entropy = clock::entropy().ok_or_else(Problem::busy)?;
    let nonce: String = entropy
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let now_ms = clock::wall().as_millis();
    let notification = Notification::test(
        &channel,
        &status.network,
        &status.name.to_string(),
        now_ms,
        &nonce,
    );
    let Some(told) = api.channels.test(&channel, notification) else {
        return Err(unknown(&api));
    };
    match tokio::time::timeout(TEST_PATIENCE, told).await {
        Ok(Ok(delivery)) => Ok(Json(delivery)),
        Ok(Err(_)) => Err(Problem::stopping()),
        Err(_) => Err(Problem::busy()),
    }
}

fn unknown(api: &Api) -> Problem {
    let known: Vec<String> = api
        .channels
        .names()
        .map(|name| format!("`{name}`"))
        .collect();
    let advice = if known.is_empty() {
        "this node has none; docs/operations.md says how to make one".to_owned()
    } else {
        format!("this node has {}", known.join(", "))
    };
    Problem::not_found(format!("There is no channel of that name; {advice}."))
}
