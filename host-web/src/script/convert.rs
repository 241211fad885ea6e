//! Between JavaScript's values and ours.

use super::typed::to_js;
use crate::protocol::Failure;
use sporenet_core::{
    kernel::{bytes::Bytes, id::NodeId, text::Key},
    node::snapshot::{Content, Entry, FieldView},
    replication::{crdt::register::Version, write::AckLevel},
};
use wasm_bindgen::{JsCast, JsValue};

/// Plain data as a JavaScript value, in the shape that the API's JSON has.
pub(super) fn plain<T: serde::Serialize>(value: &T) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).unwrap_or(JsValue::NULL)
}

/// A failure as an `Error` with a `code`.
pub(super) fn error(failure: &Failure) -> JsValue {
    let error = js_sys::Error::new(&failure.text);
    set(&error, "code", &failure.code.as_str().into());
    error.into()
}

/// A named option, if the options are an object that has it.
pub(super) fn option(options: &JsValue, name: &str) -> Option<JsValue> {
    if !options.is_object() {
        return None;
    }
    let value = js_sys::Reflect::get(options, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

/// The acknowledgement that the options ask for.
pub(super) fn ack_of(options: &JsValue) -> Result<AckLevel, Failure> {
    match option(options, "ack").map(|ack| ack.as_string()) {
        None => Ok(AckLevel::Local),
        Some(Some(ack)) if ack == "local" => Ok(AckLevel::Local),
        Some(Some(ack)) if ack == "relay" => Ok(AckLevel::Relay),
        Some(_) => Err(Failure::new("bad_ack", "ack is 'local' or 'relay'")),
    }
}

/// A value's bytes: text as UTF-8, or bytes as they are.
pub(super) fn bytes_of(value: &JsValue) -> Result<Vec<u8>, Failure> {
    if let Some(text) = value.as_string() {
        return Ok(text.into_bytes());
    }
    if let Some(array) = value.dyn_ref::<js_sys::Uint8Array>() {
        return Ok(array.to_vec());
    }
    if let Some(buffer) = value.dyn_ref::<js_sys::ArrayBuffer>() {
        return Ok(js_sys::Uint8Array::new(buffer).to_vec());
    }
    Err(Failure::new(
        "bad_value",
        "a value is a string, a Uint8Array or an ArrayBuffer",
    ))
}

/// An entry with its value both as bytes and, if it is text, as text.
pub(super) fn entry_to_js(entry: &Entry) -> JsValue {
    let object = js_sys::Object::new();
    set(&object, "key", &entry.key.as_str().into());
    set_value(&object, entry.value.as_ref());
    set(&object, "author", &entry.author.to_string().into());
    set(&object, "writtenAt", &number(entry.written_at.as_millis()));
    let conflicts = entry.conflicts.iter().map(|conflict| {
        let wall_ms = conflict.written_at.as_millis();
        written(conflict.value.as_ref(), conflict.author, wall_ms)
    });
    set(
        &object,
        "conflicts",
        &conflicts.collect::<js_sys::Array>().into(),
    );
    set(&object, "type", &entry.content.kind().name().into());
    set(&object, "content", &to_js(&entry.content));
    let total = match &entry.content {
        Content::Set { total, .. } | Content::Map { total, .. } => number(*total),
        Content::Register
        | Content::Multi { .. }
        | Content::Counter { .. }
        | Content::Flag { .. } => JsValue::NULL,
    };
    set(&object, "total", &total);
    let also = entry.also.iter().map(|kind| JsValue::from(kind.name()));
    set(&object, "also", &also.collect::<js_sys::Array>().into());
    object.into()
}

/// A value with who wrote it, and when.
fn written(value: Option<&Bytes>, author: NodeId, wall_ms: u64) -> JsValue {
    let object = js_sys::Object::new();
    set_value(&object, value);
    set(&object, "author", &author.to_string().into());
    set(&object, "writtenAt", &number(wall_ms));
    object.into()
}

/// A field of a map.
pub(super) fn field_to_js(field: &FieldView) -> JsValue {
    let wall_ms = field.written_at().as_millis();
    let object = written(Some(&field.value), field.author, wall_ms);
    set(&object, "conflicts", &number(field.conflicts));
    object
}

/// One of the values that stand side by side.
pub(super) fn version_to_js(version: &Version) -> JsValue {
    let wall_ms = version.stamp.wall().as_millis();
    written(version.value.as_ref(), version.author, wall_ms)
}

/// Elements of a set.
pub(super) fn set_to_js(elements: &[Key]) -> JsValue {
    let elements = elements
        .iter()
        .map(|element| JsValue::from(element.as_str()));
    elements.collect::<js_sys::Array>().into()
}

/// A whole number that a script gives, as a number or as a bigint.
pub(super) fn integer(value: &JsValue) -> Result<i64, Failure> {
    let refused = || {
        Failure::new(
            "bad_value",
            "what is added is a whole number of 64 bits; beyond 2^53 it is given as a bigint",
        )
    };
    if value.is_bigint() {
        return i64::try_from(value.clone()).map_err(|_| refused());
    }
    let number = value
        .as_f64()
        .filter(|number| js_sys::Number::is_safe_integer(&(*number).into()));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a safe integer is a whole number below 2^53"
    )]
    number.map(|number| number as i64).ok_or_else(refused)
}

/// What a counter counts: a number, exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "most scripts have no use for a bigint; beyond 2^53 the last digits are lost"
)]
pub(super) fn count_of(value: i64) -> JsValue {
    JsValue::from_f64(value as f64)
}

fn set_value(object: &js_sys::Object, value: Option<&Bytes>) {
    let bytes = value.map_or(JsValue::NULL, |value| {
        js_sys::Uint8Array::from(&**value).into()
    });
    let as_text = value.and_then(|value| core::str::from_utf8(value).ok());
    set(object, "value", &bytes);
    let as_text = as_text.map_or(JsValue::NULL, JsValue::from_str);
    set(object, "text", &as_text);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "JavaScript has no other numbers; counts and milliseconds stay below 2^53"
)]
fn number(count: u64) -> JsValue {
    JsValue::from_f64(count as f64)
}

/// Setting a property of an object that was just made does not fail.
fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = js_sys::Reflect::set(object, &name.into(), value);
}
