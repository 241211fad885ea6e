//! Typed values for scripts: counters, sets, maps, flags and values that stand side by side.
//!
//! Each is a handle of a key. It holds nothing: every call asks the node.

use super::{
    Mesh,
    convert::{
        ack_of, bytes_of, count_of, error, field_to_js, integer, option, set_to_js, version_to_js,
    },
    promise, watch,
};
use crate::{
    client::Client,
    protocol::{Answer, Failure, Request},
};
use core::cell::Cell;
use sporenet_core::{
    kernel::{bytes::Bytes, text::Key},
    node::snapshot::{Content, Entry, FieldView},
    replication::typed::{Change, Kind, READ_ITEMS_MAX},
};
use std::rc::Rc;
use wasm_bindgen::{JsCast, prelude::*};

/// A key that holds, or will hold, a value of one kind.
#[derive(Clone, Debug)]
struct Place {
    client: Rc<Client>,
    namespace: String,
    key: String,
    kind: Kind,
}

#[wasm_bindgen]
impl Mesh {
    /// The counter at a key.
    pub fn counter(&self, namespace: String, key: String) -> MeshCounter {
        MeshCounter(self.place(namespace, key, Kind::Counter))
    }

    /// The set at a key.
    pub fn set(&self, namespace: String, key: String) -> MeshSet {
        MeshSet(self.place(namespace, key, Kind::Set))
    }

    /// The map at a key.
    pub fn map(&self, namespace: String, key: String) -> MeshMap {
        MeshMap(self.place(namespace, key, Kind::Map))
    }

    /// The flag at a key.
    pub fn flag(&self, namespace: String, key: String) -> MeshFlag {
        MeshFlag(self.place(namespace, key, Kind::Flag))
    }

    /// The values that stand side by side at a key.
    pub fn multi(&self, namespace: String, key: String) -> MeshMulti {
        MeshMulti(self.place(namespace, key, Kind::Multi))
    }
}

impl Mesh {
    fn place(&self, namespace: String, key: String, kind: Kind) -> Place {
        Place {
            client: Rc::clone(&self.client),
            namespace,
            key,
            kind,
        }
    }
}

/// A number that is added to.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshCounter(Place);

#[wasm_bindgen]
impl MeshCounter {
    /// Adds a whole number; less than zero takes away.
    pub fn add(&self, by: &JsValue, options: &JsValue) -> js_sys::Promise {
        self.0.change(integer(by).map(Change::Add), options)
    }

    /// What was added in all.
    pub fn value(&self) -> js_sys::Promise {
        self.0.read(to_js)
    }

    /// Calls back with the value now and after every change; answers a function that ends it.
    #[wasm_bindgen(js_name = onChange)]
    pub fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        self.0.on_change(callback, options)
    }
}

/// A set of texts.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshSet(Place);

#[wasm_bindgen]
impl MeshSet {
    /// Puts elements in; options may be the last.
    #[wasm_bindgen(variadic)]
    pub fn add(&self, elements: &JsValue) -> js_sys::Promise {
        let (elements, options) = elements_of(elements);
        self.0.change(elements.map(Change::Insert), &options)
    }

    /// Takes elements out; options may be the last.
    #[wasm_bindgen(variadic)]
    pub fn remove(&self, elements: &JsValue) -> js_sys::Promise {
        let (elements, options) = elements_of(elements);
        self.0.change(elements.map(Change::Remove), &options)
    }

    /// All elements, in order.
    pub fn elements(&self) -> js_sys::Promise {
        self.0.read(to_js)
    }

    /// Whether an element is in it.
    pub fn has(&self, element: String) -> js_sys::Promise {
        self.0.read(move |content| match content {
            Content::Set { elements, .. } => {
                elements.iter().any(|one| one.as_str() == element).into()
            }
            Content::Register
            | Content::Multi { .. }
            | Content::Counter { .. }
            | Content::Map { .. }
            | Content::Flag { .. } => false.into(),
        })
    }

    /// Calls back with all elements now and after every change; answers a function that ends it.
    #[wasm_bindgen(js_name = onChange)]
    pub fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        self.0.on_change(callback, options)
    }
}

/// Values by name.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshMap(Place);

#[wasm_bindgen]
impl MeshMap {
    /// Writes a field: text as UTF-8, or bytes.
    pub fn put(&self, field: &str, value: &JsValue, options: &JsValue) -> js_sys::Promise {
        let change = name_of(field, "field").and_then(|field| {
            let value = bytes_of(value)?;
            Ok(Change::Put(vec![(field, Some(Bytes::from(value)))]))
        });
        self.0.change(change, options)
    }

    /// Deletes a field.
    pub fn delete(&self, field: &str, options: &JsValue) -> js_sys::Promise {
        let change = name_of(field, "field").map(|field| Change::Put(vec![(field, None)]));
        self.0.change(change, options)
    }

    /// A field, or `null`.
    pub fn get(&self, field: String) -> js_sys::Promise {
        self.0.read(move |content| match content {
            Content::Map { fields, .. } => fields
                .iter()
                .find(|(name, _)| name.as_str() == field)
                .map_or(JsValue::NULL, |(_, found)| field_to_js(found)),
            Content::Register
            | Content::Multi { .. }
            | Content::Counter { .. }
            | Content::Set { .. }
            | Content::Flag { .. } => JsValue::NULL,
        })
    }

    /// All fields by name, in order.
    pub fn entries(&self) -> js_sys::Promise {
        self.0.read(to_js)
    }

    /// Calls back with all fields now and after every change; answers a function that ends it.
    #[wasm_bindgen(js_name = onChange)]
    pub fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        self.0.on_change(callback, options)
    }
}

/// On or off.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshFlag(Place);

#[wasm_bindgen]
impl MeshFlag {
    /// Turns it on.
    pub fn on(&self, options: &JsValue) -> js_sys::Promise {
        self.0.change(Ok(Change::Flag(true)), options)
    }

    /// Turns it off.
    pub fn off(&self, options: &JsValue) -> js_sys::Promise {
        self.0.change(Ok(Change::Flag(false)), options)
    }

    /// Whether it is on.
    pub fn value(&self) -> js_sys::Promise {
        self.0.read(to_js)
    }

    /// Calls back with the state now and after every change; answers a function that ends it.
    #[wasm_bindgen(js_name = onChange)]
    pub fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        self.0.on_change(callback, options)
    }
}

/// Values of which concurrent ones stand side by side.
#[wasm_bindgen]
#[derive(Debug)]
pub struct MeshMulti(Place);

#[wasm_bindgen]
impl MeshMulti {
    /// Writes a value in place of all that were seen here.
    pub fn put(&self, value: &JsValue, options: &JsValue) -> js_sys::Promise {
        let change = bytes_of(value).map(|value| Change::Multi(Bytes::from(value)));
        self.0.change(change, options)
    }

    /// The values, the newest first; more than one if they were written at once.
    pub fn values(&self) -> js_sys::Promise {
        self.0.read(to_js)
    }

    /// Calls back with the values now and after every change; answers a function that ends it.
    #[wasm_bindgen(js_name = onChange)]
    pub fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        self.0.on_change(callback, options)
    }
}

impl Place {
    fn change(&self, change: Result<Change, Failure>, options: &JsValue) -> js_sys::Promise {
        let level = ack_of(options);
        let request = change.and_then(|change| {
            Ok(Request::Change {
                namespace: self.namespace.clone(),
                key: self.key.clone(),
                change,
                level: level?,
            })
        });
        promise(move |done| match request {
            Ok(request) => self.client.ask(request, move |answer| {
                done(answer.map(|_| JsValue::UNDEFINED));
            }),
            Err(failure) => done(Err(failure)),
        })
    }

    /// Reads all of the value; `convert` is given nothing of the kind if there is none.
    fn read(&self, convert: impl FnOnce(&Content) -> JsValue + 'static) -> js_sys::Promise {
        let request = Request::Get {
            namespace: self.namespace.clone(),
            key: self.key.clone(),
        };
        let place = self.clone();
        promise(move |done| {
            self.client.ask(request, move |answer| {
                let content = answer.and_then(|answer| {
                    // A request for a value is answered by one or by none.
                    let Answer::Entry(entry) = answer else {
                        return Ok(nothing(place.kind));
                    };
                    place.content_of(entry)
                });
                match content {
                    Ok(content) => place.gather(content, move |whole| {
                        done(whole.map(|content| convert(&content)));
                    }),
                    Err(failure) => done(Err(failure)),
                }
            });
        })
    }

    /// What an entry holds, if that is of this kind; where there is none, nothing of this kind.
    fn content_of(&self, entry: Option<Entry>) -> Result<Content, Failure> {
        let Some(entry) = entry.filter(|entry| entry.value.is_some()) else {
            return Ok(nothing(self.kind));
        };
        let kind = entry.content.kind();
        if kind == self.kind {
            return Ok(entry.content);
        }
        Err(Failure::new(
            "other_kind",
            format!("{} is a {kind}, not a {}", self.key, self.kind),
        ))
    }

    /// Reads what did not come at once, page by page.
    fn gather(self, content: Content, done: impl FnOnce(Result<Content, Failure>) + 'static) {
        let Some(after) = last_of(&content) else {
            done(Ok(content));
            return;
        };
        let request = Request::Parts {
            namespace: self.namespace.clone(),
            key: self.key.clone(),
            after: Some(after.to_string()),
            limit: u32::try_from(READ_ITEMS_MAX).unwrap_or(u32::MAX),
        };
        let client = Rc::clone(&self.client);
        let done: Box<dyn FnOnce(Result<Content, Failure>)> = Box::new(done);
        client.ask(request, move |answer| match answer {
            Ok(Answer::Parts(Some(page))) if page.kind == self.kind => {
                let is_last = page.next.is_none() || page.parts.is_empty();
                let content = with(content, page.parts, is_last);
                self.gather(content, done);
            }
            // It was deleted meanwhile.
            Ok(_) => done(Ok(nothing(self.kind))),
            Err(failure) => done(Err(failure)),
        });
    }

    fn on_change(&self, callback: js_sys::Function, options: &JsValue) -> js_sys::Function {
        let on_error = option(options, "onError")
            .and_then(|on_error| on_error.dyn_into::<js_sys::Function>().ok());
        let refused = on_error.clone();
        let place = self.clone();
        // What is read in pages is told only if nothing newer came meanwhile.
        let latest = Rc::new(Cell::new(0_u64));
        let changed = move |entry: &Entry| {
            if entry.key.as_str() != place.key {
                return;
            }
            let number = latest.get().wrapping_add(1);
            latest.set(number);
            let (latest, callback, refused) =
                (Rc::clone(&latest), callback.clone(), refused.clone());
            let tell = move |outcome: Result<Content, Failure>| match outcome {
                Ok(content) if latest.get() == number => call(&callback, &to_js(&content)),
                Ok(_) => {}
                Err(failure) => tell_error(refused.as_ref(), &failure),
            };
            match place.content_of(Some(entry.clone())) {
                Ok(content) => place.clone().gather(content, tell),
                Err(failure) => tell(Err(failure)),
            }
        };
        let (namespace, key) = (self.namespace.clone(), self.key.clone());
        watch(&self.client, namespace, key, on_error, Rc::new(changed))
    }
}

/// Calls a script back; what it throws is the script's.
pub(super) fn call(callback: &js_sys::Function, with: &JsValue) {
    if let Err(thrown) = callback.call1(&JsValue::UNDEFINED, with) {
        web_sys::console::error_1(&thrown);
    }
}

/// Tells a script of a failure, or the browser's console if the script does not want to know.
pub(super) fn tell_error(on_error: Option<&js_sys::Function>, failure: &Failure) {
    let failure = error(failure);
    match on_error {
        Some(on_error) => call(on_error, &failure),
        None => web_sys::console::error_1(&failure),
    }
}

/// A kind's value where there is none.
const fn nothing(kind: Kind) -> Content {
    match kind {
        Kind::Register => Content::Register,
        Kind::Multi => Content::Multi { values: Vec::new() },
        Kind::Counter => Content::Counter {
            value: 0,
            saturated: false,
            writers: 0,
        },
        Kind::Set => Content::Set {
            elements: Vec::new(),
            total: 0,
        },
        Kind::Map => Content::Map {
            fields: Vec::new(),
            total: 0,
        },
        Kind::Flag => Content::Flag { on: false },
    }
}

/// The last part that is here, if others follow.
fn last_of(content: &Content) -> Option<&Key> {
    let is_short = |len: usize, total: u64| u64::try_from(len).is_ok_and(|len| len < total);
    match content {
        Content::Set { elements, total } => {
            elements.last().filter(|_| is_short(elements.len(), *total))
        }
        Content::Map { fields, total } => fields
            .last()
            .filter(|_| is_short(fields.len(), *total))
            .map(|(name, _)| name),
        Content::Register
        | Content::Multi { .. }
        | Content::Counter { .. }
        | Content::Flag { .. } => None,
    }
}

/// A value with more parts; after the last page these are all there are.
fn with(content: Content, parts: Vec<(Key, FieldView)>, is_last: bool) -> Content {
    let counted = |len: usize, total: u64| {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if is_last {
            len
        } else {
            total.max(len.saturating_add(1))
        }
    };
    match content {
        Content::Set {
            mut elements,
            total,
        } => {
            elements.extend(parts.into_iter().map(|(element, _)| element));
            let total = counted(elements.len(), total);
            Content::Set { elements, total }
        }
        Content::Map { mut fields, total } => {
            fields.extend(parts);
            let total = counted(fields.len(), total);
            Content::Map { fields, total }
        }
        Content::Register
        | Content::Multi { .. }
        | Content::Counter { .. }
        | Content::Flag { .. } => content,
    }
}

/// What a key holds as a script sees it; `null` for a register.
pub(super) fn to_js(content: &Content) -> JsValue {
    match content {
        Content::Register => JsValue::NULL,
        Content::Multi { values } => values
            .iter()
            .map(version_to_js)
            .collect::<js_sys::Array>()
            .into(),
        Content::Counter { value, .. } => count_of(*value),
        Content::Set { elements, .. } => set_to_js(elements),
        Content::Map { fields, .. } => {
            let map = js_sys::Map::new();
            for (name, field) in fields {
                map.set(&name.as_str().into(), &field_to_js(field));
            }
            map.into()
        }
        Content::Flag { on } => (*on).into(),
    }
}

/// Elements, and the options if the last argument is no text.
fn elements_of(given: &JsValue) -> (Result<Vec<Key>, Failure>, JsValue) {
    let mut given = js_sys::Array::from(given).to_vec();
    let options = given
        .pop_if(|last| last.is_object())
        .unwrap_or(JsValue::UNDEFINED);
    let elements = given.into_iter().map(|element| {
        let text = element
            .as_string()
            .ok_or_else(|| Failure::new("bad_element", "an element is a string"))?;
        name_of(&text, "element")
    });
    (elements.collect(), options)
}

fn name_of(text: &str, what: &str) -> Result<Key, Failure> {
    Key::new(text).map_err(|error| {
        let code = format!("bad_{what}");
        Failure::new(&code, format!("the {what} is not valid: {error}"))
    })
}
