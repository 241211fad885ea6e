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
            let _ = dom::download(&bytes, &file_name(&name, "sporerec"));
        }
    });
}

/// `NAME-20261125T221951Z.ENDING`, without what file systems dislike.
pub(crate) fn file_name(name: &str, ending: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let moment = dom::iso(dom::wall_ms());
    let moment = moment.split('.').next().unwrap_or_default();
    let moment = moment.replace(['-', ':'], "");
    let name: String = name.chars().map(plain).collect();
    format!("{name}-{moment}Z.{ending}")
}
