//! Recording what this tab's node takes in, and saving it as a file.

use crate::{
    page::{
        Console, dom,
        state::State,
        view::{View, view},
    },
    protocol::{Answer, Recording, Request},
    words,
};
use std::rc::Rc;
use wasm_bindgen::{JsCast, prelude::*};

pub(crate) fn panel(state: &State) -> View {
    let recording = &state.recording;
    let size = words::bytes(recording.bytes);
    let text = match &recording.reason {
        _ if recording.running => format!(
            "{size} so far: all that this node takes in, with the values that it holds, without its keys."
        ),
        Some(why) if recording.bytes > 0 => {
            format!("The recording ended: {why}. {size} can be saved.")
        }
        Some(why) => format!("The recording ended: {why}."),
        None => "To have an incident again, step by step.".into(),
    };
    let save = (recording.bytes > 0).then(|| {
        view!("<button class='button primary' data-click='record-save'>Save recording</button>")
    });
    let toggle = if recording.running {
        view!("<button class='button' data-click='record-stop'>Stop</button>")
    } else {
        view!("<button class='button' data-click='record'>Start recording</button>")
    };
    view!(
        "<section class='panel recorder' aria-labelledby='recorder-title'>\
           <h2 id='recorder-title'>Recording</h2>\
           <p class='muted' role='status'>{}</p>\
           <div class='row'>\
             {}{}\
             <a class='button' href='replay.html' target='_blank'>Replay a file</a>\
           </div>\
         </section>",
        text,
        save,
        toggle,
    )
}

/// Starts or ends recording.
pub(crate) fn ask(console: &Console, recording: Recording) {
    let client = console.state.borrow().client.clone();
    if let Some(client) = client {
        // The next snapshot shows what came of it.
        client.ask(Request::Recording(recording), |_| {});
    }
}

/// Asks for the recording so far and hands it to the browser as a file.
pub(crate) fn save(console: &Rc<Console>) {
    let (client, name) = {
        let state = console.state.borrow();
        let name = state.status.as_ref().map(|status| status.name.to_string());
        (state.client.clone(), name.unwrap_or_default())
    };
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
