//! The data browser: open a namespace, filter, put, delete, watch values change, see conflicts.

use crate::{
    catalogue::{count, fill},
    page::{
        browser::{self, ROWS_PAGE, Row},
        dom,
        each::{each, memo, text, when},
        footprint, keys, parts,
        state::{App, as_u64},
        typed,
    },
    protocol::EntryView,
    route::Place,
    words,
};
use sporenet_core::{
    node::snapshot::{Conflict, Content, Severity},
    replication::typed::Kind,
};
use sycamore::{prelude::*, web::events::SubmitEvent};

/// How long a changed row shines, in milliseconds.
const SHINE_MS: u64 = 2_500;

/// The view, with a namespace opened or not.
pub(crate) fn view(app: App, namespace: Option<String>) -> View {
    let say = app.say;
    let (heading, chips) = (parts::heading(say.data), chips(app, namespace.clone()));
    let (body, below) = match namespace {
        Some(namespace) => (opened(app, namespace), View::new()),
        None => {
            let empty = view! { p(class="empty") { (say.data_empty) } };
            (empty, footprint::view(app))
        }
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
        (below)
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
    let (choice, field) = typed::begin(app);
    let hint = typed::hint(app);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let (key, value) = (dom::field("key"), dom::field("value"));
        if key.is_empty() {
            return;
        }
        match typed::parsed(app, app.state.browser.kind.get_untracked(), &value) {
            Ok(Some(change)) => browser::change(app, key, change),
            Ok(None) => browser::write(app, key, Some(value.into_bytes())),
            Err(why) => app.state.browser.outcome.set(Some(Err(why))),
        }
    };
    view! {
        form(class="put", on:submit=on_submit) {
            div(class="field") {
                label(r#for="key") { (say.key) }
                input(id="key", r#type="text", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="512", required=true)
            }
            (choice)
            div(class="field wide") {
                label(r#for="value") { (say.value) }
                (field)
            }
            label(class="check") { input(id="relay-ack", r#type="checkbox") (say.wait_for_relay) }
            button(class="button primary", r#type="submit") { (say.put) }
            p(id="kind-hint", class="muted small put-hint") { (hint) }
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
    let kind = memo(move || row.with(|row| row.view.entry.content.kind()));
    let badge = text(move || words::kind(say, kind.get()).into());
    let value = when(
        move || kind.get(),
        move |kind| match kind {
            Kind::Register => register(app, row),
            Kind::Multi | Kind::Counter | Kind::Set | Kind::Map | Kind::Flag => {
                let value = typed::value(app, kind, row);
                view! { div(class="entry-value typed-value") { (value) } }
            }
        },
    );
    let author = text(move || state.author(&row.with(|row| row.view.entry.author)));
    let size = text(move || match row.with(|row| typed::amount(app, row)) {
        amount if amount.is_empty() => " · ".into(),
        amount => format!(" · {amount} · "),
    });
    let wall = memo(move || row.with(|row| row.view.entry.written_at.as_millis()));
    let ago = text(move || state.since(say, wall.get()));
    let (iso, moment) = (
        memo(move || dom::iso(wall.get())),
        memo(move || dom::moment(wall.get())),
    );
    let delete = fill(say.delete_key, &[&key]);
    let deleted = key.clone();
    let (edit, also, conflicts) = (edit(app, row), typed::also(app, row), conflicts(app, row));
    view! {
        li(class=class) {
            p(class="entry-key mono") { (key) }
            (value)
            p(class="entry-meta") {
                span(class="tag kind") { (badge) } " " (author) (size) time(datetime=iso, title=moment) { (ago) }
            }
            div(class="entry-acts") {
                (edit)
                button(class="button small danger", r#type="button", aria-label=delete,
                    on:click=move |_| browser::write(app, deleted.clone(), None)) { (say.delete) }
            }
            (also)
            (conflicts)
        }
    }
}

fn register(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say;
    let value = when(
        move || row.with(|row| value_text(&row.view)),
        move |value| match value {
            Some(value) => view! { (value) },
            None => view! { em { (say.deleted) } },
        },
    );
    view! { p(class="entry-value mono") { (value) } }
}

/// The button that takes a value into the form; counters, sets, maps and flags are changed in place.
fn edit(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say;
    let can = move || {
        row.with(|row| match &row.view.entry.content {
            // What is not text can't be edited in a text field without loss.
            Content::Register | Content::Multi { .. } => Some(may_be_text(&row.view)),
            Content::Counter { .. }
            | Content::Set { .. }
            | Content::Map { .. }
            | Content::Flag { .. } => None,
        })
    };
    when(can, move |can| {
        let Some(may_be_text) = can else {
            return View::new();
        };
        let key = row.with_untracked(|row| row.view.entry.key.to_string());
        let edit = fill(say.edit_key, &[&key]);
        view! {
            button(class="button small", r#type="button", aria-label=edit, disabled=!may_be_text,
                on:click=move |_| browser::edit(app, key.clone())) { (say.edit) }
        }
    })
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
            let shown = when(move || row.get_clone(), move |row| winner(app, &row));
            let key = row.with_untracked(|row| row.view.entry.key.to_string());
            let lost: Vec<View> = lost
                .into_iter()
                .map(|lost| conflict(app, key.clone(), lost))
                .collect();
            view! {
                details(class="conflicts") {
                    summary { (shape) (words) }
                    ul(class="versions") { (shown) (lost) }
                }
            }
        },
    )
}

/// The value that is shown, among those that lost.
fn winner(app: App, row: &Row) -> View {
    let entry = &row.view.entry;
    let key = entry.key.to_string();
    let value = value_text(&row.view).unwrap_or_else(|| app.say.deleted.into());
    let is_deleted = entry.value.is_none();
    let keep = typed::keep_button(app, move || {
        if is_deleted {
            browser::write(app, key.clone(), None);
        } else {
            browser::keep_shown(app, key.clone());
        }
    });
    let (author, wall) = (
        app.state.author(&entry.author),
        entry.written_at.as_millis(),
    );
    let standing = Some(app.say.values().wins);
    typed::card(app, value, &author, wall, standing, Some(keep))
}

fn conflict(app: App, key: String, lost: Conflict) -> View {
    let value = lost.value.as_ref();
    let value = value.map_or_else(|| app.say.deleted.into(), |value| words::value(value));
    let author = app.state.author(&lost.author);
    let wall = lost.written_at.as_millis();
    let keep = typed::keep_button(app, move || {
        browser::keep(app, key.clone(), Kind::Register, lost.value.as_deref());
    });
    let standing = Some(app.say.values().lost);
    typed::card(app, value, &author, wall, standing, Some(keep))
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
