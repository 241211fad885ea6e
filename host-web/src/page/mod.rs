//! The console: views over the worker's snapshots. It decides nothing.
//!
//! | file | what lives there |
//! |---|---|
//! | `state` | what the page knows, as signals |
//! | `overview` | verdict, counters, what is wrong beside the mesh |
//! | `mesh` | the live picture and its table twin |
//! | `nodes` | the node table, worst first |
//! | `data` | the data browser |
//! | `timeline` | what happened, newest first |
//! | `connections` | each connection and what is being done about it |
//! | `join` | how to get in: paste a link, or learn how to get one |
//! | `live` | derived values and views that follow them |
//! | `parts` | shapes and the mark |
//! | `dom` | the few browser calls that views need |

mod connections;
mod data;
pub mod dom;
mod join;
mod live;
mod mesh;
mod nodes;
mod overview;
mod parts;
pub(crate) mod state;
mod timeline;

use crate::{
    client::Client,
    protocol::{Phase, Start},
    script::Mesh,
};
use live::{derived, live, shown};
use sporenet_core::node::snapshot::Verdict;
use state::Console;
use sycamore::prelude::*;
use wasm_bindgen::prelude::*;

/// The console's entry point, called by `boot.js` with a function that starts a worker.
#[wasm_bindgen]
pub fn ui_main(spawn: js_sys::Function) {
    crate::report_panics();
    let Some((window, document)) = dom::window_and_document() else {
        return;
    };
    let Some(root) = document.get_element_by_id("console") else {
        return;
    };
    root.set_text_content(None);
    sycamore::render_to(
        move || {
            let console = Console::new();
            start_client(console, spawn, &window);
            shell(console)
        },
        &root,
    );
}

/// Starts the node's worker and offers the script API as `window.sporenet`.
fn start_client(console: Console, spawn: js_sys::Function, window: &web_sys::Window) {
    let (kept_link, slot) = state::kept();
    let from_fragment = dom::take_link();
    if let Some(link) = &from_fragment {
        state::keep_link(link);
    }
    let visible = window.document().is_some_and(|document| !document.hidden());
    let start = Start {
        link: from_fragment.or(kept_link),
        slot,
        visible,
        snapshots: true,
        ..Start::default()
    };
    let client = Client::new(spawn, start, move |notice| console.take(notice));
    let api = JsValue::from(Mesh::of(client.clone()));
    let _ = js_sys::Reflect::set(window, &"sporenet".into(), &api);
    console.client.set(Some(client));

    console.online.set(window.navigator().on_line());
    dom::listen(window, "online", move |_| console.online.set(true));
    dom::listen(window, "offline", move |_| console.online.set(false));
    // A link followed while the console is open changes only the fragment.
    dom::listen(window, "hashchange", move |_| {
        if let Some(link) = dom::take_link() {
            console.join(link);
        }
    });
}

pub(crate) fn shell(console: Console) -> View {
    let stage = derived(move || match console.phase.get_clone() {
        Phase::Loading => Stage::Loading,
        Phase::NeedsLink | Phase::Failed(_) => Stage::Join,
        Phase::Departed => Stage::Departed,
        Phase::Running { .. }
        | Phase::Admitted
        | Phase::Fenced { .. }
        | Phase::StorageLost { .. } => {
            match console
                .status
                .with(|status| status.as_ref().map(|status| status.verdict))
            {
                None => Stage::Loading,
                Some(Verdict::Joining) => Stage::Waiting,
                Some(_) => Stage::Mesh,
            }
        }
    });
    let body = live(move || match stage.get() {
        Stage::Loading => loading(),
        Stage::Join => join::panel(console),
        Stage::Waiting => join::waiting(console),
        Stage::Departed => departed(),
        Stage::Mesh => mesh_page(console),
    });
    let (header, trouble) = (header(console), overview::trouble(console));
    view! {
        (header)
        main(id="main", tabindex="-1") {
            (trouble)
            (body)
        }
        footer(class="foot") {
            p {
                "Sporenet " (VERSION)
                " · this tab is a node of the mesh · times in your local zone"
            }
        }
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Join,
    Waiting,
    Departed,
    Mesh,
}

fn header(console: Console) -> View {
    let who = derived(move || {
        console.status.with(|status| {
            status
                .as_ref()
                .map(|status| (status.name.to_string(), status.network.clone()))
        })
    });
    let who = shown(who, |(name, network)| {
        let title = network.clone();
        let network = crate::words::short(&network).to_owned();
        view! {
            dl(class="who") {
                div { dt { "this tab" } dd { (name) } }
                div(title=title) { dt { "network" } dd(class="mono") { (network) } }
            }
        }
    });
    let (mark, pill) = (parts::mark(), connections::pill(console));
    view! {
        header(class="top") {
            a(class="brand", href="/", aria-label="Sporenet") {
                (mark)
                span(class="wordmark") { "sporenet" }
            }
            (who)
            (pill)
        }
    }
}

fn mesh_page(console: Console) -> View {
    let panels = [
        overview::panel(console),
        mesh::panel(console),
        timeline::panel(console),
        nodes::panel(console),
        data::panel(console),
        connections::panel(console),
    ];
    let panels = View::from(Vec::from(panels));
    view! {
        div(class="grid") { (panels) }
    }
}

fn loading() -> View {
    let mark = parts::mark();
    view! {
        section(class="panel calm", aria-busy="true") {
            div(class="pulse", aria-hidden="true") { (mark) }
            h1 { "Waking the node" }
            p(class="muted") { "Reading this tab's identity and journal from the browser's storage." }
        }
    }
}

fn departed() -> View {
    view! {
        section(class="panel calm") {
            h1 { "This tab has left the mesh" }
            p(class="muted") { "It said goodbye, and nothing is running any more. Reload the page to come back." }
            p { a(class="button", href="/") { "Reload" } }
        }
    }
}
