//! The replay page: a file is opened, and the node in it is shown at every moment.

use crate::{
    client::Client,
    page::{
        Console, dom, parts,
        state::State,
        view::{View, view},
    },
    protocol::{Failure, Go, Replayed},
    words,
};
use sporenet_core::node::snapshot::Severity;
use std::rc::Rc;
use wasm_bindgen::{JsCast, prelude::*};

/// What a replay page knows besides snapshots.
#[derive(Debug, Default)]
pub(crate) struct Replaying {
    /// How to start a worker.
    pub(crate) spawn: Option<js_sys::Function>,
    /// The file's name.
    pub(crate) file: String,
    /// Where the replay is.
    pub(crate) now: Option<Replayed>,
    /// Why the file could not be opened.
    pub(crate) error: Option<Failure>,
}

/// The replay page's entry point, called by `replay.js` with a function that starts a worker.
#[wasm_bindgen]
#[expect(
    unreachable_pub,
    reason = "the browser calls it; `wasm_bindgen` wants it public"
)]
pub fn replay_main(spawn: js_sys::Function) {
    words::set_here("the recorded node");
    let Some((console, _)) = Console::put_up() else {
        return;
    };
    console.state.borrow_mut().replaying = Some(Replaying {
        spawn: Some(spawn),
        ..Replaying::default()
    });
    let mover = Rc::clone(&console);
    dom::listen(&console.root.clone(), "input", move |event| {
        let target = event.target().and_then(|target| target.dyn_into().ok());
        if target.is_some_and(|target: web_sys::Element| target.id() == "moment") {
            go_to_slider(&mover);
        }
    });
    console.draw();
}

/// Opens the file that was chosen, in a worker of its own.
pub(crate) fn choose(console: &Rc<Console>) {
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
    let opener = Rc::clone(console);
    wasm_bindgen_futures::spawn_local(async move {
        let read = wasm_bindgen_futures::JsFuture::from(blob.array_buffer()).await;
        match read {
            Ok(buffer) => open(&opener, name, &js_sys::Uint8Array::new(&buffer).to_vec()),
            Err(_) => opener.change(|state| {
                if let Some(replaying) = &mut state.replaying {
                    let text = format!("the browser could not read {name}");
                    replaying.error = Some(Failure::new("unreadable", text));
                }
            }),
        }
    });
}

fn open(console: &Rc<Console>, file: String, bytes: &[u8]) {
    let (before, spawn) = {
        let mut state = console.state.borrow_mut();
        let spawn = state.replaying.as_mut().and_then(|replaying| {
            replaying.file = file;
            replaying.now = None;
            replaying.error = None;
            replaying.spawn.clone()
        });
        (state.client.take(), spawn)
    };
    if let Some(before) = before {
        before.end();
    }
    let Some(spawn) = spawn else { return };
    let taker = Rc::clone(console);
    let client = Client::replay(spawn, bytes.to_vec(), move |notice| {
        taker.change(|state| {
            state.take(notice);
            taker.picture.take(state);
        });
        follow_slider(&taker);
    });
    console.change(|state| state.client = Some(client));
}

/// Does what a button of the bar asks for.
pub(crate) fn act(console: &Rc<Console>, what: &str) {
    let state = console.state.borrow();
    let Some(now) = state.replaying.as_ref().and_then(|r| r.now.as_ref()) else {
        return;
    };
    let go = match what {
        "first" => Go::To(now.from_us),
        "entry-back" => Go::Entry { on: false },
        "back" => Go::Inputs(-1),
        "on" => Go::Inputs(1),
        "entry-on" => Go::Entry { on: true },
        "last" => Go::To(now.to_us),
        _ => return,
    };
    if let Some(client) = &state.client {
        client.go(go);
    }
}

fn go_to_slider(console: &Rc<Console>) {
    let state = console.state.borrow();
    if let (Ok(at), Some(client)) = (dom::field("moment").parse(), &state.client) {
        client.go(Go::To(at));
    }
}

/// A slider that was moved no longer follows its attribute.
fn follow_slider(console: &Console) {
    let state = console.state.borrow();
    let now = state.replaying.as_ref().and_then(|r| r.now.as_ref());
    if let Some(now) = now
        && dom::element("moment").is_some_and(|slider| !slider.matches(":active").unwrap_or(false))
    {
        dom::set_field("moment", &now.at_us.to_string());
    }
}

/// Where a file is chosen.
pub(crate) fn chooser(replaying: &Replaying) -> View {
    let error = replaying.error.as_ref().map(|failure| {
        view!(
            "{}{}: {}",
            parts::severity_shape(Severity::Error),
            replaying.file.as_str(),
            failure.text.as_str()
        )
    });
    let wait = (error.is_none() && !replaying.file.is_empty())
        .then(|| format!("Opening {}…", replaying.file));
    view!(
        "<section class='panel join'>\
           <div class='join-mark' aria-hidden='true'>{}</div>\
           <h1>Replay a recording</h1>\
           <p class='lead'>The node of the recording runs again in this tab, input by input, and shows what it knew \
             at every moment. Nothing is sent anywhere.</p>\
           <form>\
             <label for='recording'>Recording, a file that ends in .sporerec</label>\
             <input id='recording' type='file' accept='.sporerec' data-change='recording' aria-describedby='file-error'/>\
             <p id='file-error' class='field-error' role='alert'>{}</p>\
             <p class='muted' role='status'>{}</p>\
           </form>\
           <div class='how'>\
             <h2>No recording yet?</h2>\
             <ol>\
               <li>In the console of a tab: Start recording, and later Save recording.</li>\
               <li>On a relay:<pre><code>sporenet record start</code></pre><pre><code>sporenet record save</code></pre></li>\
             </ol>\
             <p class='muted'>A recording holds the values that the node held. It holds none of its keys.</p>\
           </div>\
         </section>",
        parts::mark(),
        error,
        wait.unwrap_or_default(),
    )
}

/// The bar with which one goes through a recording.
pub(crate) fn bar(state: &State, replaying: &Replaying, now: &Replayed) -> View {
    let name = state.status.as_ref().map(|status| status.name.to_string());
    let since = now.at_us.saturating_sub(now.from_us);
    let moment = format!(
        "{} of {}",
        seconds(since),
        seconds(now.to_us.saturating_sub(now.from_us))
    );
    view!(
        "<section class='panel replay' aria-labelledby='replay-title'>\
           <div class='panel-head'>\
             <h1 id='replay-title'>Replay of {}</h1>\
             <p class='muted'>{} · recorded by sporenet {}</p>\
           </div>\
           {}\
           <div class='replay-bar'>\
             <button class='button' data-click='first' aria-label='To the start'>|◀</button>\
             <button class='button' data-click='entry-back' aria-label='Before the newest timeline entry'>◀◀</button>\
             <button class='button' data-click='back' aria-label='One input back'>◀</button>\
             <input id='moment' type='range' min='{}' max='{}' step='1000' value='{}' aria-label='Moment' aria-valuetext='{}'/>\
             <button class='button' data-click='on' aria-label='One input on'>▶</button>\
             <button class='button' data-click='entry-on' aria-label='To the next timeline entry'>▶▶</button>\
             <button class='button' data-click='last' aria-label='To the end'>▶|</button>\
           </div>\
           <p class='replay-now'><span class='mono'>{}</span> <time>{}</time> <span>{}</span></p>\
           <p class='muted small'>state <span class='mono replay-hash'>{}</span> · <a href='replay.html'>another file</a></p>\
         </section>",
        name.unwrap_or_default(),
        replaying.file.as_str(),
        now.program.as_str(),
        verdict(now),
        now.from_us.to_string(),
        now.to_us.to_string(),
        now.at_us.to_string(),
        moment.as_str(),
        moment.as_str(),
        dom::moment(state.now_ms),
        format!("input {}: {}", now.inputs, now.input),
        now.state_hash.as_str(),
    )
}

/// Whether the replay is the same as what was recorded.
fn verdict(now: &Replayed) -> View {
    let (class, shape, text) = match &now.mismatch {
        Some(why) => ("bad", Severity::Error, format!("Not the same run: {why}")),
        None if now.busy => (
            "busy",
            Severity::Info,
            format!("Checking… {} so far", checks(now)),
        ),
        None => (
            "good",
            Severity::Info,
            format!("{} up to here", checks(now)),
        ),
    };
    view!(
        "<p class='{}' role='status'>{}<span>{}</span></p>",
        format!("replay-verdict {class}"),
        parts::severity_shape(shape),
        text
    )
}

fn checks(now: &Replayed) -> String {
    words::count(now.checks, "state hash equal", "state hashes equal")
}

/// Seconds with three digits behind the point.
fn seconds(micros: u64) -> String {
    let millis = micros / 1_000;
    format!("{}.{:03} s", millis / 1_000, millis % 1_000)
}
