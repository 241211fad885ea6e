//! The typed API for scripts: `join`, and what a mesh can do. `www/sporenet.d.ts` has its types.
//!
//! Every call goes to the node's worker and comes back as a promise; a refusal is an `Error` with a
//! stable `code`.

mod convert;
pub mod typed;

use crate::{
    client::{self, Client, Notice, OnWatched},
    protocol::{Answer, Failure, Phase, Request, Start},
};
use convert::{ack_of, bytes_of, entry_to_js, error, option, plain};
use core::cell::{Cell, RefCell};
use sporenet_core::{
    kernel::text::Text,
    node::{
        joining::JoinTrouble,
        snapshot::{Entry, Status, Verdict},
    },
    observe::alerts::{
        Standing, Wish,
        record::{Id, Note},
    },
};
use std::rc::Rc;
use wasm_bindgen::{JsCast, prelude::*};

/// How long a newcomer waits to be let in, in milliseconds, unless the caller says otherwise.
const JOIN_PATIENCE_MS: f64 = 30_000.0;
/// Between two looks at the status while joining.
const JOIN_LOOK_MS: i32 = 100;

/// A node of the mesh, running in a worker of this page.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Mesh {
    client: Rc<Client>,
}

impl Mesh {
    /// The API over a page's client.
    pub(crate) const fn of(client: Rc<Client>) -> Self {
        Self { client }
    }

    fn promise(
        &self,
        request: Result<Request, Failure>,
        convert: impl FnOnce(Answer) -> JsValue + 'static,
    ) -> js_sys::Promise {
        promise(move |done| match request {
            Ok(request) => self
                .client
                .ask(request, move |answer| done(answer.map(convert))),
            Err(failure) => done(Err(failure)),
        })
    }
}

#[wasm_bindgen]
impl Mesh {
    /// Writes a value: text as UTF-8, or bytes.
    pub fn put(
        &self,
        namespace: String,
        key: String,
        value: &JsValue,
        options: &JsValue,
    ) -> js_sys::Promise {
        let request = bytes_of(value).and_then(|value| {
            let level = ack_of(options)?;
            Ok(Request::Write {
                namespace,
                key,
                value: Some(value),
                level,
            })
        });
        self.promise(request, |_| JsValue::UNDEFINED)
    }

    /// Deletes a key.
    pub fn delete(&self, namespace: String, key: String, options: &JsValue) -> js_sys::Promise {
        let request = ack_of(options).map(|level| Request::Write {
            namespace,
            key,
            value: None,
            level,
        });
        self.promise(request, |_| JsValue::UNDEFINED)
    }

    /// Reads a value, or `null`.
    pub fn get(&self, namespace: String, key: String) -> js_sys::Promise {
        self.promise(Ok(Request::Get { namespace, key }), |answer| {
            // A request for a value is answered by one or by none.
            let Answer::Entry(Some(entry)) = answer else {
                return JsValue::NULL;
            };
            entry_to_js(&entry)
        })
    }

    /// Calls back with every present entry, then with every change; answers a function that ends it.
    pub fn watch(
        &self,
        namespace: String,
        options: &JsValue,
        callback: &JsValue,
    ) -> js_sys::Function {
        // The options may be left out.
        let callback: js_sys::Function = match options.dyn_ref::<js_sys::Function>() {
            Some(callback) => callback.clone(),
            None => callback.clone().unchecked_into(),
        };
        let prefix = option(options, "prefix").and_then(|prefix| prefix.as_string());
        let on_error = option(options, "onError")
            .and_then(|on_error| on_error.dyn_into::<js_sys::Function>().ok());
        let told = move |entry: &Entry| typed::call(&callback, &entry_to_js(entry));
        let prefix = prefix.unwrap_or_default();
        watch(&self.client, namespace, prefix, on_error, Rc::new(told))
    }

    /// Stops following a namespace; what is stored stays.
    pub fn close(&self, namespace: String) -> js_sys::Promise {
        self.promise(Ok(Request::Close { namespace }), |_| JsValue::UNDEFINED)
    }

    /// All members, worst first.
    pub fn members(&self) -> js_sys::Promise {
        self.promise(Ok(Request::Members), |answer| {
            let Answer::Members(members) = answer else {
                return JsValue::NULL;
            };
            plain(&members)
        })
    }

    /// This node in one view.
    pub fn status(&self) -> js_sys::Promise {
        self.promise(Ok(Request::Status), |answer| {
            status_of(answer).map_or(JsValue::NULL, |(status, _)| plain(&status))
        })
    }

    /// What is wrong, the newest first; those that are over too if `all`.
    pub fn alerts(&self, all: Option<bool>) -> js_sys::Promise {
        let all = all.unwrap_or(false);
        self.promise(Ok(Request::Alerts), move |answer| {
            let Answer::Alerts(mut alerts) = answer else {
                return JsValue::NULL;
            };
            alerts.retain(|alert| all || alert.state != Standing::Resolved);
            plain(&alerts)
        })
    }

    /// The same by cause.
    pub fn incidents(&self, all: Option<bool>) -> js_sys::Promise {
        let all = all.unwrap_or(false);
        self.promise(Ok(Request::Incidents), move |answer| {
            let Answer::Incidents(mut incidents) = answer else {
                return JsValue::NULL;
            };
            incidents.retain(|incident| all || incident.state != Standing::Resolved);
            plain(&incidents)
        })
    }

    /// Says that somebody looks after an alert or incident.
    pub fn acknowledge(&self, id: String, note: Option<String>) -> js_sys::Promise {
        let wish = act_of(&id, note).map(|(id, note)| Wish::Acknowledge { id, note });
        self.promise(wish.map(Request::Wish), |_| JsValue::UNDEFINED)
    }

    /// Takes an alert or incident for over.
    pub fn resolve(&self, id: String, note: Option<String>) -> js_sys::Promise {
        let wish = act_of(&id, note).map(|(id, note)| Wish::Resolve { id, note });
        self.promise(wish.map(Request::Wish), |_| JsValue::UNDEFINED)
    }

    /// The settings of the mesh.
    pub fn settings(&self) -> js_sys::Promise {
        self.promise(Ok(Request::Settings), |answer| {
            let Answer::Settings(settings) = answer else {
                return JsValue::NULL;
            };
            plain(&settings)
        })
    }

    /// Changes a setting on all nodes; `null` sets it back to the default.
    #[wasm_bindgen(js_name = setSetting)]
    pub fn set_setting(
        &self,
        name: String,
        value: Option<String>,
        note: Option<String>,
    ) -> js_sys::Promise {
        let wish = setting_of(&name, value, note);
        self.promise(wish.map(Request::Wish), |_| JsValue::UNDEFINED)
    }

    /// Leaves the mesh and stops the node.
    pub fn leave(&self) -> js_sys::Promise {
        let client = Rc::clone(&self.client);
        self.promise(Ok(Request::Leave), move |_| {
            client.end();
            JsValue::UNDEFINED
        })
    }
}

fn act_of(id: &str, note: Option<String>) -> Result<(Id, Option<Note>), Failure> {
    let unknown = |()| Failure::new("not_found", format!("there is no alert or incident {id}"));
    Ok((id.parse().map_err(unknown)?, short_text(note, "note")?))
}

fn setting_of(name: &str, value: Option<String>, note: Option<String>) -> Result<Wish, Failure> {
    let unknown = |_| Failure::new("not_found", format!("there is no setting {name}"));
    Ok(Wish::Set {
        name: Text::new(name).map_err(unknown)?,
        value: short_text(value, "value")?,
        note: short_text(note, "note")?,
    })
}

fn short_text<const MAX: usize>(
    text: Option<String>,
    what: &str,
) -> Result<Option<Text<MAX>>, Failure> {
    let text = text.map(|text| Text::new(&text)).transpose();
    text.map_err(|error| Failure::new(&format!("bad_{what}"), format!("the {what}: {error}")))
}

/// Starts a node in a worker and joins the mesh. `spawn` answers a `Worker`; see `sporenet.js`.
#[wasm_bindgen]
pub fn join(spawn: js_sys::Function, link: Option<String>, options: &JsValue) -> js_sys::Promise {
    crate::report_panics();
    let text = |name| option(options, name).and_then(|value| value.as_string());
    let patience = option(options, "timeout").and_then(|value| value.as_f64());
    let document = crate::page::dom::window_and_document().map(|(_, document)| document);
    let start = Start {
        link,
        name: text("name"),
        zone: text("zone"),
        visible: document.is_none_or(|document| !document.hidden()),
        ..Start::default()
    };
    promise(move |done| {
        let joining = Rc::new(Joining {
            done: RefCell::new(Some(Box::new(done))),
            client: RefCell::new(None),
            until: js_sys::Date::now() + patience.unwrap_or(JOIN_PATIENCE_MS),
            waiting: Cell::new(false),
        });
        let noticed = Rc::clone(&joining);
        let client = Client::new(spawn, start, move |notice| noticed.take(notice));
        *joining.client.borrow_mut() = Some(client);
    })
}

type Done = Box<dyn FnOnce(Result<JsValue, Failure>)>;

/// A node on its way in.
struct Joining {
    done: RefCell<Option<Done>>,
    client: RefCell<Option<Rc<Client>>>,
    until: f64,
    waiting: Cell<bool>,
}

impl Joining {
    fn take(self: &Rc<Self>, notice: Notice) {
        match notice {
            Notice::Phase(Phase::Running { .. }) => {
                if !self.waiting.replace(true) {
                    self.look();
                }
            }
            Notice::Phase(Phase::NeedsLink) => self.give_up(Failure::new(
                "no_network",
                "this browser belongs to no network yet; it needs a join link (sporenet invite)",
            )),
            Notice::Phase(Phase::Failed(failure)) => self.give_up(failure),
            Notice::Phase(Phase::Fenced { why }) => self.give_up(Failure::new("fenced", why)),
            Notice::Phase(
                Phase::Loading | Phase::Admitted | Phase::Departed | Phase::StorageLost { .. },
            )
            | Notice::Snapshot(_)
            | Notice::Crashed { .. } => {}
            Notice::Replayed(_) => {}
        }
    }

    /// Looks at the status until the node is let in.
    fn look(self: &Rc<Self>) {
        let Some(client) = self.client.borrow().clone() else {
            return;
        };
        let me = Rc::clone(self);
        client.ask(Request::Status, move |answer| {
            let status = answer.ok().and_then(status_of);
            match status {
                Some((status, _)) if status.verdict != Verdict::Joining => me.finish(),
                // Waiting longer can't help.
                Some((_, Some(trouble))) if trouble.is_final => {
                    me.give_up(Failure::new(&trouble.code, trouble.text));
                }
                Some((status, _)) if js_sys::Date::now() > me.until => me.give_up(Failure::new(
                    "not_admitted",
                    status
                        .reasons
                        .first()
                        .map_or("no relay let this tab in", String::as_str),
                )),
                Some(_) | None => me.look_later(),
            }
        });
    }

    fn look_later(self: Rc<Self>) {
        if self.done.borrow().is_none() {
            return;
        }
        let again = Closure::once_into_js(move || self.look());
        client::after(JOIN_LOOK_MS, again.unchecked_ref());
    }

    fn finish(&self) {
        let (done, client) = (self.done.borrow_mut().take(), self.client.borrow().clone());
        if let (Some(done), Some(client)) = (done, client) {
            done(Ok(Mesh::of(client).into()));
        }
    }

    fn give_up(&self, failure: Failure) {
        let (done, client) = (self.done.borrow_mut().take(), self.client.borrow().clone());
        if let (Some(done), Some(client)) = (done, client) {
            client.end();
            done(Err(failure));
        }
    }
}

fn status_of(answer: Answer) -> Option<(Box<Status>, Option<JoinTrouble>)> {
    match answer {
        Answer::Status { status, joining } => Some((status, joining)),
        Answer::Entry(_)
        | Answer::Closed
        | Answer::Written
        | Answer::Watching
        | Answer::Members(_)
        | Answer::Left
        | Answer::Recording(_)
        | Answer::Alerts(_)
        | Answer::Incidents(_)
        | Answer::Settings(_)
        | Answer::History(_)
        | Answer::DryRun(_)
        | Answer::Series(_)
        | Answer::Outlook(_)
        | Answer::SeriesList(_)
        | Answer::Parts(_)
        | Answer::Data(_)
        | Answer::Compacting => None,
    }
}

/// Follows the keys of a namespace that start so; answers a function that ends it.
fn watch(
    client: &Rc<Client>,
    namespace: String,
    prefix: String,
    on_error: Option<js_sys::Function>,
    told: Rc<dyn Fn(&Entry)>,
) -> js_sys::Function {
    let request = Request::Watch {
        namespace,
        prefix,
        value_bytes_max: u32::MAX,
        rows_max: u32::MAX,
    };
    let watched: OnWatched = Rc::new(move |entries, _, _| {
        for view in &entries {
            told(&view.entry);
        }
    });
    let id = client.watch(request, watched, move |answer| {
        if let Err(failure) = answer {
            typed::tell_error(on_error.as_ref(), &failure);
        }
    });
    let client = Rc::clone(client);
    let stop = Closure::<dyn FnMut()>::new(move || client.unwatch(id));
    stop.into_js_value().unchecked_into()
}

/// A promise that `start` settles once, through the function it is given.
fn promise(start: impl FnOnce(Box<dyn FnOnce(Result<JsValue, Failure>)>)) -> js_sys::Promise {
    let mut start = Some(start);
    js_sys::Promise::new(&mut |resolve, reject| {
        let done = move |outcome: Result<JsValue, Failure>| {
            let _ = match outcome {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(failure) => reject.call1(&JsValue::UNDEFINED, &error(&failure)),
            };
        };
        if let Some(start) = start.take() {
            start(Box::new(done));
        }
    })
}
