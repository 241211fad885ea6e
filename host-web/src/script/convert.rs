//! Between JavaScript's values and ours.

use crate::protocol::Failure;
use sporenet_core::{kernel::bytes::Bytes, node::snapshot::Entry, replication::write::AckLevel};
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
        let object = js_sys::Object::new();
        set_value(&object, conflict.value.as_ref());
        set(&object, "author", &conflict.author.to_string().into());
        set(
            &object,
            "writtenAt",
            &number(conflict.written_at.as_millis()),
        );
        object
    });
    set(
        &object,
        "conflicts",
        &conflicts.collect::<js_sys::Array>().into(),
    );
    object.into()
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
