//! What several charts share: one window of time, one cursor, what happened, and when they are drawn.
//!
//! Nothing is drawn but what changed, and that once in a frame of the browser. Only charts in sight ask
//! for points, and only few at once.

use crate::{
    draw::{
        chart::model::Words,
        palette::Palette,
        range::Range,
        time::{self, Window},
    },
    page::{
        dom,
        metrics::{
            known,
            plot::{Line, Plot},
        },
        state::{App, put},
    },
    protocol::{Answer, Request},
};
use sporenet_core::{
    node::snapshot::{Severity, TimelineEntry},
    observe::alerts::record::Grade,
};
use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
};
use sycamore::prelude::*;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{
    Element, HtmlCanvasElement, IntersectionObserver, IntersectionObserverEntry,
    IntersectionObserverInit, ResizeObserver,
};

/// The most questions under way, unless it is told otherwise.
const FLYING_MAX: usize = 4;
/// How soon points are asked for again while the time is followed: after a step, within these bounds.
const REFRESH_MS: (u64, u64) = (1_000, 15_000);
/// The most events on charts.
const EVENTS_MAX: usize = 200;

/// Who tells what comes into sight, and what it calls.
type Sight = (IntersectionObserver, Closure<dyn FnMut(js_sys::Array)>);
/// Who tells that a size changed, and what it calls.
type Sizes = (ResizeObserver, Closure<dyn FnMut()>);

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happened {
    pub(super) at: u64,
    pub(super) severity: Severity,
    pub(super) text: String,
}

/// See the module.
pub(super) struct Board {
    pub(super) app: App,
    pub(super) words: &'static Words,
    pub(super) cursor: Signal<Option<u64>>,
    /// The window that is shown.
    pub(super) window: Signal<Window>,
    /// How far it reaches beyond now, while it follows the time.
    pub(super) ahead_ms: Signal<u64>,
    /// How far forecasts reach beyond now.
    pub(super) reach_ms: Signal<u64>,
    /// Counts how often charts came into sight.
    pub(super) seen: Signal<u32>,
    /// Whether charts can be brushed.
    pub(super) can_zoom: bool,
    pub(super) happened: RefCell<Vec<Happened>>,
    is_live: Cell<bool>,
    now: Cell<u64>,
    plots: RefCell<Vec<Rc<Plot>>>,
    palette: RefCell<Option<Rc<Palette>>>,
    flying: Cell<usize>,
    /// The most questions under way.
    flying_max: Cell<usize>,
    /// The frame that was asked for.
    frame: Cell<Option<i32>>,
    is_closed: Cell<bool>,
    on_frame: RefCell<Option<Closure<dyn FnMut()>>>,
    sight: RefCell<Option<Sight>>,
    sizes: RefCell<Option<Sizes>>,
}

impl Board {
    /// A board without charts, for as long as the scope lives in which this is called.
    pub(super) fn of(
        app: App,
        range: ReadSignal<Range>,
        cursor: Signal<Option<u64>>,
        can_zoom: bool,
    ) -> Rc<Self> {
        let now = app.state.now_ms.get_untracked();
        let board = Rc::new(Self {
            app,
            words: app.say.in_charts(),
            cursor,
            window: create_signal(range.get_untracked().window(now, 0)),
            ahead_ms: create_signal(0),
            reach_ms: create_signal(0),
            seen: create_signal(0),
            can_zoom,
            happened: RefCell::default(),
            is_live: Cell::new(true),
            now: Cell::new(now),
            plots: RefCell::default(),
            palette: RefCell::default(),
            flying: Cell::new(0),
            flying_max: Cell::new(FLYING_MAX),
            frame: Cell::new(None),
            is_closed: Cell::new(false),
            on_frame: RefCell::default(),
            sight: RefCell::default(),
            sizes: RefCell::default(),
        });
        board.watch();
        board.follow(range);
        let ended = Rc::clone(&board);
        on_cleanup(move || ended.close());
        board
    }

    /// From now on asks one question at a time.
    pub(super) fn ask_singly(&self) {
        self.flying_max.set(1);
    }

    /// Wall-clock time at the last snapshot.
    pub(super) fn now(&self) -> u64 {
        self.now.get()
    }

    /// Follows the time, the range, the cursor, events, rules and colours.
    fn follow(self: &Rc<Self>, range: ReadSignal<Range>) {
        let (app, board) = (self.app, Rc::clone(self));
        create_effect(move || {
            let (range, now, ahead) = (range.get(), app.state.now_ms.get(), board.ahead_ms.get());
            board.now.set(now);
            board.is_live.set(range.fixed.is_none());
            put(board.window, range.window(now, ahead));
            board.renew();
            // The answer may be there at once, which no effect may set signals under.
            let board = Rc::clone(&board);
            dom::soon(move || board.tend());
        });
        let board = Rc::clone(self);
        create_effect(move || {
            board.cursor.track();
            board.repaint();
        });
        let board = Rc::clone(self);
        create_effect(move || {
            app.state.metrics.look.track();
            *board.palette.borrow_mut() = None;
            board.repaint();
        });
        let board = Rc::clone(self);
        create_effect(move || {
            let mut happened: Vec<Happened> = app.state.timeline.with(|timeline| {
                let grave = timeline
                    .iter()
                    .filter(|entry| entry.severity != Severity::Info);
                grave.take(EVENTS_MAX).map(of_entry).collect()
            });
            app.state.alarm.incidents.with(|incidents| {
                happened.extend(incidents.iter().take(EVENTS_MAX).map(|incident| Happened {
                    at: incident.since_ms,
                    severity: match incident.severity {
                        Grade::Low | Grade::Medium => Severity::Warn,
                        Grade::High | Grade::Critical => Severity::Error,
                    },
                    text: incident.title.clone(),
                }));
            });
            happened.sort_by_key(|one| core::cmp::Reverse(one.at));
            happened.truncate(EVENTS_MAX);
            *board.happened.borrow_mut() = happened;
            board.renew();
        });
        let board = Rc::clone(self);
        create_effect(move || {
            app.state.alarm.settings.track();
            for plot in board.plots.borrow().iter() {
                plot.take_rules(app);
            }
            board.renew();
        });
    }

    /// Hears of charts that come into sight and of their sizes.
    fn watch(self: &Rc<Self>) {
        let me = Rc::downgrade(self);
        let on_frame = Closure::<dyn FnMut()>::new(move || {
            if let Some(board) = me.upgrade() {
                board.draw();
            }
        });
        *self.on_frame.borrow_mut() = Some(on_frame);
        let me = Rc::downgrade(self);
        let seen = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
            if let Some(board) = me.upgrade() {
                board.see(&entries);
            }
        });
        let options = IntersectionObserverInit::new();
        // A little before it is seen, so that its points are there by then.
        options.set_root_margin("200px");
        let sight = IntersectionObserver::new_with_options(seen.as_ref().unchecked_ref(), &options);
        *self.sight.borrow_mut() = sight.ok().map(|sight| (sight, seen));
        let me: Weak<Self> = Rc::downgrade(self);
        let sized = Closure::<dyn FnMut()>::new(move || {
            if let Some(board) = me.upgrade() {
                board.renew();
            }
        });
        let sizes = ResizeObserver::new(sized.as_ref().unchecked_ref());
        *self.sizes.borrow_mut() = sizes.ok().map(|sizes| (sizes, sized));
    }

    fn see(self: &Rc<Self>, entries: &js_sys::Array) {
        let entries = entries.iter();
        for entry in entries.filter_map(|entry| entry.dyn_into::<IntersectionObserverEntry>().ok())
        {
            for plot in self.plots.borrow().iter() {
                if plot.is_on(&entry.target()) {
                    plot.in_sight.set(entry.is_intersecting());
                }
            }
        }
        self.ask_frame();
        self.tend();
        let seen = self.seen;
        self.app
            .state
            .change(|| seen.set(seen.get_untracked().wrapping_add(1)));
    }

    /// The charts in sight.
    pub(super) fn plots_in_sight(&self) -> Vec<Rc<Plot>> {
        let plots = self.plots.borrow();
        let seen = plots.iter().filter(|plot| plot.in_sight.get());
        seen.cloned().collect()
    }

    /// Takes a chart in.
    pub(super) fn add(&self, plot: &Rc<Plot>) {
        plot.take_rules(self.app);
        self.plots.borrow_mut().push(Rc::clone(plot));
    }

    /// Lets a chart go.
    pub(super) fn drop_plot(&self, plot: &Rc<Plot>) {
        self.plots.borrow_mut().retain(|one| !Rc::ptr_eq(one, plot));
        if let Some(canvas) = plot.canvas() {
            self.unwatch(&canvas);
        }
    }

    fn unwatch(&self, canvas: &Element) {
        if let Some((sight, _)) = &*self.sight.borrow() {
            sight.unobserve(canvas);
        }
        if let Some((sizes, _)) = &*self.sizes.borrow() {
            sizes.unobserve(canvas);
        }
    }

    /// A chart's canvas is on the page.
    pub(super) fn watch_canvas(&self, canvas: &HtmlCanvasElement) {
        if let Some((sight, _)) = &*self.sight.borrow() {
            sight.observe(canvas);
        }
        if let Some((sizes, _)) = &*self.sizes.borrow() {
            sizes.observe(canvas);
        }
    }

    /// All charts are to be laid out anew.
    pub(super) fn renew(&self) {
        for plot in self.plots.borrow().iter() {
            plot.renew();
        }
        self.ask_frame();
    }

    /// All charts are to be painted anew.
    fn repaint(&self) {
        for plot in self.plots.borrow().iter() {
            plot.repaint();
        }
        self.ask_frame();
    }

    /// Draws at the browser's next frame.
    pub(super) fn ask_frame(&self) {
        let on_frame = self.on_frame.borrow();
        let (Some(on_frame), Some((window, _))) = (&*on_frame, dom::window_and_document()) else {
            return;
        };
        if self.frame.get().is_none() && !self.is_closed.get() {
            let frame = window.request_animation_frame(on_frame.as_ref().unchecked_ref());
            // A page that is going away draws no more.
            self.frame.set(frame.ok());
        }
    }

    fn draw(&self) {
        self.frame.set(None);
        let plots = self.plots.borrow().clone();
        let canvas = plots.iter().find_map(|plot| plot.canvas());
        let Some(canvas) = canvas else { return };
        let Some(palette) = self.colours(&canvas) else {
            return;
        };
        #[cfg(feature = "gallery")]
        let began = super::measure::now();
        self.app.state.change(|| {
            for plot in plots.iter().filter(|plot| plot.in_sight.get()) {
                plot.draw(self, &palette);
            }
        });
        #[cfg(feature = "gallery")]
        super::measure::frame(began);
    }

    /// The page's colours, read anew when they changed.
    fn colours(&self, canvas: &Element) -> Option<Rc<Palette>> {
        let mut kept = self.palette.borrow_mut();
        if kept.is_none() {
            *kept = Palette::read(canvas).map(Rc::new);
        }
        kept.clone()
    }

    /// The part of the window that can have been measured.
    fn measured(&self) -> Window {
        let window = self.window.get_untracked();
        let until = window.until.min(self.now.get()).max(window.from);
        Window { until, ..window }
    }

    /// Asks for what is in sight and not there yet.
    pub(super) fn tend(self: &Rc<Self>) {
        while self.flying.get() < self.flying_max.get() {
            let wanted = self.measured();
            let plots = self.plots.borrow().clone();
            let lines = plots
                .iter()
                .filter(|plot| plot.in_sight.get())
                .flat_map(|plot| (0..plot.lines.len()).map(move |place| (plot, place)));
            let due = lines.filter_map(|(plot, place)| {
                let line = plot.lines.get(place)?;
                Some((self.is_due(line, wanted)?, plot, place))
            });
            let Some((_, plot, place)) = due.max_by_key(|(age, _, _)| *age) else {
                return;
            };
            if !self.ask(plot, place, wanted) {
                return;
            }
        }
    }

    /// How long a line has waited for points, if it is to ask.
    fn is_due(&self, line: &Line, wanted: Window) -> Option<u64> {
        if line.node.is_none() || line.flies.get() {
            return None;
        }
        let Some(asked) = line.asked.get() else {
            return Some(u64::MAX);
        };
        if !self.is_live.get() {
            return (asked != wanted).then_some(u64::MAX);
        }
        if asked.span() != wanted.span() {
            return Some(u64::MAX);
        }
        let age = wanted.until.abs_diff(asked.until);
        let refresh = line.step_ms().clamp(REFRESH_MS.0, REFRESH_MS.1);
        (age >= refresh).then_some(age)
    }

    /// Asks for the points of a line; `false` if there is nobody to ask.
    fn ask(self: &Rc<Self>, plot: &Rc<Plot>, place: usize, wanted: Window) -> bool {
        let Some((line, node)) = plot
            .lines
            .get(place)
            .and_then(|line| Some((line, line.node.clone()?)))
        else {
            return false;
        };
        line.asked.set(Some(wanted));
        line.flies.set(true);
        self.flying.set(self.flying.get().saturating_add(1));
        let request = Request::Series {
            node,
            series: line.series.clone(),
            // A little more, for the line that leads into the picture.
            from_ms: wanted.from.saturating_sub(wanted.span() / 40),
            to_ms: wanted.until,
            points: plot.points_wanted(),
        };
        let (me, plot_of) = (Rc::downgrade(self), Rc::clone(plot));
        known::ask(self.app, request, move |answer| {
            let Some(board) = me.upgrade() else { return };
            board.flying.set(board.flying.get().saturating_sub(1));
            let Some(line) = plot_of.lines.get(place) else {
                return;
            };
            line.flies.set(false);
            match answer {
                Ok(Answer::Series(points)) => {
                    line.take(points.map(|points| (points.points, points.step_ms)));
                    plot_of.renew();
                    board.ask_frame();
                    dom::soon(move || board.tend());
                }
                // It is asked again when the time moves on.
                Ok(_) | Err(_) => line.asked.set(None),
            }
        })
    }

    /// A moment as charts tell it.
    pub(super) fn moment(&self, at: u64) -> String {
        time::moment(at, dom::offset_minutes, &self.words.dates)
    }

    /// What happened about a moment, the newest first; at most three.
    pub(super) fn happened_at(&self, at: u64) -> Vec<String> {
        let near = self.window.get_untracked().span() / 100;
        let happened = self.happened.borrow();
        let found = happened.iter().filter(|one| one.at.abs_diff(at) <= near);
        found.take(3).map(|one| one.text.clone()).collect()
    }

    /// What the charts in sight say at the cursor, in one sentence each.
    pub(super) fn aloud(&self) -> String {
        let said: Vec<String> = self
            .plots_in_sight()
            .iter()
            .map(|plot| plot.aloud())
            .collect();
        said.join("; ")
    }

    /// How far the farthest forecast reaches beyond now, in milliseconds.
    pub(super) fn forecast_ms(&self) -> u64 {
        let plots = self.plots.borrow();
        let ends = plots.iter().filter_map(|plot| plot.forecast_until());
        ends.max().unwrap_or(0).saturating_sub(self.now.get())
    }

    fn close(&self) {
        self.is_closed.set(true);
        let page = dom::window_and_document();
        if let (Some(frame), Some((window, _))) = (self.frame.take(), page) {
            let _ = window.cancel_animation_frame(frame);
        }
        if let Some((sight, _)) = self.sight.take() {
            sight.disconnect();
        }
        if let Some((sizes, _)) = self.sizes.take() {
            sizes.disconnect();
        }
        self.plots.borrow_mut().clear();
    }
}

fn of_entry(entry: &TimelineEntry) -> Happened {
    Happened {
        at: entry.wall.as_millis(),
        severity: entry.severity,
        text: entry.text.clone(),
    }
}
