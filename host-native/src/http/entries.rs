//! Values in JSON, with everything that is known of them. They borrow from what the core handed over:
//! nothing is copied before it is rendered.

use base64::{display::Base64Display, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, Serializer};
use sporenet_core::{
    kernel::{
        bytes::Bytes,
        id::NodeId,
        text::{Key, Namespace},
    },
    node::snapshot::{Conflict, Content, Entry, Kind},
    replication::{crdt::register::Version, typed::FieldView},
};
use std::collections::BTreeMap;

/// How many bytes a preview shows of a value: more than a line of a list.
const PREVIEW_BYTES: usize = 256;

/// How much of each value an answer shows.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Values {
    /// Keys alone.
    None,
    /// The beginning.
    Preview,
    /// All of it.
    #[default]
    Full,
}

impl Values {
    /// The most bytes of a value that are shown.
    pub(crate) const fn bytes_max(self) -> usize {
        match self {
            Self::None => 0,
            Self::Preview => PREVIEW_BYTES,
            Self::Full => usize::MAX,
        }
    }
}

/// A value in JSON: bytes as text where they are text, as base64 otherwise; typed ones as what they are.
#[derive(Debug, Serialize)]
struct ValueView<'a> {
    /// The value, or what of it is text.
    value: Option<Plain<'a>>,
    /// The value, or the fields of it, that are no text.
    value_base64: Option<Encoded<'a>>,
    /// Whether that is not all of it.
    truncated: bool,
}

/// What JSON has a form for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Plain<'a> {
    Text(&'a str),
    Number(i64),
    Switch(bool),
    List(&'a [Key]),
    Fields(BTreeMap<&'a str, &'a str>),
}

/// What JSON has no form for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Encoded<'a> {
    Bytes(Base64<'a>),
    Fields(BTreeMap<&'a str, Base64<'a>>),
}

impl<'a> ValueView<'a> {
    fn of(value: Option<&'a Bytes>, values: Values) -> Self {
        let whole: &[u8] = value.map_or(&[], |value| value);
        let start = whole.get(..values.bytes_max()).unwrap_or(whole);
        let truncated = start.len() < whole.len();
        let (mut text, mut base64) = (None, None);
        if value.is_some() && values != Values::None {
            match str::from_utf8(start) {
                Ok(start) => text = Some(start),
                // Cut in the middle of a character: still text.
                Err(error) if truncated && error.error_len().is_none() => {
                    let start = start.get(..error.valid_up_to()).unwrap_or_default();
                    text = str::from_utf8(start).ok();
                }
                Err(_) => base64 = Some(Base64(start)),
            }
        }
        Self {
            value: text.map(Plain::Text),
            value_base64: base64.map(Encoded::Bytes),
            truncated,
        }
    }

    /// The view of what a key holds.
    fn of_content(entry: &'a Entry, values: Values) -> Self {
        let plain = |value, truncated| Self {
            value: Some(value),
            value_base64: None,
            truncated,
        };
        if values == Values::None {
            return Self::of(entry.value.as_ref(), values);
        }
        match &entry.content {
            Content::Register | Content::Multi { .. } => Self::of(entry.value.as_ref(), values),
            Content::Counter {
                value, saturated, ..
            } => plain(Plain::Number(*value), *saturated),
            Content::Flag { on } => plain(Plain::Switch(*on), false),
            Content::Set { elements, total } => {
                let sizes = elements.iter().map(|element| element.len());
                let shown = fitting(sizes, values);
                let begin = elements.get(..shown).unwrap_or_default();
                plain(Plain::List(begin), is_less(shown, *total))
            }
            Content::Map { fields, total } => {
                let sizes = fields.iter();
                let sizes = sizes.map(|(field, view)| field.len().saturating_add(view.value.len()));
                let shown = fitting(sizes, values);
                let (mut texts, mut others) = (BTreeMap::new(), BTreeMap::new());
                for (field, view) in fields.iter().take(shown) {
                    match str::from_utf8(&view.value) {
                        Ok(text) => {
                            texts.insert(&**field, text);
                        }
                        Err(_) => {
                            others.insert(&**field, Base64(&view.value));
                        }
                    }
                }
                Self {
                    value: Some(Plain::Fields(texts)),
                    value_base64: (!others.is_empty()).then_some(Encoded::Fields(others)),
                    truncated: is_less(shown, *total),
                }
            }
        }
    }
}

/// How many items are shown.
fn fitting(sizes: impl Iterator<Item = usize>, values: Values) -> usize {
    let mut bytes = 0_usize;
    sizes
        .take_while(|size| {
            bytes = bytes.saturating_add(*size);
            bytes <= values.bytes_max()
        })
        .count()
}

fn is_less(shown: usize, total: u64) -> bool {
    u64::try_from(shown).is_ok_and(|shown| shown < total)
}

#[derive(Debug)]
struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// A losing write in JSON.
#[derive(Debug, Serialize)]
struct ConflictView<'a> {
    #[serde(flatten)]
    content: ValueView<'a>,
    deleted: bool,
    author: Shown,
    written_at_ms: u64,
}

impl<'a> ConflictView<'a> {
    fn of(conflict: &'a Conflict, values: Values) -> Self {
        Self {
            content: ValueView::of(conflict.value.as_ref(), values),
            deleted: conflict.value.is_none(),
            author: Shown(conflict.author),
            written_at_ms: conflict.written_at.as_millis(),
        }
    }

    /// One of several values that stand side by side.
    fn of_version(version: &'a Version, values: Values) -> Self {
        Self {
            content: ValueView::of(version.value.as_ref(), values),
            deleted: version.value.is_none(),
            author: Shown(version.author),
            written_at_ms: version.stamp.wall().as_millis(),
        }
    }
}

/// An author in JSON.
#[derive(Debug)]
struct Shown(NodeId);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A value with everything that is known of it, in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct EntryView<'a> {
    namespace: &'a str,
    key: &'a str,
    #[serde(flatten)]
    content: ValueView<'a>,
    deleted: bool,
    size: Option<usize>,
    author: Shown,
    written_at_ms: u64,
    conflicts: Vec<ConflictView<'a>>,
    #[serde(rename = "type")]
    kind: Kind,
    /// How many elements or fields there are.
    total: Option<u64>,
    /// All values of a multi-value register, the winner first.
    values: Option<Vec<ConflictView<'a>>>,
    /// What else the key holds.
    also: &'a [Kind],
}

impl<'a> EntryView<'a> {
    /// The view of an entry.
    pub(crate) fn of(namespace: &'a Namespace, entry: &'a Entry, values: Values) -> Self {
        let conflicts = entry.conflicts.iter();
        Self {
            namespace,
            key: &entry.key,
            content: ValueView::of_content(entry, values),
            deleted: entry.value.is_none(),
            size: entry.value.as_ref().map(|value| value.len()),
            author: Shown(entry.author),
            written_at_ms: entry.written_at.as_millis(),
            conflicts: conflicts
                .map(|conflict| ConflictView::of(conflict, values))
                .collect(),
            kind: entry.content.kind(),
            total: match &entry.content {
                Content::Set { total, .. } | Content::Map { total, .. } => Some(*total),
                Content::Register
                | Content::Multi { .. }
                | Content::Counter { .. }
                | Content::Flag { .. } => None,
            },
            values: match &entry.content {
                Content::Multi { values: all } => {
                    let all = all.iter();
                    Some(
                        all.map(|one| ConflictView::of_version(one, values))
                            .collect(),
                    )
                }
                Content::Register
                | Content::Counter { .. }
                | Content::Set { .. }
                | Content::Map { .. }
                | Content::Flag { .. } => None,
            },
            also: &entry.also,
        }
    }
}

/// A part of a typed value in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct PartView<'a> {
    part: &'a str,
    #[serde(flatten)]
    content: ValueView<'a>,
    author: Shown,
    written_at_ms: u64,
    /// How many concurrent writes lost.
    conflicts: u64,
}

impl<'a> PartView<'a> {
    /// The view of a part.
    pub(crate) fn of(part: &'a Key, view: &'a FieldView) -> Self {
        Self {
            part,
            content: ValueView::of(Some(&view.value), Values::Full),
            author: Shown(view.author),
            written_at_ms: view.written_at().as_millis(),
            conflicts: view.conflicts,
        }
    }
}

/// About how many bytes an entry's values have that an answer shows.
pub(crate) fn bytes_of(entry: &Entry, values: Values) -> usize {
    let of = |value: &Option<Bytes>| value.as_ref().map_or(0, |value| value.len());
    let conflicts = entry.conflicts.iter().map(|conflict| of(&conflict.value));
    conflicts
        .chain([of(&entry.value)])
        .map(|bytes| bytes.min(values.bytes_max()))
        .fold(entry.key.len(), usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown of a value: as text, as base64, and whether that is not all.
    fn shown(value: Option<&[u8]>, values: Values) -> (Option<String>, Option<String>, bool) {
        let value = value.map(Bytes::from);
        let view = serde_json::to_value(ValueView::of(value.as_ref(), values)).unwrap();
        let text = |field: &str| view[field].as_str().map(str::to_owned);
        (
            text("value"),
            text("value_base64"),
            view["truncated"] == true,
        )
    }

    #[test]
    fn a_value_is_shown_as_text_where_it_is_text() {
        let text = shown(Some(b"caf\xc3\xa9"), Values::Full);
        assert_eq!(text, (Some("café".to_owned()), None, false));
        let binary = shown(Some(&[0xff, 0x00]), Values::Full);
        assert_eq!(binary, (None, Some("/wA=".to_owned()), false));
        assert_eq!(shown(None, Values::Full), (None, None, false));
    }

    #[test]
    fn a_preview_shows_the_beginning_and_cuts_no_character() {
        let long = "é".repeat(PREVIEW_BYTES);
        let even = shown(Some(long.as_bytes()), Values::Preview);
        let half = "é".repeat(PREVIEW_BYTES / 2);
        assert_eq!(even, (Some(half.clone()), None, true));
        let odd = shown(Some(format!("a{long}").as_bytes()), Values::Preview);
        let expected = format!("a{}", "é".repeat(PREVIEW_BYTES / 2 - 1));
        assert_eq!(odd, (Some(expected), None, true));
        let short = shown(Some(b"short"), Values::Preview);
        assert_eq!(short, (Some("short".to_owned()), None, false));
        let binary = shown(Some(&[0xff; 300]), Values::Preview);
        assert!(binary.1.is_some() && binary.2, "{binary:?}");
    }

    #[test]
    fn keys_alone_show_no_value() {
        assert_eq!(shown(Some(b"value"), Values::None), (None, None, true));
        assert_eq!(shown(Some(b""), Values::None), (None, None, false));
    }
}
