//! The console: views over the worker's snapshots. It decides nothing.
//!
//! After every change the whole page is made as a value and compared with what stands there. A click or
//! a sent form says what it means by `data-click`, `data-submit` or `data-change`, and of which thing by
//! `data-of`; one listener for each kind of event reads that.
//!
//! | file | what lives there |
//! |---|---|
//! | `state` | what the page knows |
//! | `overview` | verdict, counters, what is wrong beside the mesh |
//! | `mesh` | the live picture and its table twin |
//! | `nodes` | the node table, worst first |
//! | `data` | the data browser |
//! | `timeline` | what happened, newest first |
//! | `connections` | each connection and what is being done about it |
//! | `join` | how to get in: paste a link, or learn how to get one |
//! | `recorder` | recording this tab's node, and saving that as a file |
//! | `replay` | the page on which a recording is gone through |
//! | `parts` | shapes and the mark |
//! | `vitals` | how nodes are, charts of this node, round trips |
//! | `view` | views as values, and the part of the page that follows them |
//! | `dom` | the few browser calls that views need |

mod connections;
mod data;
pub mod dom;
mod join;
mod mesh;
mod nodes;
mod overview;
mod parts;
mod recorder;
mod replay;
mod state;
mod timeline;
mod view;
mod vitals;

use crate::{
    client::Client,
    protocol::{Failure, Phase, Recording, Start},
    script::Mesh,
    words,
};
use mesh::Picture;
use sporenet_core::{membership::join_link::JoinLink, node::snapshot::Verdict};
use state::State;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use view::{Shown, View, view};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{Document, Element, Event, HtmlElement, MouseEvent};

/// The console's entry point, called by `boot.js` with a function that starts a worker and the join
/// link that stood in the address.
#[wasm_bindgen]
pub fn ui_main(spawn: js_sys::Function, link: Option<String>) {
    let Some((console, window)) = Console::put_up() else {
        return;
    };
    start_client(&console, spawn, link, &window);
    console.draw();
}

/// Starts the node's worker and offers the script API as `window.sporenet`.
fn start_client(
    console: &Rc<Console>,
    spawn: js_sys::Function,
    from_fragment: Option<String>,
    window: &web_sys::Window,
) {
    let (kept_link, slot) = state::kept();
    if let Some(link) = &from_fragment {
        state::keep_link(link);
    }
    let start = Start {
        link: from_fragment.or(kept_link),
        slot,
        visible: !console.document.hidden(),
        snapshots: true,
        ..Start::default()
    };
    let taker = Rc::clone(console);
    let client = Client::new(spawn, start, move |notice| {
        taker.change(|state| {
            state.take(notice);
            taker.picture.take(state);
        });
    });
    let api = JsValue::from(Mesh::of(client.clone()));
    let _ = js_sys::Reflect::set(window, &"sporenet".into(), &api);
    {
        let mut state = console.state.borrow_mut();
        state.client = Some(client);
        state.online = window.navigator().on_line();
    }
    for (kind, online) in [("online", true), ("offline", false)] {
        let console = Rc::clone(console);
        dom::listen(window, kind, move |_| {
            console.change(|state| state.online = online);
        });
    }
    // A link followed while the console is open changes only the fragment.
    let joiner = Rc::clone(console);
    dom::listen(window, "hashchange", move |_| {
        if let Some(link) = dom::take_link() {
            joiner.join(link);
        }
    });
}

/// What the page knows, and what of it is shown.
struct Console {
    document: Document,
    root: Element,
    state: RefCell<State>,
    shown: RefCell<Option<Shown>>,
    /// Whether something changed while the page was drawn.
    stale: Cell<bool>,
    picture: Rc<Picture>,
}

impl Console {
    /// A console in the place that the page has for it, with the page's window.
    fn put_up() -> Option<(Rc<Self>, web_sys::Window)> {
        crate::report_panics();
        let (window, document) = dom::window_and_document()?;
        let root = document.get_element_by_id("console")?;
        root.set_text_content(None);
        let console = Rc::new(Self {
            root,
            document,
            state: RefCell::new(State::new()),
            shown: RefCell::new(None),
            stale: Cell::new(false),
            picture: Picture::new(),
        });
        for kind in ["click", "submit", "change", "pointermove", "pointerout"] {
            let listener = Rc::clone(&console);
            dom::listen(&console.root, kind, move |event| {
                listener.on_event(kind, &event);
            });
        }
        Some((console, window))
    }

    /// Changes what the page knows, and shows it.
    fn change(self: &Rc<Self>, change: impl FnOnce(&mut State)) {
        change(&mut self.state.borrow_mut());
        self.draw();
    }

    /// Brings the page up to date. Removing or focusing an element may call a listener, which draws
    /// again: that is done when this is done.
    fn draw(self: &Rc<Self>) {
        self.stale.set(true);
        let Ok(mut shown) = self.shown.try_borrow_mut() else {
            return;
        };
        while self.stale.replace(false) {
            let stage = Stage::of(&self.state.borrow());
            if stage != Stage::Mesh && self.state.borrow().browser.is_open() {
                data::close(self);
            }
            let page = page(&self.state.borrow(), stage);
            // What moves to another place of a list loses the focus for a moment.
            let focused = self.document.active_element();
            match &mut *shown {
                Some(shown) => shown.update(&self.document, page),
                None => *shown = Shown::new(&self.document, page, &self.root, None),
            }
            if let Some(element) = focused.filter(|element| element.is_connected())
                && self.document.active_element().as_ref() != Some(&element)
            {
                let _ = element.unchecked_ref::<HtmlElement>().focus();
            }
            self.picture.follow();
        }
    }

    fn on_event(self: &Rc<Self>, kind: &str, event: &Event) {
        let target = event.target().and_then(|target| target.dyn_into().ok());
        let Some(target): Option<Element> = target else {
            return;
        };
        if kind.starts_with("pointer") {
            let over = kind == "pointermove" && target.id() == mesh::CANVAS;
            self.picture
                .point_at(event.dyn_ref::<MouseEvent>().filter(|_| over));
            return;
        }
        let name = format!("data-{kind}");
        let Ok(Some(element)) = target.closest(&format!("[{name}]")) else {
            return;
        };
        if kind == "submit" {
            event.prevent_default();
        }
        let what = element.get_attribute(&name).unwrap_or_default();
        self.act(&what, element.get_attribute("data-of"));
    }

    /// Does what an element of the page asks for.
    fn act(self: &Rc<Self>, what: &str, of: Option<String>) {
        match what {
            "node" => self.picture.go_to_row(),
            "join" => {
                let link = taken("link");
                if !link.is_empty() {
                    self.join(link);
                }
            }
            "open" => {
                let namespace = of.unwrap_or_else(|| taken("namespace"));
                if !namespace.is_empty() {
                    data::open(self, namespace);
                    data::restart(self);
                }
            }
            "filter" => data::restart(self),
            "put" => {
                let key = dom::field("key");
                if !key.is_empty() {
                    data::write(self, key, Some(dom::field("value").into_bytes()));
                }
            }
            "more" => data::show_more(self),
            "edit" => data::edit(self, of.unwrap_or_default()),
            "delete" => data::write(self, of.unwrap_or_default(), None),
            "record" => recorder::ask(self, Recording::Start),
            "record-stop" => recorder::ask(self, Recording::Stop),
            "record-save" => recorder::save(self),
            "recording" => replay::choose(self),
            other => replay::act(self, other),
        }
        self.draw();
    }

    /// Joins with a link, kept for this tab until the node is let in.
    fn join(self: &Rc<Self>, link: String) {
        // A text that is no link must not stop a node that runs.
        let refused = link.parse::<JoinLink>().err();
        let client = {
            let mut state = self.state.borrow_mut();
            match refused {
                Some(error) => {
                    state.link_error = Some(Failure::new("bad_link", error));
                    None
                }
                None => {
                    state.link_error = None;
                    state.status = None;
                    state.client.clone()
                }
            }
        };
        if let Some(client) = client {
            dom::keep(state::KEPT_LINK, Some(&link));
            client.join(link);
        }
        self.draw();
    }
}

/// Takes what stands in a field out of it.
fn taken(id: &str) -> String {
    let text = dom::field(id).trim().to_owned();
    if !text.is_empty() {
        dom::set_field(id, "");
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Loading,
    Join,
    Waiting,
    Departed,
    Mesh,
    Replay,
}

impl Stage {
    fn of(state: &State) -> Self {
        if state.replaying.is_some() {
            return Self::Replay;
        }
        match &state.phase {
            Phase::Loading => Self::Loading,
            Phase::NeedsLink | Phase::Failed(_) => Self::Join,
            Phase::Departed => Self::Departed,
            Phase::Running { .. }
            | Phase::Admitted
            | Phase::Fenced { .. }
            | Phase::StorageLost { .. } => match &state.status {
                None => Self::Loading,
                Some(status) if status.verdict == Verdict::Joining => Self::Waiting,
                Some(_) => Self::Mesh,
            },
        }
    }
}

/// The whole page.
fn page(state: &State, stage: Stage) -> View {
    let body = match stage {
        Stage::Loading => loading(),
        Stage::Join => join::panel(state),
        Stage::Waiting => join::waiting(state),
        Stage::Departed => departed(),
        Stage::Mesh => view!(
            "<div class='grid'>{}{}{}{}{}{}{}{}</div>",
            overview::panel(state),
            mesh::panel(state),
            timeline::panel(state),
            nodes::panel(state),
            vitals::panel(state),
            data::panel(state),
            connections::panel(state),
            recorder::panel(state),
        ),
        Stage::Replay => replayed(state),
    };
    view!(
        concat!(
            "{}<main id='main' tabindex='-1'>{}{}</main><footer class='foot'><p>Sporenet ",
            env!("CARGO_PKG_VERSION"),
            " · {} is a node of the mesh · times in your local zone</p></footer>"
        ),
        header(state),
        overview::trouble(state),
        body,
        words::here(),
    )
}

/// The node of a recording at one moment, or where one is chosen.
fn replayed(state: &State) -> View {
    let replaying = state.replaying.as_ref();
    let Some((replaying, now)) = replaying.and_then(|r| Some((r, r.now.as_ref()?))) else {
        return replaying.map_or_else(loading, replay::chooser);
    };
    view!(
        "<div class='grid'>{}{}{}{}{}{}</div>",
        replay::bar(state, replaying, now),
        overview::panel(state),
        mesh::panel(state),
        timeline::panel(state),
        nodes::panel(state),
        connections::panel(state),
    )
}

fn header(state: &State) -> View {
    let who = state.status.as_ref().map(|status| {
        view!(
            "<dl class='who'>\
               <div><dt>{}</dt><dd>{}</dd></div>\
               <div title='{}'><dt>network</dt><dd class='mono'>{}</dd></div>\
             </dl>",
            words::here(),
            status.name.to_string(),
            status.network.as_str(),
            words::short(&status.network),
        )
    });
    view!(
        "<header class='top'>\
           <a class='brand' href='./' aria-label='Sporenet'>{}<span class='wordmark'>sporenet</span></a>\
           {}{}\
         </header>",
        parts::mark(),
        who,
        connections::pill(state),
    )
}

fn loading() -> View {
    view!(
        "<section class='panel calm' aria-busy='true'>\
           <div class='pulse' aria-hidden='true'>{}</div>\
           <h1>Waking the node</h1>\
           <p class='muted'>Reading this tab's identity and journal from the browser's storage.</p>\
         </section>",
        parts::mark()
    )
}

fn departed() -> View {
    view!(
        "<section class='panel calm'>\
           <h1>This tab has left the mesh</h1>\
           <p class='muted'>It said goodbye, and nothing is running any more. Reload the page to come back.</p>\
           <p><a class='button' href='./'>Reload</a></p>\
         </section>"
    )
}
