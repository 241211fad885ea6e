//! A value as a line of JSON, the same for `export`, `import`, batches and savepoints:
//!
//! ```text
//! {"key": "note", "value": "sow"}
//! {"key": "photo", "value_base64": "/9j/"}
//! {"key": "visits", "type": "counter", "value": 42}
//! {"key": "tags", "type": "set", "value": ["a", "b"]}
//! {"key": "user", "type": "map", "value": {"name": "Ada"}, "value_base64": {"photo": "/9j/"}}
//! {"key": "beta", "type": "flag", "value": true}
//! {"key": "old", "deleted": true}
//! ```
//!
//! What a line names is written, what it does not name stays: a set gets elements, a map fields, and
//! no line takes any away. So a large set or map can stand on several lines.

use crate::values::kept::Kept;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use sporenet_core::{
    kernel::{bytes::Bytes, text::Key},
    replication::typed::Kind,
};
use std::{collections::BTreeMap, fmt};

/// The most elements or fields that a line may name. More on one line would take memory many times its
/// length.
const ELEMENTS_READ_MAX: usize = 10_000;
/// The most elements or fields that are written on one line.
pub(crate) const ELEMENTS_WRITTEN_MAX: usize = 1_000;
/// About how many bytes of fields are written on one line. JSON makes at most six of each, and a line
/// has to fit into a batch.
const BYTES_WRITTEN_MAX: usize = 1 << 20;

/// A line that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The namespace; only savepoints name it.
    pub(crate) namespace: Option<String>,
    /// The key.
    pub(crate) key: String,
    /// What is to be there; `None` deletes what is.
    pub(crate) kept: Option<Kept>,
}

/// A line that was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// The key, if that much was understood.
    pub(crate) key: Option<String>,
    /// Why not, as a sentence.
    pub(crate) reason: String,
}

/// A line as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    namespace: Option<String>,
    key: String,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    value: Option<Told>,
    value_base64: Option<Told>,
    #[serde(default)]
    deleted: bool,
}

/// The `value` of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Text(String),
    Number(i64),
    Switch(bool),
    List(Vec<String>),
    Fields(BTreeMap<String, String>),
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is not valid; says what would be.
    pub(crate) fn read(text: &[u8]) -> Result<Self, BadLine> {
        let written: Written = serde_json::from_slice(text).map_err(|error| BadLine {
            key: None,
            reason: not_valid(&error),
        })?;
        let (namespace, key) = (written.namespace.clone(), written.key.clone());
        match kept(written) {
            Ok(kept) => Ok(Self {
                namespace,
                key,
                kept,
            }),
            Err(reason) => Err(BadLine {
                key: Some(key),
                reason,
            }),
        }
    }
}

/// Why a line could not be read; the reader takes each line for the first of a text.
fn not_valid(error: &serde_json::Error) -> String {
    let said = error
        .to_string()
        .replace(" at line 1 column ", " at column ");
    format!("The line is not valid: {said}.")
}

fn kept(written: Written) -> Result<Option<Kept>, String> {
    let Written {
        kind,
        value,
        value_base64: base64,
        deleted,
        ..
    } = written;
    if deleted {
        return match (kind, value, base64) {
            (None, None, None) => Ok(None),
            (_, _, _) => Err("A line that deletes has a `key` and nothing else.".to_owned()),
        };
    }
    let kind = kind.unwrap_or_default();
    match (kind, value, base64) {
        (Kind::Register, value, base64) => Ok(Kept::Register(bytes(kind, value, base64)?)),
        (Kind::Multi, value, base64) => Ok(Kept::Multi(bytes(kind, value, base64)?)),
        (Kind::Map, value, base64) => fields(value, base64),
        (Kind::Counter | Kind::Set | Kind::Flag, _, Some(_)) => {
            Err(format!("A {kind} has no `value_base64`."))
        }
        (Kind::Counter, Some(Told::Number(number)), None) => Ok(Kept::Counter(number)),
        (Kind::Counter, _, None) => Err("The `value` of a counter is a whole number.".to_owned()),
        (Kind::Set, Some(Told::List(elements)), None) if !elements.is_empty() => {
            let elements = elements.iter().map(|element| part("element", element));
            Ok(Kept::Set(elements.collect::<Result<_, _>>()?))
        }
        (Kind::Set, _, None) => {
            Err("The `value` of a set is a list of texts, at least one.".to_owned())
        }
        (Kind::Flag, Some(Told::Switch(on)), None) => Ok(Kept::Flag(on)),
        (Kind::Flag, _, None) => Err("The `value` of a flag is true or false.".to_owned()),
    }
    .map(Some)
}

fn bytes(kind: Kind, value: Option<Told>, base64: Option<Told>) -> Result<Bytes, String> {
    match (value, base64) {
        (Some(Told::Text(text)), None) => Ok(text.into_bytes().into()),
        (None, Some(Told::Text(base64))) => decoded(&base64),
        (None, Some(_)) => Err("The `value_base64` is no text: write it in quotes.".to_owned()),
        (None, None) => Err("The line has no value: give `value` or `value_base64`.".to_owned()),
        (Some(_), Some(_)) => {
            Err("The line has two values: give `value` or `value_base64`.".to_owned())
        }
        (Some(_), None) if kind == Kind::Register => Err(
            "The `value` is no text: write it in quotes, or name its `type` (counter, set, map, flag)."
                .to_owned(),
        ),
        (Some(_), None) => Err("The `value` is no text: write it in quotes.".to_owned()),
    }
}

/// Bytes of base64.
///
/// # Errors
/// When it is none; says so.
pub(crate) fn decoded(base64: &str) -> Result<Bytes, String> {
    let bytes = STANDARD.decode(base64);
    bytes
        .map(Into::into)
        .map_err(|error| format!("The base64 is not valid: {error}."))
}

/// A text as the name of an element or field.
///
/// # Errors
/// When it can't be one; says why.
pub(crate) fn part(what: &str, text: &str) -> Result<Key, String> {
    // Long ones are not sent back whole.
    let shown: String = text.chars().take(64).collect();
    Key::new(text).map_err(|error| format!("The {what} `{shown}` is not valid: {error}."))
}

fn fields(value: Option<Told>, base64: Option<Told>) -> Result<Kept, String> {
    let texts = object("value", value)?;
    let mut all: BTreeMap<Key, Bytes> = BTreeMap::new();
    for (field, text) in texts {
        all.insert(part("field", &field)?, text.into_bytes().into());
    }
    for (field, base64) in object("value_base64", base64)? {
        let bytes = decoded(&base64)?;
        if all.insert(part("field", &field)?, bytes).is_some() {
            return Err(format!("The field `{field}` is there twice."));
        }
    }
    if all.is_empty() {
        return Err("The line names no field of the map.".to_owned());
    }
    Ok(Kept::Map(all))
}

fn object(what: &str, told: Option<Told>) -> Result<BTreeMap<String, String>, String> {
    match told {
        Some(Told::Fields(fields)) => Ok(fields),
        None => Ok(BTreeMap::new()),
        Some(_) => Err(format!("The `{what}` of a map is an object of texts.")),
    }
}

/// The lines that hold a value: one, or several where a set or map has many elements. Plain values say
/// their type only where all types are `named`.
pub(crate) fn lines(namespace: Option<&str>, key: &str, kept: &Kept, named: bool) -> Vec<Value> {
    let line = |more: Vec<(&str, Value)>| {
        let mut line = Map::new();
        if let Some(namespace) = namespace {
            line.insert("namespace".to_owned(), namespace.into());
        }
        line.insert("key".to_owned(), key.into());
        if named || kept.kind() != Kind::Register {
            line.insert("type".to_owned(), kept.kind().name().into());
        }
        for (name, value) in more {
            line.insert(name.to_owned(), value);
        }
        Value::Object(line)
    };
    match kept {
        Kept::Register(bytes) | Kept::Multi(bytes) => vec![line(vec![shown(bytes)])],
        Kept::Counter(number) => vec![line(vec![("value", (*number).into())])],
        Kept::Flag(on) => vec![line(vec![("value", (*on).into())])],
        Kept::Set(elements) => {
            let elements: Vec<&Key> = elements.iter().collect();
            let chunks = elements.chunks(ELEMENTS_WRITTEN_MAX);
            chunks
                .map(|chunk| line(vec![("value", serde_json::json!(chunk))]))
                .collect()
        }
        Kept::Map(fields) => in_parts(fields)
            .into_iter()
            .map(|part| {
                let (texts, base64) = split(part);
                let mut more = vec![("value", Value::Object(texts))];
                if !base64.is_empty() {
                    more.push(("value_base64", Value::Object(base64)));
                }
                line(more)
            })
            .collect(),
    }
}

fn shown(bytes: &Bytes) -> (&'static str, Value) {
    match str::from_utf8(bytes) {
        Ok(text) => ("value", text.into()),
        Err(_) => ("value_base64", STANDARD.encode(&**bytes).into()),
    }
}

/// Fields in parts that each fit on a line.
fn in_parts(fields: &BTreeMap<Key, Bytes>) -> Vec<Vec<(&Key, &Bytes)>> {
    let mut parts: Vec<Vec<(&Key, &Bytes)>> = Vec::new();
    let mut bytes = 0_usize;
    for (field, value) in fields {
        let size = field.len().saturating_add(value.len());
        bytes = bytes.saturating_add(size);
        match parts.last_mut() {
            Some(part) if part.len() < ELEMENTS_WRITTEN_MAX && bytes <= BYTES_WRITTEN_MAX => {
                part.push((field, value));
            }
            Some(_) | None => {
                parts.push(vec![(field, value)]);
                bytes = size;
            }
        }
    }
    parts
}

/// Fields that are text, and those that are not.
fn split(fields: Vec<(&Key, &Bytes)>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut texts, mut base64) = (Map::new(), Map::new());
    for (field, value) in fields {
        match shown(value) {
            ("value", text) => texts.insert(field.to_string(), text),
            (_, encoded) => base64.insert(field.to_string(), encoded),
        };
    }
    (texts, base64)
}

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ToldVisitor)
    }
}

struct ToldVisitor;

impl<'de> Visitor<'de> for ToldVisitor {
    type Value = Told;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, true, false, a list of texts or an object of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Told, E> {
        Ok(Told::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Told, E> {
        Ok(Told::Text(text))
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<Told, E> {
        Ok(Told::Switch(on))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Told, E> {
        Ok(Told::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Told, E> {
        let max = i64::MAX;
        i64::try_from(number)
            .map(Told::Number)
            .map_err(|_| E::custom(format!("a counter goes up to {max}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Told, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() >= ELEMENTS_READ_MAX {
                return Err(too_long());
            }
            list.push(item);
        }
        Ok(Told::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, items: A) -> Result<Told, A::Error> {
        read_fields(items).map(Told::Fields)
    }
}

fn read_fields<'de, A: MapAccess<'de>>(mut items: A) -> Result<BTreeMap<String, String>, A::Error> {
    let mut fields = BTreeMap::new();
    while let Some((field, text)) = items.next_entry::<String, String>()? {
        if fields.len() >= ELEMENTS_READ_MAX {
            return Err(too_long());
        }
        if fields.insert(field.clone(), text).is_some() {
            return Err(A::Error::custom(format!(
                "the field `{field}` is there twice"
            )));
        }
    }
    Ok(fields)
}

fn too_long<E: Error>() -> E {
    E::custom(format!(
        "a line names at most {ELEMENTS_READ_MAX} elements; write the rest on another line"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> Result<Option<Kept>, String> {
        let line = Line::read(text.as_bytes());
        line.map(|line| line.kept).map_err(|bad| bad.reason)
    }

    fn named(name: &str) -> Key {
        Key::new(name).unwrap()
    }

    #[test]
    fn a_value_of_each_kind_is_read_back_from_its_line() {
        let fields = [("name", &b"Ada"[..]), ("photo", &[0xff])];
        let fields = fields.map(|(field, value)| (named(field), Bytes::from(value)));
        for kept in [
            Kept::Register(Bytes::from(&b"text"[..])),
            Kept::Register(Bytes::from(&[0xff, 0][..])),
            Kept::Multi(Bytes::from(&b""[..])),
            Kept::Counter(-7),
            Kept::Counter(i64::MAX),
            Kept::Set([named("a"), named("b")].into()),
            Kept::Map(fields.into()),
            Kept::Flag(false),
        ] {
            let lines = lines(Some("app"), "key", &kept, false);
            let line = Line::read(lines[0].to_string().as_bytes()).unwrap();
            assert_eq!((lines.len(), line.kept), (1, Some(kept)));
            assert_eq!(line.namespace.as_deref(), Some("app"));
        }
    }

    #[test]
    fn many_elements_stand_on_several_lines() {
        let many = (0..=ELEMENTS_WRITTEN_MAX).map(|number| named(&number.to_string()));
        assert_eq!(lines(None, "k", &Kept::Set(many.collect()), false).len(), 2);
        let large = Bytes::from(vec![b'x'; BYTES_WRITTEN_MAX / 2]);
        let fields = ["a", "b", "c"].map(|field| (named(field), large.clone()));
        assert_eq!(lines(None, "k", &Kept::Map(fields.into()), false).len(), 3);
    }

    #[test]
    fn a_line_that_makes_no_sense_says_what_would() {
        for (text, word) in [
            ("", "not valid"),
            ("{\"key\":\"k\"", "at column 10"),
            (r#"{"value":"v"}"#, "`key`"),
            (r#"{"key":"k","valu":"v"}"#, "`valu`"),
            (r#"{"key":"k"}"#, "`value` or `value_base64`"),
            (r#"{"key":"k","value":1}"#, "`type`"),
            (
                r#"{"key":"k","value":1.5,"type":"counter"}"#,
                "a whole number",
            ),
            (
                r#"{"key":"k","value":9223372036854775808,"type":"counter"}"#,
                "goes up to",
            ),
            (
                r#"{"key":"k","value":"1","type":"counter"}"#,
                "a whole number",
            ),
            (r#"{"key":"k","value":[],"type":"set"}"#, "at least one"),
            (r#"{"key":"k","value":[1],"type":"set"}"#, "a string"),
            (r#"{"key":"k","value":{},"type":"map"}"#, "names no field"),
            (r#"{"key":"k","value":"on","type":"flag"}"#, "true or false"),
            (r#"{"key":"k","value":"v","type":"tree"}"#, "`tree`"),
            (r#"{"key":"k","value_base64":"?"}"#, "base64"),
            (
                r#"{"key":"k","value":"v","value_base64":"dg=="}"#,
                "two values",
            ),
            (r#"{"key":"k","value":"v","deleted":true}"#, "nothing else"),
            (
                r#"{"key":"k","value":1,"value_base64":"dg==","type":"counter"}"#,
                "`value_base64`",
            ),
        ] {
            let reason = reads(text).unwrap_err();
            assert!(reason.contains(word), "{text}: {reason}");
        }
        let bad = Line::read(br#"{"key":"k","value":1}"#).unwrap_err();
        assert_eq!(bad.key.as_deref(), Some("k"));
    }

    #[test]
    fn a_line_can_delete() {
        assert_eq!(reads(r#"{"key":"k","deleted":true}"#), Ok(None));
    }

    #[test]
    fn a_plain_value_says_its_type_only_where_all_do() {
        let kept = Kept::Register(Bytes::from(&b"v"[..]));
        assert_eq!(
            lines(None, "k", &kept, false)[0].to_string(),
            r#"{"key":"k","value":"v"}"#
        );
        assert_eq!(lines(None, "k", &kept, true)[0]["type"], "register");
    }
}
