//! What the data browser holds: the open namespace, its watch, the rows, and what came of the last write.

use crate::{
    catalogue::{Phrases, fill},
    page::{
        dom,
        state::{App, State},
    },
    protocol::{Answer, EntryView, Request},
};
use sporenet_core::replication::write::AckLevel;
use std::{collections::BTreeMap, rc::Rc};
use sycamore::prelude::*;

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
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let namespace = state.browser.namespace.get_clone_untracked();
    let (Some(client), Some(namespace)) = (client, namespace) else {
        return;
    };
    let request = Request::Get {
        namespace,
        key: key.clone(),
    };
    // The list has only the beginning of a long value.
    client.ask(request, move |answer| {
        let text = match answer {
            Ok(Answer::Entry(Some(entry))) => {
                match entry.value.as_deref().map(core::str::from_utf8) {
                    Some(Ok(text)) => Ok(text.to_owned()),
                    Some(Err(_)) => Err(fill(say.not_text, &[&key])),
                    None => Ok(String::new()),
                }
            }
            Ok(_) => Ok(String::new()),
            Err(failure) => Err(failure.text),
        };
        match text {
            Ok(text) => {
                dom::set_field("key", &key);
                dom::set_field("value", &text);
                dom::focus("value");
            }
            Err(why) => state.browser.outcome.set(Some(Err(why))),
        }
    });
}

/// Writes a value; `None` deletes.
pub(crate) fn write(app: App, key: String, value: Option<Vec<u8>>) {
    let (state, say) = (app.state, app.say);
    let waits = dom::element("relay-ack").is_some_and(|ack| dom::is_checked(&ack));
    let level = if waits {
        AckLevel::Relay
    } else {
        AckLevel::Local
    };
    state.browser.outcome.set(None);
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let namespace = state.browser.namespace.get_clone_untracked();
    let (Some(client), Some(namespace)) = (client, namespace) else {
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
