//! A value by its type: counters, sets, maps, flags, values side by side; and the form that begins one.

use crate::{
    catalogue::{count, fill},
    page::{
        browser::{self, Row},
        dom,
        each::{each, memo, text, when},
        parts,
        state::{App, as_u64, put},
    },
    words,
};
use sporenet_core::{
    kernel::{bytes::Bytes, text::Key},
    node::snapshot::{Content, FieldView, Severity},
    replication::{
        crdt::register::Version,
        typed::{Change, Kind},
    },
};
use sycamore::{prelude::*, web::events::SubmitEvent};

/// The class around the value of a row, in which its form is found.
const AROUND: &str = ".typed";

/// What a key of a type holds, with what changes it; nothing for a register.
pub(crate) fn value(app: App, kind: Kind, row: ReadSignal<Row>) -> View {
    match kind {
        Kind::Register => View::new(),
        Kind::Multi => multi(app, row),
        Kind::Counter => counter(app, row),
        Kind::Set => set(app, row),
        Kind::Map => map(app, row),
        Kind::Flag => flag(app, row),
    }
}

/// How much a key holds, in the measure of its type.
pub(crate) fn amount(app: App, row: &Row) -> String {
    let say = app.say.values();
    match &row.view.entry.content {
        Content::Register => words::bytes(row.view.value_bytes),
        Content::Multi { values } => count(as_u64(values.len()), (say.values_one, say.values_many)),
        Content::Counter { writers, .. } => count(*writers, (say.writers_one, say.writers_many)),
        Content::Set { total, .. } => count(*total, (say.elements_one, say.elements_many)),
        Content::Map { total, .. } => count(*total, (say.fields_one, say.fields_many)),
        Content::Flag { .. } => String::new(),
    }
}

/// What else a key holds, if several types were begun at once.
pub(crate) fn also(app: App, row: ReadSignal<Row>) -> View {
    when(
        move || row.with(|row| row.view.entry.also.clone()),
        move |also| {
            if also.is_empty() {
                return View::new();
            }
            let kinds: Vec<_> = also
                .into_iter()
                .map(|kind| words::kind(app.say, kind))
                .collect();
            let said = fill(app.say.values().also, &[&kinds.join(", ")]);
            let shape = parts::severity_shape(Severity::Warn);
            view! { p(class="entry-also") { (shape) span { (said) } } }
        },
    )
}

fn key_of(row: ReadSignal<Row>) -> String {
    row.with_untracked(|row| row.view.entry.key.to_string())
}

fn content<T>(row: ReadSignal<Row>, read: impl FnOnce(&Content) -> T) -> T {
    row.with(|row| read(&row.view.entry.content))
}

fn counter(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say.values();
    let key = key_of(row);
    let number = text(move || {
        content(row, |content| match content {
            Content::Counter { value, .. } => value.to_string(),
            Content::Register
            | Content::Multi { .. }
            | Content::Set { .. }
            | Content::Map { .. }
            | Content::Flag { .. } => String::new(),
        })
    });
    let is_full = move || {
        content(row, |content| {
            matches!(
                content,
                Content::Counter {
                    saturated: true,
                    ..
                }
            )
        })
    };
    let end = when(is_full, move |is_full| {
        if is_full {
            view! { span(class="muted") { (say.saturated) } }
        } else {
            View::new()
        }
    });
    let (less, more) = (fill(say.one_less, &[&key]), fill(say.one_more, &[&key]));
    let by = fill(say.by, &[&key]);
    let (down, up, sent) = (key.clone(), key.clone(), key);
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(form) = dom::form_of(&event, AROUND) else {
            return;
        };
        match parsed(app, Kind::Counter, &dom::field_in(&form, "by")) {
            Ok(Some(change)) => {
                browser::change(app, sent.clone(), change);
                dom::set_field_in(&form, "by", "");
            }
            Ok(None) => {}
            Err(why) => app.state.browser.outcome.set(Some(Err(why))),
        }
    };
    view! {
        div(class="typed counting") {
            button(class="button small step", r#type="button", aria-label=less,
                on:click=move |_| browser::change(app, down.clone(), Change::Add(-1))) { "−" }
            output(class="typed-number mono") { (number) }
            button(class="button small step", r#type="button", aria-label=more,
                on:click=move |_| browser::change(app, up.clone(), Change::Add(1))) { "+" }
            form(class="row", on:submit=on_submit) {
                input(r#type="text", name="by", inputmode="numeric", autocomplete="off", maxlength="20", size="6",
                    required=true, placeholder="±", aria-label=by)
                button(class="button small", r#type="submit") { (say.add) }
            }
            (end)
        }
    }
}

fn flag(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say.values();
    let key = key_of(row);
    let is_on = memo(move || content(row, |content| *content == Content::Flag { on: true }));
    let word = text(move || if is_on.get() { say.on } else { say.off }.into());
    let checked = move || is_on.get().to_string();
    let named = key.clone();
    view! {
        div(class="typed") {
            button(class="switch", r#type="button", role="switch", aria-checked=checked, aria-label=named,
                on:click=move |_| browser::change(app, key.clone(), Change::Flag(!is_on.get_untracked()))) {
                span(class="switch-track", aria-hidden="true") { span(class="switch-knob") }
                span { (word) }
            }
        }
    }
}

/// The elements or fields that came with the row, and those that were read since.
#[derive(Clone, Copy)]
struct Parts {
    shown: ReadSignal<Vec<(String, Option<FieldView>)>>,
    total: ReadSignal<u64>,
    more: Signal<Vec<(Key, FieldView)>>,
}

fn parts_of(row: ReadSignal<Row>) -> Parts {
    let more: Signal<Vec<(Key, FieldView)>> = create_signal(Vec::new());
    let told = memo(move || content(row, Clone::clone));
    // What was read in pages is old once the value changes.
    create_effect(move || {
        told.track();
        put(more, Vec::new());
    });
    let first = |content: Content| -> Vec<(String, Option<FieldView>)> {
        match content {
            Content::Set { elements, .. } => elements
                .into_iter()
                .map(|element| (element.to_string(), None))
                .collect(),
            Content::Map { fields, .. } => fields
                .into_iter()
                .map(|(name, field)| (name.to_string(), Some(field)))
                .collect(),
            Content::Register
            | Content::Multi { .. }
            | Content::Counter { .. }
            | Content::Flag { .. } => Vec::new(),
        }
    };
    let shown = memo(move || {
        let mut shown = first(told.get_clone());
        let more = more.get_clone().into_iter();
        shown.extend(more.map(|(name, field)| (name.to_string(), Some(field))));
        shown
    });
    let total = memo(move || {
        told.with(|content| match content {
            Content::Set { total, .. } | Content::Map { total, .. } => *total,
            Content::Register
            | Content::Multi { .. }
            | Content::Counter { .. }
            | Content::Flag { .. } => 0,
        })
    });
    Parts { shown, total, more }
}

/// How many of the parts are shown, and a button for others.
fn rest(app: App, key: String, parts: Parts) -> View {
    let say = app.say.values();
    let counts = move || {
        let shown = as_u64(parts.shown.with(Vec::len));
        let total = parts.total.get();
        (shown < total).then_some((shown, total))
    };
    when(counts, move |counts| {
        let Some((shown, total)) = counts else {
            return View::new();
        };
        let said = fill(say.rest, &[&shown.to_string(), &total.to_string()]);
        let key = key.clone();
        let read = move |_| {
            let last = parts.shown.with_untracked(|shown| shown.last().cloned());
            if let Some((last, _)) = last {
                browser::read_parts(app.state, key.clone(), last, parts.more);
            }
        };
        view! {
            p(class="muted more") {
                (said) " "
                button(class="button small", r#type="button", on:click=read) { (say.more) }
            }
        }
    })
}

fn set(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say.values();
    let key = key_of(row);
    let parts = parts_of(row);
    let of = key.clone();
    let named = memo(move || {
        let shown = parts.shown.get_clone().into_iter();
        shown
            .map(|(element, _)| (element.clone(), element))
            .collect::<Vec<_>>()
    });
    let chips = each(named, move |element| {
        let element = element.get_clone_untracked();
        let remove = fill(say.remove, &[&element]);
        let (of, gone) = (of.clone(), element.clone());
        let on_click = move |_| {
            if let Ok(element) = Key::new(&gone) {
                browser::change(app, of.clone(), Change::Remove(vec![element]));
            }
        };
        view! {
            li(class="element") {
                span(class="mono") { (element) }
                button(r#type="button", aria-label=remove, on:click=on_click) { "×" }
            }
        }
    });
    let (label, sent) = (fill(say.new_element, &[&key]), key.clone());
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(form) = dom::form_of(&event, AROUND) else {
            return;
        };
        let element = dom::field_in(&form, "element");
        if let Ok(element) = Key::new(&element) {
            browser::change(app, sent.clone(), Change::Insert(vec![element]));
            dom::set_field_in(&form, "element", "");
        }
    };
    let (rest, list) = (rest(app, key.clone(), parts), key);
    view! {
        div(class="typed") {
            ul(class="elements", aria-label=list) { (chips) }
            (rest)
            form(class="row typed-form", on:submit=on_submit) {
                input(r#type="text", name="element", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="505", required=true, placeholder=say.element, aria-label=label)
                button(class="button small", r#type="submit") { (say.add) }
            }
        }
    }
}

fn map(app: App, row: ReadSignal<Row>) -> View {
    let say = app.say.values();
    let key = key_of(row);
    let parts = parts_of(row);
    let fields = memo(move || {
        let shown = parts.shown.get_clone().into_iter();
        shown
            .filter_map(|(name, field)| Some((name.clone(), (name, field?))))
            .collect::<Vec<_>>()
    });
    let of = key.clone();
    let rows = each(fields, move |one| field(app, of.clone(), one));
    let (label, sent) = (fill(say.field_of, &[&key]), key.clone());
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(form) = dom::form_of(&event, AROUND) else {
            return;
        };
        if let Ok(name) = Key::new(&dom::field_in(&form, "field")) {
            let value = Bytes::from(dom::field_in(&form, "content").as_bytes());
            browser::change(app, sent.clone(), Change::Put(vec![(name, Some(value))]));
            dom::set_field_in(&form, "field", "");
            dom::set_field_in(&form, "content", "");
        }
    };
    let (rest, list) = (rest(app, key.clone(), parts), key);
    view! {
        div(class="typed") {
            div(class="fields-wrap") { table(class="fields", aria-label=list) { tbody { (rows) } } }
            (rest)
            form(class="row typed-form", on:submit=on_submit) {
                input(r#type="text", name="field", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    maxlength="505", required=true, placeholder=say.field, aria-label=label)
                input(r#type="text", name="content", autocomplete="off", autocapitalize="off", "spellcheck"="false",
                    placeholder=app.say.value, aria-label=say.value_of)
                button(class="button small", r#type="submit") { (app.say.put) }
            }
        }
    }
}

fn field(app: App, key: String, field: ReadSignal<(String, FieldView)>) -> View {
    let say = app.say;
    let name = field.with_untracked(|(name, _)| name.clone());
    let value = text(move || field.with(|(_, field)| words::value(&field.value)));
    let hint = memo(move || {
        let (author, wall) = field.with(|(_, field)| (field.author, field.written_at()));
        let author = app.state.author(&author);
        format!("{author}, {}", dom::moment(wall.as_millis()))
    });
    let lost = when(
        move || field.with(|(_, field)| field.conflicts),
        move |lost| {
            if lost == 0 {
                return View::new();
            }
            let words = count(lost, (say.lost_one, say.lost_many));
            let shape = parts::severity_shape(Severity::Warn);
            view! { span(class="field-lost") { (shape) (words) } }
        },
    );
    let is_fixed = move || field.with(|(_, field)| core::str::from_utf8(&field.value).is_err());
    let (edit, delete) = (fill(say.edit_key, &[&name]), fill(say.delete_key, &[&name]));
    let (of, edited) = (key.clone(), name.clone());
    let on_edit = move |event: web_sys::MouseEvent| {
        if let Some(form) = dom::form_of(&event, AROUND) {
            let shown = field.with_untracked(|(_, field)| field.value.clone());
            browser::edit_field(app, of.clone(), edited.clone(), &shown, form);
        }
    };
    let gone = name.clone();
    let on_delete = move |_| {
        if let Ok(name) = Key::new(&gone) {
            browser::change(app, key.clone(), Change::Put(vec![(name, None)]));
        }
    };
    view! {
        tr {
            th(scope="row", class="mono") { (name) }
            td(class="mono", title=hint) { (value) (lost) }
            td(class="field-acts") {
                button(class="button small", r#type="button", aria-label=edit, disabled=is_fixed, on:click=on_edit) { (say.edit) }
                button(class="button small danger", r#type="button", aria-label=delete, on:click=on_delete) { "×" }
            }
        }
    }
}

fn multi(app: App, row: ReadSignal<Row>) -> View {
    let key = key_of(row);
    let versions = move || {
        content(row, |content| match content {
            Content::Multi { values } => values.clone(),
            Content::Register
            | Content::Counter { .. }
            | Content::Set { .. }
            | Content::Map { .. }
            | Content::Flag { .. } => Vec::new(),
        })
    };
    let shown = when(versions, move |versions| {
        let several = versions.len() > 1;
        let cards: Vec<View> = versions
            .into_iter()
            .map(|one| version(app, key.clone(), one, several))
            .collect();
        view! { ul(class="versions") { (cards) } }
    });
    view! { div(class="typed") { (shown) } }
}

fn version(app: App, key: String, version: Version, several: bool) -> View {
    let value = version.value.as_ref();
    let value = value.map_or_else(|| app.say.deleted.into(), |value| words::value(value));
    let author = version.author.to_string();
    let wall = version.stamp.wall().as_millis();
    let keep = several.then(|| {
        keep_button(app, move || {
            browser::keep_version(app, key.clone(), author.clone(), wall);
        })
    });
    card(
        app,
        value,
        &app.state.author(&version.author),
        wall,
        None,
        keep,
    )
}

/// One of several versions of a value, with who wrote it and what can be done about it.
pub(crate) fn card(
    app: App,
    value: String,
    author: &str,
    wall_ms: u64,
    standing: Option<&'static str>,
    keep: Option<View>,
) -> View {
    let (iso, moment) = (dom::iso(wall_ms), dom::moment(wall_ms));
    let by = fill(app.say.lost_by, &[author]);
    let ago = text(move || app.state.since(app.say, wall_ms));
    let standing = standing.map(|word| view! { span(class="tag") { (word) } });
    view! {
        li(class="version") {
            p(class="mono version-value") { (value) }
            p(class="muted small") { (standing) (by) time(datetime=iso, title=moment) { (ago) } }
            (keep)
        }
    }
}

/// The button that ends a conflict.
pub(crate) fn keep_button(app: App, keep: impl Fn() + 'static) -> View {
    let word = app.say.values().keep;
    view! { button(class="button small", r#type="button", on:click=move |_| keep()) { (word) } }
}

/// The choice of a type, and the field for a value of it.
pub(crate) fn begin(app: App) -> (View, View) {
    let (say, kind) = (app.say.values(), app.state.browser.kind);
    let options: Vec<View> = Kind::ALL
        .into_iter()
        .map(|one| {
            let (name, word) = (one.name(), words::kind(app.say, one));
            let selected = move || kind.get() == one;
            view! { option(value=name, prop:selected=selected) { (word) } }
        })
        .collect();
    let choose = move |_| {
        if let Ok(chosen) = dom::field("kind").parse() {
            kind.set(chosen);
        }
    };
    let choice = view! {
        div(class="field") {
            label(r#for="kind") { (say.kind) }
            select(id="kind", aria-describedby="kind-hint", on:change=choose) { (options) }
        }
    };
    let field = when(
        move || kind.get(),
        move |kind| match kind {
            Kind::Register | Kind::Multi => {
                view! { textarea(id="value", rows="1", "spellcheck"="false") }
            }
            Kind::Set | Kind::Map => view! { textarea(id="value", rows="3", "spellcheck"="false") },
            Kind::Counter => view! {
                input(id="value", r#type="text", inputmode="numeric", autocomplete="off", maxlength="20", placeholder="0")
            },
            Kind::Flag => view! {
                select(id="value") {
                    option(value="on") { (say.on) }
                    option(value="off") { (say.off) }
                }
            },
        },
    );
    (choice, field)
}

/// What the chosen type is.
pub(crate) fn hint(app: App) -> View {
    let say = app.say.values();
    let kind = app.state.browser.kind;
    text(move || {
        match kind.get() {
            Kind::Register => say.register_hint,
            Kind::Multi => say.multi_hint,
            Kind::Counter => say.counter_hint,
            Kind::Set => say.set_hint,
            Kind::Map => say.map_hint,
            Kind::Flag => say.flag_hint,
        }
        .into()
    })
}

/// What the text of the form changes in a value of a type; a register is written as a whole.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parsed(app: App, kind: Kind, typed: &str) -> Result<Option<Change>, String> {
    let say = app.say.values();
    let lines = || typed.lines().map(str::trim).filter(|line| !line.is_empty());
    let name = |text: &str| Key::new(text).map_err(|error| format!("{text}: {error}"));
    Ok(Some(match kind {
        Kind::Register => return Ok(None),
        Kind::Multi => Change::Multi(Bytes::from(typed.as_bytes())),
        Kind::Counter => {
            let number = typed.trim();
            let number = if number.is_empty() { "0" } else { number };
            let by = number.replace('−', "-").parse();
            Change::Add(by.map_err(|_| fill(say.not_a_number, &[number]))?)
        }
        Kind::Set => Change::Insert(lines().map(name).collect::<Result<_, _>>()?),
        Kind::Map => {
            let field = |line: &str| {
                let pair = line.split_once('=');
                let (field, value) = pair.ok_or_else(|| fill(say.not_a_field, &[line]))?;
                Ok((name(field)?, Some(Bytes::from(value.as_bytes()))))
            };
            Change::Put(lines().map(field).collect::<Result<_, String>>()?)
        }
        Kind::Flag => Change::Flag(typed == "on"),
    }))
}
