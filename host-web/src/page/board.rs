//! A canvas on the page: when it is painted, what is under the pointer, and what is told of it.
//!
//! Nothing is painted unless something changed. What does not depend on the pointer is painted once, beside
//! the page; moving the pointer copies that and paints a little over it.

use crate::{
    draw::{
        palette::Palette,
        shape::{Point, Size},
        surface::{self, Surface},
    },
    page::{
        dom,
        each::{memo, when},
        state::{App, put},
    },
    route::Place,
};
use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};
use sycamore::{
    prelude::*,
    web::events::{MouseEvent, PointerEvent, WheelEvent},
};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement, ResizeObserver};

/// A pointer that moved this far, in pixels, drags.
const DRAG_FROM: f64 = 4.0;

/// What a picture does before a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// It is at rest.
    Rests,
    /// It moved, is to be painted, and moves on.
    Moves,
    /// It is not worth painting yet.
    Prepares,
}

/// A picture on a board.
pub(crate) trait Painting: 'static {
    /// What can be pointed at.
    type Under: Clone + PartialEq + 'static;

    /// Lets things move before a frame; `still` is for those who want no motion.
    fn advance(&mut self, size: Size, still: bool) -> Motion;

    /// How high it is to be at a width; `None` leaves that to the style sheet.
    fn height(&self, _width: f64) -> Option<f64> {
        None
    }

    /// Paints all that does not depend on the pointer, on an empty canvas.
    fn paint(&self, surface: &Surface<'_>);

    /// Paints what is pointed at over it.
    fn paint_over(&self, surface: &Surface<'_>, under: &Self::Under);

    /// What is at a point.
    fn under(&self, at: Point) -> Option<Self::Under>;

    /// What is told of it: a heading, and lines below.
    fn told(&self, app: App, under: &Self::Under) -> Vec<String>;

    /// A click on it; gives where that leads, if it leads anywhere.
    fn click(&mut self, under: &Self::Under) -> Option<Place>;

    /// Takes that it was dragged; answers whether it follows.
    fn drag(&mut self, _right: f64, _down: f64) -> bool {
        false
    }

    /// Takes that it shall be so many times as near, around a point or its middle.
    fn zoom(&mut self, _times: f64, _around: Option<Point>) {}
}

/// What is told, and beside which point of how large a picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tip {
    at: Point,
    size: Size,
    lines: Vec<String>,
}

/// A picture, its canvas, and its pointer.
pub(crate) struct Board<P: Painting> {
    painting: RefCell<P>,
    on: RefCell<Option<On>>,
    on_frame: Closure<dyn FnMut(f64)>,
    /// Whether a frame was asked for and has not come yet.
    waits: Cell<bool>,
    /// Whether all has to be painted anew.
    stale: Cell<bool>,
    still: Cell<bool>,
    size: Cell<Size>,
    pointer: Cell<Option<Point>>,
    under: RefCell<Option<P::Under>>,
    /// Where the pointer was when it was last looked at while pressed, and whether it has dragged.
    pressed: Cell<Option<(Point, bool)>>,
    /// Whether what a finger is on was told only now: it leads nowhere yet.
    only_told: Cell<bool>,
}

/// A canvas on the page, and one beside it that holds what does not depend on the pointer.
struct On {
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    base: HtmlCanvasElement,
    base_context: CanvasRenderingContext2d,
    observer: ResizeObserver,
    _on_resize: Closure<dyn FnMut()>,
}

impl Drop for On {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

impl<P: Painting> Board<P> {
    pub(crate) fn with(painting: P) -> Rc<Self> {
        let board = Rc::new_cyclic(|me: &Weak<Self>| {
            let me = me.clone();
            Self {
                painting: RefCell::new(painting),
                on: RefCell::new(None),
                on_frame: Closure::new(move |_| {
                    if let Some(board) = me.upgrade() {
                        board.frame();
                    }
                }),
                waits: Cell::new(false),
                stale: Cell::new(true),
                still: Cell::new(false),
                size: Cell::default(),
                pointer: Cell::new(None),
                under: RefCell::new(None),
                pressed: Cell::new(None),
                only_told: Cell::new(false),
            }
        });
        board
            .still
            .set(dom::asks_for("(prefers-reduced-motion: reduce)"));
        board
    }

    /// Changes the picture; `change` answers whether it looks different now.
    pub(crate) fn change(&self, change: impl FnOnce(&mut P) -> bool) {
        if change(&mut self.painting.borrow_mut()) {
            self.refresh();
        }
    }

    /// Looks into the picture.
    pub(crate) fn with_painting<T>(&self, look: impl FnOnce(&P) -> T) -> T {
        look(&self.painting.borrow())
    }

    /// Zooms around the middle.
    pub(crate) fn zoom(&self, times: f64) {
        self.painting.borrow_mut().zoom(times, None);
        self.refresh();
    }

    /// Paints all anew with the next frame.
    fn refresh(&self) {
        self.stale.set(true);
        self.request();
    }

    fn request(&self) {
        if self.on.borrow().is_none() || self.waits.replace(true) {
            return;
        }
        if let Some((window, _)) = dom::window_and_document() {
            let _ = window.request_animation_frame(self.on_frame.as_ref().unchecked_ref());
        }
    }

    /// Paints on this canvas from now on, which is painted again whenever its size changes.
    fn put_on(self: &Rc<Self>, canvas: HtmlCanvasElement) {
        self.still
            .set(dom::asks_for("(prefers-reduced-motion: reduce)"));
        *self.on.borrow_mut() = self.prepare(canvas);
        self.refresh();
    }

    fn prepare(self: &Rc<Self>, canvas: HtmlCanvasElement) -> Option<On> {
        let (_, document) = dom::window_and_document()?;
        let base: HtmlCanvasElement = document.create_element("canvas").ok()?.dyn_into().ok()?;
        let me = Rc::downgrade(self);
        let on_resize = Closure::<dyn FnMut()>::new(move || {
            if let Some(board) = me.upgrade() {
                board.request();
            }
        });
        let observer = ResizeObserver::new(on_resize.as_ref().unchecked_ref()).ok()?;
        observer.observe(&canvas);
        Some(On {
            context: context(&canvas)?,
            base_context: context(&base)?,
            canvas,
            base,
            observer,
            _on_resize: on_resize,
        })
    }

    /// Paints no more: the canvas leaves the page.
    fn leave(&self) {
        *self.on.borrow_mut() = None;
        *self.under.borrow_mut() = None;
        self.pointer.set(None);
        self.pressed.set(None);
    }

    fn frame(&self) {
        self.waits.set(false);
        let on = self.on.borrow();
        let Some(on) = &*on else { return };
        let width = f64::from(on.canvas.client_width());
        if let Some(height) = self.painting.borrow().height(width) {
            let height = format!("{:.0}px", height.ceil());
            let _ = on.canvas.style().set_property("height", &height);
        }
        let ratio =
            dom::window_and_document().map_or(1.0, |(window, _)| window.device_pixel_ratio());
        let (size, ratio, emptied) = surface::fit(&on.canvas, ratio);
        self.size.set(size);
        let motion = self.painting.borrow_mut().advance(size, self.still.get());
        let is_small =
            (on.base.width(), on.base.height()) != (on.canvas.width(), on.canvas.height());
        if is_small {
            on.base.set_width(on.canvas.width());
            on.base.set_height(on.canvas.height());
        }
        if motion != Motion::Rests || is_small || emptied {
            self.stale.set(true);
        }
        if motion != Motion::Prepares
            && let Some(palette) = Palette::read(&on.canvas)
        {
            let painting = self.painting.borrow();
            let surface = |canvas| Surface {
                canvas,
                palette: &palette,
                ratio,
            };
            if self.stale.replace(false) {
                painting.paint(&surface(&on.base_context));
            }
            self.copy(on, &surface(&on.context), &*painting);
        }
        if motion != Motion::Rests {
            self.request();
        }
    }

    fn copy(&self, on: &On, surface: &Surface<'_>, painting: &P) {
        // A canvas that is empty can't be copied, and nothing is seen of it.
        let _ = on.context.set_transform(1.0, 0.0, 0.0, 1.0, 0.0, 0.0);
        on.context.set_global_alpha(1.0);
        let (width, height) = (f64::from(on.canvas.width()), f64::from(on.canvas.height()));
        on.context.clear_rect(0.0, 0.0, width, height);
        let _ = on
            .context
            .draw_image_with_html_canvas_element(&on.base, 0.0, 0.0);
        let _ = on
            .context
            .set_transform(surface.ratio, 0.0, 0.0, surface.ratio, 0.0, 0.0);
        on.context.set_line_cap("round");
        on.context.set_line_join("round");
        if let Some(under) = &*self.under.borrow() {
            painting.paint_over(surface, under);
        }
    }

    /// Takes where the pointer is, or that it is nowhere on the picture.
    fn point(&self, at: Option<Point>) {
        self.pointer.set(at);
        let under = at.and_then(|at| self.painting.borrow().under(at));
        if *self.under.borrow() != under {
            *self.under.borrow_mut() = under;
            self.request();
        }
    }

    /// What is told of what is under the pointer.
    fn tip(&self, app: App) -> Option<Tip> {
        let at = self.pointer.get()?;
        let under = self.under.borrow();
        let lines = self.painting.borrow().told(app, under.as_ref()?);
        Some(Tip {
            at,
            size: self.size.get(),
            lines,
        })
    }

    fn press(&self, event: &PointerEvent) {
        let at = place_of(event);
        self.pressed.set(Some((at, false)));
        let before = self.under.borrow().clone();
        self.point(Some(at));
        let is_new = *self.under.borrow() != before;
        self.only_told
            .set(is_new && event.pointer_type() == "touch");
    }

    fn follow(&self, event: &PointerEvent) {
        let at = place_of(event);
        let pressed = self.pressed.get().filter(|_| event.buttons() & 1 == 1);
        let Some((from, dragged)) = pressed else {
            self.point(Some(at));
            return;
        };
        let (right, down) = (at.x - from.x, at.y - from.y);
        if (dragged || right.hypot(down) >= DRAG_FROM)
            && self.painting.borrow_mut().drag(right, down)
        {
            self.pressed.set(Some((at, true)));
            self.point(None);
            self.refresh();
        }
    }

    fn click(&self) {
        let (_, dragged) = self.pressed.take().unwrap_or_default();
        let under = self.under.borrow().clone();
        if dragged || self.only_told.replace(false) {
            return;
        }
        let Some(under) = under else { return };
        let leads = self.painting.borrow_mut().click(&under);
        match leads {
            Some(place) => dom::go(&place.href()),
            None => {
                let pointer = self.pointer.get();
                self.point(pointer);
                self.refresh();
            }
        }
    }

    /// Turning the wheel zooms with Ctrl, as a pinch on a touchpad does; alone it scrolls the page.
    fn wheel(&self, event: &WheelEvent) {
        if event.ctrl_key() {
            event.prevent_default();
            let times = (-event.delta_y() / 240.0).exp().clamp(0.5, 2.0);
            self.painting
                .borrow_mut()
                .zoom(times, Some(place_of(event)));
            self.refresh();
        }
    }
}

fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok()??.dyn_into().ok()
}

fn place_of(event: &MouseEvent) -> Point {
    Point {
        x: f64::from(event.offset_x()),
        y: f64::from(event.offset_y()),
    }
}

/// A board on the page, with what it tells beside the pointer. The table that follows it is its twin for
/// the keyboard.
pub(crate) fn view<P: Painting>(
    app: App,
    board: &Rc<Board<P>>,
    id: &'static str,
    label: ReadSignal<String>,
) -> View {
    let canvas = create_node_ref();
    let tip = create_signal(None::<Tip>);
    let here = Rc::clone(board);
    create_effect(move || {
        let canvas = canvas.try_get().and_then(|canvas| canvas.dyn_into().ok());
        if let Some(canvas) = canvas {
            here.put_on(canvas);
        }
    });
    let leaver = Rc::clone(board);
    on_cleanup(move || leaver.leave());
    // What is told grows old, and what is under the pointer may have moved.
    let teller = Rc::clone(board);
    create_effect(move || {
        app.state.now_ms.track();
        let pointer = teller.pointer.get();
        if pointer.is_some() {
            teller.point(pointer);
            put(tip, teller.tip(app));
        }
    });
    let [mover, presser, leaver, loser, clicker, wheeler] =
        core::array::from_fn(|_| Rc::clone(board));
    let shown = told(tip);
    view! {
        div(class="board") {
            canvas(id=id, class="picture", role="img", aria-label=label, r#ref=canvas,
                on:pointermove=move |event: PointerEvent| { mover.follow(&event); put(tip, mover.tip(app)); },
                on:pointerdown=move |event: PointerEvent| { presser.press(&event); put(tip, presser.tip(app)); },
                on:pointerleave=move |event: PointerEvent| {
                    // A finger that is lifted leaves too, before its click comes.
                    if event.pointer_type() != "touch" {
                        leaver.point(None);
                        put(tip, None);
                    }
                },
                on:pointercancel=move |_: PointerEvent| { loser.point(None); put(tip, None); },
                on:click=move |_: MouseEvent| { clicker.click(); put(tip, clicker.tip(app)); },
                on:wheel=move |event: WheelEvent| wheeler.wheel(&event))
            (shown)
        }
    }
}

/// What is told, on the side of the pointer where there is more room.
fn told(tip: Signal<Option<Tip>>) -> View {
    let element = create_node_ref();
    create_effect(move || {
        let element = element
            .try_get()
            .and_then(|element| element.dyn_into::<HtmlElement>().ok());
        if let Some((element, Tip { at, size, .. })) = element.zip(tip.get_clone()) {
            let beside = |at: f64, whole: f64, names: [&'static str; 2]| {
                let [near, far] = names;
                if at > whole / 2.0 {
                    [(near, "auto".to_owned()), (far, pixels(whole - at))]
                } else {
                    [(near, pixels(at)), (far, "auto".to_owned())]
                }
            };
            let across = beside(at.x, size.width, ["left", "right"]);
            let down = beside(at.y, size.height, ["top", "bottom"]);
            for (name, value) in across.into_iter().chain(down) {
                let _ = element.style().set_property(name, &value);
            }
        }
    });
    let lines = memo(move || tip.with(|tip| tip.as_ref().map(|tip| tip.lines.clone())));
    let class = move || {
        if tip.with(Option::is_some) {
            "tip"
        } else {
            "tip none"
        }
    };
    let shown = when(
        move || lines.get_clone().unwrap_or_default(),
        |lines| {
            let lines: Vec<View> = lines
                .into_iter()
                .map(|line| view! { p { (line) } })
                .collect();
            lines.into()
        },
    );
    view! { div(class=class, r#ref=element, aria-hidden="true") { (shown) } }
}

fn pixels(length: f64) -> String {
    format!("{:.0}px", length.max(0.0) + 14.0)
}
