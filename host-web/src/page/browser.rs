//! What the data browser holds: the open namespace, its watch, the rows, and what came of the last write.

use crate::{
    catalogue::{Phrases, fill},
    client::Client,
    page::{
        dom,
        state::{App, State, as_u64},
    },
    protocol::{Answer, EntryView, Request},
};
use sporenet_core::{
    kernel::{bytes::Bytes, text::Key},
    node::snapshot::{Content, Entry, FieldView},
    replication::{
        typed::{Change, Kind},
        write::AckLevel,
    },
};
use std::{collections::BTreeMap, rc::Rc};
use sycamore::prelude::*;
use web_sys::Element;

/// How many rows the list shows at first, and how many more each time it is asked.
pub(crate) const ROWS_PAGE: u32 = 100;
/// The most bytes of a value in the list; editing fetches all of it.
const VALUE_BYTES_MAX: u32 = 256;

/// What the browser shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Browser {
    namespace: Signal<Option<String>>,
    watch: Signal<Option<u64>>,
    pub(crate) loading: Signal<bool>,
    pub(crate) rows: Signal<BTreeMap<String, Row>>,
    pub(crate) more: Signal<bool>,
    /// How many more pages than one are shown.
    pages: Signal<u32>,
    pub(crate) outcome: Signal<Option<Result<String, String>>>,
    /// As what the form writes.
    pub(crate) kind: Signal<Kind>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) view: EntryView,
    pub(crate) changed_ms: u64,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self {
            namespace: create_signal(None),
            watch: create_signal(None),
            loading: create_signal(false),
            rows: create_signal(BTreeMap::new()),
            more: create_signal(false),
            pages: create_signal(0),
            outcome: create_signal(None),
            kind: create_signal(Kind::Register),
        }
    }

    fn rows_max(self) -> u32 {
        let pages = self.pages.get_untracked();
        ROWS_PAGE.saturating_mul(pages.saturating_add(1))
    }

    fn take(self, entries: Vec<EntryView>, reset: bool, more: bool, now: u64) {
        self.loading.set(false);
        if more || reset {
            self.more.set(more);
        }
        let rows_max = usize::try_from(self.rows_max()).unwrap_or(usize::MAX);
        let dropped = self.rows.update(|rows| {
            if reset {
                rows.clear();
            }
            for view in entries {
                let key = view.entry.key.to_string();
                if view.entry.value.is_none() && view.entry.conflicts.is_empty() {
                    rows.remove(&key);
                    continue;
                }
                // What was there at the start does not shine; what changes does.
                let changed_ms = if reset { 0 } else { now };
                rows.insert(key, Row { view, changed_ms });
            }
            let before = rows.len();
            while rows.len() > rows_max {
                rows.pop_last();
            }
            rows.len() < before
        });
        if dropped {
            self.more.set(true);
        }
    }
}

/// Opens a namespace and watches its keys with a prefix.
pub(crate) fn open(state: State, namespace: String, prefix: String) {
    let browser = state.browser;
    state.change(|| {
        browser.namespace.set(Some(namespace));
        browser.outcome.set(None);
        browser.pages.set(0);
    });
    restart(state, prefix);
}

/// Watches what is open, from the start.
pub(crate) fn restart(state: State, prefix: String) {
    stop(state);
    let browser = state.browser;
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let namespace = browser.namespace.get_clone_untracked();
    let (Some(client), Some(namespace)) = (client, namespace) else {
        return;
    };
    state.change(|| {
        browser.rows.set(BTreeMap::new());
        browser.more.set(false);
        browser.loading.set(true);
    });
    let request = Request::Watch {
        namespace,
        prefix,
        value_bytes_max: VALUE_BYTES_MAX,
        rows_max: browser.rows_max(),
    };
    let watched = Rc::new(move |entries, reset, more| {
        state.change(|| browser.take(entries, reset, more, dom::wall_ms()));
    });
    let id = client.watch(request, watched, move |answer| {
        if let Err(failure) = answer {
            state.change(|| {
                browser.loading.set(false);
                browser.outcome.set(Some(Err(failure.text)));
            });
        }
    });
    browser.watch.set(Some(id));
}

/// Shows another page of keys.
pub(crate) fn show_more(state: State, prefix: String) {
    let pages = state.browser.pages;
    pages.set(pages.get_untracked().saturating_add(1));
    restart(state, prefix);
}

fn stop(state: State) {
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let watch = state.browser.watch.get_untracked();
    if let (Some(client), Some(id)) = (client, watch) {
        client.unwatch(id);
        state.browser.watch.set(None);
    }
}

/// Closes what is open: the browser has left the page.
pub(crate) fn close(state: State) {
    stop(state);
    let browser = state.browser;
    state.change(|| {
        browser.namespace.set(None);
        browser.rows.set(BTreeMap::new());
        browser.more.set(false);
        browser.outcome.set(None);
    });
}

/// Takes a key and its value into the fields, to change it.
pub(crate) fn edit(app: App, key: String) {
    let (state, say) = (app.state, app.say);
    // The list has only the beginning of a long value.
    whole(app, key.clone(), move |entry| {
        let kind = entry.content.kind();
        match entry.value.as_deref().map(core::str::from_utf8) {
            Some(Err(_)) => {
                let why = fill(say.not_text, &[&key]);
                state.browser.outcome.set(Some(Err(why)));
            }
            text @ (Some(Ok(_)) | None) => {
                state.browser.kind.set(kind);
                let text = text.and_then(Result::ok).unwrap_or_default();
                dom::set_field("key", &key);
                dom::set_field("value", text);
                dom::focus("value");
            }
        }
    });
}

/// Reads all of a value; what is said of a failure is shown.
fn whole(app: App, key: String, then: impl FnOnce(&Entry) + 'static) {
    let state = app.state;
    let Some((client, namespace)) = opened(state) else {
        return;
    };
    let request = Request::Get { namespace, key };
    client.ask(request, move |answer| match answer {
        Ok(Answer::Entry(Some(entry))) => then(&entry),
        Ok(_) => {}
        Err(failure) => state.browser.outcome.set(Some(Err(failure.text))),
    });
}

/// Writes the value that is shown once more, now that the others were seen.
pub(crate) fn keep_shown(app: App, key: String) {
    whole(app, key.clone(), move |entry| {
        keep(app, key, entry.content.kind(), entry.value.as_deref());
    });
}

/// Writes one of the values that stand side by side, in place of all.
pub(crate) fn keep_version(app: App, key: String, author: String, written_ms: u64) {
    whole(app, key.clone(), move |entry| {
        let Content::Multi { values } = &entry.content else {
            return;
        };
        let chosen = values.iter().find(|version| {
            version.author.to_string() == author && version.stamp.wall().as_millis() == written_ms
        });
        if let Some(version) = chosen {
            keep(app, key, Kind::Multi, version.value.as_deref());
        }
    });
}

/// Writes a value of a register or of several side by side; `None` deletes.
pub(crate) fn keep(app: App, key: String, kind: Kind, value: Option<&[u8]>) {
    match (kind, value) {
        (Kind::Multi, Some(value)) => change(app, key, Change::Multi(Bytes::from(value))),
        (
            Kind::Register | Kind::Multi | Kind::Counter | Kind::Set | Kind::Map | Kind::Flag,
            value,
        ) => write(app, key, value.map(<[u8]>::to_vec)),
    }
}

fn opened(state: State) -> Option<(Rc<Client>, String)> {
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    Some((client?, state.browser.namespace.get_clone_untracked()?))
}

/// How durable a write is to be.
fn level() -> AckLevel {
    let waits = dom::element("relay-ack").is_some_and(|ack| dom::is_checked(&ack));
    if waits {
        AckLevel::Relay
    } else {
        AckLevel::Local
    }
}

/// Changes a typed value.
pub(crate) fn change(app: App, key: String, change: Change) {
    let (state, say, level) = (app.state, app.say.values(), level());
    state.browser.outcome.set(None);
    let Some((client, namespace)) = opened(state) else {
        return;
    };
    let done = match level {
        AckLevel::Local => say.changed,
        AckLevel::Relay => say.changed_relay,
    };
    let done = fill(done, &[&key]);
    let request = Request::Change {
        namespace,
        key,
        change,
        level,
    };
    client.ask(request, move |answer| {
        let outcome = answer.map(|_| done).map_err(|failure| failure.text);
        state.browser.outcome.set(Some(outcome));
    });
}

/// Takes a field of a map into the form of its row, to change it. The list has only the beginning of a long
/// value.
pub(crate) fn edit_field(app: App, key: String, name: String, shown: &Bytes, form: Element) {
    let fill_in = move |name: &str, value: &[u8]| match core::str::from_utf8(value) {
        Ok(text) => {
            dom::set_field_in(&form, "field", name);
            dom::set_field_in(&form, "content", text);
            dom::focus_in(&form, "content");
        }
        Err(_) => {
            let why = fill(app.say.not_text, &[name]);
            app.state.browser.outcome.set(Some(Err(why)));
        }
    };
    if as_u64(shown.len()) < u64::from(VALUE_BYTES_MAX) {
        fill_in(&name, shown);
        return;
    }
    whole(app, key, move |entry| {
        if let Content::Map { fields, .. } = &entry.content {
            let mut fields = fields.iter().filter(|(field, _)| field.as_str() == name);
            if let Some((_, field)) = fields.next() {
                fill_in(&name, &field.value);
            }
        }
    });
}

/// Reads elements or fields after a part, and adds them to those in a signal.
pub(crate) fn read_parts(
    state: State,
    key: String,
    after: String,
    parts: Signal<Vec<(Key, FieldView)>>,
) {
    let Some((client, namespace)) = opened(state) else {
        return;
    };
    let request = Request::Parts {
        namespace,
        key,
        after: Some(after),
        limit: ROWS_PAGE,
    };
    client.ask(request, move |answer| {
        if let Ok(Answer::Parts(Some(page))) = answer
            && parts.is_alive()
        {
            state.change(|| parts.update(|parts| parts.extend(page.parts)));
        }
    });
}

/// Writes a value; `None` deletes.
pub(crate) fn write(app: App, key: String, value: Option<Vec<u8>>) {
    let (state, say) = (app.state, app.say);
    let level = level();
    state.browser.outcome.set(None);
    let Some((client, namespace)) = opened(state) else {
        return;
    };
    let done = done(say, value.is_some(), level, &key);
    let request = Request::Write {
        namespace,
        key,
        value,
        level,
    };
    client.ask(request, move |answer| {
        let outcome = answer.map(|_| done).map_err(|failure| failure.text);
        state.browser.outcome.set(Some(outcome));
    });
}

/// What is said once a write is acknowledged.
fn done(say: &Phrases, is_value: bool, level: AckLevel, key: &str) -> String {
    let phrase = match (is_value, level) {
        (false, AckLevel::Local) => say.deleted_done,
        (false, AckLevel::Relay) => say.deleted_relay,
        (true, AckLevel::Local) => say.stored,
        (true, AckLevel::Relay) => say.stored_relay,
    };
    fill(phrase, &[key])
}
