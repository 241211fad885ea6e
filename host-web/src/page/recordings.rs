//! Recording what this tab's node takes in, and saving it as a file. Where to replay one.

use crate::{
    catalogue::fill,
    page::{
        dom,
        each::{memo, text, when},
        parts,
        state::{App, State},
    },
    protocol::{Answer, Recording, Request},
    words,
};
use std::rc::Rc;
use sycamore::prelude::*;
use wasm_bindgen::{JsCast, prelude::*};

/// The view.
pub(crate) fn view(app: App) -> View {
    let say = app.say;
    let (heading, recorder) = (parts::heading(say.recordings), recorder(app));
    view! {
        (heading)
        (recorder)
        section(class="panel recorder", aria-labelledby="replay-entry-title") {
            div {
                h2(id="replay-entry-title") { (say.replay) }
                p(class="muted") { (say.replay_hint) }
            }
            div(class="row") {
                a(class="button", href="replay.html", target="_blank") { (say.replay_file) }
            }
        }
    }
}

fn recorder(app: App) -> View {
    let (state, say) = (app.state, app.say);
    let said = text(move || said(app));
    let buttons = when(
        move || {
            state
                .recording
                .with(|recording| (recording.running, recording.bytes > 0))
        },
        move |(runs, has_bytes)| {
            let save = if has_bytes {
                view! {
                    button(id="record-save", class="button primary", r#type="button",
                        on:click=move |_| save(state)) { (say.save_recording) }
                }
            } else {
                View::new()
            };
            let (id, wanted, word) = if runs {
                ("record-stop", Recording::Stop, say.stop)
            } else {
                ("record", Recording::Start, say.start_recording)
            };
            view! {
                (save)
                button(id=id, class="button", r#type="button", on:click=move |_| ask(state, wanted)) { (word) }
            }
        },
    );
    let class = memo(move || {
        if state.recording.with(|recording| recording.running) {
            "panel recorder runs"
        } else {
            "panel recorder"
        }
    });
    view! {
        section(id="recorder", class=class, aria-labelledby="recorder-title") {
            div {
                h2(id="recorder-title") { (say.recording) }
                p(class="muted", role="status") { (said) }
            }
            div(class="row") { (buttons) }
        }
    }
}

fn said(app: App) -> String {
    let say = app.say;
    app.state.recording.with(|recording| {
        let size = words::bytes(recording.bytes);
        match &recording.reason {
            _ if recording.running => fill(say.recording_runs, &[&size]),
            Some(why) if recording.bytes > 0 => fill(say.recording_kept, &[why, &size]),
            Some(why) => fill(say.recording_ended, &[why]),
            None => say.recording_hint.into(),
        }
    })
}

/// Starts or ends recording.
fn ask(state: State, recording: Recording) {
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    if let Some(client) = client {
        // The next snapshot shows what came of it.
        client.ask(Request::Recording(recording), |_| {});
    }
}

/// Asks for the recording so far and hands it to the browser as a file.
fn save(state: State) {
    let name = state.status.with_untracked(|status| {
        let name = status.as_ref().map(|status| status.name.to_string());
        name.unwrap_or_default()
    });
    let client = state
        .client
        .with_untracked(|client| client.as_ref().map(Rc::clone));
    let Some(client) = client else { return };
    client.ask(Request::Recording(Recording::Save), move |answer| {
        if let Ok(Answer::Recording(Some(bytes))) = answer {
            let _ = download(&bytes, &file_name(&name));
        }
    });
}

/// `NAME-20261125T221951Z.sporerec`, without what file systems dislike.
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let moment = dom::iso(dom::wall_ms());
    let moment = moment.split('.').next().unwrap_or_default();
    let moment = moment.replace(['-', ':'], "");
    let name: String = name.chars().map(plain).collect();
    format!("{name}-{moment}Z.sporerec")
}

fn download(bytes: &[u8], name: &str) -> Result<(), JsValue> {
    let (_, document) = dom::window_and_document().ok_or(JsValue::NULL)?;
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let blob = web_sys::Blob::new_with_u8_array_sequence(&parts)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let link: web_sys::HtmlElement = document.create_element("a")?.unchecked_into();
    link.set_attribute("href", &url)?;
    link.set_attribute("download", name)?;
    link.click();
    // The browser has taken hold of the file by then, and a tab may save many.
    web_sys::Url::revoke_object_url(&url)
}
