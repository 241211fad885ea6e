//! How a request arrived: what `sporenet doctor` asks through every announced address, to see whether this
//! node answers there and what a proxy on the way drops.
//!
//! Whoever has the token gets a word that nobody can guess; a request for that word, which needs no token, is
//! answered with the headers that came in. So the token itself is sent to no address that is not proven.

use crate::{
    clock,
    http::{
        Api,
        asked::{InPath, InQuery, Nothing},
        problem::Problem,
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, header},
};
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;

/// How long a word counts.
const WORD_PATIENCE: Duration = Duration::from_secs(60);
/// Headers that the API and links need, and that proxies are known to drop.
pub(crate) const NEEDED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    HeaderName::from_static("last-event-id"),
    header::ORIGIN,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
];

/// The word that is asked for, and since when it counts. A new one replaces the one before.
#[derive(Debug, Default)]
pub(crate) struct Word(Mutex<Option<(String, Instant)>>);

/// A fresh word.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Fresh {
    /// What to ask for below `/arrival/`.
    pub(crate) word: String,
}

/// What came in.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Arrival {
    /// The `Host` header.
    pub(crate) host: String,
    /// Those of [`NEEDED`] that are missing.
    pub(crate) missing: Vec<String>,
}

/// Makes a word that counts for a minute.
pub(crate) async fn prepare(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Fresh>, Problem> {
    let bytes = clock::entropy().ok_or_else(Problem::busy)?;
    let word: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    *api.word.0.lock().await = Some((word.clone(), Instant::now()));
    Ok(Json(Fresh { word }))
}

/// Tells who knows the word how the request arrived.
pub(crate) async fn told(
    State(api): State<Arc<Api>>,
    InPath(word): InPath<String>,
    headers: HeaderMap,
) -> Result<Json<Arrival>, Problem> {
    let is_known = api
        .word
        .0
        .lock()
        .await
        .as_ref()
        .is_some_and(|(fresh, since)| {
            since.elapsed() < WORD_PATIENCE && fresh.as_bytes().ct_eq(word.as_bytes()).into()
        });
    if !is_known {
        return Err(Problem::not_found("There is nothing at this path."));
    }
    let missing = NEEDED
        .iter()
        .filter(|name| !headers.contains_key(*name))
        .map(ToString::to_string)
        .collect();
    let host = headers
        .get(header::HOST)
        .map(|host| String::from_utf8_lossy(host.as_bytes()));
    let host = host.unwrap_or_default().into_owned();
    Ok(Json(Arrival { host, missing }))
}
