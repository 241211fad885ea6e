//! The replay page: a file is opened, and the node in it is shown at every moment.

use crate::{
    catalogue::{count, fill},
    client::Client,
    page::{
        dom,
        each::{memo, text, when},
        parts,
        state::{App, State},
    },
    protocol::{Failure, Go, Replayed},
};
use sporenet_core::node::snapshot::Severity;
use std::rc::Rc;
use sycamore::prelude::*;
use wasm_bindgen::JsCast;

/// What a replay page knows besides snapshots.
#[derive(Clone, Debug)]
pub(crate) struct Replaying {
    /// How to start a worker.
    spawn: js_sys::Function,
    /// The file's name.
    file: String,
    /// Where the replay is.
    pub(crate) now: Option<Replayed>,
    /// Why the file could not be opened.
    pub(crate) error: Option<Failure>,
}

impl Replaying {
    /// Before a file was chosen.
    pub(crate) const fn new(spawn: js_sys::Function) -> Self {
        Self {
            spawn,
            file: String::new(),
            now: None,
            error: None,
        }
    }
}

/// Opens the file that was chosen, in a worker of its own.
fn choose(app: App) {
    let Some(input) = dom::element("recording") else {
        return;
    };
    let files = js_sys::Reflect::get(&input, &"files".into());
    let Ok(file) = files.and_then(|files| js_sys::Reflect::get_u32(&files, 0)) else {
        return;
    };
    let Ok(blob) = file.dyn_into::<web_sys::Blob>() else {
        return;
    };
    let name = js_sys::Reflect::get(&blob, &"name".into()).ok();
    let name = name.and_then(|name| name.as_string()).unwrap_or_default();
    wasm_bindgen_futures::spawn_local(async move {
        let read = wasm_bindgen_futures::JsFuture::from(blob.array_buffer()).await;
        match read {
            Ok(buffer) => open(app.state, name, &js_sys::Uint8Array::new(&buffer).to_vec()),
            Err(_) => update(app.state, |replaying| {
                let text = fill(app.say.replay_unreadable, &[&name]);
                replaying.error = Some(Failure::new("unreadable", text));
            }),
        }
    });
}

fn update(state: State, change: impl FnOnce(&mut Replaying)) {
    state
        .replaying
        .update(|replaying| replaying.as_mut().map(change));
}

fn open(state: State, file: String, bytes: &[u8]) {
    update(state, |replaying| {
        replaying.file = file;
        replaying.now = None;
        replaying.error = None;
    });
    let before = state.client.take();
    if let Some(before) = before {
        before.end();
    }
    let spawn = state
        .replaying
        .with_untracked(|replaying| replaying.as_ref().map(|replaying| replaying.spawn.clone()));
    if let Some(spawn) = spawn {
        let client = Client::replay(spawn, bytes.to_vec(), move |notice| state.take(notice));
        state.client.set(Some(client));
    }
}

fn go(state: State, go: Go) {
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    if let Some(client) = client {
        client.go(go);
    }
}

/// Where a file is chosen.
pub(crate) fn chooser(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let mark = parts::mark();
    let known = memo(move || {
        state.replaying.with(|replaying| {
            let replaying = replaying.as_ref();
            replaying.map(|replaying| (replaying.file.clone(), replaying.error.clone()))
        })
    });
    let error = when(
        move || known.get_clone(),
        |known| {
            let Some((file, Some(failure))) = known else {
                return View::new();
            };
            let shape = parts::severity_shape(Severity::Error);
            view! { (shape) (file) ": " (failure.text) }
        },
    );
    let wait = text(move || match known.get_clone() {
        Some((file, None)) if !file.is_empty() => fill(say.replay_opening, &[&file]),
        _ => String::new(),
    });
    view! {
        section(class="panel join") {
            div(class="join-mark", aria-hidden="true") { (mark) }
            h1 { (say.replay_title) }
            p(class="lead") { (say.replay_lead) }
            form {
                label(r#for="recording") { (say.replay_choose) }
                input(id="recording", r#type="file", accept=".sporerec", aria-describedby="file-error",
                    on:change=move |_| choose(app))
                p(id="file-error", class="field-error", role="alert") { (error) }
                p(class="muted", role="status") { (wait) }
            }
            div(class="how") {
                h2 { (say.replay_none) }
                ol {
                    li { (say.replay_in_tab) }
                    li { (say.replay_on_relay)
                        pre { code { "sporenet record start" } }
                        pre { code { "sporenet record save" } }
                    }
                }
                p(class="muted") { (say.replay_values) }
            }
        }
    }
}

/// The bar with which one goes through a recording.
pub(crate) fn bar(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let title = text(move || {
        let name = state
            .status
            .with(|status| status.as_ref().map(|status| status.name.to_string()));
        fill(say.replay_of, &[&name.unwrap_or_default()])
    });
    let by = text(move || {
        state.replaying.with(|replaying| {
            let known = replaying
                .as_ref()
                .and_then(|all| Some((&all.file, all.now.as_ref()?)));
            known.map_or_else(String::new, |(file, now)| {
                fill(say.replay_by, &[file, &now.program])
            })
        })
    });
    let of = move |of: fn(App, &Replayed) -> String| {
        move || {
            state.replaying.with(|replaying| {
                let now = replaying.as_ref().and_then(|all| all.now.as_ref());
                now.map_or_else(String::new, |now| of(app, now))
            })
        }
    };
    let (hash, input) = (
        text(of(|_, now| now.state_hash.clone())),
        text(of(|app, now| {
            fill(app.say.replay_input, &[&now.inputs.to_string(), &now.input])
        })),
    );
    let (moment, clock) = (
        text(of(moment)),
        text(move || dom::moment(state.now_ms.get())),
    );
    let (verdict, controls) = (verdict(app), controls(app));
    view! {
        section(class="panel replay", aria-labelledby="replay-title") {
            div(class="panel-head") {
                h2(id="replay-title") { (title) }
                p(class="muted") { (by) }
            }
            (verdict)
            (controls)
            p(class="replay-now") {
                span(class="mono") { (moment) } " "
                time { (clock) } " "
                span { (input) }
            }
            p(class="muted small") {
                (say.replay_state) " " span(class="mono replay-hash") { (hash) } " · "
                a(href="replay.html") { (say.replay_other) }
            }
        }
    }
}

fn moment(app: App, now: &Replayed) -> String {
    let since = now.at_us.saturating_sub(now.from_us);
    let whole = now.to_us.saturating_sub(now.from_us);
    fill(
        app.say.replay_moment_of,
        &[&seconds(since), &seconds(whole)],
    )
}

fn controls(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let bounds = memo(move || {
        state.replaying.with(|replaying| {
            let now = replaying.as_ref().and_then(|all| all.now.as_ref());
            now.map(|now| (now.from_us, now.to_us)).unwrap_or_default()
        })
    });
    let said = memo(move || {
        state.replaying.with(|replaying| {
            let now = replaying.as_ref().and_then(|all| all.now.as_ref());
            now.map(|now| moment(app, now)).unwrap_or_default()
        })
    });
    follow(state);
    let ends = move || bounds.get_untracked();
    let first = move |_| go(state, Go::To(ends().0));
    let last = move |_| go(state, Go::To(ends().1));
    let slide = move |_| {
        if let Ok(at) = dom::field("moment").parse() {
            go(state, Go::To(at));
        }
    };
    view! {
        div(class="replay-bar") {
            button(id="go-first", class="button", r#type="button", aria-label=say.replay_first, on:click=first) { "|◀" }
            button(id="go-entry-back", class="button", r#type="button", aria-label=say.replay_entry_back,
                on:click=move |_| go(state, Go::Entry { on: false })) { "◀◀" }
            button(id="go-back", class="button", r#type="button", aria-label=say.replay_back,
                on:click=move |_| go(state, Go::Inputs(-1))) { "◀" }
            input(id="moment", r#type="range", step="1000", aria-label=say.replay_moment, aria-valuetext=said,
                min=move || bounds.get().0.to_string(), max=move || bounds.get().1.to_string(), on:input=slide)
            button(id="go-on", class="button", r#type="button", aria-label=say.replay_on,
                on:click=move |_| go(state, Go::Inputs(1))) { "▶" }
            button(id="go-entry-on", class="button", r#type="button", aria-label=say.replay_entry_on,
                on:click=move |_| go(state, Go::Entry { on: true })) { "▶▶" }
            button(id="go-last", class="button", r#type="button", aria-label=say.replay_last, on:click=last) { "▶|" }
        }
    }
}

/// Keeps the slider at the replay's moment, unless it is being moved.
fn follow(state: State) {
    let at = memo(move || {
        state.replaying.with(|replaying| {
            let now = replaying.as_ref().and_then(|all| all.now.as_ref());
            now.map(|now| now.at_us)
        })
    });
    create_effect(move || {
        let Some(at) = at.get() else { return };
        dom::soon(move || {
            let slider = dom::element("moment");
            if slider.is_some_and(|slider| !slider.matches(":active").unwrap_or(false)) {
                dom::set_field("moment", &at.to_string());
            }
        });
    });
}

/// Whether the replay is the same as what was recorded.
fn verdict(app: App) -> View {
    let state = app.state;
    let known = move || {
        state.replaying.with(|replaying| {
            let now = replaying.as_ref()?.now.as_ref()?;
            Some((now.mismatch.clone(), now.busy, now.checks))
        })
    };
    when(known, move |known| {
        let Some((mismatch, busy, checks)) = known else {
            return View::new();
        };
        let say = app.say;
        let checks = count(checks, (say.hashes_one, say.hashes_many));
        let (class, shape, text) = match mismatch {
            Some(why) => (
                "replay-verdict bad",
                Severity::Error,
                fill(say.replay_differs, &[&why]),
            ),
            None if busy => (
                "replay-verdict busy",
                Severity::Info,
                fill(say.replay_checking, &[&checks]),
            ),
            None => (
                "replay-verdict good",
                Severity::Info,
                fill(say.replay_equal, &[&checks]),
            ),
        };
        let shape = parts::severity_shape(shape);
        view! { p(class=class, role="status") { (shape) span { (text) } } }
    })
}

/// Seconds with three digits behind the point.
fn seconds(micros: u64) -> String {
    let millis = micros / 1_000;
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}
