//! The data browser: open a namespace, filter, put, delete, watch values change, see conflicts.

use crate::{
    catalogue::{count, fill},
    page::{
        browser::{self, ROWS_PAGE, Row},
        dom,
        each::{each, memo, text, when},
        keys, parts,
        state::{App, as_u64},
    },
    protocol::EntryView,
    route::Place,
    words,
};
use sporenet_core::node::snapshot::{Conflict, Severity};
use sycamore::{prelude::*, web::events::SubmitEvent};

/// How long a changed row shines, in milliseconds.
const SHINE_MS: u64 = 2_500;

/// The view, with a namespace opened or not.
pub(crate) fn view(app: App, namespace: Option<String>) -> View {
    let say = app.say;
    let (heading, chips) = (parts::heading(say.data), chips(app, namespace.clone()));
    let body = match namespace {
        Some(namespace) => opened(app, namespace),
        None => view! { p(class="empty") { (say.data_empty) } },
    };
    let on_submit = |event: SubmitEvent| {
        event.prevent_default();
        let namespace = dom::field("namespace").trim().to_owned();
        if !namespace.is_empty() {
            dom::set_field("namespace", "");
            dom::go(&Place::Data(Some(namespace)).href());
        }
    };
    view! {
        (heading)
        section(class="panel data") {
            div(class="namespaces") {
                (chips)
                form(class="row open-form", on:submit=on_submit) {
                    label(class="visually-hidden", r#for="namespace") { (say.namespace) }
                    input(id="namespace", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                        maxlength="64", placeholder=say.namespace)
                    button(class="button", r#type="submit") { (say.open) }
                }
            }
            (body)
        }
    }
}

fn chips(app: App, open: Option<String>) -> View {
    let namespaces = app.state.namespaces;
    let held = memo(move || {
        namespaces.with(|namespaces| {
            let held = namespaces.iter();
            held.map(|one| (one.0.clone(), one.clone()))
                .collect::<Vec<_>>()
        })
    });
    let chips = each(held, move |held| {
        let name = held.with_untracked(|(name, _)| name.clone());
        let current = (open.as_ref() == Some(&name)).then_some("page");
        let keys = text(move || held.with(|(_, keys)| keys.to_string()));
        let href = Place::Data(Some(name.clone())).href();
        view! {
            li { a(class="chip", href=href, aria-current=current) { (name) span(class="chip-count") { (keys) } } }
        }
    });
    view! { ul(class="chips", aria-label=app.say.namespaces_here) { (chips) } }
}

fn opened(app: App, namespace: String) -> View {
    let state = app.state;
    let prefix = memo(move || state.route.with(|route| route.chosen("prefix").to_owned()));
    // The first run opens the namespace, later ones follow the prefix.
    let mut opens = Some(namespace.clone());
    create_effect(move || {
        let prefix = prefix.get_clone();
        match opens.take() {
            Some(namespace) => browser::open(state, namespace, prefix),
            None => browser::restart(state, prefix),
        }
    });
    on_cleanup(move || browser::close(state));
    let (put, outcome, list, more) = (put(app), outcome(app), list(app), more(app, prefix));
    let choose = move || {
        let route = state.route.get_clone_untracked();
        let route = route.with("prefix", &dom::field(keys::FILTER));
        dom::restate(&route.href());
        state.route.set(route);
    };
    let on_submit = move |event: SubmitEvent| event.prevent_default();
    view! {
        h2(class="namespace-title mono") { (namespace) }
        (put)
        p(class="outcome", aria-live="polite") { (outcome) }
        form(class="row filter", on:submit=on_submit) {
            label(r#for=keys::FILTER) { (app.say.prefix) }
            input(id=keys::FILTER, r#type="search", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                prop:value=move || prefix.get_clone(), aria-keyshortcuts="/", on:input=move |_| choose())
        }
        (list)
        (more)
    }
}

fn put(app: App) -> View {
    let say = app.say;
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let key = dom::field("key");
        if !key.is_empty() {
            browser::write(app, key, Some(dom::field("value").into_bytes()));
        }
    };
    view! {
        form(class="put", on:submit=on_submit) {
            div(class="field") {
                label(r#for="key") { (say.key) }
                input(id="key", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="512", required=true)
            }
            div(class="field wide") {
                label(r#for="value") { (say.value) }
                textarea(id="value", rows="1", "spellcheck"="false")
            }
            label(class="check") { input(id="relay-ack", r#type="checkbox") (say.wait_for_relay) }
            button(class="button primary", r#type="submit") { (say.put) }
        }
    }
}

fn outcome(app: App) -> View {
    when(
        move || app.state.browser.outcome.get_clone(),
        |outcome| match outcome {
            None => View::new(),
            Some(Ok(text)) => view! { span(class="good") { (text) } },
            Some(Err(text)) => {
                let shape = parts::severity_shape(Severity::Error);
                view! { span(class="bad") { (shape) (text) } }
            }
        },
    )
}

fn list(app: App) -> View {
    let (say, shown) = (app.say, app.state.browser);
    let rows = memo(move || {
        shown.rows.with(|rows| {
            let rows = rows.iter();
            rows.map(|(key, row)| (key.clone(), row.clone()))
                .collect::<Vec<_>>()
        })
    });
    when(
        move || (shown.loading.get(), rows.with(Vec::is_empty)),
        move |(is_loading, is_empty)| match (is_loading, is_empty) {
            (true, _) => view! { p(class="empty", aria-busy="true") { (say.opening) } },
            (false, true) => view! { p(class="empty") { (say.no_keys) } },
            (false, false) => {
                let rows = each(rows, move |row| entry(app, row));
                view! { ul(class="entries", tabindex="0", aria-label=say.keys) { (rows) } }
            }
        },
    )
}

fn more(app: App, prefix: ReadSignal<String>) -> View {
    let (state, say) = (app.state, app.say);
    when(
        move || state.browser.more.get(),
        move |more| {
            if !more {
                return View::new();
            }
            let first = text(move || {
                let rows = state.browser.rows.with(std::collections::BTreeMap::len);
                fill(say.first_keys, &[&rows.to_string()])
            });
            let word = fill(say.show_more, &[&ROWS_PAGE.to_string()]);
            view! {
                p(class="muted more") {
                    (first) " "
                    button(id="more", class="button small", r#type="button",
                        on:click=move |_| browser::show_more(state, prefix.get_clone_untracked())) { (word) }
                }
            }
        },
    )
}

fn entry(app: App, row: ReadSignal<Row>) -> View {
    let (state, say) = (app.state, app.say);
    let key = row.with_untracked(|row| row.view.entry.key.to_string());
    let shines = memo(move || {
        let changed = row.with(|row| row.changed_ms);
        changed.saturating_add(SHINE_MS) > state.now_ms.get()
    });
    let class = move || {
        if shines.get() {
            "entry shines"
        } else {
            "entry"
        }
    };
    let value = when(
        move || row.with(|row| value_text(&row.view)),
        move |value| match value {
            Some(value) => view! { (value) },
            None => view! { em { (say.deleted) } },
        },
    );
    let author = text(move || state.author(&row.with(|row| row.view.entry.author)));
    let size = text(move || words::bytes(row.with(|row| row.view.value_bytes)));
    let wall = memo(move || row.with(|row| row.view.entry.written_at.as_millis()));
    let ago = text(move || state.since(say, wall.get()));
    let (iso, moment) = (
        memo(move || dom::iso(wall.get())),
        memo(move || dom::moment(wall.get())),
    );
    // What is not text can't be edited in a text field without loss.
    let is_fixed = move || row.with(|row| !may_be_text(&row.view));
    let (edit, delete) = (fill(say.edit_key, &[&key]), fill(say.delete_key, &[&key]));
    let (edited, deleted) = (key.clone(), key.clone());
    let conflicts = conflicts(app, row);
    view! {
        li(class=class) {
            p(class="entry-key mono") { (key) }
            p(class="entry-value mono") { (value) }
            p(class="entry-meta") { (author) " · " (size) " · " time(datetime=iso, title=moment) { (ago) } }
            div(class="entry-acts") {
                button(class="button small", r#type="button", aria-label=edit, disabled=is_fixed,
                    on:click=move |_| browser::edit(app, edited.clone())) { (say.edit) }
                button(class="button small danger", r#type="button", aria-label=delete,
                    on:click=move |_| browser::write(app, deleted.clone(), None)) { (say.delete) }
            }
            (conflicts)
        }
    }
}

fn conflicts(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say;
    when(
        move || row.with(|row| row.view.entry.conflicts.clone()),
        move |lost| {
            if lost.is_empty() {
                return View::new();
            }
            let words = count(as_u64(lost.len()), (say.lost_one, say.lost_many));
            let shape = parts::severity_shape(Severity::Warn);
            let items: Vec<View> = lost.into_iter().map(|lost| conflict(app, lost)).collect();
            view! {
                details(class="conflicts") { summary { (shape) (words) } ul { (items) } }
            }
        },
    )
}

fn conflict(app: App, lost: Conflict) -> View {
    let value = lost.value.as_ref();
    let value = value.map_or_else(|| app.say.deleted.into(), |value| words::value(value));
    let author = app.state.author(&lost.author);
    let by = fill(app.say.lost_by, &[&author]);
    let wall = lost.written_at.as_millis();
    let (iso, moment) = (dom::iso(wall), dom::moment(wall));
    view! {
        li { span(class="mono") { (value) } span(class="muted") { (by) time(datetime=iso) { (moment) } } }
    }
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
