//! The worker's own globals: clock, timers, messages to the page.
//!
//! `window` does not exist in a worker; everything is taken from the global scope.

use crate::protocol::{self, FromWorker};
use core::time::Duration;
use sporenet_core::kernel::time::{Time, WallTime};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Performance};

/// The longest timer a browser honours; longer ones fire at once.
const TIMER_MAX: Duration = Duration::from_secs(24 * 3600);

/// The worker's global scope.
#[derive(Clone, Debug)]
pub struct Scope {
    global: DedicatedWorkerGlobalScope,
    performance: Performance,
}

impl Scope {
    /// The scope, if this is a dedicated worker.
    #[must_use]
    pub fn new() -> Option<Self> {
        let global = js_sys::global()
            .dyn_into::<DedicatedWorkerGlobalScope>()
            .ok()?;
        let performance = global.performance()?;
        Some(Self {
            global,
            performance,
        })
    }

    /// Monotonic time since the worker started.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "performance.now() is positive and stays below 2^53 microseconds for 285 years"
    )]
    pub fn now(&self) -> Time {
        Time::from_micros((self.performance.now() * 1_000.0) as u64)
    }

    /// The wall clock.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "Date.now() is a whole number of milliseconds; a clock before 1970 counts as 1970"
    )]
    pub fn wall(&self) -> WallTime {
        WallTime::from_millis(js_sys::Date::now() as u64)
    }

    /// Calls `callback` once after `delay`; answers a number to cancel it by.
    #[must_use]
    pub fn after(&self, delay: Duration, callback: &js_sys::Function) -> Option<i32> {
        // Rounded up: a timer that fires too early finds nothing due and has to be set again.
        let millis = delay.min(TIMER_MAX).as_micros().div_ceil(1_000);
        self.global
            .set_timeout_with_callback_and_timeout_and_arguments_0(
                callback,
                i32::try_from(millis).unwrap_or(i32::MAX),
            )
            .ok()
    }

    /// Cancels a timer.
    pub fn cancel(&self, timer: i32) {
        self.global.clear_timeout_with_handle(timer);
    }

    /// Sends a message to the page.
    pub fn post(&self, message: &FromWorker) {
        let bytes = protocol::encode(message);
        let array = js_sys::Uint8Array::from(bytes.as_slice());
        // Moved to the page, not copied.
        let transfer = js_sys::Array::of1(&array.buffer());
        // A message that the page can no longer take is of no use to anyone.
        let _ = self.global.post_message_with_transfer(&array, &transfer);
    }

    /// Says that the worker listens.
    pub fn ready(&self) {
        let _ = self.global.post_message(&JsValue::from_str("ready"));
    }

    /// Calls `handler` for every message of the page, for the worker's life.
    pub fn on_message(&self, handler: impl FnMut(MessageEvent) + 'static) {
        let closure = Closure::<dyn FnMut(MessageEvent)>::new(handler);
        self.global
            .set_onmessage(Some(closure.as_ref().unchecked_ref()));
        closure.forget();
    }

    /// Whether the browser counts the page as secure: only then are there Web Locks.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.global.is_secure_context()
    }

    /// The browser's name of itself.
    #[must_use]
    pub fn user_agent(&self) -> String {
        self.global.navigator().user_agent().unwrap_or_default()
    }

    /// The WebSocket URL of the relay that served the page, also below a path: `link` beside the
    /// worker's own script.
    #[must_use]
    pub fn link_url(&self) -> Option<String> {
        let here = self.global.location().href();
        let url = web_sys::Url::new_with_base("link", &here).ok()?.href();
        // `http:` becomes `ws:` and `https:` becomes `wss:`.
        url.strip_prefix("http").map(|rest| format!("ws{rest}"))
    }

    /// Scheme, host and port that served the page.
    #[must_use]
    pub fn origin(&self) -> (String, String, String) {
        let location = self.global.location();
        (location.protocol(), location.hostname(), location.port())
    }
}
