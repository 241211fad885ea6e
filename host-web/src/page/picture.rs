//! The mesh as a live picture on a canvas.

use crate::{
    graph::{
        layout::{Fit, Layout},
        paint::{self, Edge, Frame, Node, Scene},
    },
    page::dom,
    route::Place,
};
use sporenet_core::node::snapshot::{Edge as KnownEdge, Member};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Between two frames: calm motion needs no more, and the worker shares the processor.
const FRAME_MS: f64 = 40.0;

/// The picture, its pointer and its clock.
#[derive(Default)]
pub(crate) struct Picture {
    scene: RefCell<Scene>,
    layout: RefCell<Layout>,
    canvas: RefCell<Option<(HtmlCanvasElement, CanvasRenderingContext2d)>>,
    /// Whether frames are asked for.
    runs: Cell<bool>,
    still: Cell<bool>,
    stale: Cell<bool>,
    drawn_at: Cell<f64>,
    size: Cell<(i32, i32)>,
    fit: Cell<Option<Fit>>,
}

impl Picture {
    pub(crate) fn new() -> Rc<Self> {
        let picture = Rc::new(Self::default());
        let changed = Rc::clone(&picture);
        let still = dom::watch_media("(prefers-reduced-motion: reduce)", move |still| {
            changed.still.set(still);
            changed.stale.set(true);
        });
        picture.still.set(still);
        picture
    }

    /// Takes the members and edges that are there now.
    pub(crate) fn take(&self, members: &[Member], edges: &[KnownEdge]) {
        let nodes: Vec<_> = members
            .iter()
            .map(|member| Node {
                id: member.id.clone(),
                name: member.name.to_string(),
                role: member.role,
                state: member.state,
                this_node: member.this_node,
            })
            .collect();
        let edges: Vec<_> = edges
            .iter()
            .map(|edge| Edge {
                a: edge.a.clone(),
                b: edge.b.clone(),
                own: edge.own,
            })
            .collect();
        let ends = edges.iter().map(|edge| (edge.a.clone(), edge.b.clone()));
        // In the order of identities, so that a change of state does not move the picture.
        let mut placed: Vec<_> = nodes.iter().map(|node| node.id.clone()).collect();
        placed.sort();
        self.layout.borrow_mut().update(&placed, ends.collect());
        let mut scene = self.scene.borrow_mut();
        (scene.nodes, scene.edges) = (nodes, edges);
        self.stale.set(true);
    }

    /// Draws on this canvas from now on.
    pub(crate) fn put_on(self: &Rc<Self>, canvas: HtmlCanvasElement) {
        let context = canvas.get_context("2d").ok().flatten();
        *self.canvas.borrow_mut() = context
            .and_then(|context| context.dyn_into().ok())
            .map(|context| (canvas, context));
        self.size.set((0, 0));
        if !self.runs.replace(true) {
            run_frames(Rc::clone(self));
        }
    }

    /// Draws no more: the canvas leaves the page.
    pub(crate) fn leave(&self) {
        *self.canvas.borrow_mut() = None;
        self.scene.borrow_mut().pointed = None;
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

    /// Takes where the pointer is, or that it is nowhere on the picture.
    pub(crate) fn point_at(&self, event: Option<&web_sys::MouseEvent>) {
        let pointed = event.and_then(|event| {
            let frame = self.frame(0.0)?;
            let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
            paint::node_at(&self.scene.borrow(), &self.layout.borrow(), &frame, x, y)
        });
        self.scene.borrow_mut().pointed = pointed;
        self.stale.set(true);
    }

    /// A click on a node goes to its page.
    pub(crate) fn go_to_node(&self) {
        let pointed = self.scene.borrow().pointed.clone();
        if let Some(id) = pointed {
            dom::go(&Place::Node(id).href());
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

/// One call per frame of the browser, which makes none while the page is hidden. Without a canvas the
/// loop ends.
fn run_frames(picture: Rc<Picture>) {
    let on_frame: OnFrame = Rc::default();
    let again = Rc::clone(&on_frame);
    *on_frame.borrow_mut() = Some(Closure::new(move |at: f64| {
        if picture.canvas.borrow().is_none() {
            picture.runs.set(false);
            // The closure is freed once it has returned.
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
