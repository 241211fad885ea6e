//! The console: views that follow the worker's snapshots. It decides nothing.
//!
//! | file | what lives there |
//! |---|---|
//! | `state` | what the page knows, as signals |
//! | `frame` | rail, header and footer, and the place where a view stands |
//! | `banner` | what is wrong beside the mesh |
//! | `alerts` | incidents, alerts, rules and the mesh's settings |
//! | `overview` | verdict, counters, the last hour, throughput |
//! | `nodes`, `scroll` | all members, of which only the rows in sight are on the page |
//! | `node` | one member: score, vitals, paths, events |
//! | `topology`, `picture`, `world`, `matrix` | the mesh as a graph and on a map, the round trips |
//! | `board`, `known`, `twin` | a canvas with its pointer, what is told of nodes and links, a picture's table |
//! | `metrics`, `vitals` | charts of what nodes measured, vitals of all |
//! | `data`, `browser` | the data browser and what it holds |
//! | `typed`, `footprint` | a value by its type; what the data takes here |
//! | `timeline` | what happened, newest first |
//! | `recordings` | recording this tab's node, and saving that as a file |
//! | `connections` | each connection and what is being done about it |
//! | `settings`, `theme` | what is in force here; language and colours |
//! | `join` | how to get in, and the calm states |
//! | `palette`, `keys`, `tour` | jumping by name, keys, the first steps |
//! | `replay` | the page on which a recording is gone through |
//! | `each`, `parts`, `dom` | lists and text that follow signals, shapes, browser calls |

mod alerts;
mod banner;
mod board;
mod browser;
mod connections;
mod data;
pub mod dom;
mod each;
mod footprint;
mod frame;
mod join;
mod keys;
mod known;
mod matrix;
mod metrics;
mod node;
mod nodes;
mod overview;
mod palette;
mod parts;
mod picture;
mod recordings;
mod replay;
mod scroll;
mod settings;
mod state;
mod theme;
mod timeline;
mod topology;
mod tour;
mod twin;
mod typed;
mod vitals;
mod world;

use crate::{client::Client, protocol::Start, route::Route, script::Mesh, words};
use each::when;
use replay::Replaying;
use state::{App, State};
use wasm_bindgen::prelude::*;

/// The console's entry point, called by `boot.js` with a function that starts a worker and the join
/// link that stood in the address.
#[wasm_bindgen]
pub fn ui_main(spawn: js_sys::Function, link: Option<String>) {
    put_up(None, move |state| {
        tour::start(state);
        start_client(state, spawn, link);
    });
}

/// The replay page's entry point, called by `replay.js` with a function that starts a worker.
#[wasm_bindgen]
pub fn replay_main(spawn: js_sys::Function) {
    put_up(Some(Replaying::new(spawn)), |_| {});
}

/// Puts the console where the page has a place for it, and starts what it shows.
fn put_up(replaying: Option<Replaying>, start: impl FnOnce(State) + 'static) {
    crate::report_panics();
    let root =
        dom::window_and_document().and_then(|(_, document)| document.get_element_by_id("console"));
    let Some(root) = root else { return };
    root.set_text_content(None);
    theme::show(theme::chosen());
    let page = move || {
        let state = State::new(replaying);
        state.chosen_language.set(settings::chosen_language());
        keys::listen(state);
        follow_address(state);
        start(state);
        // Another language makes the whole page anew; what it knows stays.
        when(
            move || state.language(),
            move |language| {
                let say = language.phrases();
                words::set_here(if state.is_replay() {
                    say.here_recorded
                } else {
                    say.here_tab
                });
                dom::set_language(language.tag());
                let app = App { state, say };
                frame::title(app);
                frame::page(app)
            },
        )
    };
    sycamore::render_to(page, &root);
}

/// Starts the node's worker and offers the script API as `window.sporenet`.
fn start_client(state: State, spawn: js_sys::Function, from_fragment: Option<String>) {
    let Some((window, document)) = dom::window_and_document() else {
        return;
    };
    let (kept_link, slot) = state::kept();
    if let Some(link) = &from_fragment {
        state::keep_link(link);
    }
    let start = Start {
        link: from_fragment.or(kept_link),
        slot,
        visible: !document.hidden(),
        snapshots: true,
        ..Start::default()
    };
    let client = Client::new(spawn, start, move |notice| state.take(notice));
    let api = JsValue::from(Mesh::of(client.clone()));
    // A plain object takes any property.
    let _ = js_sys::Reflect::set(&window, &"sporenet".into(), &api);
    state.client.set(Some(client));
    state.online.set(window.navigator().on_line());
    for (kind, online) in [("online", true), ("offline", false)] {
        dom::listen(&window, kind, move |_| state.online.set(online));
    }
}

/// Follows the address: a step of the history, a link of the page, or a join link that is followed while
/// the console is open.
fn follow_address(state: State) {
    let Some((window, _)) = dom::window_and_document() else {
        return;
    };
    let top = window.clone();
    dom::listen(&window, "hashchange", move |_| {
        let before = state.route.get_clone_untracked();
        if let Some(link) = dom::take_link(&before.href()) {
            join::join(state, link);
            return;
        }
        let fragment = dom::fragment();
        if !fragment.is_empty() && !fragment.starts_with("#/") {
            dom::restate(&before.href());
            return;
        }
        let route = Route::of(&fragment);
        let moves = route.place != before.place;
        state::put(state.route, route);
        if moves {
            dom::focus("main");
            top.scroll_to_with_x_and_y(0.0, 0.0);
        }
    });
}
