//! The mesh as a graph on a board.

use crate::{
    draw::{
        shape::{Point, Size},
        surface::Surface,
    },
    graph::{
        layout::{Fit, Layout},
        paint,
        scene::{Scene, Under},
    },
    page::{
        board::{Board, Motion, Painting},
        dom,
        known::Known,
        state::App,
    },
    route::Place,
};
use std::rc::Rc;

/// How long the layout may take before a frame, in milliseconds.
const STEPS_MS: f64 = 8.0;
/// Up to so many nodes move step by step, for the eye; more hurry, and are shown now and then on the way.
const CALM_MAX: usize = 120;
/// Between two pictures of many nodes that hurry, in milliseconds.
const SHOWN_EVERY_MS: f64 = 400.0;

/// The graph with its board. It outlives the view, so that nodes are where they were.
pub(crate) type Picture = Board<Graph>;

/// The graph.
#[derive(Default)]
pub(crate) struct Graph {
    known: Rc<Known>,
    scene: Scene,
    layout: Layout,
    fit: Option<Fit>,
    size: Size,
    /// When many nodes that hurry were shown last.
    shown_at: f64,
}

impl Picture {
    pub(crate) fn new() -> Rc<Self> {
        Self::with(Graph::default())
    }
}

impl Graph {
    /// Takes what is known now; answers whether it looks different.
    pub(crate) fn take(&mut self, known: Rc<Known>) -> bool {
        let scene = Scene::of(&known.members, &known.links);
        self.known = known;
        if scene == self.scene {
            return false;
        }
        self.scene = scene;
        let nodes: Vec<_> = self
            .scene
            .nodes
            .iter()
            .map(|node| (node.id.clone(), node.zone))
            .collect();
        let links: Vec<_> = self
            .scene
            .links
            .iter()
            .map(|link| (link.a, link.b))
            .collect();
        self.layout.update(&nodes, &links);
        true
    }

    /// How many nodes are not drawn.
    pub(crate) fn left_out(&self) -> usize {
        self.scene.nodes.len().saturating_sub(self.layout.len())
    }

    fn mesh(&self) -> Option<paint::Mesh<'_>> {
        Some(paint::Mesh {
            scene: &self.scene,
            layout: &self.layout,
            fit: self.fit?,
            size: self.size,
        })
    }

    fn is_crowd(&self) -> bool {
        self.layout.len() > CALM_MAX
    }

    /// Lets the nodes move as long as there is time.
    fn step(&mut self, still: bool) {
        let until = now_ms() + STEPS_MS;
        let is_calm = !still && !self.is_crowd();
        loop {
            self.layout.step();
            if is_calm || self.layout.is_settled() || now_ms() >= until {
                return;
            }
        }
    }
}

impl Painting for Graph {
    type Under = Under;

    fn advance(&mut self, size: Size, still: bool) -> Motion {
        if size != self.size {
            self.size = size;
            self.fit = None;
        }
        let mut moved = !self.layout.is_settled();
        if moved {
            self.step(still);
        }
        let fit = self.layout.fit(size);
        match self.fit {
            Some(before) if !still && !self.is_crowd() && !before.is_near(fit) => {
                self.fit = Some(before.towards(fit, 0.12));
                moved = true;
            }
            Some(_) | None => self.fit = Some(fit),
        }
        if !moved {
            return Motion::Rests;
        }
        let is_there = self.layout.is_settled();
        let now = now_ms();
        if is_there || (!still && (!self.is_crowd() || now - self.shown_at > SHOWN_EVERY_MS)) {
            self.shown_at = now;
            return Motion::Moves;
        }
        Motion::Prepares
    }

    fn paint(&self, surface: &Surface<'_>) {
        if let Some(mesh) = self.mesh() {
            mesh.paint(surface);
        }
    }

    fn paint_over(&self, surface: &Surface<'_>, under: &Under) {
        if let Some(mesh) = self.mesh() {
            mesh.paint_over(surface, *under);
        }
    }

    fn under(&self, at: Point) -> Option<Under> {
        self.scene.under(&self.layout, self.fit?, at)
    }

    fn told(&self, app: App, under: &Under) -> Vec<String> {
        match under {
            Under::Node(number) => {
                let node = self.scene.nodes.get(*number);
                let number = node.and_then(|node| self.known.number_of(&node.id));
                number.map_or_else(Vec::new, |number| self.known.tell_member(app, number))
            }
            Under::Link(number) => {
                let link = self.known.links.get(*number);
                link.map_or_else(Vec::new, |link| self.known.tell_link(app, link))
            }
        }
    }

    fn click(&mut self, under: &Under) -> Option<Place> {
        match under {
            Under::Node(number) => Some(Place::Node(self.scene.nodes.get(*number)?.id.clone())),
            Under::Link(_) => None,
        }
    }
}

fn now_ms() -> f64 {
    let performance = dom::window_and_document().and_then(|(window, _)| window.performance());
    performance.map_or(0.0, |performance| performance.now())
}
