//! The mesh as a live picture on a canvas, and as a table for the keyboard and for screen readers.

use crate::{
    graph::{
        layout::{Fit, Layout},
        paint::{self, Edge, Frame, Node, Scene},
    },
    page::{
        dom,
        live::{derived, listed},
        state::Console,
    },
    words,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use sycamore::prelude::*;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Between two frames: calm motion needs no more, and the worker shares the processor.
const FRAME_MS: f64 = 40.0;

pub(crate) fn panel(console: Console) -> View {
    let canvas = create_node_ref();
    let picture = Rc::new(Picture::default());
    let (moved, left, clicked) = (
        Rc::clone(&picture),
        Rc::clone(&picture),
        Rc::clone(&picture),
    );
    {
        let picture = Rc::clone(&picture);
        create_effect(move || picture.take(console));
    }
    on_mount(move || Picture::start(&picture, &canvas));
    let summary = derived(move || {
        let nodes = u64::try_from(console.order.with(Vec::len)).unwrap_or(0);
        let own = console
            .edges
            .with(|edges| edges.iter().filter(|edge| edge.own).count());
        format!(
            "The mesh: {}, {} held by this tab. The same as a table follows.",
            words::count(nodes, "node", "nodes"),
            words::count(u64::try_from(own).unwrap_or(0), "link", "links"),
        )
    });
    let table = edge_table(console);
    view! {
        section(class="panel mesh", aria-labelledby="mesh-title") {
            div(class="panel-head") {
                h2(id="mesh-title") { "The mesh" }
                ul(class="legend") {
                    li { span(class="key own", aria-hidden="true") {} "this tab's link" }
                    li { span(class="key inferred", aria-hidden="true") {} "inferred" }
                }
            }
            canvas(
                r#ref=canvas, class="picture", role="img", aria-label=summary,
                on:pointermove=move |event: web_sys::PointerEvent| moved.point_at(Some(&event)),
                on:pointerleave=move |_| left.point_at(None),
                on:click=move |_| clicked.go_to_row(),
            )
            (table)
        }
    }
}

fn edge_table(console: Console) -> View {
    let edges = derived(move || console.edges.get_clone());
    let name = move |id: &str| {
        let known = console
            .members
            .with(|members| members.get(id).map(|member| member.name.to_string()));
        known.unwrap_or_else(|| words::short(id).to_owned())
    };
    let count = derived(move || {
        words::count(
            u64::try_from(edges.with(Vec::len)).unwrap_or(0),
            "link",
            "links",
        )
    });
    let rows = listed(edges, move |edge| {
        let (from, to) = (name(&edge.a), name(&edge.b));
        let known = if edge.own {
            "held by this tab"
        } else {
            "inferred"
        };
        view! { tr { td { (from) } td { (to) } td { (known) } } }
    });
    view! {
        details(class="twin") {
            summary { (count) " as a table" }
            table {
                thead { tr { th(scope="col") { "From" } th(scope="col") { "To" } th(scope="col") { "Known" } } }
                tbody { (rows) }
            }
        }
    }
}

/// The picture, its pointer and its clock.
#[derive(Default)]
struct Picture {
    scene: RefCell<Scene>,
    layout: RefCell<Layout>,
    canvas: RefCell<Option<(HtmlCanvasElement, CanvasRenderingContext2d)>>,
    still: Cell<bool>,
    stale: Cell<bool>,
    drawn_at: Cell<f64>,
    size: Cell<(i32, i32)>,
    fit: Cell<Option<Fit>>,
}

impl Picture {
    /// Takes the members and edges that are there now.
    fn take(&self, console: Console) {
        let ids = console.order.get_clone();
        let nodes = console.members.with(|members| {
            let known = ids.iter().filter_map(|id| members.get(id));
            known
                .map(|member| Node {
                    id: member.id.clone(),
                    name: member.name.to_string(),
                    role: member.role,
                    state: member.state,
                    this_node: member.this_node,
                })
                .collect::<Vec<_>>()
        });
        let edges = console.edges.with(|edges| {
            let ends = edges.iter();
            ends.map(|edge| Edge {
                a: edge.a.clone(),
                b: edge.b.clone(),
                own: edge.own,
            })
            .collect::<Vec<_>>()
        });
        let ends = edges.iter().map(|edge| (edge.a.clone(), edge.b.clone()));
        // In the order of identities, so that a change of state does not move the picture.
        let mut placed = ids;
        placed.sort_unstable();
        self.layout.borrow_mut().update(&placed, ends.collect());
        let mut scene = self.scene.borrow_mut();
        (scene.nodes, scene.edges) = (nodes, edges);
        self.stale.set(true);
    }

    fn start(picture: &Rc<Self>, canvas: &NodeRef) {
        let Some(canvas) = canvas
            .try_get()
            .and_then(|node| node.dyn_into::<HtmlCanvasElement>().ok())
        else {
            return;
        };
        let context = canvas.get_context("2d").ok().flatten();
        let Some(context) = context.and_then(|context| context.dyn_into().ok()) else {
            return;
        };
        *picture.canvas.borrow_mut() = Some((canvas, context));
        let weak = Rc::downgrade(picture);
        let still = dom::watch_media("(prefers-reduced-motion: reduce)", move |still| {
            if let Some(picture) = weak.upgrade() {
                picture.still.set(still);
                picture.stale.set(true);
            }
        });
        picture.still.set(still);
        let alive = Rc::new(Cell::new(true));
        on_cleanup({
            let alive = Rc::clone(&alive);
            move || alive.set(false)
        });
        run_frames(Rc::clone(picture), alive);
    }

    fn tick(&self, at: f64) {
        let still = self.still.get();
        let resized = self.fit();
        if at - self.drawn_at.get() < FRAME_MS && !resized {
            return;
        }
        if still {
            if !self.stale.replace(false) && !resized {
                return;
            }
            self.layout.borrow_mut().settle();
            self.fit.set(None);
        } else {
            self.layout.borrow_mut().step();
        }
        self.refit();
        self.drawn_at.set(at);
        if let (Some((_, context)), Some(frame)) = (&*self.canvas.borrow(), self.frame(at)) {
            paint::draw(context, &self.scene.borrow(), &self.layout.borrow(), &frame);
        }
    }

    /// Fits the canvas' pixels to its place on the page; answers whether they changed.
    fn fit(&self) -> bool {
        let canvas = self.canvas.borrow();
        let Some((canvas, _)) = &*canvas else {
            return false;
        };
        let size = (canvas.client_width(), canvas.client_height());
        if size == self.size.get() || size.0 <= 0 || size.1 <= 0 {
            return false;
        }
        self.size.set(size);
        let scale = scale();
        canvas.set_width(pixels(size.0, scale));
        canvas.set_height(pixels(size.1, scale));
        self.fit.set(None);
        true
    }

    /// Lets the picture follow its nodes, a little each frame.
    fn refit(&self) {
        let (width, height) = self.size.get();
        let fit = self
            .layout
            .borrow()
            .fit(f64::from(width), f64::from(height));
        let before = self.fit.get().unwrap_or(fit);
        self.fit.set(Some(before.towards(fit, 0.12)));
    }

    fn frame(&self, at: f64) -> Option<Frame> {
        let (width, height) = self.size.get();
        let motion = !self.still.get();
        (width > 0 && height > 0).then(|| Frame {
            width: f64::from(width),
            height: f64::from(height),
            scale: scale(),
            at: if motion { at } else { 0.0 },
            motion,
            fit: self.fit.get().unwrap_or_default(),
        })
    }

    fn point_at(&self, event: Option<&web_sys::PointerEvent>) {
        let pointed = event.and_then(|event| {
            let frame = self.frame(0.0)?;
            let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
            paint::node_at(&self.scene.borrow(), &self.layout.borrow(), &frame, x, y)
        });
        self.scene.borrow_mut().pointed = pointed;
        self.stale.set(true);
    }

    /// A click on a node goes to its row, as Tab and the table do.
    fn go_to_row(&self) {
        let pointed = self.scene.borrow().pointed.clone();
        let row = pointed.and_then(|id| {
            let (_, document) = dom::window_and_document()?;
            document.get_element_by_id(&format!("node-{id}"))
        });
        if let Some(row) = row.and_then(|row| row.dyn_into::<web_sys::HtmlElement>().ok()) {
            row.scroll_into_view();
            let _ = row.focus();
        }
    }
}

fn scale() -> f64 {
    dom::window_and_document().map_or(1.0, |(window, _)| {
        window.device_pixel_ratio().clamp(1.0, 3.0)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of pixels, bounded by the screen"
)]
fn pixels(length: i32, scale: f64) -> u32 {
    (f64::from(length) * scale).round() as u32
}

type OnFrame = Rc<RefCell<Option<Closure<dyn FnMut(f64)>>>>;

/// One call per frame of the browser, which makes none while the page is hidden.
fn run_frames(picture: Rc<Picture>, alive: Rc<Cell<bool>>) {
    let on_frame: OnFrame = Rc::default();
    let again = Rc::clone(&on_frame);
    *on_frame.borrow_mut() = Some(Closure::new(move |at: f64| {
        if !alive.get() {
            // The loop ends with its view; the closure is freed once it has returned.
            let ended = Rc::clone(&again);
            wasm_bindgen_futures::spawn_local(async move { drop(ended.borrow_mut().take()) });
            return;
        }
        picture.tick(at);
        request_frame(&again);
    }));
    request_frame(&on_frame);
}

fn request_frame(on_frame: &OnFrame) {
    if let (Some((window, _)), Some(closure)) = (dom::window_and_document(), &*on_frame.borrow()) {
        let _ = window.request_animation_frame(closure.as_ref().unchecked_ref());
    }
}
