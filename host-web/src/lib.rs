//! Sporenet in a browser tab.
//!
//! | folder | what lives there |
//! |---|---|
//! | `protocol` | what a page and its worker say to each other |
//! | `sparing` | when a snapshot carries its long lists |
//! | `worker` | the node: driver, links, store, identity slot, watches, snapshots |
//! | `client` | a page's end of the worker: requests, watches, respawn after a crash |
//! | `page` | the console: views over snapshots, the mesh drawn on a canvas |
//! | `draw` | charts, the world map and the matrix on canvases |
//! | `route` | what the page's address says |
//! | `catalogue` | what the console says, in English and in German |
//! | `script` | the typed API for scripts |
//!
//! One wasm module serves both the page and the worker; `boot.js`, `sporenet.js` and `worker.js` each
//! call the entry point of their side. Nothing here decides anything about the mesh: the core does.

pub mod catalogue;
pub mod draw;
pub mod graph;
pub mod protocol;
pub mod route;
pub mod sparing;
pub mod words;

#[cfg(target_arch = "wasm32")]
pub mod client;
#[cfg(all(target_arch = "wasm32", feature = "gallery"))]
mod gallery;
#[cfg(target_arch = "wasm32")]
pub mod page;
#[cfg(target_arch = "wasm32")]
pub mod script;
#[cfg(target_arch = "wasm32")]
pub mod worker;

/// Shows a panic in the browser's console before the instance stops.
#[cfg(target_arch = "wasm32")]
fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        web_sys::console::error_1(&info.to_string().into());
    }));
}
