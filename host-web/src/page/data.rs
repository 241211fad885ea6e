//! The data browser: open a namespace, filter, put, delete, watch values change, see conflicts.

use crate::{
    page::{
        dom,
        live::{derived, listed, live, shown},
        parts,
        state::Console,
    },
    protocol::{EntryView, Failure, Request},
    small::SmallMap,
    words,
};
use sporenet_core::{node::snapshot::Severity, replication::write::AckLevel};
use std::rc::Rc;
use sycamore::prelude::*;

/// The most rows on the page; a prefix narrows them down.
const ROWS_MAX: u32 = 300;
/// The most bytes of a value on the page.
const VALUE_BYTES_MAX: u32 = 2_048;
/// How long a changed row shines, in milliseconds.
const SHINE_MS: u64 = 2_500;

/// What the browser shows.
#[derive(Clone, Copy)]
struct Browser {
    console: Console,
    namespace: Signal<Option<String>>,
    prefix: Signal<String>,
    watch: Signal<Option<u64>>,
    loading: Signal<bool>,
    rows: Signal<SmallMap<String, Row>>,
    more: Signal<bool>,
    key: Signal<String>,
    value: Signal<String>,
    relay_ack: Signal<bool>,
    outcome: Signal<Option<Result<String, String>>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Row {
    view: EntryView,
    changed_ms: u64,
}

pub(crate) fn panel(console: Console) -> View {
    let browser = Browser {
        console,
        namespace: create_signal(None),
        prefix: create_signal(String::new()),
        watch: create_signal(None),
        loading: create_signal(false),
        rows: create_signal(SmallMap::new()),
        more: create_signal(false),
        key: create_signal(String::new()),
        value: create_signal(String::new()),
        relay_ack: create_signal(false),
        outcome: create_signal(None),
    };
    on_cleanup(move || browser.stop());
    let open = derived(move || browser.namespace.with(Option::is_some));
    let body = live(move || {
        if open.get() {
            opened(browser)
        } else {
            nothing_open()
        }
    });
    let namespaces = namespaces(browser);
    view! {
        section(class="panel data", aria-labelledby="data-title") {
            div(class="panel-head") { h2(id="data-title") { "Data" } }
            (namespaces)
            (body)
        }
    }
}

fn nothing_open() -> View {
    view! {
        p(class="empty") {
            "Open a namespace to read and write its keys. What this tab opens, it keeps: also offline, also \
             after a reload."
        }
    }
}

impl Browser {
    fn open(self, namespace: String) {
        self.console.change(move || {
            self.namespace.set(Some(namespace));
            self.prefix.set(String::new());
            self.outcome.set(None);
            self.restart();
        });
    }

    /// Watches what is open, from the start.
    fn restart(self) {
        self.stop();
        self.rows.set(SmallMap::new());
        self.more.set(false);
        let (Some(client), Some(namespace)) = (
            self.console.client.get_clone_untracked(),
            self.namespace.get_clone_untracked(),
        ) else {
            return;
        };
        self.loading.set(true);
        let request = Request::Watch {
            namespace,
            prefix: self.prefix.get_clone_untracked(),
            value_bytes_max: VALUE_BYTES_MAX,
            rows_max: ROWS_MAX,
        };
        let watched = Rc::new(move |entries, reset, more| self.take(entries, reset, more));
        let id = client.watch(request, watched, move |answer| {
            if let Err(failure) = answer {
                self.loading.set(false);
                self.outcome.set(Some(Err(failure.text)));
            }
        });
        self.watch.set(Some(id));
    }

    fn stop(self) {
        if let (Some(client), Some(id)) = (
            self.console.client.get_clone_untracked(),
            self.watch.get_untracked(),
        ) {
            client.unwatch(id);
            self.watch.set(None);
        }
    }

    fn take(self, entries: Vec<EntryView>, reset: bool, more: bool) {
        let now = dom::wall_ms();
        self.console.change(move || {
            self.loading.set(false);
            if more || reset {
                self.more.set(more);
            }
            self.rows.update(|rows| {
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
                    let changed_ms = if reset || self.is_first_load() {
                        0
                    } else {
                        now
                    };
                    rows.insert(key, Row { view, changed_ms });
                }
                while rows.len() > ROWS_MAX as usize {
                    rows.pop_last();
                    self.more.set(true);
                }
            });
        });
    }

    fn is_first_load(self) -> bool {
        self.loading.get_untracked()
    }

    fn write(self, key: String, value: Option<Vec<u8>>) {
        let (Some(client), Some(namespace)) = (
            self.console.client.get_clone_untracked(),
            self.namespace.get_clone_untracked(),
        ) else {
            return;
        };
        let level = if self.relay_ack.get_untracked() {
            AckLevel::Relay
        } else {
            AckLevel::Local
        };
        let deleted = value.is_none();
        let request = Request::Write {
            namespace,
            key: key.clone(),
            value,
            level,
        };
        self.outcome.set(None);
        client.ask(request, move |answer| {
            let place = match level {
                AckLevel::Local => "in this tab",
                AckLevel::Relay => "in this tab and on a relay",
            };
            let verb = if deleted { "Deleted" } else { "Stored" };
            let outcome = answer.map(|_| format!("{verb} {key}: durable {place}."));
            self.outcome
                .set(Some(outcome.map_err(|failure: Failure| failure.text)));
        });
    }
}

fn namespaces(browser: Browser) -> View {
    let typed = create_signal(String::new());
    let known = derived(move || {
        browser.console.namespaces.with(|known| {
            known
                .iter()
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        })
    });
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let name = typed.get_clone().trim().to_owned();
        if !name.is_empty() {
            typed.set(String::new());
            browser.open(name);
        }
    };
    view! {
        div(class="namespaces") {
            ul(class="chips", aria-label="Namespaces held here") {
                Keyed(list=known, view=move |name| chip(browser, name), key=|name| name.clone())
            }
            form(class="row open-form", on:submit=submit) {
                label(class="visually-hidden", r#for="namespace") { "Namespace" }
                input(id="namespace", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="64", placeholder="namespace", bind:value=typed)
                button(class="button", r#type="submit") { "Open" }
            }
        }
    }
}

fn chip(browser: Browser, name: String) -> View {
    let (this, counted, label) = (name.clone(), name.clone(), name.clone());
    let current = derived(move || {
        browser
            .namespace
            .with(|open| (open.as_ref() == Some(&this)).to_string())
    });
    let keys = derived(move || {
        let keys = browser.console.namespaces.with(|known| {
            known
                .iter()
                .find(|(name, _)| *name == counted)
                .map(|(_, keys)| *keys)
        });
        keys.unwrap_or(0).to_string()
    });
    view! {
        li {
            button(class="chip", r#type="button", aria-current=current, on:click=move |_| browser.open(name.clone())) {
                (label) span(class="chip-count") { (keys) }
            }
        }
    }
}

fn opened(browser: Browser) -> View {
    let keys = derived(move || {
        browser
            .rows
            .with(|rows| rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())
    });
    let filter = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        browser.restart();
    };
    let outcome = shown(
        derived(move || browser.outcome.get_clone()),
        |outcome| match outcome {
            Ok(text) => view! { span(class="good") { (text) } },
            Err(text) => {
                let shape = parts::severity_shape(Severity::Error);
                view! { span(class="bad") { (shape) (text) } }
            }
        },
    );
    let empty = derived(move || keys.with(Vec::is_empty));
    let list = live(move || {
        if browser.loading.get() {
            return view! { p(class="empty", aria-busy="true") { "Opening…" } };
        }
        if empty.get() {
            return view! { p(class="empty") { "No keys here yet. Put the first one above; it appears on every node that holds this namespace." } };
        }
        view! {
            ul(class="entries") {
                Keyed(list=keys, view=move |key| entry(browser, key), key=|key| key.clone())
            }
        }
    });
    let more = live(move || {
        if !browser.more.get() {
            return View::new();
        }
        let text = format!("Only {ROWS_MAX} keys are shown; narrow them down by a prefix.");
        view! { p(class="muted more") { (text) } }
    });
    let form = put_form(browser);
    view! {
        (form)
        p(class="outcome", aria-live="polite") { (outcome) }
        form(class="row filter", on:submit=filter) {
            label(r#for="prefix") { "Keys that start with" }
            input(id="prefix", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                bind:value=browser.prefix, on:change=move |_: web_sys::Event| browser.restart())
        }
        (list)
        (more)
    }
}

fn put_form(browser: Browser) -> View {
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let key = browser.key.get_clone();
        if !key.is_empty() {
            let value = browser.value.get_clone().into_bytes();
            browser.write(key, Some(value));
        }
    };
    view! {
        form(class="put", on:submit=submit) {
            div(class="field") {
                label(r#for="key") { "Key" }
                input(id="key", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="512", required=true, bind:value=browser.key)
            }
            div(class="field wide") {
                label(r#for="value") { "Value" }
                textarea(id="value", rows="1", "spellcheck"="false", bind:value=browser.value)
            }
            label(class="check") {
                input(r#type="checkbox", bind:checked=browser.relay_ack)
                "wait for a relay"
            }
            button(class="button primary", r#type="submit") { "Put" }
        }
    }
}

fn entry(browser: Browser, key: String) -> View {
    let (edited, deleted, label) = (key.clone(), key.clone(), key.clone());
    let delete_label = format!("Delete {key}");
    let edit_label = format!("Edit {key}");
    let row = derived(move || browser.rows.with(|rows| rows.get(&key).cloned()));
    let shines = derived(move || {
        let now = browser.console.now_ms.get();
        row.with(|row| {
            row.as_ref()
                .is_some_and(|row| row.changed_ms.saturating_add(SHINE_MS) > now)
        })
    });
    let text = derived(move || row.with(|row| row.as_ref().map(|row| value_text(&row.view))));
    let meta = derived(move || {
        row.with(|row| {
            row.as_ref().map(|row| {
                let entry = &row.view.entry;
                let wall = entry.written_at.as_millis();
                let author = browser.console.name_of(&entry.author);
                (
                    format!("{author} · {}", words::bytes(row.view.value_bytes)),
                    wall,
                )
            })
        })
    });
    let age = derived(move || {
        let now = browser.console.now_ms.get();
        meta.with(|meta| {
            meta.as_ref()
                .map(|(_, wall)| words::ago(now.saturating_sub(*wall)))
                .unwrap_or_default()
        })
    });
    let whole = derived(move || row.with(|row| row.as_ref().and_then(|row| whole_text(&row.view))));
    let edit = move |_: web_sys::MouseEvent| {
        browser.key.set(edited.clone());
        browser.value.set(whole.get_clone().unwrap_or_default());
        focus("value");
    };
    // What is not text, or is shown only in part, can't be edited in a text field without loss.
    let fixed = derived(move || whole.with(Option::is_none));
    let class = derived(move || {
        String::from(if shines.get() {
            "entry shines"
        } else {
            "entry"
        })
    });
    let value = live(move || match text.get_clone().flatten() {
        Some(text) => view! { (text) },
        None => view! { em { "deleted" } },
    });
    let facts = shown(meta, move |(meta, wall)| {
        let (iso, moment) = (dom::iso(wall), dom::moment(wall));
        view! { (meta) " · " time(datetime=iso, title=moment) { (age) } }
    });
    let conflicts = conflicts(browser, row);
    view! {
        li(class=class) {
            p(class="entry-key mono") { (label) }
            p(class="entry-value mono") { (value) }
            p(class="entry-meta") { (facts) }
            div(class="entry-acts") {
                button(class="button small", r#type="button", aria-label=edit_label, disabled=fixed, on:click=edit) { "Edit" }
                button(class="button small danger", r#type="button", aria-label=delete_label,
                    on:click=move |_| browser.write(deleted.clone(), None)) { "Delete" }
            }
            (conflicts)
        }
    }
}

fn conflicts(browser: Browser, row: ReadSignal<Option<Row>>) -> View {
    let lost = derived(move || {
        row.with(|row| {
            row.as_ref()
                .map(|row| row.view.entry.conflicts.clone())
                .unwrap_or_default()
        })
    });
    let number = derived(move || u64::try_from(lost.with(Vec::len)).unwrap_or(0));
    live(move || {
        let number = number.get();
        if number == 0 {
            return View::new();
        }
        let shape = parts::severity_shape(Severity::Warn);
        let count = words::count(number, "concurrent write lost", "concurrent writes lost");
        let items = listed(lost, move |conflict| {
            let value = conflict
                .value
                .as_ref()
                .map_or_else(|| "deleted".into(), |value| words::value(value));
            let wall = conflict.written_at.as_millis();
            let (author, iso, moment) = (
                browser.console.name_of(&conflict.author),
                dom::iso(wall),
                dom::moment(wall),
            );
            view! {
                li {
                    span(class="mono") { (value) }
                    span(class="muted") { " by " (author) ", " time(datetime=iso) { (moment) } }
                }
            }
        });
        view! {
            details(class="conflicts") {
                summary { (shape) (count) }
                ul { (items) }
            }
        }
    })
}

fn value_text(view: &EntryView) -> Option<String> {
    let value = view.entry.value.as_ref()?;
    let mut text = words::value(value);
    if view.value_bytes > u64::try_from(value.len()).unwrap_or(u64::MAX) {
        text.push('…');
    }
    Some(text)
}

fn whole_text(view: &EntryView) -> Option<String> {
    let value = view.entry.value.as_ref()?;
    let whole = view.value_bytes == u64::try_from(value.len()).unwrap_or(u64::MAX);
    let text = whole.then(|| core::str::from_utf8(value).ok()).flatten()?;
    Some(text.to_owned())
}

fn focus(id: &str) {
    use wasm_bindgen::JsCast;
    let element =
        dom::window_and_document().and_then(|(_, document)| document.get_element_by_id(id));
    if let Some(element) =
        element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok())
    {
        let _ = element.focus();
    }
}
