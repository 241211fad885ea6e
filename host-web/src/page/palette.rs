//! The command palette: a name, or a part of one, leads to any view, node or namespace.

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::{each, memo, text, when},
        frame, keys,
        state::{App, State},
    },
    route::Place,
    words,
};
use sycamore::{
    prelude::*,
    web::events::{KeyboardEvent, SubmitEvent},
};

/// The dialog on the page.
const DIALOG: &str = "palette";
/// The most results that are listed; typing more finds the rest.
const SHOWN_MAX: usize = 40;

/// Something to jump to.
#[derive(Clone, Debug, PartialEq)]
struct Target {
    kind: &'static str,
    name: String,
    /// What tells two of one name apart.
    more: String,
    href: String,
}

/// Opens the palette.
pub(crate) fn open(state: State) {
    state.palette_open.set(true);
    keys::show_dialog(DIALOG);
    dom::focus("palette-input");
}

/// The palette, in a dialog that is closed until it is asked for.
pub(crate) fn dialog(app: App) -> View {
    let state = app.state;
    let content = when(
        move || state.palette_open.get(),
        move |is_open| if is_open { content(app) } else { View::new() },
    );
    view! {
        dialog(id=DIALOG, class="dialog palette", aria-label=app.say.palette,
            on:close=move |_| state.palette_open.set(false)) {
            (content)
        }
    }
}

fn content(app: App) -> View {
    let (typed, chosen) = (create_signal(String::new()), create_signal(0_usize));
    let found = memo(move || find(app, &typed.get_clone()));
    let shown =
        memo(move || found.with(|found| found.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>()));
    let rows = memo(move || {
        let rows = shown.get_clone().into_iter().enumerate();
        rows.map(|(place, target)| (target.href.clone(), (place, target)))
            .collect::<Vec<_>>()
    });
    let list = each(rows, move |row| option(row, chosen));
    let more = text(move || {
        let found = found.with(Vec::len);
        match found.checked_sub(SHOWN_MAX) {
            _ if found == 0 => app.say.palette_none.into(),
            None | Some(0) => String::new(),
            Some(more) => fill(app.say.palette_more, &[&more.to_string()]),
        }
    });
    let on_key = move |event: KeyboardEvent| {
        let last = shown.with_untracked(|shown| shown.len().saturating_sub(1));
        let now = chosen.get_untracked();
        match event.key().as_str() {
            "ArrowDown" => chosen.set(if now >= last {
                0
            } else {
                now.saturating_add(1)
            }),
            "ArrowUp" => chosen.set(now.checked_sub(1).unwrap_or(last)),
            _ => return,
        }
        event.prevent_default();
        let id = option_id(chosen.get_untracked());
        dom::soon(move || dom::reveal(&id));
    };
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let target = shown.with_untracked(|shown| shown.get(chosen.get_untracked()).cloned());
        if let Some(target) = target {
            jump(&target.href);
        }
    };
    view! {
        form(on:submit=on_submit) {
            input(id="palette-input", r#type="text", role="combobox", aria-expanded="true", autocomplete="off",
                "spellcheck"="false", autocapitalize="off", aria-controls="palette-list",
                aria-activedescendant=move || option_id(chosen.get()),
                aria-label=app.say.palette, placeholder=app.say.palette,
                on:keydown=on_key,
                on:input=move |_| {
                    chosen.set(0);
                    typed.set(dom::field("palette-input"));
                })
        }
        ul(id="palette-list", role="listbox", aria-label=app.say.palette) { (list) }
        p(class="muted small", role="status") { (more) }
    }
}

fn option_id(place: usize) -> String {
    format!("palette-{place}")
}

fn option(row: ReadSignal<(usize, Target)>, chosen: Signal<usize>) -> View {
    let (kind, name, more) =
        row.with_untracked(|(_, target)| (target.kind, target.name.clone(), target.more.clone()));
    let is_chosen = memo(move || row.with(|(place, _)| *place == chosen.get()));
    view! {
        li(role="option",
            id=memo(move || row.with(|(place, _)| option_id(*place))),
            aria-selected=move || is_chosen.get().to_string(),
            on:click=move |_| jump(&row.get_clone_untracked().1.href)) {
            span(class="palette-name") { (name) }
            span(class="mono muted small") { (more) }
            span(class="palette-kind") { (kind) }
        }
    }
}

fn jump(href: &str) {
    keys::close_dialog(DIALOG);
    dom::go(href);
}

/// What has all the typed words in its name; names that begin with what was typed come first.
fn find(app: App, typed: &str) -> Vec<Target> {
    let typed = typed.trim().to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut found: Vec<Target> = targets(app);
    found.retain(|target| {
        let all = format!("{} {} {}", target.name, target.more, target.kind).to_lowercase();
        words.iter().all(|word| all.contains(word))
    });
    found.sort_by_key(|target| !target.name.to_lowercase().starts_with(&typed));
    found
}

fn targets(app: App) -> Vec<Target> {
    let state = app.state;
    let views = frame::sections(state).into_iter().map(|section| Target {
        kind: app.say.palette_view,
        name: frame::name(app, section).into(),
        more: format!("g {}", section.key()),
        href: section.place().href(),
    });
    let nodes = state.members.with(|members| {
        let nodes = members.iter().map(|member| Target {
            kind: app.say.node,
            name: member.name.to_string(),
            more: words::short(&member.id).to_owned(),
            href: Place::Node(member.id.clone()).href(),
        });
        nodes.collect::<Vec<_>>()
    });
    let incidents = state.alarm.incidents.with(|incidents| {
        let incidents = incidents.iter().map(|incident| Target {
            kind: app.say.alerts().incident,
            name: incident.title.clone(),
            more: incident.id.clone(),
            href: Place::Incident(incident.id.clone()).href(),
        });
        incidents.collect::<Vec<_>>()
    });
    let namespaces = state.namespaces.with(|namespaces| {
        let namespaces = namespaces.iter().map(|(name, keys)| Target {
            kind: app.say.namespace,
            name: name.clone(),
            more: keys.to_string(),
            href: Place::Data(Some(name.clone())).href(),
        });
        namespaces.collect::<Vec<_>>()
    });
    let all = views.chain(nodes).chain(incidents).chain(namespaces);
    all.collect()
}
