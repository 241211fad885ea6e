//! Changes of counters, sets, maps, flags and multi-value registers, and pages of their parts.

use crate::{
    http::{
        Api,
        asked::{InPath, InQuery, read_body},
        entries::PartView,
        kv::{Writing, key_of, namespace_of},
        listing::limit_of,
        problem::Problem,
        within_patience,
    },
    values::{
        kept::{self, Kept},
        line::{decoded, part},
        write::{self, Wanted, Wish, Written, inserts, puts, removes},
    },
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        text::{Key, Namespace},
    },
    node::snapshot::Kind,
    replication::typed::Change,
};
use std::{collections::BTreeMap, sync::Arc};

/// The largest body, in bytes: JSON makes at most six of each byte of the largest value.
const BODY_BYTES_MAX: usize = 2 << 20;
/// The most operations of a request.
const OPERATIONS_MAX: usize = 64;
/// The most elements or fields of an operation.
const ITEMS_MAX: usize = 10_000;

/// A change as it is asked for.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Operation {
    /// Adds to a counter.
    Incr {
        #[serde(default = "one")]
        by: i64,
    },
    /// Puts elements into a set.
    Sadd { elements: Vec<String> },
    /// Takes elements out of a set.
    Srem { elements: Vec<String> },
    /// Writes fields of a map.
    Hset {
        #[serde(default)]
        fields: BTreeMap<String, String>,
        #[serde(default)]
        fields_base64: BTreeMap<String, String>,
    },
    /// Deletes fields of a map.
    Hdel { fields: Vec<String> },
    /// Turns a flag on or off.
    Flag { on: bool },
    /// Writes a multi-value register.
    Put {
        value: Option<String>,
        value_base64: Option<String>,
    },
}

const fn one() -> i64 {
    1
}

impl Operation {
    fn changes(self) -> Result<Vec<Change>, String> {
        match self {
            Self::Incr { by } => Ok(vec![Change::Add(by)]),
            Self::Flag { on } => Ok(vec![Change::Flag(on)]),
            Self::Sadd { elements } => Ok(inserts(parts("element", &elements)?)),
            Self::Srem { elements } => Ok(removes(parts("element", &elements)?)),
            Self::Hdel { fields } => {
                let gone = parts("field", &fields)?.into_iter();
                Ok(puts(gone.map(|field| (field, None))))
            }
            Self::Hset {
                fields,
                fields_base64,
            } => {
                let count = fields.len().saturating_add(fields_base64.len());
                check("field", count)?;
                let mut all: Vec<(Key, Option<Bytes>)> = Vec::with_capacity(count);
                for (field, text) in fields {
                    if fields_base64.contains_key(&field) {
                        return Err(format!("The field `{field}` is there twice."));
                    }
                    all.push((part("field", &field)?, Some(text.into_bytes().into())));
                }
                for (field, base64) in fields_base64 {
                    all.push((part("field", &field)?, Some(decoded(&base64)?)));
                }
                Ok(puts(all))
            }
            Self::Put {
                value,
                value_base64,
            } => {
                let bytes = match (value, value_base64) {
                    (Some(text), None) => text.into_bytes().into(),
                    (None, Some(base64)) => decoded(&base64)?,
                    (None, None) | (Some(_), Some(_)) => {
                        return Err("Give one of `value` and `value_base64`.".to_owned());
                    }
                };
                Ok(vec![Change::Multi(bytes)])
            }
        }
    }
}

fn check(what: &str, count: usize) -> Result<(), String> {
    if (1..=ITEMS_MAX).contains(&count) {
        return Ok(());
    }
    Err(format!("An operation names 1 to {ITEMS_MAX} {what}s."))
}

fn parts(what: &str, names: &[String]) -> Result<Vec<Key>, String> {
    check(what, names.len())?;
    names.iter().map(|name| part(what, name)).collect()
}

/// Reads one operation, or a list of them.
fn operations(body: &[u8]) -> Result<Vec<Operation>, Problem> {
    let is_list = body.trim_ascii_start().starts_with(b"[");
    let all = if is_list {
        read::<Vec<Operation>>(body)?
    } else {
        vec![read(body)?]
    };
    if all.is_empty() || all.len() > OPERATIONS_MAX {
        return Err(Problem::bad_request(format!(
            "A request has 1 to {OPERATIONS_MAX} operations."
        )));
    }
    Ok(all)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("The body is not valid: {error}.")))
}

/// `POST /api/v1/kv/{ns}/{key}`.
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(writing): InQuery<Writing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    let operations = operations(&body_of(&headers, body).await?)?;
    let many = operations.len();
    let mut all = Vec::with_capacity(many);
    for (index, operation) in operations.into_iter().enumerate() {
        // All are checked before the first is done.
        let changes = operation.changes().map_err(Problem::bad_request);
        all.push(changes.map_err(|problem| numbered(problem, index, many))?);
    }
    make(&api, &namespace, &key, all, writing).await
}

/// `PATCH /api/v1/kv/{ns}/{key}`: a map's fields, null deletes one.
pub(crate) async fn patch(
    State(api): State<Arc<Api>>,
    InPath((ns, key)): InPath<(String, String)>,
    InQuery(writing): InQuery<Writing>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let (namespace, key) = (namespace_of(&ns)?, key_of(&key)?);
    let fields: BTreeMap<String, Option<String>> = read(&body_of(&headers, body).await?)?;
    check("field", fields.len()).map_err(Problem::bad_request)?;
    let fields = fields.into_iter().map(|(field, text)| {
        let value = text.map(|text| text.into_bytes().into());
        Ok((part("field", &field)?, value))
    });
    let fields: Result<Vec<_>, String> = fields.collect();
    let changes = puts(fields.map_err(Problem::bad_request)?);
    make(&api, &namespace, &key, vec![changes], writing).await
}

async fn body_of(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Problem> {
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("The body is too large; it may have {BODY_BYTES_MAX} bytes."),
        )
    };
    read_body(headers, body, BODY_BYTES_MAX, too_large).await
}

fn numbered(mut problem: Problem, index: usize, many: usize) -> Problem {
    if many > 1 {
        let number = index.saturating_add(1);
        problem.detail = format!("Operation {number} of {many}: {}", problem.detail);
    }
    problem
}

/// Makes changes one after another.
async fn make(
    api: &Api,
    namespace: &Namespace,
    key: &Key,
    all: Vec<Vec<Change>>,
    writing: Writing,
) -> Result<Json<Value>, Problem> {
    let level = writing.ack.unwrap_or_default();
    let many = all.len();
    let (mut done, mut kind) = (Written::default(), Kind::Register);
    for (index, changes) in all.into_iter().enumerate() {
        kind = changes.first().map_or(kind, Change::kind);
        let wish = Wish {
            namespace: namespace.clone(),
            key: key.clone(),
            wanted: Wanted::Changed(changes),
        };
        let outcome = write::one(api.core(), wish, level).await;
        let mut written = outcome.map_err(|mut problem| {
            if index > 0 {
                problem.detail.push_str(" Those before it are done.");
            }
            numbered(problem, index, many)
        })?;
        written.warning = written.warning.or_else(|| done.warning.take());
        done = written;
    }
    let value = match kept::read(api.core(), namespace, key)
        .await?
        .map(|current| current.kept)
    {
        Some(Kept::Counter(number)) => number.into(),
        Some(Kept::Flag(on)) => on.into(),
        Some(Kept::Register(_) | Kept::Multi(_) | Kept::Set(_) | Kept::Map(_)) | None => {
            Value::Null
        }
    };
    let mut answer = json!({
        "revision": done.revision,
        "ack": level,
        "type": kind,
        "value": value,
    });
    if let (Some(answer), Some(warning)) = (answer.as_object_mut(), done.warning) {
        answer.insert("warning".to_owned(), warning.into());
    }
    Ok(Json(answer))
}

/// A page of parts.
#[derive(Debug, Serialize)]
struct Page<'a> {
    namespace: &'a str,
    key: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    parts: Vec<PartView<'a>>,
    cursor: Option<&'a str>,
}

/// `GET /api/v1/kv/{ns}/{key}?format=parts`.
///
/// # Errors
/// When there is nothing, or something without parts.
pub(crate) async fn page(
    api: &Api,
    namespace: Namespace,
    key: Key,
    cursor: Option<String>,
    limit: Option<usize>,
) -> Result<Response, Problem> {
    let limit = limit_of(limit)?;
    let asked = (namespace.clone(), key.clone());
    let question = api.core().ask(move |node, _| {
        let page = node.parts(&asked.0, &asked.1, cursor.as_deref(), limit);
        let entry = node.entry(&asked.0, &asked.1);
        (page, entry.filter(|entry| entry.value.is_some()))
    });
    let (page, entry) = within_patience(question).await?;
    match (page, entry) {
        (Some(page), _) => {
            let parts = page.parts.iter();
            let answer = Page {
                namespace: &namespace,
                key: &key,
                kind: page.kind,
                parts: parts.map(|(part, view)| PartView::of(part, view)).collect(),
                cursor: page.next.as_deref(),
            };
            api.room.json(&answer).await
        }
        (None, Some(entry)) => Err(Problem::new(
            StatusCode::CONFLICT,
            "other_kind",
            format!(
                "The key holds a {}, which has no parts.",
                entry.content.kind()
            ),
        )),
        (None, None) => Err(Problem::not_found(format!(
            "There is no value at {namespace}/{key}."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_one_or_several_changes() {
        let one = operations(br#"{"op":"incr"}"#).unwrap();
        assert_eq!(one, [Operation::Incr { by: 1 }]);
        let many = operations(br#" [{"op":"incr","by":-3},{"op":"flag","on":true}]"#).unwrap();
        let changes: Vec<_> = many.into_iter().map(|one| one.changes().unwrap()).collect();
        assert_eq!(changes, [vec![Change::Add(-3)], vec![Change::Flag(true)]]);
        let elements: Vec<String> = (0..130).map(|number| number.to_string()).collect();
        assert_eq!(Operation::Sadd { elements }.changes().unwrap().len(), 3);
    }

    #[test]
    fn an_operation_that_makes_no_sense_is_refused() {
        for (text, word) in [
            ("", "not valid"),
            ("[]", "1 to 64"),
            (r#"{"op":"grow"}"#, "`grow`"),
            (r#"{"op":"incr","by":1.5}"#, "not valid"),
            (r#"{"op":"incr","from":1}"#, "`from`"),
        ] {
            let refused = operations(text.as_bytes()).unwrap_err();
            assert!(refused.detail.contains(word), "{text}: {}", refused.detail);
        }
        for (text, word) in [
            (r#"{"op":"sadd","elements":[]}"#, "1 to 10000"),
            (r#"{"op":"hset"}"#, "1 to 10000"),
            (
                r#"{"op":"hset","fields":{"a":"1"},"fields_base64":{"a":"MQ=="}}"#,
                "twice",
            ),
            (r#"{"op":"put"}"#, "one of"),
            (r#"{"op":"hdel","fields":[""]}"#, "not valid"),
        ] {
            let operation = operations(text.as_bytes()).unwrap().remove(0);
            let refused = operation.changes().unwrap_err();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }
}
