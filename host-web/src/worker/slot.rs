//! One identity per tab.
//!
//! Two tabs of one browser must never run one identity. A tab takes the first free slot by holding a
//! Web Lock named after it for as long as the worker lives; the browser frees it when the tab is
//! closed, reloaded or crashes. The slot's number names the database.

use core::time::Duration;
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

/// The most tabs of one browser that keep an identity; further ones run in memory.
pub const SLOTS_MAX: u32 = 32;

/// How long a reloaded tab waits for its own slot, which its former worker may still hold.
const RELOAD_PATIENCE: Duration = Duration::from_secs(2);

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, as a page and a worker both have it.
    #[wasm_bindgen(extends = js_sys::Object)]
    type Locks;

    #[wasm_bindgen(method, catch)]
    fn request(
        this: &Locks,
        name: &str,
        options: &js_sys::Object,
        callback: &js_sys::Function,
    ) -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(thread_local_v2, js_name = navigator)]
    static NAVIGATOR: JsValue;
}

/// A held slot.
#[derive(Debug)]
pub struct Slot {
    /// Which.
    pub number: u32,
    release: js_sys::Function,
}

impl Slot {
    /// Lets another tab have it.
    pub fn release(self) {
        let _ = self.release.call0(&JsValue::UNDEFINED);
    }
}

/// The name of a slot's lock and database.
#[must_use]
pub fn name(slot: u32) -> String {
    format!("sporenet-{slot}")
}

/// Takes the slot that this tab held before, or else the first free one from `from` on. `None` when
/// all are taken or the browser has no locks.
pub async fn take(held_before: Option<u32>, from: u32) -> Option<Slot> {
    if let Some(number) = held_before.filter(|number| (from..SLOTS_MAX).contains(number))
        && let Some(slot) = hold(number, RELOAD_PATIENCE).await
    {
        return Some(slot);
    }
    // Without patience: a slot that is taken belongs to another tab that runs.
    for number in from..SLOTS_MAX {
        if let Some(slot) = hold(number, Duration::ZERO).await {
            return Some(slot);
        }
    }
    None
}

/// Holds one slot; waits at most `patience` for whoever has it.
async fn hold(number: u32, patience: Duration) -> Option<Slot> {
    let locks =
        NAVIGATOR.with(|navigator| js_sys::Reflect::get(navigator, &"locks".into()).ok())?;
    let locks = locks.is_object().then(|| locks.unchecked_into::<Locks>())?;
    let options = lock_options(patience)?;

    let release: Rc<RefCell<Option<js_sys::Function>>> = Rc::default();
    let mut requested = None;
    let granted = js_sys::Promise::new(&mut |resolve, _| {
        let held = Rc::clone(&release);
        let on_grant = Closure::once_into_js({
            let resolve = resolve.clone();
            move |lock: JsValue| -> JsValue {
                if lock.is_null() || lock.is_undefined() {
                    let _ = resolve.call1(&JsValue::UNDEFINED, &JsValue::FALSE);
                    return JsValue::UNDEFINED;
                }
                // Web Locks hold a lock until the promise that the callback answers is settled.
                let until_released = js_sys::Promise::new(&mut |done, _| {
                    *held.borrow_mut() = Some(done);
                });
                let _ = resolve.call1(&JsValue::UNDEFINED, &JsValue::TRUE);
                until_released.into()
            }
        });
        requested = locks
            .request(&name(number), &options, on_grant.unchecked_ref())
            .ok();
        // Refused outright, or patience ran out: not granted. After a grant this changes nothing.
        let refused = Closure::once_into_js(move |_: JsValue| {
            let _ = resolve.call1(&JsValue::UNDEFINED, &JsValue::FALSE);
        });
        match &requested {
            Some(request) => {
                let then = js_sys::Reflect::get(request, &"catch".into());
                if let Ok(catch) = then.and_then(|catch| catch.dyn_into::<js_sys::Function>()) {
                    let _ = catch.call1(request, &refused);
                }
            }
            None => {
                let refused: js_sys::Function = refused.unchecked_into();
                let _ = refused.call1(&JsValue::UNDEFINED, &JsValue::UNDEFINED);
            }
        }
    });
    let granted = JsFuture::from(granted).await.ok()?.is_truthy();
    let release = release.borrow_mut().take();
    release
        .filter(|_| granted)
        .map(|release| Slot { number, release })
}

/// At once or not at all; or with a signal that ends the wait.
fn lock_options(patience: Duration) -> Option<js_sys::Object> {
    let options = js_sys::Object::new();
    let (name, value) = if patience.is_zero() {
        ("ifAvailable", JsValue::TRUE)
    } else {
        let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        (
            "signal",
            web_sys::AbortSignal::timeout_with_u32(millis).into(),
        )
    };
    js_sys::Reflect::set(&options, &name.into(), &value).ok()?;
    Some(options)
}
