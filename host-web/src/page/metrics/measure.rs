//! How long frames take, for the design gallery: the page's `sporenetFrames` holds the latest, in
//! milliseconds of script. Not shipped.

use crate::page::dom;
use js_sys::{Array, Reflect};
use wasm_bindgen::JsCast;

const NAME: &str = "sporenetFrames";
const FRAMES_MAX: u32 = 1_000;

pub(super) fn now() -> f64 {
    let performance = dom::window_and_document().and_then(|(window, _)| window.performance());
    performance.map_or(0.0, |performance| performance.now())
}

/// A frame that began then is done.
pub(super) fn frame(began: f64) {
    let Some((window, _)) = dom::window_and_document() else {
        return;
    };
    let frames = Reflect::get(&window, &NAME.into()).ok();
    let frames = frames.and_then(|frames| frames.dyn_into::<Array>().ok());
    let frames = frames.unwrap_or_else(|| {
        let frames = Array::new();
        // A plain object takes any property.
        let _ = Reflect::set(&window, &NAME.into(), &frames);
        frames
    });
    if frames.length() < FRAMES_MAX {
        frames.push(&(now() - began).into());
    }
}
