//! The node of a tab, in a dedicated module worker: drawing never delays a ping.
//!
//! | file | what lives there |
//! |---|---|
//! | `boot` | from a page's `Start` to a running node: slot, store, setup |
//! | `driver` | the loop around the core's `Endpoint`: one input at a time, timers, storage, links |
//! | `dispatcher` | what the page asks: requests, answers, watches, snapshots |
//! | `questions` | what is read from the node for a page at once |
//! | `recorder` | recording the node's inputs |
//! | `refusals` | why a request was refused, as a code and a sentence |
//! | `replay` | a recording's node in place of a running one |
//! | `link` | WebSocket connections |
//! | `store` | IndexedDB, or memory where the browser offers nothing safe |
//! | `vitals` | what a tab measures of itself |
//! | `slot` | one identity per tab, by Web Locks |
//! | `scope` | the worker's own globals: clock, timers, messages to the page |

mod boot;
pub mod dispatcher;
pub mod driver;
pub mod link;
mod questions;
mod recorder;
mod refusals;
mod replay;
pub mod scope;
pub mod slot;
pub mod store;
mod vitals;

use crate::protocol::{self, ToWorker};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast, prelude::*};

/// The worker's entry point, called by `worker.js`.
#[wasm_bindgen]
pub fn node_main() {
    crate::report_panics();
    let Some(scope) = scope::Scope::new() else {
        return;
    };
    let host: Rc<RefCell<boot::Host>> = Rc::new(RefCell::new(boot::Host::new(scope.clone())));
    scope.on_message(move |event| {
        let bytes = event.data().dyn_into::<js_sys::Uint8Array>();
        let Some(message) = bytes
            .ok()
            .and_then(|bytes| protocol::decode::<ToWorker>(&bytes.to_vec()))
        else {
            return;
        };
        boot::take(&host, message);
    });
    // The page sends `Start` only once the worker listens.
    scope.ready();
}
