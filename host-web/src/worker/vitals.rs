//! What a tab measures of itself, every few seconds.

use core::time::Duration;
use js_sys::{Function, Promise, Reflect};
use sporenet_core::{
    kernel::time::{Time, millis},
    observe::{vitals::Sample, zones},
};
use std::{cell::Cell, rc::Rc};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(5);

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    due: Time,
    /// When the timer should have fired that is set.
    timer_due: Option<Time>,
    lag: Option<Duration>,
    /// Used and granted, in KiB: the browser answers later.
    storage: Rc<Cell<Option<(u64, u64)>>>,
}

impl Vitals {
    /// When the next sample is due.
    pub(super) const fn due(&self) -> Time {
        self.due
    }

    /// The timer was set for this moment.
    pub(super) const fn set_timer(&mut self, due: Time) {
        self.timer_due = Some(due);
    }

    /// The timer fired: how late it is shows how late everything is.
    pub(super) fn on_timer(&mut self, now: Time) {
        if let Some(due) = self.timer_due.take() {
            let late = now.since(due);
            self.lag = Some(self.lag.map_or(late, |lag| lag.max(late)));
        }
    }

    /// A sample, if one is due.
    pub(super) fn sample(&mut self, now: Time, visible: bool) -> Option<Sample> {
        if now < self.due {
            return None;
        }
        self.due = now + INTERVAL;
        self.ask_for_storage();
        let storage = self.storage.get();
        let heap = heap();
        let mut sample = Sample {
            loop_lag_ms: self.lag.take().map(millis),
            visible: Some(visible),
            storage_used_kib: storage.map(|(used, _)| used),
            storage_quota_kib: storage.map(|(_, quota)| quota),
            heap_used_kib: heap.map(|(used, _)| used),
            heap_limit_kib: heap.map(|(_, limit)| limit),
            ..Sample::default()
        };
        // Asked each time: who travels takes the tab along.
        if let Some((latitude, longitude)) = time_zone().as_deref().and_then(zones::place_of) {
            sample.guess_place(latitude, longitude);
        }
        Some(sample)
    }

    /// The answer is in the next sample.
    fn ask_for_storage(&self) {
        let Some(estimate) = storage_estimate() else {
            return;
        };
        let storage = Rc::clone(&self.storage);
        wasm_bindgen_futures::spawn_local(async move {
            if let Ok(estimate) = JsFuture::from(estimate).await {
                storage.set(kib_in(&estimate, "usage").zip(kib_in(&estimate, "quota")));
            }
        });
    }
}

/// `navigator.storage.estimate()`, which insecure pages don't have.
fn storage_estimate() -> Option<Promise> {
    let navigator = within(&js_sys::global(), "navigator")?;
    let storage = within(&navigator, "storage")?;
    let estimate: Function = within(&storage, "estimate")?.dyn_into().ok()?;
    estimate.call0(&storage).ok()?.dyn_into().ok()
}

/// Used and limit in KiB, from `performance.memory`, which only some browsers offer.
fn heap() -> Option<(u64, u64)> {
    let performance = within(&js_sys::global(), "performance")?;
    let memory = within(&performance, "memory")?;
    kib_in(&memory, "usedJSHeapSize").zip(kib_in(&memory, "jsHeapSizeLimit"))
}

/// The browser's time zone, such as `Europe/Berlin`.
fn time_zone() -> Option<String> {
    let nothing = js_sys::Array::new();
    let format = js_sys::Intl::DateTimeFormat::new(&nothing, &js_sys::Object::new());
    within(&format.resolved_options(), "timeZone")?.as_string()
}

fn within(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &JsValue::from_str(name)).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped; browsers tell whole bytes below 2^53"
)]
fn kib_in(object: &JsValue, name: &str) -> Option<u64> {
    let bytes = within(object, name)?.as_f64()?;
    Some((bytes.max(0.0) / 1_024.0) as u64)
}
