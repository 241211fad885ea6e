//! Between JavaScript's values and ours.

use crate::{catalogue, protocol::Failure, words};
use sporenet_core::{
    kernel::{bytes::Bytes, id::Role},
    node::snapshot::{Entry, Member, Status},
    replication::write::AckLevel,
};
use wasm_bindgen::{JsCast, JsValue};

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
    set(object, "text", &or_null(as_text.map(text)));
}

/// The members, in the shape that `/api/v1/members` has.
pub(super) fn member_list(members: &[Member]) -> JsValue {
    let list = members.iter().map(member_to_js);
    list.collect::<js_sys::Array>().into()
}

// Written out, field by field: these are the names that scripts know.
fn member_to_js(member: &Member) -> JsValue {
    let object = js_sys::Object::new();
    set(&object, "id", &text(&member.id));
    set(&object, "name", &text(&member.name));
    set(&object, "role", &text(role(member.role)));
    set(&object, "state", &text(words::state(member.state)));
    set(&object, "incarnation", &number(member.incarnation));
    let zone = member.zone.as_ref().map(|zone| text(zone));
    set(&object, "zone", &or_null(zone));
    let addresses = member
        .addresses
        .iter()
        .map(|address| text(&address.to_string()));
    set(
        &object,
        "addresses",
        &addresses.collect::<js_sys::Array>().into(),
    );
    set(
        &object,
        "rtt_ms",
        &or_null(member.rtt_ms.map(JsValue::from_f64)),
    );
    set(
        &object,
        "last_heard_ms",
        &or_null(member.last_heard_ms.map(number)),
    );
    set(
        &object,
        "reason",
        &or_null(member.reason.as_deref().map(text)),
    );
    set(&object, "since_ms", &number(member.since_ms));
    set(&object, "homes", &texts(&member.homes));
    set(&object, "this_node", &member.this_node.into());
    set(&object, "linked", &member.linked.into());
    object.into()
}

/// The status, in the shape that `/api/v1/status` has.
pub(super) fn status_to_js(status: &Status) -> JsValue {
    let object = js_sys::Object::new();
    let (verdict, _, _) = words::verdict(&catalogue::ENGLISH, status.verdict);
    set(&object, "id", &text(&status.id));
    set(&object, "name", &text(&status.name));
    set(&object, "network", &text(&status.network));
    set(&object, "version", &text(&status.version));
    set(&object, "role", &text(role(status.role)));
    set(&object, "incarnation", &number(status.incarnation));
    set(&object, "verdict", &text(verdict));
    set(&object, "reasons", &texts(&status.reasons));
    set(&object, "mode", &text(&status.mode));
    let members = js_sys::Object::new();
    set(&members, "alive", &status.members.alive.into());
    set(&members, "suspect", &status.members.suspect.into());
    set(&members, "dead", &status.members.dead.into());
    set(&members, "left", &status.members.left.into());
    set(&members, "parked", &status.members.parked.into());
    set(&object, "members", &members);
    let kv = js_sys::Object::new();
    set(&kv, "keys", &number(status.kv.keys));
    set(&kv, "batches", &number(status.kv.batches));
    set(&object, "kv", &kv);
    set(&object, "uptime_s", &number(status.uptime_s));
    let ahead = status.clock_ahead_ms.map(|ms| JsValue::from_f64(ms as f64));
    set(&object, "clock_ahead_ms", &or_null(ahead));
    object.into()
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Relay => "relay",
        Role::Tab => "tab",
    }
}

fn text(text: &str) -> JsValue {
    JsValue::from_str(text)
}

fn texts(list: &[String]) -> JsValue {
    let list = list.iter().map(|item| text(item));
    list.collect::<js_sys::Array>().into()
}

fn or_null(value: Option<JsValue>) -> JsValue {
    value.unwrap_or(JsValue::NULL)
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
