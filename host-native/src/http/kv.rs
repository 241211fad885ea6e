//! Values over HTTP: raw bytes in and out, or JSON with everything that is known of a value.

use crate::{
    http::{
        Api,
        asked::{InPath, InQuery, read_body},
        entries::{EntryView, Values},
        problem::Problem,
        typed, within_patience,
    },
    values::write::{self, WRITE_PATIENCE, Wanted, Wish, Written},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        text::{Key, Namespace, TextError},
    },
    node::{
        contract::{Reply, Request},
        snapshot::Entry,
    },
    replication::write::AckLevel,
};
use std::sync::Arc;

/// The largest value, in bytes. The core refuses what is larger too; here it is not even read.
const VALUE_BYTES_MAX: usize = 256 << 10;

/// How a value is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Reading {
    format: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// How a value is written.
#[derive(Debug, Deserialize)]
pub(crate) struct Writing {
    pub(crate) ack: Option<AckLevel>,
}

/// Reads a namespace from a path.
///
/// # Errors
/// When it is empty, too long or not printable.
pub(crate) fn namespace_of(text: &str) -> Result<Namespace, Problem> {
    Namespace::new(text).map_err(|error| bad_name("namespace", error))
}

/// Reads a key from a path.
///
/// # Errors
/// When it is empty, too long or not printable.
pub(crate) fn key_of(text: &str) -> Result<Key, Problem> {
    Key::new(text).map_err(|error| bad_name("key", error))
}

fn bad_name(what: &str, error: TextError) -> Problem {
    Problem::bad_request(format!("The {what} is not valid: {error}."))
}

/// A value: its bytes, or with `?format=json` everything that is known of it.
pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(reading): InQuery<Reading>,
) -> Result<Response, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    if reading.format.as_deref() == Some("parts") {
        return typed::page(&api, namespace, key, reading.cursor, reading.limit).await;
    }
    if reading.cursor.is_some() || reading.limit.is_some() {
        return Err(Problem::bad_request(
            "`cursor` and `limit` are for `format=parts`.",
        ));
    }
    let asked = (namespace.clone(), key.clone());
    let entry = within_patience(
        api.core()
            .ask(move |node, _| node.entry(&asked.0, &asked.1)),
    )
    .await?
    .ok_or_else(|| no_value(&namespace, &key))?;
    match reading.format.as_deref() {
        Some("json") => {
            let view = EntryView::of(&namespace, &entry, Values::Full);
            api.room.json(&view).await
        }
        None | Some("raw") => raw(&namespace, &entry),
        Some(_) => Err(Problem::bad_request(
            "`format` is `raw`, `json` or `parts`.",
        )),
    }
}

fn no_value(namespace: &Namespace, key: &Key) -> Problem {
    Problem::not_found(format!("There is no value at {namespace}/{key}."))
}

/// A value as the owner of what is sent.
struct Shared(Bytes);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn raw(namespace: &Namespace, entry: &Entry) -> Result<Response, Problem> {
    let value = entry
        .value
        .as_ref()
        .ok_or_else(|| no_value(namespace, &entry.key))?;
    let media = if str::from_utf8(value).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    };
    // Shared with the cells, not copied.
    let shared = axum::body::Bytes::from_owner(Shared(value.clone()));
    let mut response = Body::from(shared).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
    set("x-sporenet-type", entry.content.kind().to_string());
    set("x-sporenet-author", entry.author.to_string());
    set(
        "x-sporenet-written-at-ms",
        entry.written_at.as_millis().to_string(),
    );
    set("x-sporenet-conflicts", entry.conflicts.len().to_string());
    Ok(response)
}

/// Writes a value: the body's bytes.
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(writing): InQuery<Writing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<serde_json::Value>, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    let value = read_value(&headers, body).await?;
    write(
        &api,
        namespace,
        key,
        Some(value.as_ref().into()),
        writing.ack,
    )
    .await
}

/// Deletes a value.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(writing): InQuery<Writing>,
) -> Result<Json<serde_json::Value>, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    let place = (namespace.clone(), key.clone());
    match write(&api, place.0, place.1, None, writing.ack).await {
        // A set or map that is larger than what is deleted at once goes in several steps.
        Err(problem) if problem.code == "too_many" => {
            let level = writing.ack.unwrap_or_default();
            let wanted = Wanted::Gone;
            let wish = Wish {
                namespace,
                key,
                wanted,
            };
            let written = write::one(api.core(), wish, level).await?;
            Ok(Json(written_view(&written, level)))
        }
        outcome => outcome,
    }
}

/// `PUT …/watch`: the path of the stream, read as a key.
pub(crate) async fn put_watch(
    state: State<Arc<Api>>,
    InPath(ns): InPath<String>,
    writing: InQuery<Writing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<serde_json::Value>, Problem> {
    put(
        state,
        InPath((ns, "watch".to_owned())),
        writing,
        headers,
        body,
    )
    .await
}

/// `DELETE …/watch`: the path of the stream, read as a key.
pub(crate) async fn delete_watch(
    state: State<Arc<Api>>,
    InPath(ns): InPath<String>,
    writing: InQuery<Writing>,
) -> Result<Json<serde_json::Value>, Problem> {
    delete(state, InPath((ns, "watch".to_owned())), writing).await
}

async fn read_value(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "value_too_large",
            format!("The value is too large; a value may have {VALUE_BYTES_MAX} bytes."),
        )
    };
    read_body(headers, body, VALUE_BYTES_MAX, too_large).await
}

async fn write(
    api: &Api,
    namespace: Namespace,
    key: Key,
    value: Option<Bytes>,
    ack: Option<AckLevel>,
) -> Result<Json<serde_json::Value>, Problem> {
    let level = ack.unwrap_or_default();
    let asked = api.core().request(Request::Write {
        namespace,
        key,
        value,
        level,
    });
    let reply = tokio::time::timeout(WRITE_PATIENCE, asked)
        .await
        .map_err(|_| write::not_acknowledged())?
        .map_err(|_| Problem::stopping())?;
    match reply {
        Reply::Written { revision, warning } => {
            Ok(Json(written_view(&Written { revision, warning }, level)))
        }
        Reply::Refused(refusal) => Err(refusal.into()),
        Reply::Invited { .. }
        | Reply::Reach(_)
        | Reply::Forgotten
        | Reply::Compacting
        | Reply::Verified(_) => Err(Problem::busy()),
    }
}

fn written_view(written: &Written, level: AckLevel) -> serde_json::Value {
    let Written { revision, warning } = written;
    match warning {
        None => serde_json::json!({ "revision": revision, "ack": level }),
        Some(warning) => {
            serde_json::json!({ "revision": revision, "ack": level, "warning": warning })
        }
    }
}
