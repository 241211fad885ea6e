//! The data browser: open a namespace, filter, put, delete, watch values change, see conflicts.

use crate::{
    page::{
        Console, dom, parts,
        state::State,
        view::{Slot, View, view},
    },
    protocol::{Answer, EntryView, Request},
    words,
};
use sporenet_core::{
    node::snapshot::{Conflict, Severity},
    replication::write::AckLevel,
};
use std::{collections::BTreeMap, rc::Rc};

/// How many rows the list shows at first, and how many more each time it is asked.
const ROWS_PAGE: u32 = 100;
/// The most bytes of a value in the list; editing fetches all of it.
const VALUE_BYTES_MAX: u32 = 256;
/// How long a changed row shines, in milliseconds.
const SHINE_MS: u64 = 2_500;

/// What the browser shows.
#[derive(Debug, Default)]
pub(crate) struct Browser {
    namespace: Option<String>,
    watch: Option<u64>,
    loading: bool,
    rows: BTreeMap<String, Row>,
    more: bool,
    /// How many more pages than one are shown.
    pages: u32,
    outcome: Option<Result<String, String>>,
}

#[derive(Debug)]
struct Row {
    view: EntryView,
    changed_ms: u64,
}

/// Opens a namespace.
pub(crate) fn open(console: &Rc<Console>, namespace: String) {
    let browser = &mut console.state.borrow_mut().browser;
    browser.namespace = Some(namespace);
    browser.outcome = None;
    browser.pages = 0;
    dom::set_field("prefix", "");
}

/// Watches what is open, from the start.
pub(crate) fn restart(console: &Rc<Console>) {
    stop(console);
    let (client, request) = {
        let state = &mut *console.state.borrow_mut();
        let browser = &mut state.browser;
        browser.rows.clear();
        browser.more = false;
        let (Some(client), Some(namespace)) = (&state.client, &browser.namespace) else {
            return;
        };
        browser.loading = true;
        let request = Request::Watch {
            namespace: namespace.clone(),
            prefix: dom::field("prefix"),
            value_bytes_max: VALUE_BYTES_MAX,
            rows_max: browser.rows_max(),
        };
        (Rc::clone(client), request)
    };
    let (watcher, asker) = (Rc::clone(console), Rc::clone(console));
    let watched = Rc::new(move |entries, reset, more| {
        watcher.change(|state| {
            let now = dom::wall_ms();
            state.browser.take(entries, reset, more, now);
        });
    });
    let id = client.watch(request, watched, move |answer| {
        if let Err(failure) = answer {
            asker.change(|state| {
                state.browser.loading = false;
                state.browser.outcome = Some(Err(failure.text));
            });
        }
    });
    console.state.borrow_mut().browser.watch = Some(id);
}

/// Shows another page of keys.
pub(crate) fn show_more(console: &Rc<Console>) {
    {
        let browser = &mut console.state.borrow_mut().browser;
        browser.pages = browser.pages.saturating_add(1);
    }
    restart(console);
}

fn stop(console: &Console) {
    let (client, watch) = {
        let state = &mut *console.state.borrow_mut();
        (state.client.clone(), state.browser.watch.take())
    };
    if let (Some(client), Some(id)) = (client, watch) {
        client.unwatch(id);
    }
}

/// Closes what is open: the browser has left the page.
pub(crate) fn close(console: &Console) {
    stop(console);
    console.state.borrow_mut().browser = Browser::default();
}

/// Takes a key and its value into the fields, to change it.
pub(crate) fn edit(console: &Rc<Console>, key: String) {
    let (client, namespace) = {
        let state = console.state.borrow();
        (state.client.clone(), state.browser.namespace.clone())
    };
    let (Some(client), Some(namespace)) = (client, namespace) else {
        return;
    };
    let request = Request::Get {
        namespace,
        key: key.clone(),
    };
    let asker = Rc::clone(console);
    // The list has only the beginning of a long value.
    client.ask(request, move |answer| {
        let text = match answer {
            Ok(Answer::Entry(Some(entry))) => {
                let text = entry.value.as_deref().map(core::str::from_utf8);
                match text {
                    Some(Ok(text)) => Ok(text.to_owned()),
                    Some(Err(_)) => Err(format!(
                        "{key} is not text and can't be edited here; write it with sporenet put."
                    )),
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
                if let Some(field) = dom::element("value") {
                    let _ = field.focus();
                }
            }
            Err(why) => asker.change(|state| state.browser.outcome = Some(Err(why))),
        }
    });
}

/// Writes a value; `None` deletes.
pub(crate) fn write(console: &Rc<Console>, key: String, value: Option<Vec<u8>>) {
    let waits = dom::element("relay-ack").is_some_and(|ack| dom::is_checked(&ack));
    let level = if waits {
        AckLevel::Relay
    } else {
        AckLevel::Local
    };
    let (client, namespace) = {
        let browser = &mut console.state.borrow_mut();
        browser.browser.outcome = None;
        (browser.client.clone(), browser.browser.namespace.clone())
    };
    let (Some(client), Some(namespace)) = (client, namespace) else {
        return;
    };
    let done = match (&value, level) {
        (None, AckLevel::Local) => format!("Deleted {key}: durable in this tab."),
        (None, AckLevel::Relay) => format!("Deleted {key}: durable in this tab and on a relay."),
        (Some(_), AckLevel::Local) => format!("Stored {key}: durable in this tab."),
        (Some(_), AckLevel::Relay) => format!("Stored {key}: durable in this tab and on a relay."),
    };
    let request = Request::Write {
        namespace,
        key,
        value,
        level,
    };
    let asker = Rc::clone(console);
    client.ask(request, move |answer| {
        let outcome = answer.map(|_| done).map_err(|failure| failure.text);
        asker.change(|state| state.browser.outcome = Some(outcome));
    });
}

impl Browser {
    pub(crate) const fn is_open(&self) -> bool {
        self.namespace.is_some()
    }

    const fn rows_max(&self) -> u32 {
        ROWS_PAGE.saturating_mul(self.pages.saturating_add(1))
    }

    fn take(&mut self, entries: Vec<EntryView>, reset: bool, more: bool, now: u64) {
        self.loading = false;
        if more || reset {
            self.more = more;
        }
        if reset {
            self.rows.clear();
        }
        for view in entries {
            let key = view.entry.key.to_string();
            if view.entry.value.is_none() && view.entry.conflicts.is_empty() {
                self.rows.remove(&key);
                continue;
            }
            // What was there at the start does not shine; what changes does.
            let changed_ms = if reset { 0 } else { now };
            self.rows.insert(key, Row { view, changed_ms });
        }
        while self.rows.len() > self.rows_max() as usize {
            self.rows.pop_last();
            self.more = true;
        }
    }
}

pub(crate) fn panel(state: &State) -> View {
    let browser = &state.browser;
    let body = if browser.is_open() {
        opened(state)
    } else {
        view!(
            "<p class='empty'>Open a namespace to read and write its keys. What this tab opens, it keeps: also \
               offline, also after a reload.</p>"
        )
    };
    let namespaces = state.namespaces.iter();
    let chips: Vec<_> = namespaces
        .map(|(name, keys)| (name.clone(), chip(browser, name, *keys)))
        .collect();
    view!(
        "<section class='panel data' aria-labelledby='data-title'>\
           <div class='panel-head'><h2 id='data-title'>Data</h2></div>\
           <div class='namespaces'>\
             <ul class='chips' aria-label='Namespaces held here'>{}</ul>\
             <form class='row open-form' data-submit='open'>\
               <label class='visually-hidden' for='namespace'>Namespace</label>\
               <input id='namespace' type='text' autocomplete='off' autocapitalize='off' spellcheck='false' \
                 maxlength='64' placeholder='namespace'/>\
               <button class='button' type='submit'>Open</button>\
             </form>\
           </div>\
           {}\
         </section>",
        chips,
        body
    )
}

fn chip(browser: &Browser, name: &str, keys: u64) -> View {
    let current = browser.namespace.as_deref() == Some(name);
    view!(
        "<li><button class='chip' type='button' aria-current='{}' data-click='open' data-of='{}'>\
           {}<span class='chip-count'>{}</span>\
         </button></li>",
        current.to_string(),
        name,
        name,
        keys.to_string()
    )
}

fn opened(state: &State) -> View {
    let browser = &state.browser;
    let outcome = browser.outcome.as_ref().map(|outcome| match outcome {
        Ok(text) => view!("<span class='good'>{}</span>", text.as_str()),
        Err(text) => {
            let shape = parts::severity_shape(Severity::Error);
            view!("<span class='bad'>{}{}</span>", shape, text.as_str())
        }
    });
    let list = if browser.loading {
        view!("<p class='empty' aria-busy='true'>Opening…</p>")
    } else if browser.rows.is_empty() {
        view!(
            "<p class='empty'>No keys here yet. Put the first one above; it appears on every node that holds \
               this namespace.</p>"
        )
    } else {
        let rows = browser.rows.iter();
        let rows: Vec<_> = rows
            .map(|(key, row)| (key.clone(), entry(state, key, row)))
            .collect();
        view!(
            "<ul class='entries' tabindex='0' aria-label='Keys'>{}</ul>",
            rows
        )
    };
    let more = browser.more.then(|| {
        let text = format!(
            "The first {} keys are shown; a prefix narrows them down.",
            browser.rows.len()
        );
        view!(
            "<p class='muted more'>{} <button class='button small' type='button' data-click='more'>\
               Show {} more</button></p>",
            text,
            ROWS_PAGE.to_string()
        )
    });
    view!(
        "<form class='put' data-submit='put'>\
           <div class='field'>\
             <label for='key'>Key</label>\
             <input id='key' type='text' autocomplete='off' autocapitalize='off' spellcheck='false' \
               maxlength='512' required/>\
           </div>\
           <div class='field wide'>\
             <label for='value'>Value</label>\
             <textarea id='value' rows='1' spellcheck='false'></textarea>\
           </div>\
           <label class='check'><input id='relay-ack' type='checkbox'/>wait for a relay</label>\
           <button class='button primary' type='submit'>Put</button>\
         </form>\
         <p class='outcome' aria-live='polite'>{}</p>\
         <form class='row filter' data-submit='filter'>\
           <label for='prefix'>Keys that start with</label>\
           <input id='prefix' type='text' autocomplete='off' autocapitalize='off' spellcheck='false' \
             data-change='filter'/>\
         </form>\
         {}{}",
        outcome,
        list,
        more
    )
}

fn entry(state: &State, key: &str, row: &Row) -> View {
    let entry = &row.view.entry;
    let wall = entry.written_at.as_millis();
    let shines = row.changed_ms.saturating_add(SHINE_MS) > state.now_ms;
    let value = match value_text(&row.view) {
        Some(text) => Slot::Text(text),
        None => Slot::View(view!("<em>deleted</em>")),
    };
    view!(
        "<li class='{}'>\
           <p class='entry-key mono'>{}</p>\
           <p class='entry-value mono'>{}</p>\
           <p class='entry-meta'>{} · {} · <time datetime='{}' title='{}'>{}</time></p>\
           <div class='entry-acts'>\
             <button class='button small' type='button' aria-label='{}' disabled='{}' data-click='edit' \
               data-of='{}'>Edit</button>\
             <button class='button small danger' type='button' aria-label='{}' data-click='delete' \
               data-of='{}'>Delete</button>\
           </div>\
           {}\
         </li>",
        if shines { "entry shines" } else { "entry" },
        key,
        value,
        state.called(&entry.author),
        words::bytes(row.view.value_bytes),
        Slot::Made(wall, dom::iso),
        Slot::Made(wall, dom::moment),
        words::ago(state.now_ms.saturating_sub(wall)),
        format!("Edit {key}"),
        // What is not text can't be edited in a text field without loss.
        !may_be_text(&row.view),
        key,
        format!("Delete {key}"),
        key,
        conflicts(state, &entry.conflicts),
    )
}

fn conflicts(state: &State, lost: &[Conflict]) -> Option<View> {
    if lost.is_empty() {
        return None;
    }
    let items: Vec<_> = lost
        .iter()
        .map(|conflict| {
            let value = conflict.value.as_ref();
            let wall = conflict.written_at.as_millis();
            view!(
                "<li>\
                   <span class='mono'>{}</span>\
                   <span class='muted'> by {}, <time datetime='{}'>{}</time></span>\
                 </li>",
                value.map_or_else(|| "deleted".into(), |value| words::value(value)),
                state.called(&conflict.author),
                Slot::Made(wall, dom::iso),
                Slot::Made(wall, dom::moment),
            )
        })
        .collect();
    let number = u64::try_from(lost.len()).unwrap_or(0);
    Some(view!(
        "<details class='conflicts'><summary>{}{}</summary><ul>{}</ul></details>",
        parts::severity_shape(Severity::Warn),
        words::count(number, "concurrent write lost", "concurrent writes lost"),
        items
    ))
}

fn value_text(view: &EntryView) -> Option<String> {
    let value = view.entry.value.as_ref()?;
    let mut text = words::value(value);
    if !is_whole(view, value) {
        text.push('…');
    }
    Some(text)
}

/// Whether what is here of a value is text; a cut may fall inside a character.
fn may_be_text(view: &EntryView) -> bool {
    view.entry
        .value
        .as_ref()
        .is_some_and(|value| match core::str::from_utf8(value) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none() && !is_whole(view, value),
        })
}

/// Whether a value came uncut.
fn is_whole(view: &EntryView, value: &[u8]) -> bool {
    view.value_bytes == u64::try_from(value.len()).unwrap_or(u64::MAX)
}
