//! Values over HTTP: raw bytes in and out, or JSON with everything that is known of a value.

use crate::http::{
    Api,
    asked::{InPath, InQuery},
    problem::Problem,
    within_patience,
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        text::{Key, Namespace, TextError},
    },
    node::{
        contract::{Reply, Request},
        snapshot::{Conflict, Entry},
    },
    replication::write::AckLevel,
};
use std::{sync::Arc, time::Duration};

/// The largest value, in bytes. The core refuses what is larger too; here it is not even read.
const VALUE_BYTES_MAX: usize = 256 << 10;
/// How long a body may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How long a write may take until it is acknowledged; the core gives up earlier.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);
/// Keys on a page of a list unless the request says otherwise.
const PAGE: usize = 100;
/// The most keys on a page.
const PAGE_MAX: usize = 1_000;

/// Bytes in JSON: as text where they are text, as base64 otherwise.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ValueView {
    /// The value, if it is UTF-8.
    pub(crate) value: Option<String>,
    /// The value, if it is not.
    pub(crate) value_base64: Option<String>,
}

impl ValueView {
    pub(crate) fn of(value: Option<&Bytes>) -> Self {
        let text = value.map(|bytes| str::from_utf8(bytes));
        match text {
            Some(Ok(text)) => Self {
                value: Some(text.to_owned()),
                value_base64: None,
            },
            Some(Err(_)) => Self {
                value: None,
                value_base64: value.map(|bytes| STANDARD.encode(&**bytes)),
            },
            None => Self {
                value: None,
                value_base64: None,
            },
        }
    }
}

/// A losing write in JSON.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ConflictView {
    #[serde(flatten)]
    pub(crate) content: ValueView,
    pub(crate) deleted: bool,
    pub(crate) author: String,
    pub(crate) written_at_ms: u64,
}

impl ConflictView {
    fn of(conflict: &Conflict) -> Self {
        Self {
            content: ValueView::of(conflict.value.as_ref()),
            deleted: conflict.value.is_none(),
            author: conflict.author.to_string(),
            written_at_ms: conflict.written_at.as_millis(),
        }
    }
}

/// A value with everything that is known of it, in JSON.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct EntryView {
    pub(crate) namespace: String,
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) content: ValueView,
    pub(crate) deleted: bool,
    pub(crate) size: Option<usize>,
    pub(crate) author: String,
    pub(crate) written_at_ms: u64,
    pub(crate) conflicts: Vec<ConflictView>,
}

impl EntryView {
    /// The view of an entry.
    pub(crate) fn of(namespace: &Namespace, entry: &Entry) -> Self {
        Self {
            namespace: namespace.to_string(),
            key: entry.key.to_string(),
            content: ValueView::of(entry.value.as_ref()),
            deleted: entry.value.is_none(),
            size: entry.value.as_ref().map(|value| value.len()),
            author: entry.author.to_string(),
            written_at_ms: entry.written_at.as_millis(),
            conflicts: entry.conflicts.iter().map(ConflictView::of).collect(),
        }
    }
}

/// How a value is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Reading {
    format: Option<String>,
}

/// How a value is written.
#[derive(Debug, Deserialize)]
pub(crate) struct Writing {
    ack: Option<AckLevel>,
}

/// Which page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    prefix: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    namespace: String,
    entries: Vec<EntryView>,
    /// Where the next page starts; null on the last.
    cursor: Option<String>,
}

/// A namespace and how much is in it.
#[derive(Debug, Serialize)]
pub(crate) struct NamespaceView {
    namespace: String,
    keys: u64,
}

/// Reads a namespace from a path.
///
/// # Errors
/// When it is empty, too long or not printable.
pub(crate) fn namespace_of(text: &str) -> Result<Namespace, Problem> {
    Namespace::new(text).map_err(|error| bad_name("namespace", error))
}

fn key_of(text: &str) -> Result<Key, Problem> {
    Key::new(text).map_err(|error| bad_name("key", error))
}

fn bad_name(what: &str, error: TextError) -> Problem {
    Problem::bad_request(format!("The {what} is not valid: {error}."))
}

/// The namespaces with their number of keys.
pub(crate) async fn namespaces(
    State(api): State<Arc<Api>>,
) -> Result<Json<Vec<NamespaceView>>, Problem> {
    let all = within_patience(api.core().ask(|node, _| node.namespaces())).await?;
    let view = |(namespace, keys): &(Namespace, u64)| NamespaceView {
        namespace: namespace.to_string(),
        keys: *keys,
    };
    Ok(Json(all.iter().map(view).collect()))
}

/// A page of a namespace, in key order.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InPath(ns): InPath<String>,
    InQuery(page): InQuery<Page>,
) -> Result<Json<Listed>, Problem> {
    let namespace = namespace_of(&ns)?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let entries = within_patience(api.core().ask(move |node, _| {
        let prefix = page.prefix.as_deref().unwrap_or_default();
        node.list(&ns, prefix, page.cursor.as_deref(), limit)
    }))
    .await?;
    let cursor = entries
        .last()
        .filter(|_| entries.len() >= limit)
        .map(|entry| entry.key.to_string());
    Ok(Json(Listed {
        namespace: namespace.to_string(),
        entries: entries
            .iter()
            .map(|entry| EntryView::of(&namespace, entry))
            .collect(),
        cursor,
    }))
}

/// A value: its bytes, or with `?format=json` everything that is known of it.
pub(crate) async fn read(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(reading): InQuery<Reading>,
) -> Result<Response, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    let asked = (namespace.clone(), key.clone());
    let entry = within_patience(
        api.core()
            .ask(move |node, _| node.entry(&asked.0, &asked.1)),
    )
    .await?
    .ok_or_else(|| no_value(&namespace, &key))?;
    match reading.format.as_deref() {
        Some("json") => Ok(Json(EntryView::of(&namespace, &entry)).into_response()),
        None | Some("raw") => raw(&namespace, &entry),
        Some(_) => Err(Problem::bad_request("`format` is `raw` or `json`.")),
    }
}

fn no_value(namespace: &Namespace, key: &Key) -> Problem {
    Problem::not_found(format!("There is no value at {namespace}/{key}."))
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
    let mut response = Body::from(value.to_vec()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    };
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
    let value = read_body(&headers, body).await?;
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
    write(&api, namespace_of(&ns)?, key_of(&key)?, None, writing.ack).await
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

async fn read_body(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "value_too_large",
            format!("The value is too large; a value may have {VALUE_BYTES_MAX} bytes."),
        )
    };
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > VALUE_BYTES_MAX) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_PATIENCE, to_bytes(body, VALUE_BYTES_MAX)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_length_error(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::bad_request("The body did not arrive whole.")),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "The body took too long to arrive.",
        )),
    }
}

fn is_length_error(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(at) = cause {
        if at.to_string().contains("length limit") {
            return true;
        }
        cause = at.source();
    }
    false
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
        .map_err(|_| {
            Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "not_acknowledged",
                "The write was not acknowledged in time; it may still become durable.",
            )
        })?
        .map_err(|_| Problem::stopping())?;
    match reply {
        Reply::Written { revision } => Ok(Json(
            serde_json::json!({ "revision": revision, "ack": level }),
        )),
        Reply::Refused(refusal) => Err(refusal.into()),
        Reply::Invited { .. } | Reply::Reach(_) => Err(Problem::busy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shown_as_text_where_it_is_text() {
        let text = ValueView::of(Some(&b"caf\xc3\xa9".as_slice().into()));
        assert_eq!(
            (text.value.as_deref(), text.value_base64),
            (Some("café"), None)
        );
        let binary = ValueView::of(Some(&[0xff, 0x00].as_slice().into()));
        assert_eq!(
            (binary.value, binary.value_base64.as_deref()),
            (None, Some("/wA="))
        );
        let deleted = ValueView::of(None);
        assert_eq!((deleted.value, deleted.value_base64), (None, None));
    }
}
