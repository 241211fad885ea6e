//! Recording what this tab's node takes in, and saving it as a file.
//!
//! A page of the module `app` records nothing: it loads itself anew as one of the module `lab`, which does
//! (`boot.js` looks at what the tab keeps).

use crate::page::{
    dom,
    view::{View, view},
};
#[cfg(feature = "lab")]
use crate::{
    page::{Console, state::State},
    protocol::{Answer, Request},
    words,
};
#[cfg(feature = "lab")]
use std::rc::Rc;
#[cfg(feature = "lab")]
use wasm_bindgen::{JsCast, prelude::*};

/// The name under which the tab keeps that it records; `boot.js` knows it too.
const KEPT_RECORD: &str = "sporenet.record";

#[cfg(not(feature = "lab"))]
pub(crate) fn panel() -> View {
    view!(
        "<section class='panel recorder'>\
           <h2>Recording</h2>\
           <p class='muted'>To have an incident again, step by step.</p>\
           <div class='row'>\
             <button class='button' data-click='record'>Start recording</button>\
             <a class='button' href='/replay.html'>Replay a file</a>\
           </div>\
         </section>"
    )
}

#[cfg(feature = "lab")]
pub(crate) fn panel(state: &State) -> View {
    let text = match &state.recording {
        Some(Ok(bytes)) => format!(
            "{} so far: all that this node takes in, with the values that it holds, without its keys.",
            words::bytes(*bytes)
        ),
        Some(Err(why)) => format!("The recording stopped: {why}."),
        None => "Starting…".into(),
    };
    view!(
        "<section class='panel recorder' aria-labelledby='recorder-title'>\
           <h2 id='recorder-title'>Recording</h2>\
           <p class='muted' role='status'>{}</p>\
           <div class='row'>\
             <button class='button primary' data-click='record-save'>Save recording</button>\
             <button class='button' data-click='record-stop'>Stop</button>\
             <a class='button' href='/replay.html' target='_blank'>Replay a file</a>\
           </div>\
         </section>",
        text
    )
}

/// Starts or ends recording: the page is loaded anew, and the node with it, from what it stored.
pub(crate) fn set(record: bool) {
    dom::keep(KEPT_RECORD, record.then_some("1"));
    if let Some((window, _)) = dom::window_and_document() {
        let _ = window.location().reload();
    }
}

/// Asks for the recording so far and hands it to the browser as a file.
#[cfg(feature = "lab")]
pub(crate) fn save(console: &Rc<Console>) {
    let (client, name) = {
        let state = console.state.borrow();
        let name = state.status.as_ref().map(|status| status.name.to_string());
        (state.client.clone(), name.unwrap_or_default())
    };
    let Some(client) = client else { return };
    client.ask(Request::Recording, move |answer| {
        if let Ok(Answer::Recording(bytes)) = answer {
            let _ = download(&bytes, &file_name(&name));
        }
    });
}

/// `NAME-20261125T221951Z.sporerec`, without what file systems dislike.
#[cfg(feature = "lab")]
fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '-' };
    let moment = dom::iso(dom::wall_ms());
    let moment = moment.split('.').next().unwrap_or_default();
    let moment = moment.replace(['-', ':'], "");
    let name: String = name.chars().map(plain).collect();
    format!("{name}-{moment}Z.sporerec")
}

#[cfg(feature = "lab")]
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
