//! Who reaches whom in which time: a row for who pings, a column for who answers.

use crate::{
    catalogue::fill,
    draw::{
        matrix::{
            layout::Layout,
            model::{Deviation, Matrix, Node, Path},
            paint,
        },
        shape::{Point, Size},
        surface::Surface,
        unit::Unit,
    },
    page::{
        board::{self, Board, Motion, Painting},
        each::{memo, when},
        known::{left_out, percent},
        state::{App, State},
        twin,
    },
    route::Place,
    words,
};
use sporenet_core::{membership::member::MemberState, node::snapshot::PathView};
use std::{cell::Cell, collections::BTreeMap, rc::Rc};
use sycamore::prelude::*;

/// A picture is no larger than this, in pixels.
const SIDE_MAX: f64 = 1_100.0;

/// A node between which and another one something was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
struct End {
    id: String,
    name: String,
    zone: String,
    is_dead: bool,
}

/// What was measured, and how it compares.
#[derive(Debug, Default)]
struct Times {
    ends: Vec<End>,
    paths: Vec<Path>,
    /// The rest of what is known of each path, by the numbers of its ends.
    told: BTreeMap<(usize, usize), PathView>,
    matrix: Matrix,
}

impl Times {
    /// What is known now, made anew with each snapshot.
    fn of(state: State) -> ReadSignal<Rc<Self>> {
        create_memo(move || {
            let mut times = state.paths.with(|paths| Self::between(paths));
            state.members.with(|members| {
                let known: BTreeMap<&str, _> = members
                    .iter()
                    .map(|member| (member.id.as_str(), member))
                    .collect();
                for end in &mut times.ends {
                    if let Some(member) = known.get(end.id.as_str()) {
                        let zone = member.zone.as_ref().map(ToString::to_string);
                        end.zone = zone.unwrap_or_default();
                        end.is_dead = member.state == MemberState::Dead;
                    }
                }
            });
            times.matrix = Matrix::new(&times.nodes(), &times.paths);
            Rc::new(times)
        })
    }

    fn between(paths: &[PathView]) -> Self {
        let mut times = Self::default();
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for path in paths {
            let mut number = |id, name: &dyn ToString| {
                *numbers.entry(id).or_insert_with(|| {
                    times.ends.push(End {
                        id: id.to_owned(),
                        name: name.to_string(),
                        zone: String::new(),
                        is_dead: false,
                    });
                    times.ends.len().saturating_sub(1)
                })
            };
            let from = number(path.from.as_str(), &path.from_name);
            let to = number(path.to.as_str(), &path.to_name);
            times.paths.push(Path {
                from,
                to,
                rtt_ms: path.rtt_ms,
                loss: path.loss,
            });
            times.told.insert((from, to), path.clone());
        }
        times
    }

    fn nodes(&self) -> Vec<Node<'_>> {
        let ends = self.ends.iter();
        ends.map(|end| Node {
            name: &end.name,
            group: &end.zone,
            is_dead: end.is_dead,
        })
        .collect()
    }

    /// How many cells are known, how many of them are much slower than usual, and how many are lossy.
    fn counts(&self) -> [usize; 3] {
        let side = self.matrix.side();
        let cells = (0..side).flat_map(|row| (0..side).map(move |column| (row, column)));
        let known = cells.filter_map(|(row, column)| self.matrix.cell(row, column));
        known.fold([0; 3], |[all, slow, lossy], cell| {
            let is_slow = cell.deviation > Deviation::Usual;
            [
                all + 1,
                slow + usize::from(is_slow),
                lossy + usize::from(cell.is_lossy),
            ]
        })
    }
}

/// The matrix on a board.
#[derive(Default)]
struct Grid {
    times: Rc<Times>,
    layout: Layout,
    is_old: bool,
    /// How high it is to be at a width.
    height: Cell<Option<(f64, f64)>>,
}

impl Grid {
    fn take(&mut self, times: Rc<Times>) -> bool {
        let is_same = self.times.ends == times.ends && self.times.paths == times.paths;
        self.times = times;
        if !is_same {
            self.is_old = true;
            self.height.set(None);
        }
        !is_same
    }

    fn end(&self, row: usize) -> Option<&End> {
        self.times.ends.get(*self.times.matrix.order.get(row)?)
    }
}

impl Painting for Grid {
    /// A row and a column.
    type Under = (usize, usize);

    fn advance(&mut self, size: Size, _still: bool) -> Motion {
        if self.is_old || size != self.layout.size {
            self.is_old = false;
            self.layout = Layout::new(&self.times.matrix, &self.times.nodes(), size);
        }
        Motion::Rests
    }

    fn height(&self, width: f64) -> Option<f64> {
        let known = self.height.get();
        if let Some((_, height)) = known.filter(|(of, _)| (of - width).abs() < 0.5) {
            return Some(height);
        }
        let side = width.min(SIDE_MAX);
        let square = Size {
            width: side,
            height: side,
        };
        let height = Layout::new(&self.times.matrix, &self.times.nodes(), square).height();
        self.height.set(Some((width, height)));
        Some(height)
    }

    fn paint(&self, surface: &Surface<'_>) {
        paint::paint(surface, &self.layout);
    }

    fn paint_over(&self, surface: &Surface<'_>, (row, column): &(usize, usize)) {
        paint::point_at(surface, &self.layout, *row, *column);
    }

    fn under(&self, at: Point) -> Option<(usize, usize)> {
        self.layout.under(at)
    }

    fn told(&self, app: App, under: &(usize, usize)) -> Vec<String> {
        let say = app.say.topology();
        let (times, (row, column)) = (&self.times, *under);
        let head = times.matrix.told(&times.nodes(), *under, app.say);
        let mut lines: Vec<String> = head.into_iter().collect();
        let number = |at: usize| times.matrix.order.get(at).copied();
        let ends = number(row).zip(number(column));
        let path = ends.and_then(|ends| times.told.get(&ends));
        if let Some(path) = path {
            let (jitter, age) = (
                Unit::Millis.tell(path.jitter_ms),
                words::ago(app.say, path.age_ms),
            );
            lines.push(fill(say.least, &[&Unit::Millis.tell(path.min_ms)]));
            lines.push(fill(say.detail, &[&jitter, &percent(path.loss), &age]));
        } else if row != column {
            lines.push(app.say.not_told.into());
        }
        let zones = [row, column].map(|at| self.end(at).map_or("", |end| end.zone.as_str()));
        if zones.iter().any(|zone| !zone.is_empty()) && row != column {
            let zones = zones.map(|zone| if zone.is_empty() { "–" } else { zone });
            lines.push(zones.join(" → "));
        }
        lines
    }

    fn click(&mut self, (row, _): &(usize, usize)) -> Option<Place> {
        Some(Place::Node(self.end(*row)?.id.clone()))
    }
}

/// The round trips of this node and those that others told.
pub(crate) fn panel(app: App) -> View {
    let say = app.say;
    let times = Times::of(app.state);
    let shown = when(
        move || times.with(|times| times.ends.is_empty()),
        move |is_empty| {
            if is_empty {
                view! { p(class="empty") { (say.no_matrix) } }
            } else {
                grid(app, times)
            }
        },
    );
    view! {
        section(class="panel trips", aria-labelledby="matrix-title") {
            div(class="panel-head") {
                h2(id="matrix-title") { (say.round_trips) }
                p(class="muted") { (say.topology().matrix_text) }
            }
            (shown)
        }
    }
}

fn grid(app: App, times: ReadSignal<Rc<Times>>) -> View {
    let say = app.say.topology();
    let board = Board::with(Grid::default());
    let taker = Rc::clone(&board);
    create_effect(move || {
        let times = times.get_clone();
        taker.change(|grid| grid.take(times));
    });
    let label = memo(move || {
        times.with(|times| {
            let [all, slow, lossy] = times.counts().map(|count| count.to_string());
            let nodes = app.nodes(times.matrix.side());
            fill(say.matrix_label, &[&nodes, &all, &slow, &lossy])
        })
    });
    let canvas = board::view(app, &board, "matrix", label);
    let more = when(
        move || times.with(|times| times.matrix.left_out),
        move |more| left_out(more, (app.say.left_out_one, app.say.left_out_many)),
    );
    let rows = move || {
        times.with(|times| {
            let hrefs = times.matrix.order.iter().filter_map(|number| {
                let end = times.ends.get(*number)?;
                Some(Place::Node(end.id.clone()).href())
            });
            let rows = times.matrix.twin(&times.nodes(), app.say);
            rows.into_iter().zip(hrefs).collect()
        })
    };
    let table = twin::view(app, || say.rows_as_table.into(), app.say.node, rows);
    view! {
        (canvas)
        (legend(app))
        (more)
        (table)
    }
}

/// What the colours and marks say.
fn legend(app: App) -> View {
    let say = app.say.topology();
    let steps: Vec<View> = Deviation::ALL
        .into_iter()
        .map(|deviation| {
            let class = match deviation {
                Deviation::MuchFaster => "swatch much-faster",
                Deviation::Faster => "swatch faster",
                Deviation::Usual => "swatch usual",
                Deviation::Slower => "swatch slower",
                Deviation::MuchSlower => "swatch much-slower",
                Deviation::FarSlower => "swatch far-slower",
            };
            view! { li { span(class=class, aria-hidden="true") (deviation.word(say)) } }
        })
        .collect();
    view! {
        ul(class="legend below") {
            (steps)
            li { span(class="swatch lossy", aria-hidden="true") (say.lossy) }
            li { span(class="swatch unknown", aria-hidden="true") (say.unmeasured) }
        }
    }
}
