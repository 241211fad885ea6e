//! One chart: a canvas, what it says in words, and its table.

use crate::{
    catalogue::fill,
    draw::{
        chart::{
            layout::Layout,
            marks,
            model::{Anomaly, Chart, Event, Expected, Series, Threshold},
            paint::{Pointed, paint},
            read::Readout,
        },
        column::{Sample, usual_step},
        palette::Palette,
        shape::{Ink, Mark, Point},
        surface::{Surface, fit},
        time::Window,
        twin::Row,
        unit::Unit,
    },
    page::{
        dom,
        metrics::board::Board,
        state::{App, put},
    },
};
use sporenet_core::{
    node::snapshot::{Expected as SeriesExpected, Outlook},
    observe::series,
};
use std::{
    cell::{Cell, Ref, RefCell},
    rc::Rc,
};
use sycamore::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement};

/// A latest value older than so many steps is not the latest that there would be.
const LATE_STEPS: u64 = 5;
/// The most spans of the band of the unusual.
const UNUSUAL_MAX: usize = 240;
/// The most of them in a table.
const TOLD_MAX: usize = 12;
/// How long each moment of that band stands for.
const UNUSUAL_MS: u64 = 10_000;
/// The fewest and the most points to ask for.
const POINTS: (f64, f64) = (120.0, 1_200.0);
/// The points of a series that a tried rule judges: the most that there are. Means of longer steps would stay
/// below thresholds that were crossed.
const POINTS_TRIED: u32 = 2_000;

/// One series of a chart.
pub(super) struct Line {
    /// The series' name in the store.
    pub(super) series: String,
    /// What people call it.
    pub(super) name: String,
    /// Whose it is, if it is asked of the worker; otherwise it is given.
    pub(super) node: Option<String>,
    /// The window for which it was asked.
    pub(super) asked: Cell<Option<Window>>,
    /// Whether an answer is awaited.
    pub(super) flies: Cell<bool>,
    measured: RefCell<(Vec<Sample>, u64)>,
}

impl Line {
    /// A series without points.
    pub(super) fn new(series: &str, name: String, node: Option<String>) -> Self {
        Self {
            series: series.into(),
            name,
            node,
            asked: Cell::new(None),
            flies: Cell::new(false),
            measured: RefCell::default(),
        }
    }

    /// Takes what was measured; `None` if nothing ever was.
    pub(super) fn take(&self, measured: Option<(Vec<Sample>, u64)>) {
        let (points, step_ms) = measured.unwrap_or_default();
        let step_ms = usual_step(&points, step_ms);
        *self.measured.borrow_mut() = (points, step_ms);
    }

    pub(super) fn step_ms(&self) -> u64 {
        self.measured.borrow().1
    }

    /// What the series' values are counted in.
    pub(super) fn unit(&self) -> Unit {
        match series::Series::called(&self.series) {
            Some(series) => Unit::called(series.unit()),
            None if self.series == super::LOWEST_HEALTH => Unit::Percent,
            None => Unit::Count,
        }
    }
}

/// What is to be done at the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stale {
    Nothing,
    Picture,
    Everything,
}

/// What a series says now: its shape, its class, its name, its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) mark: &'static str,
    pub(super) class: &'static str,
    pub(super) name: String,
    pub(super) text: String,
}

/// See the module.
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
    /// Whether the canvas is in sight, or nearly.
    pub(super) in_sight: Cell<bool>,
    /// Where a brush began and where it is.
    pub(super) brush: Cell<Option<(f64, f64)>>,
    pub(super) is_open: Cell<bool>,
    /// What its series say, at the cursor or at last.
    pub(super) said: Signal<Vec<Said>>,
    /// The same for who does not see it.
    pub(super) label: Signal<String>,
    /// The table, while it is open.
    pub(super) rows: Signal<Vec<Row>>,
    /// What is unusual about it and where it goes, in words.
    pub(super) outlook: Signal<Option<Outlook>>,
    /// The same in numbers: how unusual it was, and what is expected.
    beyond: RefCell<Option<(Vec<Sample>, Vec<Expected>)>>,
    surface: RefCell<Option<(HtmlCanvasElement, CanvasRenderingContext2d)>>,
    layout: RefCell<Layout>,
    thresholds: RefCell<Vec<Threshold>>,
    /// When a rule that is tried out would have fired; `None` if the chart shows the rules in force.
    tried: Option<Vec<Window>>,
    stale: Cell<Stale>,
}

impl Plot {
    /// A chart that is on no page yet.
    pub(super) fn new(title: String, lines: Vec<Line>) -> Rc<Self> {
        Rc::new(Self::of(title, lines, Vec::new(), None))
    }

    /// The same with the thresholds of a rule that is tried out, and when it would have fired, in place of the
    /// rules in force.
    pub(super) fn tried(
        title: String,
        lines: Vec<Line>,
        thresholds: Vec<Threshold>,
        fired: Vec<Window>,
    ) -> Rc<Self> {
        Rc::new(Self::of(title, lines, thresholds, Some(fired)))
    }

    fn of(
        title: String,
        lines: Vec<Line>,
        thresholds: Vec<Threshold>,
        tried: Option<Vec<Window>>,
    ) -> Self {
        Self {
            title,
            lines,
            in_sight: Cell::new(false),
            brush: Cell::new(None),
            is_open: Cell::new(false),
            said: create_signal(Vec::new()),
            label: create_signal(String::new()),
            rows: create_signal(Vec::new()),
            outlook: create_signal(None),
            beyond: RefCell::default(),
            surface: RefCell::default(),
            layout: RefCell::default(),
            thresholds: RefCell::new(thresholds),
            tried,
            stale: Cell::new(Stale::Everything),
        }
    }

    /// Draws on this canvas from now on.
    pub(super) fn put_on(&self, canvas: HtmlCanvasElement) {
        let context = canvas.get_context("2d").ok().flatten();
        let context = context.and_then(|context| context.dyn_into().ok());
        *self.surface.borrow_mut() = context.map(|context| (canvas, context));
        self.renew();
    }

    pub(super) fn canvas(&self) -> Option<HtmlCanvasElement> {
        let surface = self.surface.borrow();
        surface.as_ref().map(|(canvas, _)| canvas.clone())
    }

    pub(super) fn is_on(&self, element: &Element) -> bool {
        let surface = self.surface.borrow();
        surface
            .as_ref()
            .is_some_and(|(canvas, _)| AsRef::<Element>::as_ref(canvas) == element)
    }

    /// It is to be laid out anew.
    pub(super) fn renew(&self) {
        self.stale.set(Stale::Everything);
    }

    /// It is to be painted anew.
    pub(super) fn repaint(&self) {
        self.stale.set(self.stale.get().max(Stale::Picture));
    }

    /// Takes the rules in force, unless another rule is tried out.
    pub(super) fn take_rules(&self, app: App) {
        if self.tried.is_some() {
            return;
        }
        let first = self.lines.first().map_or("", |line| &line.series);
        let thresholds = app.state.alarm.settings.with_untracked(|settings| {
            let settings = settings.iter();
            marks::thresholds(settings.map(|one| (&*one.key, &*one.value)), first)
        });
        *self.thresholds.borrow_mut() = thresholds;
    }

    /// Takes what is unusual about it and where it goes.
    pub(super) fn take_outlook(&self, outlook: Option<Outlook>) {
        let outlook = outlook.map(|mut outlook| {
            let expected = |one: SeriesExpected| Expected {
                at: one.at_ms,
                mean: one.mean,
                low: one.low,
                high: one.high,
            };
            let unusual = core::mem::take(&mut outlook.unusual);
            let forecast = core::mem::take(&mut outlook.forecast);
            let forecast = forecast.into_iter().map(expected).collect();
            (outlook, (unusual, forecast))
        });
        let (words, numbers) = outlook.unzip();
        *self.beyond.borrow_mut() = numbers;
        put(self.outlook, words);
        self.renew();
    }

    /// As many points as the picture has room for.
    pub(super) fn points_wanted(&self) -> u32 {
        if self.tried.is_some() {
            return POINTS_TRIED;
        }
        let width = self.canvas().map_or(0, |canvas| canvas.client_width());
        let width = f64::from(width).clamp(POINTS.0, POINTS.1);
        u32::try_from(crate::draw::shape::as_count(width)).unwrap_or(600)
    }

    /// The moment under a pointer.
    pub(super) fn moment_at(&self, x: f64) -> Option<u64> {
        self.layout.borrow().moment_at(Point { x, y: 0.0 })
    }

    /// Ends a brush with what it spans, if it is one.
    pub(super) fn brushed(&self) -> Option<Window> {
        let (from, to) = self.brush.take()?;
        self.repaint();
        self.layout.borrow().brushed(from, to)
    }

    /// When its forecast ends.
    pub(super) fn forecast_until(&self) -> Option<u64> {
        let beyond = self.beyond.borrow();
        let (_, forecast) = beyond.as_ref()?;
        Some(forecast.last()?.at)
    }

    /// What it says, as a sentence.
    pub(super) fn aloud(&self) -> String {
        self.said.with_untracked(|said| {
            let said: Vec<String> = said
                .iter()
                .map(|one| format!("{} {}", one.name, one.text))
                .collect();
            said.join(", ")
        })
    }

    /// Draws what changed.
    pub(super) fn draw(&self, board: &Board, palette: &Palette) {
        let surface = self.surface.borrow();
        let Some((canvas, context)) = &*surface else {
            return;
        };
        let ratio =
            dom::window_and_document().map_or(1.0, |(window, _)| window.device_pixel_ratio());
        let (size, ratio, is_emptied) = fit(canvas, ratio);
        let stale = self.stale.replace(Stale::Nothing);
        let is_new = stale == Stale::Everything || is_emptied;
        if stale == Stale::Nothing && !is_emptied {
            return;
        }
        self.with_chart(board, |chart| {
            let mut layout = self.layout.borrow_mut();
            if is_new {
                layout.update(chart, size, board.now());
            }
            let cursor = board.cursor.get_untracked();
            let readout = cursor.and_then(|at| layout.readout(chart, at));
            let surface = Surface {
                canvas: context,
                palette,
                ratio,
            };
            let pointed = Pointed {
                readout: readout.as_ref(),
                brush: self.brush.get(),
            };
            paint(&surface, &layout, pointed);
            self.say(board, chart, readout.as_ref(), is_new);
        });
    }

    /// Says in words what is drawn.
    fn say(&self, board: &Board, chart: &Chart<'_>, readout: Option<&Readout>, is_new: bool) {
        let said = match readout {
            Some(readout) => readout
                .readings
                .iter()
                .map(|reading| said(reading.mark, reading.ink, &reading.name, &reading.text))
                .collect(),
            None => self.latest(board, chart),
        };
        put(self.said, said);
        if is_new {
            put(self.label, self.in_words(board, chart));
            put(self.rows, self.table(chart));
        }
    }

    /// The chart's table while it is open, with fewer and longer times of the unusual.
    fn table(&self, chart: &Chart<'_>) -> Vec<Row> {
        if !self.is_open.get() {
            return Vec::new();
        }
        let beyond = self.beyond.borrow();
        let unusual = beyond
            .as_ref()
            .map(|(unusual, _)| marks::unusual(unusual, UNUSUAL_MS, chart.window, TOLD_MAX));
        let chart = Chart {
            anomalies: unusual.as_deref(),
            ..*chart
        };
        chart.twin()
    }

    /// What each series says at the end of the window.
    fn latest(&self, board: &Board, chart: &Chart<'_>) -> Vec<Said> {
        let end = chart.window.until.min(board.now());
        let series = chart.series.iter().enumerate();
        series
            .map(|(place, series)| {
                let text = match latest(series, end) {
                    Some(value) => chart.unit.tell(value),
                    None if series.points.is_empty() => chart.words.nothing_measured.into(),
                    None => chart.words.unknown.into(),
                };
                said(
                    Mark::of_series(place),
                    Ink::of_series(place),
                    series.name,
                    &text,
                )
            })
            .collect()
    }

    fn in_words(&self, board: &Board, chart: &Chart<'_>) -> String {
        let say = board.app.say.charts();
        let end = chart.window.until.min(board.now());
        let told: Vec<String> = chart
            .series
            .iter()
            .map(|series| {
                let inside = series
                    .points
                    .iter()
                    .filter(|(at, value)| chart.window.contains(*at) && value.is_finite());
                let values = inside.map(|(_, value)| *value);
                let extent = values.fold(None, |known, value: f64| {
                    let (low, high) = known.unwrap_or((value, value));
                    Some((low.min(value), high.max(value)))
                });
                let Some((low, high)) = extent else {
                    return fill(say.said_nothing, &[series.name]);
                };
                let tell = |value| chart.unit.tell(value);
                let newest = latest(series, end);
                let newest = newest.map_or_else(|| chart.words.unknown.into(), tell);
                let (low, high) = (tell(low), tell(high));
                fill(say.said_between, &[series.name, &newest, &low, &high])
            })
            .collect();
        told.join("; ")
    }

    fn with_chart(&self, board: &Board, then: impl FnOnce(&Chart<'_>)) {
        let measured: Vec<Ref<'_, (Vec<Sample>, u64)>> = self
            .lines
            .iter()
            .map(|line| line.measured.borrow())
            .collect();
        let series: Vec<Series<'_>> = self
            .lines
            .iter()
            .zip(&measured)
            .map(|(line, measured)| Series {
                name: &line.name,
                points: &measured.0,
                step_ms: measured.1,
            })
            .collect();
        let window = board.window.get_untracked();
        let happened = board.happened.borrow();
        let events: Vec<Event<'_>> = happened
            .iter()
            .map(|one| Event {
                at: one.at,
                severity: one.severity,
                text: &one.text,
            })
            .collect();
        let thresholds = self.thresholds.borrow();
        let beyond = self.beyond.borrow();
        let unusual: Option<Vec<Anomaly>> = beyond
            .as_ref()
            .map(|(unusual, _)| marks::unusual(unusual, UNUSUAL_MS, window, UNUSUAL_MAX));
        let forecast = beyond.as_ref().map_or(&[][..], |(_, forecast)| forecast);
        let is_ahead = window.until > board.now();
        then(&Chart {
            unit: self.lines.first().map_or(Unit::Count, Line::unit),
            window,
            offset: dom::offset_minutes,
            words: board.words,
            series: &series,
            forecast: if is_ahead { forecast } else { &[] },
            thresholds: &thresholds,
            events: &events,
            anomalies: unusual.as_deref(),
            dry_run: self.tried.as_deref().unwrap_or_default(),
        });
    }
}

/// The last value up to a moment, if it is not late.
fn latest(series: &Series<'_>, end: u64) -> Option<f64> {
    let known = series.points.iter();
    let (at, value) = known
        .rev()
        .find(|(at, value)| *at <= end && value.is_finite())?;
    let patience = series.step_ms.saturating_mul(LATE_STEPS).max(20_000);
    (end.saturating_sub(*at) <= patience).then_some(*value)
}

fn said(mark: Mark, ink: Ink, name: &str, text: &str) -> Said {
    let mark = match mark {
        Mark::Disc => "●",
        Mark::Square => "■",
        Mark::Triangle => "▲",
        Mark::Diamond => "◆",
        Mark::Ring => "○",
        Mark::Bars => "‖",
    };
    let class = match ink {
        Ink::Calm => "ink ink-calm",
        Ink::Warn => "ink ink-warn",
        Ink::Extra => "ink ink-extra",
        Ink::Good => "ink ink-good",
        Ink::Worse => "ink ink-worse",
        Ink::Ground
        | Ink::Panel
        | Ink::Raised
        | Ink::Faint
        | Ink::Border
        | Ink::Text
        | Ink::Muted
        | Ink::Accent
        | Ink::Bad => "ink ink-accent",
    };
    Said {
        mark,
        class,
        name: name.into(),
        text: text.into(),
    }
}
