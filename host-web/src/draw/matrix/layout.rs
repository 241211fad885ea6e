//! Where cells and names of a matrix go, and what is under the pointer.

use crate::{
    catalogue::Phrases,
    draw::{
        matrix::model::{Deviation, Matrix, Node},
        shape::{Label, Point, Rect, Size, as_count, as_float, shortened, text_width},
        unit::Unit,
    },
};

/// Cells from this size on stand apart by a pixel.
const APART_FROM: f64 = 6.0;
/// Rows from this height on have their node's name beside them.
const NAMED_FROM: f64 = 12.0;
/// Cells from this size on have their time written into them.
const WRITTEN_FROM: f64 = 34.0;
/// A cell is no larger than this.
const CELL_MAX: f64 = 44.0;
/// The longest name, in pixels.
const NAME_WIDTH: f64 = 120.0;
/// Room at the right and at the bottom.
const MARGIN: f64 = 6.0;

/// Where everything of a matrix goes.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// How large the picture is.
    pub size: Size,
    /// Where the cells are: a square.
    pub grid: Rect,
    /// How large a cell is, with the room around it.
    pub cell: f64,
    /// The known cells by how they compare; neighbours in a row that are alike are one rectangle where
    /// cells do not stand apart.
    pub fills: Vec<(Deviation, Vec<Rect>)>,
    /// What is known, as one background: neighbours in a row are one rectangle where cells do not stand
    /// apart.
    pub known: Vec<Rect>,
    /// The squares from a node to itself.
    pub own: Vec<Rect>,
    /// Dots in cells that are much slower than usual, so that it is not the colour alone.
    pub dots: Vec<Rect>,
    /// The upper right corners of cells that lose pings, where there is room for a mark.
    pub lossy: Vec<Point>,
    /// Times in cells, in milliseconds: their middles.
    pub times: Vec<Label>,
    /// Names of rows: their right ends, half-way up.
    pub rows: Vec<Label>,
    /// Names of columns: where they begin, to be written upwards.
    pub columns: Vec<Label>,
    /// Rows and columns of dead nodes.
    pub dead: Vec<Rect>,
    /// Where a new group begins, to the right of `grid`'s left edge and down from its upper edge alike.
    pub borders: Vec<f64>,
}

impl Layout {
    /// Lays a matrix out for a size. The nodes are those that the matrix was made of.
    #[must_use]
    pub fn new(matrix: &Matrix, nodes: &[Node<'_>], size: Size) -> Self {
        let mut layout = Self {
            size,
            ..Self::default()
        };
        if matrix.side() == 0 {
            return layout;
        }
        let (names, each) = layout.measure(matrix, nodes);
        layout.fill(matrix);
        layout.frame(matrix, nodes);
        layout.name(&names, each);
        layout
    }

    /// How large cells are, and the names that there is room for, each with its first row and its number
    /// of rows; whether these are the nodes' own.
    fn measure(
        &mut self,
        matrix: &Matrix,
        nodes: &[Node<'_>],
    ) -> (Vec<(String, usize, usize)>, bool) {
        let own: Vec<(String, usize, usize)> = (0..)
            .zip(&matrix.order)
            .filter_map(|(at, number)| Some((nodes.get(*number)?.name.to_owned(), at, 1)))
            .collect();
        let gutter = self.fit(matrix.side(), &own);
        if self.cell >= NAMED_FROM {
            self.place(gutter, matrix.side());
            return (own, true);
        }
        let mut start = 0;
        let mut groups = Vec::new();
        for (group, count) in &matrix.groups {
            groups.push((group.clone(), start, *count));
            start += count;
        }
        let gutter = self.fit(matrix.side(), &groups);
        self.place(gutter, matrix.side());
        (groups, false)
    }

    /// The size of a cell beside names; gives the room that these take.
    fn fit(&mut self, side: usize, names: &[(String, usize, usize)]) -> f64 {
        let widest = names
            .iter()
            .map(|(name, ..)| text_width(name))
            .fold(0.0, f64::max);
        let gutter = if widest > 0.0 {
            widest.min(NAME_WIDTH) + 10.0
        } else {
            MARGIN
        };
        let room = self.size.width.min(self.size.height) - gutter - MARGIN;
        let cell = (room / as_float(side)).clamp(0.5, CELL_MAX);
        self.cell = if cell >= 3.0 { cell.floor() } else { cell };
        gutter
    }

    fn place(&mut self, gutter: f64, side: usize) {
        let width = self.cell * as_float(side);
        self.grid = Rect {
            x: gutter,
            y: gutter,
            width,
            height: width,
        };
    }

    /// A cell's rectangle, so many cells wide, without the room around it.
    fn rect(&self, row: usize, column: usize, count: usize) -> Rect {
        let apart = if self.cell >= APART_FROM { 1.0 } else { 0.0 };
        Rect {
            x: self.grid.x + self.cell * as_float(column),
            y: self.grid.y + self.cell * as_float(row),
            width: self.cell * as_float(count) - apart,
            height: self.cell - apart,
        }
    }

    fn fill(&mut self, matrix: &Matrix) {
        let is_dense = self.cell < APART_FROM;
        self.fills = Deviation::ALL
            .map(|deviation| (deviation, Vec::new()))
            .into();
        for row in 0..matrix.side() {
            self.own.push(self.rect(row, row, 1));
            let deviations: Vec<Option<Deviation>> = matrix
                .row(row)
                .iter()
                .map(|cell| cell.map(|cell| cell.deviation))
                .collect();
            let mut column = 0;
            for run in deviations.chunk_by(|a, b| is_dense && a.is_some() == b.is_some()) {
                if run.first().is_some_and(Option::is_some) {
                    self.known.push(self.rect(row, column, run.len()));
                }
                column += run.len();
            }
            let mut column = 0;
            for run in deviations.chunk_by(|a, b| is_dense && a == b) {
                if let Some(Some(deviation)) = run.first() {
                    let rect = self.rect(row, column, run.len());
                    let of_kind = self.fills.iter_mut().find(|(kind, _)| kind == deviation);
                    if let Some((_, rects)) = of_kind {
                        rects.push(rect);
                    }
                }
                column += run.len();
            }
            if !is_dense {
                self.write(matrix, row);
            }
        }
    }

    /// Marks and times within the cells of a row.
    fn write(&mut self, matrix: &Matrix, row: usize) {
        for (column, cell) in matrix.row(row).iter().enumerate() {
            let Some(cell) = cell else { continue };
            let rect = self.rect(row, column, 1);
            let middle = Point {
                x: rect.x + rect.width / 2.0,
                y: rect.y + rect.height / 2.0,
            };
            if cell.is_lossy {
                self.lossy.push(Point {
                    x: rect.right(),
                    y: rect.y,
                });
            }
            if self.cell >= WRITTEN_FROM {
                self.times.push(Label {
                    at: middle,
                    text: brief(cell.rtt_ms),
                });
                continue;
            }
            let part = match cell.deviation {
                Deviation::FarSlower => 0.55,
                Deviation::MuchSlower => 0.3,
                Deviation::MuchFaster
                | Deviation::Faster
                | Deviation::Usual
                | Deviation::Slower => continue,
            };
            let side = (rect.width * part).max(2.0);
            let (x, y) = (middle.x - side / 2.0, middle.y - side / 2.0);
            self.dots.push(Rect {
                x,
                y,
                width: side,
                height: side,
            });
        }
    }

    fn frame(&mut self, matrix: &Matrix, nodes: &[Node<'_>]) {
        for (at, number) in matrix.order.iter().enumerate() {
            if nodes.get(*number).is_some_and(|node| node.is_dead) {
                let far = self.cell * as_float(at);
                let grid = self.grid;
                self.dead.push(Rect {
                    y: grid.y + far,
                    height: self.cell,
                    ..grid
                });
                self.dead.push(Rect {
                    x: grid.x + far,
                    width: self.cell,
                    ..grid
                });
            }
        }
        let mut start = 0;
        for (_, count) in &matrix.groups {
            if start > 0 {
                self.borders.push(self.cell * as_float(start));
            }
            start += count;
        }
    }

    fn name(&mut self, names: &[(String, usize, usize)], each: bool) {
        for (name, start, count) in names {
            let height = self.cell * as_float(*count);
            if !each && height < NAMED_FROM {
                continue;
            }
            let middle = self.cell * as_float(*start) + height / 2.0;
            let text = shortened(name, NAME_WIDTH);
            let row = Point {
                x: self.grid.x - 6.0,
                y: self.grid.y + middle,
            };
            let column = Point {
                x: self.grid.x + middle,
                y: self.grid.y - 6.0,
            };
            self.rows.push(Label {
                at: row,
                text: text.clone(),
            });
            self.columns.push(Label { at: column, text });
        }
    }

    /// How high a picture of that width has to be, so that it is not cut and no room is left empty.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.grid.bottom() + MARGIN
    }

    /// The row and the column under the pointer.
    #[must_use]
    pub fn under(&self, pointer: Point) -> Option<(usize, usize)> {
        let at = |along: f64| as_count(along / self.cell);
        let inside = self.grid.contains(pointer) && self.cell > 0.0;
        inside.then(|| (at(pointer.y - self.grid.y), at(pointer.x - self.grid.x)))
    }
}

impl Matrix {
    /// What a cell says, for a tooltip: `a → b: 12.5 ms, slower`.
    #[must_use]
    pub fn told(
        &self,
        nodes: &[Node<'_>],
        (row, column): (usize, usize),
        phrases: &Phrases,
    ) -> Option<String> {
        let say = phrases.topology();
        let name = |at: usize| Some(nodes.get(*self.order.get(at)?)?.name);
        let (from, to) = name(row).zip(name(column))?;
        if row == column {
            return Some(from.into());
        }
        let Some(cell) = self.cell(row, column) else {
            return Some(format!("{from} → {to}: {}", phrases.unknown));
        };
        let (time, word) = (Unit::Millis.tell(cell.rtt_ms), cell.deviation.word(say));
        let loss = if cell.is_lossy {
            format!(", {}", say.lossy)
        } else {
            String::new()
        };
        Some(format!("{from} → {to}: {time}, {word}{loss}"))
    }
}

/// A round-trip time in milliseconds, in at most four characters.
fn brief(rtt_ms: f64) -> String {
    match rtt_ms {
        few if few < 10.0 => format!("{few:.1}"),
        some if some < 10_000.0 => format!("{some:.0}"),
        many => format!("{:.0}s", many / 1_000.0),
    }
}
