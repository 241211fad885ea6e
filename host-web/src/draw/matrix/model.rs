//! Nodes and round trips, their order, and how unusual each is.

use crate::{
    catalogue::{Phrases, fill, topology},
    draw::{
        shape::Ink,
        twin::{NOTHING, Row},
        unit::Unit,
    },
};

/// The most nodes that a matrix shows; the table lists them all.
pub const NODES_MAX: usize = 200;
/// A share of lost pings above this is marked.
const LOSS_MAX: f64 = 0.02;

/// A node: a row and a column.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// What people call it.
    pub name: &'a str,
    /// What nodes are sorted by, such as a zone; empty if there is none.
    pub group: &'a str,
    /// Whether it is dead: what is known of it is old.
    pub is_dead: bool,
}

/// A measured path, by the numbers of its nodes. A number that no node has is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Who pings.
    pub from: usize,
    /// Who answers.
    pub to: usize,
    /// The round-trip time in milliseconds.
    pub rtt_ms: f64,
    /// The share of pings without an answer, from 0 to 1.
    pub loss: f64,
}

/// How a round trip compares with what is usual for its row and its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    /// Less than half.
    MuchFaster,
    /// Less than two thirds.
    Faster,
    /// About as usual.
    Usual,
    /// More than one and a half times.
    Slower,
    /// More than twice.
    MuchSlower,
    /// More than four times.
    FarSlower,
}

impl Deviation {
    /// All of them, for a legend.
    pub const ALL: [Self; 6] = [
        Self::MuchFaster,
        Self::Faster,
        Self::Usual,
        Self::Slower,
        Self::MuchSlower,
        Self::FarSlower,
    ];

    /// How a round trip compares with what would be usual; both are above 0.
    #[must_use]
    pub fn of(rtt_ms: f64, usual_ms: f64) -> Self {
        match rtt_ms / usual_ms {
            times if times < 0.5 => Self::MuchFaster,
            times if times < 0.67 => Self::Faster,
            times if times <= 1.5 => Self::Usual,
            times if times <= 2.0 => Self::Slower,
            times if times <= 4.0 => Self::MuchSlower,
            _ => Self::FarSlower,
        }
    }

    /// Its colour, and how much of it, from 0 to 1.
    #[must_use]
    pub const fn ink(self) -> (Ink, f64) {
        match self {
            Self::MuchFaster => (Ink::Accent, 0.4),
            Self::Faster => (Ink::Accent, 0.24),
            Self::Usual => (Ink::Border, 0.5),
            Self::Slower => (Ink::Warn, 0.55),
            Self::MuchSlower => (Ink::Warn, 0.95),
            Self::FarSlower => (Ink::Bad, 0.95),
        }
    }

    /// Its word.
    #[must_use]
    pub const fn word(self, say: &topology::Phrases) -> &'static str {
        match self {
            Self::MuchFaster => say.much_faster,
            Self::Faster => say.faster,
            Self::Usual => say.usual,
            Self::Slower => say.slower,
            Self::MuchSlower => say.much_slower,
            Self::FarSlower => say.far_slower,
        }
    }
}

/// A known cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// The round-trip time in milliseconds.
    pub rtt_ms: f64,
    /// How it compares.
    pub deviation: Deviation,
    /// Whether more than 2 of 100 pings had no answer.
    pub is_lossy: bool,
}

/// The nodes in their order, and all cells. It changes with the data only.
#[derive(Clone, Debug, Default)]
pub struct Matrix {
    /// The numbers of the nodes that are shown, in the order of rows and columns.
    pub order: Vec<usize>,
    /// The groups in their order, each with the number of its rows.
    pub groups: Vec<(String, usize)>,
    /// How many nodes there was no room for.
    pub left_out: usize,
    cells: Vec<Option<Cell>>,
}

impl Matrix {
    /// Sorts nodes by group and name, and compares each round trip with the geometric mean of its row's
    /// and its column's median. Of two paths with the same ends the last one counts; a time that is no
    /// number above 0 is unknown.
    #[must_use]
    pub fn new(nodes: &[Node<'_>], paths: &[Path]) -> Self {
        let mut sorted: Vec<(usize, &Node<'_>)> = nodes.iter().enumerate().collect();
        sorted.sort_by_key(|(number, node)| (node.group, node.name, *number));
        let left_out = sorted.len().saturating_sub(NODES_MAX);
        sorted.truncate(NODES_MAX);
        let mut groups: Vec<(String, usize)> = Vec::new();
        for (_, node) in &sorted {
            match groups.last_mut() {
                Some((group, count)) if group == node.group => *count += 1,
                _ => groups.push((node.group.into(), 1)),
            }
        }
        let order: Vec<usize> = sorted.iter().map(|(number, _)| *number).collect();
        let cells = compared(nodes.len(), &order, paths);
        Self {
            order,
            groups,
            left_out,
            cells,
        }
    }

    /// How many rows and columns there are.
    #[must_use]
    pub fn side(&self) -> usize {
        self.order.len()
    }

    /// What is known of a cell, by its row and its column.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> Option<Cell> {
        let inside = row < self.side() && column < self.side();
        inside.then(|| {
            self.cells
                .get(row * self.side() + column)
                .copied()
                .flatten()
        })?
    }

    /// The cells of a row, from left to right.
    pub(crate) fn row(&self, row: usize) -> &[Option<Cell>] {
        let start = row.saturating_mul(self.side());
        self.cells
            .get(start..start.saturating_add(self.side()))
            .unwrap_or_default()
    }

    /// The matrix's table: a row for each node that pings, with how many others it reaches, how long that
    /// takes in the middle, and which path is slowest compared with what is usual.
    #[must_use]
    pub fn twin(&self, nodes: &[Node<'_>], phrases: &Phrases) -> Vec<Row> {
        let say = phrases.topology();
        let name = |at: usize| {
            let number = self.order.get(at).copied();
            number
                .and_then(|number| nodes.get(number))
                .map_or("", |node| node.name)
        };
        let rows = (0..self.side()).map(|at| {
            let known_cells = || {
                self.row(at)
                    .iter()
                    .enumerate()
                    .filter_map(|(to, cell)| Some((to, (*cell)?)))
            };
            let mut times: Vec<f64> = known_cells().map(|(_, cell)| cell.rtt_ms).collect();
            let middle = median(&mut times).map(|value| Unit::Millis.tell(value));
            let odd = known_cells().filter(|(_, cell)| cell.deviation > Deviation::Usual);
            let worst = odd.max_by(|(_, a), (_, b)| {
                a.deviation
                    .cmp(&b.deviation)
                    .then(a.rtt_ms.total_cmp(&b.rtt_ms))
            });
            let worst = worst.map(|(to, cell)| {
                let (time, word) = (Unit::Millis.tell(cell.rtt_ms), cell.deviation.word(say));
                fill(say.reaches_in, &[name(to), &time, word])
            });
            let lossy: Vec<&str> = known_cells()
                .filter(|(_, cell)| cell.is_lossy)
                .map(|(to, _)| name(to))
                .collect();
            Row::new(
                name(at),
                [
                    (say.reaches, known_cells().count().to_string()),
                    (say.median, middle.unwrap_or_else(|| phrases.unknown.into())),
                    (say.slowest, worst.unwrap_or_else(|| NOTHING.into())),
                    (
                        say.lossy,
                        if lossy.is_empty() {
                            NOTHING.into()
                        } else {
                            lossy.join(", ")
                        },
                    ),
                ],
            )
        });
        rows.collect()
    }
}

/// All cells, row by row.
fn compared(nodes: usize, order: &[usize], paths: &[Path]) -> Vec<Option<Cell>> {
    let side = order.len();
    let mut place_of = vec![None; nodes];
    for (place, number) in order.iter().enumerate() {
        if let Some(known) = place_of.get_mut(*number) {
            *known = Some(place);
        }
    }
    let place = |number: usize| place_of.get(number).copied().flatten();
    let mut times: Vec<Option<(f64, f64)>> = vec![None; side * side];
    for path in paths {
        let Some((row, column)) = place(path.from).zip(place(path.to)) else {
            continue;
        };
        if row == column || !(path.rtt_ms > 0.0 && path.rtt_ms.is_finite()) {
            continue;
        }
        if let Some(time) = times.get_mut(row * side + column) {
            *time = Some((path.rtt_ms, path.loss));
        }
    }
    let mut lines: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); side];
    for (at, (rtt, _)) in times
        .iter()
        .enumerate()
        .filter_map(|(at, time)| Some((at, (*time)?)))
    {
        if let Some((row, _)) = lines.get_mut(at / side) {
            row.push(rtt);
        }
        if let Some((_, column)) = lines.get_mut(at % side) {
            column.push(rtt);
        }
    }
    let medians: Vec<(f64, f64)> = lines
        .iter_mut()
        .map(|(row, column)| (median(row).unwrap_or(1.0), median(column).unwrap_or(1.0)))
        .collect();
    let usual = |at: usize| {
        let (row, column) = medians.get(at / side).zip(medians.get(at % side))?;
        Some((row.0 * column.1).sqrt())
    };
    let cells = times.iter().enumerate().map(|(at, time)| {
        let (rtt_ms, loss) = (*time)?;
        let deviation = Deviation::of(rtt_ms, usual(at)?);
        Some(Cell {
            rtt_ms,
            deviation,
            is_lossy: loss > LOSS_MAX,
        })
    });
    cells.collect()
}

/// The middle of some values, or the mean of the two in the middle.
fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let after = values.get(values.len() / 2)?;
    let before = values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(*before, *after))
}
