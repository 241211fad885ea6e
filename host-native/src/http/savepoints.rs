//! Savepoints over HTTP: making, listing and deleting them, what changed since, and going back.

use crate::{
    http::{
        Api,
        answer::of_type,
        asked::{InPath, InQuery, Nothing, read_json},
        kv::namespace_of,
        listing::NDJSON,
        problem::Problem,
        who::{Act, Who},
    },
    values::{
        compare::{Comparison, Difference, NotBack, bring_back},
        kept::Kept,
        line,
        savepoint::Savepoint,
    },
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::HeaderMap,
    response::Response,
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sporenet_core::node::snapshot::Kind;
use std::{io, sync::Arc};
use tokio::sync::mpsc;

/// How many elements or fields, and how many bytes, are shown of each side of a difference.
const SHOWN: (usize, usize) = (20, 256);
/// How many parts of an answer wait for the client.
const PARTS_MAX: usize = 4;

/// A savepoint as it is listed.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct View {
    name: String,
    created_at_ms: u64,
    namespaces: Option<Vec<String>>,
    keys: u64,
    bytes: u64,
}

impl From<Savepoint> for View {
    fn from(savepoint: Savepoint) -> Self {
        let named = savepoint
            .namespaces
            .map(|named| named.iter().map(ToString::to_string).collect());
        Self {
            name: savepoint.name,
            created_at_ms: savepoint.created_at_ms,
            namespaces: named,
            keys: savepoint.keys,
            bytes: savepoint.bytes,
        }
    }
}

/// `GET /api/v1/savepoints`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Vec<View>>, Problem> {
    let all = api.disk.savepoints.list().await?;
    Ok(Json(all.into_iter().map(View::from).collect()))
}

/// A savepoint that is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    name: String,
    namespaces: Option<Vec<String>>,
}

/// `POST /api/v1/savepoints`.
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    who: Who,
    InQuery(Nothing {}): InQuery<Nothing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<View>, Problem> {
    let wanted: Wanted = read_json(&headers, body).await?.ok_or_else(|| {
        Problem::bad_request(
            "The body is missing; it is `{\"name\": \"NAME\", \"namespaces\": […]}`.",
        )
    })?;
    let named = wanted.namespaces.map(|named| {
        let named = named.iter().map(|name| namespace_of(name));
        named.collect::<Result<Vec<_>, _>>()
    });
    let named = named.transpose()?;
    let turn = api.disk.savepoints.turn().await;
    let made = api
        .disk
        .savepoints
        .create(api.core(), &wanted.name, named)
        .await;
    drop(turn);
    api.audit(&who, act("savepoint_create", &wanted.name), &made);
    made.map(|savepoint| Json(savepoint.into()))
}

fn act(action: &'static str, name: &str) -> Act {
    Act {
        action,
        node: None,
        detail: name.to_owned(),
    }
}

/// `DELETE /api/v1/savepoints/{name}`.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    who: Who,
    InPath(name): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Json<Value>, Problem> {
    let turn = api.disk.savepoints.turn().await;
    let gone = api.disk.savepoints.delete(&name).await;
    drop(turn);
    api.audit(&who, act("savepoint_delete", &name), &gone);
    gone.map(|()| Json(json!({ "deleted": name })))
}

/// `GET /api/v1/savepoints/{name}/diff`.
pub(crate) async fn diff(
    State(api): State<Arc<Api>>,
    InPath(name): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    let savepoint = api.disk.savepoints.get(&name).await?;
    let comparison = Comparison::new(api.core().clone(), &api.disk.savepoints, savepoint);
    let work = (api, comparison, Counts::default());
    let pieces = stream::unfold(Some(work), |work| async move {
        let (api, mut comparison, mut counts) = work?;
        let told = async {
            let Some(differences) = comparison.next().await? else {
                let last = [counts.summary()];
                return Ok((api.room.render(&last, "\n").await?.into_bytes(), false));
            };
            counts.add(&differences);
            let lines: Vec<Value> = differences.iter().map(shown).collect();
            Ok::<_, Problem>((api.room.render(&lines, "\n").await?.into_bytes(), true))
        };
        match told.await {
            Ok((piece, true)) => Some((Ok(piece), Some((api, comparison, counts)))),
            Ok((piece, false)) => Some((Ok(piece), None)),
            // The answer breaks off before its last line.
            Err(problem) => Some((Err(io::Error::other(problem.detail)), None)),
        }
    });
    Ok(of_type(NDJSON, Body::from_stream(pieces)))
}

/// How many keys differ, and how.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    changed: u64,
    deleted: u64,
    new: u64,
}

impl Counts {
    fn add(&mut self, differences: &[Difference]) {
        for one in differences {
            let counted = match word(one) {
                "new" => &mut self.new,
                "deleted" => &mut self.deleted,
                _ => &mut self.changed,
            };
            *counted = counted.saturating_add(1);
        }
    }

    fn summary(self) -> Value {
        json!({ "done": true, "changed": self.changed, "deleted": self.deleted, "new": self.new })
    }
}

/// What happened to a key since.
const fn word(difference: &Difference) -> &'static str {
    match (&difference.was, &difference.is) {
        (None, _) => "new",
        (Some(_), None) => "deleted",
        (Some(_), Some(_)) => "changed",
    }
}

fn shown(difference: &Difference) -> Value {
    json!({
        "namespace": &*difference.namespace,
        "key": &*difference.key,
        "change": word(difference),
        "was": difference.was.as_ref().map(side),
        "is": difference.is.as_ref().map(side),
    })
}

/// One side of a difference: a type and the beginning of a value.
fn side(kept: &Kept) -> Value {
    let (items, bytes) = SHOWN;
    let (begin, truncated) = match kept {
        Kept::Register(value) | Kept::Multi(value) => {
            let begin = value.get(..bytes).unwrap_or(value);
            // No character is cut.
            let begin = match str::from_utf8(begin) {
                Err(error) if error.error_len().is_none() => {
                    begin.get(..error.valid_up_to()).unwrap_or(begin)
                }
                Ok(_) | Err(_) => begin,
            };
            let is_cut = begin.len() < value.len();
            let begin = begin.into();
            let begin = match kept.kind() {
                Kind::Multi => Kept::Multi(begin),
                Kind::Register | Kind::Counter | Kind::Set | Kind::Map | Kind::Flag => {
                    Kept::Register(begin)
                }
            };
            (begin, is_cut)
        }
        Kept::Set(elements) => {
            let begin = elements.iter().take(items).cloned().collect();
            (Kept::Set(begin), elements.len() > items)
        }
        Kept::Map(fields) => {
            let mut is_cut = fields.len() > items;
            let begin = fields.iter().take(items).map(|(field, value)| {
                let begin = value.get(..bytes).unwrap_or(value);
                is_cut |= begin.len() < value.len();
                (field.clone(), begin.into())
            });
            (Kept::Map(begin.collect()), is_cut)
        }
        Kept::Counter(_) | Kept::Flag(_) => (kept.clone(), false),
    };
    let mut lines = line::lines(None, "", &begin, true);
    let mut side = lines.pop().unwrap_or_default();
    if let Some(side) = side.as_object_mut() {
        side.remove("key");
        side.insert("truncated".to_owned(), truncated.into());
    }
    side
}

/// `POST /api/v1/savepoints/{name}/rollback`.
pub(crate) async fn rollback(
    State(api): State<Arc<Api>>,
    who: Who,
    InPath(name): InPath<String>,
    InQuery(Nothing {}): InQuery<Nothing>,
) -> Result<Response, Problem> {
    let turn = api.disk.savepoints.turn().await;
    let begun = async {
        let savepoint = api.disk.savepoints.get(&name).await?;
        let before = api.disk.savepoints.free_name(&name).await?;
        let named = savepoint.namespaces.clone();
        api.disk
            .savepoints
            .create(api.core(), &before, named)
            .await?;
        Ok((savepoint, before))
    };
    let begun: Result<_, Problem> = begun.await;
    if begun.is_err() {
        api.audit(&who, act("savepoint_rollback", &name), &begun);
    }
    let (savepoint, before) = begun?;
    let (sender, parts) = mpsc::channel(PARTS_MAX);
    // On a task of its own: a client that goes away does not leave half of it undone.
    tokio::spawn(async move {
        let done = go_back(&api, savepoint, &before, &sender).await;
        let detail = format!("{name}; what was there before is {before}");
        api.audit(&who, act("savepoint_rollback", &detail), &done);
        if let Err(problem) = done {
            // An error says that nobody waits for it.
            let _ = sender.send(Err(io::Error::other(problem.detail))).await;
        }
        drop(turn);
    });
    let pieces = stream::unfold(parts, |mut parts| async move {
        let part: io::Result<Bytes> = parts.recv().await?;
        Some((part, parts))
    });
    Ok(of_type(NDJSON, Body::from_stream(pieces)))
}

async fn go_back(
    api: &Api,
    savepoint: Savepoint,
    before: &str,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Problem> {
    let name = savepoint.name.clone();
    let mut comparison = Comparison::new(api.core().clone(), &api.disk.savepoints, savepoint);
    let (mut counts, mut written, mut refused) = (Counts::default(), 0_u64, 0_u64);
    while let Some(differences) = comparison.next().await? {
        if differences.is_empty() {
            continue;
        }
        counts.add(&differences);
        let (back, not_back) = bring_back(api.core(), differences).await;
        written = written.saturating_add(back);
        refused = refused.saturating_add(u64::try_from(not_back.len()).unwrap_or(u64::MAX));
        let mut lines: Vec<Value> = not_back.iter().map(told).collect();
        lines.push(json!({ "written": written, "refused": refused }));
        tell(api, &lines, sender).await?;
    }
    tracing::info!(
        code = "savepoint_rollback",
        name,
        before,
        written,
        refused,
        "what a savepoint has is there again"
    );
    let mut last = counts.summary();
    if let Some(last) = last.as_object_mut() {
        last.insert("savepoint".to_owned(), name.into());
        last.insert("before".to_owned(), before.into());
        last.insert("written".to_owned(), written.into());
        last.insert("refused".to_owned(), refused.into());
    }
    tell(api, &[last], sender).await
}

async fn tell(
    api: &Api,
    lines: &[Value],
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), Problem> {
    if !sender.is_closed() {
        let rendered = api.room.render(lines, "\n").await?;
        // An error says that nobody waits for it.
        let _ = sender.send(Ok(rendered.into_bytes())).await;
    }
    Ok(())
}

fn told(not_back: &NotBack) -> Value {
    json!({
        "namespace": &*not_back.namespace,
        "key": &*not_back.key,
        "code": not_back.problem.code,
        "detail": not_back.problem.detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_of_a_difference_is_short_and_cuts_no_character() {
        let long = "é".repeat(200);
        let shown = side(&Kept::Register(format!("a{long}").into_bytes().into()));
        let expected = format!("a{}", "é".repeat(127));
        assert_eq!(shown["value"], expected.as_str());
        assert_eq!(
            (&shown["type"], &shown["truncated"]),
            (&json!("register"), &json!(true))
        );
        let shown = side(&Kept::Counter(-7));
        let expected = json!({ "type": "counter", "value": -7, "truncated": false });
        assert_eq!(shown, expected);
    }
}
